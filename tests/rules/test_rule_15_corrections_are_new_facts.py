"""Corrections are new facts. Nothing is edited or removed."""

import psycopg
import pytest

from tests.rules.saying import REASON, at, estimate
from tests.rules.town import Team, Town

AS_OF = """
query AsOf($of: UUID!, $then: Position!) {
  whyNot(proposalId: $of, asOf: { position: $then }) { proposal { estimateVersion likelyDays } }
}
"""


def test_a_wrong_estimate_is_corrected_by_a_new_one_and_the_first_stays_to_be_seen(team: Team) -> None:
    proposal_id = team.propose(days=50)
    then = team.town.at
    team.estimate_again(proposal_id, 5, "ERROR")
    first, second = team.timeline(proposal_id, "EstimateGiven", "EstimateChanged")
    assert (first["body"]["likely"], second["body"]["likely"]) == ("50", "5")
    assert second["body"]["cause"] == "ERROR"
    assert team.why_not(proposal_id)["proposal"]["estimateVersion"] == 2
    shown = team.engineer.answer(AS_OF, of=proposal_id, then=then)["data"]["whyNot"]["proposal"]
    assert shown == {"estimateVersion": 1, "likelyDays": "50"}


def test_a_better_reason_stands_beside_the_first_and_never_in_its_place(team: Team) -> None:
    proposal_id, decision_id = team.declined()
    better = {**REASON, "text": "A quarter was looked at since, and it shows no loss that comes back."}
    of = {"proposalId": proposal_id, "decisionId": decision_id}
    team.product.does("explainDecision", **of, reasons=[better])
    (given,) = team.timeline(proposal_id, "DecisionExplained")
    assert given["body"]["reasons"][0]["text"] == better["text"]
    assert team.decision(proposal_id)["reasons"] == [REASON]


def test_a_correction_that_says_no_cause_is_refused(team: Team) -> None:
    proposal_id = team.propose(days=50)
    assert team.engineer.is_refused("estimateProposal", **estimate(proposal_id, 5, 5, 5)) == (
        "ESTIMATE_INVALID",
        "The proposal is estimated already (version 1). Say why the estimate changes.",
        at("cause"),
    )


@pytest.mark.parametrize("verb", ["deleteProposal", "editDecision", "removeEvent"])
def test_there_is_no_verb_that_edits_or_removes(team: Team, verb: str) -> None:
    code, sentence = team.town.steward.error(f"mutation {{ {verb}(input: {{}}) {{ position }} }}")
    assert code == "GRAPHQL_VALIDATION_FAILED"
    assert sentence.startswith(f"Cannot query field '{verb}' on type 'Mutation'.")


@pytest.mark.parametrize("statement", ["UPDATE ledger.events SET topic = 'x'", "DELETE FROM ledger.events"])
def test_the_database_itself_refuses_to_edit_or_remove(town: Town, statement: str) -> None:
    town.steward.does("formTeam", name="Search")
    before = town.ledger.head()
    with (
        psycopg.connect(town.database_url) as connection,
        pytest.raises(psycopg.Error, match="append-only"),
    ):
        connection.execute(statement.encode())
    assert town.recorded(before) == []
