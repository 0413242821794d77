"""A review closes only when each item is decided or carried over. The third carry-over of one item is refused: decide it."""

from tests.rules.saying import at, left_over, no
from tests.rules.town import Team


def test_a_review_closes_once_each_item_is_decided_or_carried_over(team: Team) -> None:
    decided, left = team.propose(), team.propose()
    review_id = team.opened(decided, left)
    team.decide(no(review_id, decided))
    team.carry_over(review_id, left)
    team.product.does("closeReview", reviewId=review_id, minutesUrl="https://minutes.example/7")
    found = team.review(review_id)
    assert found["review"]["state"] == "CLOSED"
    assert (found["review"]["decidedCount"], found["review"]["carriedOverCount"]) == (1, 1)
    items = {line["item"]["proposalId"]: line["item"] for line in found["lines"]}
    assert items[decided]["state"] == "DECIDED"
    assert (items[left]["state"], items[left]["carriedOverBecause"]) == ("CARRIED_OVER", "The release comes first.")


def test_closing_a_review_with_an_item_unanswered_is_refused_and_names_it(team: Team) -> None:
    decided, left = team.propose(), team.propose()
    review_id = team.opened(decided, left)
    team.decide(no(review_id, decided))
    assert team.product.is_refused("closeReview", reviewId=review_id) == (
        "ITEMS_UNDECIDED",
        f"1 item is neither decided nor carried over: {left}. Answer each first.",
        at("reviewId"),
    )
    assert team.review(review_id)["review"]["state"] == "OPEN"


def test_the_third_carry_over_in_a_row_is_refused(team: Team) -> None:
    proposal_id = team.propose()
    for _ in range(2):
        review_id = team.opened(proposal_id)
        team.carry_over(review_id, proposal_id)
        team.product.does("closeReview", reviewId=review_id)
    assert [e["body"]["count"] for e in team.timeline(proposal_id, "DecisionCarriedOver")] == [1, 2]
    review_id = team.opened(proposal_id)
    assert team.product.is_refused("carryOverItem", **left_over(review_id, proposal_id)) == (
        "CARRIED_OVER_TOO_OFTEN",
        "The item was carried over 2 times in a row already. Decide it now.",
        at("proposalId"),
    )
    team.decide(no(review_id, proposal_id))
    team.product.does("closeReview", reviewId=review_id)
    assert team.status(proposal_id) == "DECLINED"
