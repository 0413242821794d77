"""One open appeal at a time; whoever took the decision does not hear its appeal."""

from uuid import uuid4

from ledger.values import Role
from tests.rules.saying import at
from tests.rules.town import Team


def appeal(proposal_id: str, decision_id: str) -> dict[str, str]:
    """What an appeal says."""
    return {
        "proposalId": proposal_id,
        "decisionId": decision_id,
        "appealId": str(uuid4()),
        "grounds": "NEW_INFORMATION",
        "text": "The figures of a whole quarter are there now.",
    }


def verdict(lodged: dict[str, str]) -> dict[str, str]:
    """What is said in hearing it."""
    of = {"proposalId": lodged["proposalId"], "appealId": lodged["appealId"]}
    return {**of, "reason": "The quarter shows what one week could not."}


def test_an_appeal_that_another_product_manager_upholds_brings_the_item_back(team: Team) -> None:
    paul = team.joined_by("Paul", Role.PRODUCT_MANAGER)
    lodged = appeal(*team.declined())
    team.engineer.does("lodgeAppeal", **lodged)
    paul.does("upholdAppeal", **verdict(lodged))
    assert team.status(lodged["proposalId"]) == "PENDING"
    (story,) = team.why_not(lodged["proposalId"])["decisions"]
    (heard,) = story["appeals"]
    assert (heard["state"], heard["heardBy"]["memberId"]) == ("UPHELD", paul.id)
    assert story["decision"]["reopened"]["because"] == "APPEAL_UPHELD"


def test_another_appeal_may_follow_once_the_first_is_dismissed(team: Team) -> None:
    paul = team.joined_by("Paul", Role.PRODUCT_MANAGER)
    proposal_id, decision_id = team.declined()
    first, second = appeal(proposal_id, decision_id), appeal(proposal_id, decision_id)
    team.engineer.does("lodgeAppeal", **first)
    paul.does("dismissAppeal", **verdict(first))
    assert team.status(proposal_id) == "DECLINED"
    team.engineer.does("lodgeAppeal", **second)
    (story,) = team.why_not(proposal_id)["decisions"]
    assert {found["appealId"]: found["state"] for found in story["appeals"]} == {
        first["appealId"]: "DISMISSED",
        second["appealId"]: "OPEN",
    }


def test_a_second_appeal_is_refused_while_one_is_open(team: Team) -> None:
    proposal_id, decision_id = team.declined()
    team.engineer.does("lodgeAppeal", **appeal(proposal_id, decision_id))
    assert team.lead.is_refused("lodgeAppeal", **appeal(proposal_id, decision_id)) == (
        "APPEAL_OPEN",
        "An appeal is open already. Wait until it is upheld or dismissed.",
        at("decisionId"),
    )


def test_hearing_the_appeal_against_ones_own_decision_is_refused(team: Team) -> None:
    lodged = appeal(*team.declined())
    team.engineer.does("lodgeAppeal", **lodged)
    for mutation in ("upholdAppeal", "dismissAppeal"):
        assert team.product.is_refused(mutation, **verdict(lodged)) == (
            "OWN_APPEAL",
            "You took the decision, so somebody else hears its appeal. Ask another one.",
            at("appealId"),
        )
    assert team.status(lodged["proposalId"]) == "DECLINED"
