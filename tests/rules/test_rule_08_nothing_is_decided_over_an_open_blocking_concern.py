"""No decision while a blocking concern is open, unless overruled with a reason. Concerns are never deleted."""

from uuid import uuid4

from tests.rules.saying import at, yes
from tests.rules.town import Team

WORRY = "The tax rules change in March, and this would have to be done twice."


def worry(team: Team, proposal_id: str, *, blocking: bool = True, text: str = WORRY) -> str:
    """A concern of the lead's."""
    concern_id = str(uuid4())
    given = {"proposalId": proposal_id, "concernId": concern_id, "text": text, "blocking": blocking}
    team.lead.does("raiseConcern", **given)
    return concern_id


def test_a_decision_waits_until_the_raiser_holds_a_blocking_concern_settled(team: Team) -> None:
    proposal_id = team.propose()
    concern_id = worry(team, proposal_id)
    review_id = team.opened(proposal_id)
    of = {"proposalId": proposal_id, "concernId": concern_id}
    team.product.does("answerConcern", **of, text="The new rules are known, and the design has room for them.")
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)).code == "CONCERN_OPEN"
    team.lead.does("resolveConcern", **of, note="Seen in the design.")
    team.decide(yes(review_id, proposal_id))
    assert team.status(proposal_id) == "ACCEPTED"
    (concern,) = team.why_not(proposal_id)["concerns"]
    assert (concern["state"], concern["text"]) == ("RESOLVED", WORRY)


def test_a_blocking_concern_that_is_overruled_with_a_reason_stays_to_be_seen(team: Team) -> None:
    proposal_id = team.propose()
    of = {"proposalId": proposal_id, "concernId": worry(team, proposal_id)}
    review_id = team.opened(proposal_id)
    team.product.does("overruleConcern", **of, reason="Waiting for March costs more than doing a part twice.")
    team.decide(yes(review_id, proposal_id))
    (concern,) = team.why_not(proposal_id)["concerns"]
    assert (concern["state"], concern["text"], concern["blocking"]) == ("OVERRULED", WORRY, True)
    assert concern["overruledBy"]["memberId"] == team.product.id
    assert concern["overruledBecause"] == "Waiting for March costs more than doing a part twice."


def test_a_concern_that_blocks_nothing_holds_no_decision_up(team: Team) -> None:
    proposal_id = team.propose()
    worry(team, proposal_id, blocking=False)
    team.decide(yes(team.opened(proposal_id), proposal_id))
    (concern,) = team.why_not(proposal_id)["concerns"]
    assert concern["state"] == "OPEN"


def test_a_decision_over_open_blocking_concerns_is_refused_and_names_them(team: Team) -> None:
    proposal_id = team.propose()
    worry(team, proposal_id)
    review_id = team.opened(proposal_id)
    answer = yes(review_id, proposal_id)
    assert team.product.is_refused("takeDecision", **answer) == (
        "CONCERN_OPEN",
        f"1 blocking concern is open (“{WORRY}”). Have it resolved, or overrule it with a reason.",
        at("proposalId"),
    )
    worry(team, proposal_id, text="Nobody knows the old rules.")
    assert team.product.is_refused("takeDecision", **answer).message == (
        f"2 blocking concerns are open (“{WORRY}”; “Nobody knows the old rules.”). "
        "Have them resolved, or overrule them with a reason."
    )
    assert team.status(proposal_id) == "PENDING"


def test_settling_somebody_elses_concern_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    of = {"proposalId": proposal_id, "concernId": worry(team, proposal_id)}
    assert team.engineer.is_refused("resolveConcern", **of) == (
        "FORBIDDEN",
        "Only whoever raised a concern resolves it. Answer it, or overrule it.",
        at("concernId"),
    )


def test_overruling_without_a_reason_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    of = {"proposalId": proposal_id, "concernId": worry(team, proposal_id)}
    assert team.product.is_refused("overruleConcern", **of, reason="   ") == (
        "BAD_USER_INPUT",
        "The reason is empty. Say it in words.",
        at("reason"),
    )


def test_there_is_no_way_to_delete_a_concern(team: Team) -> None:
    code, sentence = team.product.error("mutation { deleteConcern(input: {}) { position } }")
    assert code == "GRAPHQL_VALIDATION_FAILED"
    assert sentence.startswith("Cannot query field 'deleteConcern' on type 'Mutation'.")
