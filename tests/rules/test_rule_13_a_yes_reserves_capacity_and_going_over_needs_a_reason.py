"""A YES reserves capacity in its review; going over needs an explicit override with a reason."""

from decimal import Decimal

from tests.rules.saying import at, yes
from tests.rules.town import Team

WHY = "The payment provider ends the old interface in May."


def test_a_yes_reserves_the_days_that_it_is_expected_to_take(team: Team) -> None:
    first, second = team.propose(days=5), team.propose(days=3)
    review_id = team.opened(first, second, capacity=12)
    team.decide(yes(review_id, first))
    team.decide(yes(review_id, second, daysReserved="4.5"))
    found = team.review(review_id)["review"]
    assert (Decimal(found["capacity"]), Decimal(found["reserved"])) == (Decimal(12), Decimal("9.5"))
    decision = team.decision(second)
    assert Decimal(decision["capacityLeft"]) == 7
    assert decision["overCapacityReason"] is None


def test_going_over_the_capacity_is_recorded_with_its_reason(team: Team) -> None:
    first, second = team.propose(days=8), team.propose(days=5)
    review_id = team.opened(first, second, capacity=10)
    team.decide(yes(review_id, first))
    team.decide(yes(review_id, second, overCapacityReason=WHY))
    decision = team.decision(second)
    assert decision["overCapacityReason"] == WHY
    assert Decimal(decision["daysReserved"]) == 5
    assert Decimal(team.review(review_id)["review"]["reserved"]) == 13


def test_going_over_the_capacity_without_a_reason_is_refused_with_the_figures(team: Team) -> None:
    first, second = team.propose(days=8), team.propose(days=5)
    review_id = team.opened(first, second, capacity=10)
    team.decide(yes(review_id, first))
    for reason in (None, "  "):
        answer = yes(review_id, second, overCapacityReason=reason)
        assert team.product.is_refused("takeDecision", **answer) == (
            "OVER_CAPACITY",
            "This takes 5 days and 2 of 10 are left, 3 too few. Reserve fewer, or give `overCapacityReason`.",
            at("overCapacityReason"),
        )
    assert Decimal(team.review(review_id)["review"]["reserved"]) == 8


def test_a_yes_to_what_nobody_estimated_is_refused_unless_it_says_what_to_reserve(team: Team) -> None:
    proposal_id = team.propose(days=None)
    review_id = team.opened(proposal_id)
    answer = yes(review_id, proposal_id, estimateVersion=0)
    assert team.product.is_refused("takeDecision", **answer) == (
        "BAD_USER_INPUT",
        "The proposal has no estimate in days to reserve by. Give `daysReserved`, or have it estimated.",
        at("daysReserved"),
    )
    team.decide({**answer, "daysReserved": "2"})
    assert Decimal(team.review(review_id)["review"]["reserved"]) == 2
