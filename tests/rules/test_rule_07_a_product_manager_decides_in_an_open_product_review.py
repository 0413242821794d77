"""Decisions are taken inside an open product review by a product manager of that team. One on one's own item is flagged."""

from uuid import UUID

import pytest

from ledger.values import MemberId, Role
from tests.rules.saying import at, no, yes
from tests.rules.town import Person, Team, Town, document

ASK = "Ask one of them, or a steward for the role."


def test_a_product_manager_decides_in_an_open_review_of_the_team(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id)
    decision_id = team.decide(no(review_id, proposal_id))
    assert team.status(proposal_id) == "DECLINED"
    decision = team.decision(proposal_id)
    assert decision["decider"] == {"memberId": team.product.id, "name": "Pia"}
    assert (decision["decisionId"], decision["reviewId"]) == (decision_id, review_id)
    assert decision["selfDecided"] is False
    (line,) = team.review(review_id)["lines"]
    assert line["item"] | {"state": "DECIDED", "verdict": "NO", "proposalId": proposal_id} == line["item"]


def test_a_decision_on_ones_own_item_is_flagged(team: Team) -> None:
    both = team.joined_by("Kim", Role.ENGINEER, Role.PRODUCT_MANAGER)
    proposal_id = team.propose(by=both)
    team.decide(yes(team.opened(proposal_id), proposal_id), by=both)
    assert team.decision(proposal_id)["selfDecided"] is True
    assert team.transparency()["selfDecided"] == 1


def test_a_decision_outside_an_open_review_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.frozen(proposal_id)
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "REVIEW_NOT_OPEN",
        "The review is FROZEN, and answers are given in an open one. Open it, or use one that is.",
        at("reviewId"),
    )
    team.product.does("openReview", reviewId=review_id, attendees=[team.product.id])
    team.carry_over(review_id, proposal_id)
    team.product.does("closeReview", reviewId=review_id)
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "REVIEW_NOT_OPEN",
        "The review is CLOSED, and answers are given in an open one. Use one that is.",
        at("reviewId"),
    )


def test_a_decision_in_an_engineering_review_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id, kind="ENGINEERING")
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "REVIEW_NOT_OPEN",
        "An engineering review prepares the list and answers nothing. Use an open product review.",
        at("reviewId"),
    )


def test_a_decision_on_what_is_not_on_the_agenda_is_refused(team: Team) -> None:
    review_id, proposal_id = team.opened(team.propose()), team.propose()
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "NOT_ON_AGENDA",
        "The proposal is not on this review's agenda. Take it to the next one.",
        at("proposalId"),
    )


def test_a_decision_in_another_teams_review_is_refused(team: Team, town: Town) -> None:
    other = town.team("Search")
    review_id, proposal_id = other.opened(other.propose()), team.propose()
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "NOT_FOUND",
        "There is no such review. Look its id up, or schedule it first.",
        at("reviewId"),
    )
    town.steward.does_all(
        ("addMember", {"teamId": other.id, "memberId": team.product.id}),
        ("grantRole", {"teamId": other.id, "memberId": team.product.id, "role": "OBSERVER"}),
    )
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "REVIEW_NOT_OPEN",
        "The review is another team's. Use an open product review of the proposal's team.",
        at("reviewId"),
    )


@pytest.mark.parametrize("role", ["ENGINEER", "ENGINEERING_LEAD", "OBSERVER"])
def test_a_decision_by_anyone_but_a_product_manager_is_refused(team: Team, role: str) -> None:
    who: Person = team.joined_by("Noor", Role(role))
    proposal_id = team.propose()
    assert who.is_refused("takeDecision", **yes(team.opened(proposal_id), proposal_id)) == (
        "FORBIDDEN",
        f"`takeDecision` is for PRODUCT_MANAGER in this team; you have {role}. {ASK}",
        [],
    )


def test_a_decision_by_another_teams_product_manager_or_a_steward_is_refused(team: Team, town: Town) -> None:
    proposal_id = team.propose()
    answer = yes(team.opened(proposal_id), proposal_id)
    assert town.team("Search").product.is_refused("takeDecision", **answer) == (
        "NOT_FOUND",
        "There is no such proposal. Check its id.",
        at("proposalId"),
    )
    assert town.steward.is_refused("takeDecision", **answer).code == "FORBIDDEN"


def test_a_decision_without_a_token_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    answer = yes(team.opened(proposal_id), proposal_id)
    nobody = Person(team.town, "Nobody", MemberId(UUID(team.product.id)), "ldg_of_nobody")
    assert nobody.error(document("takeDecision"), input=answer) == (
        "UNAUTHENTICATED",
        "A valid token is needed: send the header Authorization: Bearer ldg_…",
    )
    assert team.status(proposal_id) == "PENDING"
