"""Imported history is never invented: what the source does not say stays absent, and no live command may use its two codes."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ledger.commands import derived_id
from ledger.importing import import_histories
from ledger.importing.naming import Names, decision_id
from tests.rules.queries import TIMELINE, WHY_NOT
from tests.rules.saying import at, no
from tests.rules.town import Team, Town

REASON = "Nobody has the long ladder before autumn."
NOES = """
query Transparency($teams: [UUID!], $at: Position) {
  transparency(teamIds: $teams, atLeast: $at) {
    proposed importedProposals importedDecisions declines { count unexplained imported }
  }
}
"""


def rejected(external_id: str, system: str, **decision: Any) -> dict[str, Any]:
    """A line of a history: something that was proposed, and rejected a month later."""
    submitted = {"seq": 1, "type": "proposed", "at": "2019-03-01T00:00:00Z"}
    decided = {"seq": 2, "type": "decided", "verdict": "rejected", "at": "2019-04-01T00:00:00Z", **decision}
    source = {"repo": system, "url": f"https://example.org/{external_id}"}
    return {"id": external_id, "title": "Graft the old trees", "source": source, "facts": [submitted, decided]}


@pytest.fixture
def orchard(town: Town, tmp_path: Path) -> Names:
    """A source of which two rejections were imported beside the live teams: one with a reason in words, one with none."""
    system = f"example/orchard-{uuid4().hex[:8]}"
    lines = [rejected("told", system, reason=REASON, by=["Bea Sloe"]), rejected("untold", system)]
    path = tmp_path / "orchard.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    report = import_histories(town.ledger, town.database_url, [path])
    assert report.ok
    town.at = str(town.ledger.head())
    return Names(system)


def story(town: Town, names: Names, external_id: str) -> dict[str, Any]:
    (found,) = town.auditor.asks(WHY_NOT, of=str(names.proposal(external_id)))["decisions"]
    return found["decision"]


def test_an_imported_decline_says_what_its_source_says_and_nothing_else(town: Town, orchard: Names) -> None:
    told, untold = story(town, orchard, "told"), story(town, orchard, "untold")
    assert told["reasons"] == [{"code": "NOT_CLASSIFIED", "text": REASON, "companion": None}]
    assert untold["reasons"] == [{"code": "NOT_RECORDED", "text": "", "companion": None}]
    assert (told["unexplained"], untold["unexplained"]) == (False, True)
    assert told["decider"]["name"] == "Bea Sloe"
    for found in (told, untold):
        assert found["provenance"]["system"] == orchard.system
        assert found["basis"] is found["reviewId"] is found["toldAt"] is None
    assert untold["decider"] is None


def test_an_imported_no_without_a_reason_is_counted_as_unexplained(town: Town, orchard: Names) -> None:
    counts = town.auditor.asks(NOES, teams=[str(orchard.team_id)])
    assert (counts["proposed"], counts["importedProposals"], counts["importedDecisions"]) == (2, 2, 2)
    assert counts["declines"] == {"count": 2, "unexplained": 1, "imported": 2}


def test_an_imported_story_has_no_fact_that_its_source_does_not_tell(town: Town, orchard: Names) -> None:
    entries = town.auditor.asks(TIMELINE, of=str(orchard.proposal("untold")))["nodes"]
    assert [entry["kind"] for entry in entries] == ["ProposalSubmitted", "DecisionTaken"]
    assert entries[0]["body"].get("proposer") is None


def test_a_guessed_id_does_not_tell_whether_anything_was_imported(team: Team, orchard: Names) -> None:
    for imported in ("told", "never imported"):
        guessed = str(orchard.proposal(imported))
        assert team.engineer.is_refused("submitProposal", **team.submission(proposalId=guessed)) == (
            "BAD_USER_INPUT",
            "`proposalId` is a UUID made from a name (version 5). Give a random one (version 4 or 7), or leave it out.",
            at("proposalId"),
        )
    command_id = uuid4()
    team.engineer.does(
        "submitProposal",
        **team.submission(commandId=str(command_id), proposalId=str(derived_id(command_id, "proposal"))),
    )


def test_nobody_takes_the_id_of_a_decision_that_is_yet_to_be_imported(team: Team, orchard: Names) -> None:
    proposal_id = team.propose()
    later = str(decision_id(orchard.command("yet to come#2")))
    answer = no(team.opened(proposal_id), proposal_id, decisionId=later)
    code, _, path = team.product.is_refused("takeDecision", **answer)
    assert (code, path) == ("BAD_USER_INPUT", at("decisionId"))


@pytest.mark.parametrize("code", ["NOT_CLASSIFIED", "NOT_RECORDED"])
def test_a_live_decision_with_a_code_of_imported_history_is_refused(team: Team, code: str) -> None:
    proposal_id = team.propose()
    reasons = [{"code": code, "text": "A text that is surely long enough to be read as a reason."}]
    answer = no(team.opened(proposal_id), proposal_id, reasons=reasons)
    assert team.product.is_refused("takeDecision", **answer) == (
        "IMPORT_ONLY",
        f"{code} is for imported history only. Give the reason by its code.",
        at("reasons", "0", "code"),
    )
    assert team.status(proposal_id) == "PENDING"


@pytest.mark.parametrize("code", ["NOT_CLASSIFIED", "NOT_RECORDED"])
def test_the_catalogue_refuses_to_take_a_code_of_imported_history_in(town: Town, code: str) -> None:
    assert town.steward.is_refused("addReasonCode", code=code, meaning="For the lazy.") == (
        "IMPORT_ONLY",
        f"{code} marks imported decisions whose source gives no code. Choose another name.",
        at("code"),
    )
