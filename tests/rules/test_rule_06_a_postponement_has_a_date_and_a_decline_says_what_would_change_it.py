"""POSTPONE needs at least one revisit condition, one of them a date. DECLINE needs what would reopen it, or says that it is final."""

from tests.rules.saying import at, later, no, now
from tests.rules.town import Team

NO_DATE = "A POSTPONE needs a day on which it comes back at the latest. Add a revisit condition DATE."
ONE_OF_TWO = "A DECLINE says either what would make you reconsider, or that it is final. Give one of the two."


def test_a_postponed_item_says_on_which_day_it_comes_back_at_the_latest(team: Team) -> None:
    proposal_id = team.propose()
    revisit = [{"kind": "DRAG_ABOVE", "hours": "40"}, {"kind": "DATE", "on": now(days=90)}]
    team.decide(later(team.opened(proposal_id), proposal_id, revisit=revisit))
    assert team.status(proposal_id) == "POSTPONED"
    assert [condition["kind"] for condition in team.decision(proposal_id)["revisit"]] == ["DRAG_ABOVE", "DATE"]


def test_a_condition_that_holds_puts_the_item_on_the_next_agenda_by_itself(team: Team) -> None:
    proposal_id = team.propose(drag=10)
    revisit = [{"kind": "DRAG_ABOVE", "hours": "40"}, {"kind": "DATE", "on": now(days=90)}]
    review_id = team.opened(proposal_id)
    team.decide(later(review_id, proposal_id, revisit=revisit))
    team.product.does("closeReview", reviewId=review_id)
    team.assess_again(proposal_id, 41)
    team.frozen(proposal_id)
    assert team.status(proposal_id) == "PENDING"
    (back,) = team.timeline(proposal_id, "ProposalReopened")
    assert (back["body"]["because"], back["body"]["note"]) == ("REVISIT_DUE", "DRAG_ABOVE(40)")


def test_a_decline_says_what_would_make_its_decider_think_again_or_that_it_is_final(team: Team) -> None:
    open_to, final = team.propose(), team.propose()
    review_id = team.opened(open_to, final)
    team.decide(no(review_id, open_to, reconsiderIf="Two teams ask for it."))
    team.decide(no(review_id, final, reconsiderIf=None, final=True))
    assert team.decision(open_to)["reconsiderIf"] == "Two teams ask for it."
    assert team.decision(final)["final"] is True


def test_a_postponement_without_a_date_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id)
    for revisit in ([], [{"kind": "DRAG_ABOVE", "hours": "40"}]):
        refusal = team.product.is_refused("takeDecision", **later(review_id, proposal_id, revisit=revisit))
        assert refusal == ("REVISIT_MISSING", NO_DATE, at("revisit"))
    assert team.status(proposal_id) == "PENDING"


def test_a_decline_that_says_neither_or_both_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id)
    for said in ({"reconsiderIf": None}, {"reconsiderIf": "  "}, {"final": True}):
        refusal = team.product.is_refused("takeDecision", **no(review_id, proposal_id, **said))
        assert refusal == ("RECONSIDER_MISSING", ONE_OF_TWO, at("reconsiderIf"))


def test_a_condition_that_lacks_what_its_kind_needs_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    answer = later(team.opened(proposal_id), proposal_id, revisit=[{"kind": "DATE", "count": 2}])
    assert team.product.is_refused("takeDecision", **answer) == (
        "BAD_USER_INPUT",
        "The condition DATE needs exactly `on`. Set that and no other field.",
        at("revisit", "0"),
    )
