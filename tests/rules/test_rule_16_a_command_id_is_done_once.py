"""The same command id with the same input returns the first outcome; with another input it is refused."""

from datetime import timedelta, timezone
from uuid import uuid4

from tests.rules.saying import at, no, now
from tests.rules.town import Team


def test_the_same_command_again_gives_the_first_outcome_and_records_nothing(team: Team) -> None:
    asked = {**team.submission(proposalId=str(uuid4())), "commandId": str(uuid4())}
    first = team.engineer.does("submitProposal", **asked)
    head = team.town.ledger.head()
    again = team.engineer.does("submitProposal", **asked)
    assert again == {**first, "repeated": True}
    assert team.town.recorded(head) == []
    assert team.kinds(asked["proposalId"]).count("ProposalSubmitted") == 1
    assert team.transparency()["proposed"] == 1


def test_a_repeated_command_gives_its_first_outcome_though_it_could_not_be_done_any_more(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id)
    answer = {**no(review_id, proposal_id), "commandId": str(uuid4())}
    first = team.product.does("takeDecision", **answer)
    team.product.does("closeReview", reviewId=review_id)
    assert team.product.sends("takeDecision", **answer) == {**first, "repeated": True}


def test_the_same_command_id_with_another_input_is_refused(team: Team) -> None:
    asked = {**team.submission(proposalId=str(uuid4())), "commandId": str(uuid4())}
    team.engineer.does("submitProposal", **asked)
    refused = (
        "COMMAND_REUSED",
        f"The command id {asked['commandId']} was used for another request. Use a new id for a new request.",
        at("commandId"),
    )
    assert team.engineer.is_refused("submitProposal", **{**asked, "title": "Another title"}) == refused
    other = {"proposalId": asked["proposalId"], "commandId": asked["commandId"], "reason": "Something else."}
    assert team.engineer.is_refused("withdrawProposal", **other) == refused
    assert team.status(asked["proposalId"]) == "PENDING"


def test_when_it_was_true_is_part_of_the_input(team: Team) -> None:
    yesterday = now(days=-1)
    asked = {**team.submission(proposalId=str(uuid4())), "commandId": str(uuid4()), "occurredAt": yesterday}
    first = team.engineer.does("submitProposal", **asked)
    elsewhere = yesterday.astimezone(timezone(timedelta(hours=9)))
    assert team.engineer.does("submitProposal", **{**asked, "occurredAt": elsewhere}) == {**first, "repeated": True}
    later = {**asked, "occurredAt": yesterday + timedelta(hours=1)}
    assert team.engineer.is_refused("submitProposal", **later).code == "COMMAND_REUSED"
    del later["occurredAt"]
    assert team.engineer.is_refused("submitProposal", **later).code == "COMMAND_REUSED"


def test_the_same_input_from_somebody_else_is_refused(team: Team) -> None:
    asked = {**team.submission(proposalId=str(uuid4())), "commandId": str(uuid4())}
    team.engineer.does("submitProposal", **asked)
    assert team.lead.is_refused("submitProposal", **asked).code == "COMMAND_REUSED"
