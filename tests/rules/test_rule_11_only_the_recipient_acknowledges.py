"""Only the recipient acknowledges. NOT_UNDERSTOOD asks for a playback, and stays open until the proposer confirms it."""

from ledger.values import Role
from tests.rules.saying import at
from tests.rules.town import Team

MEANT = "You fear that the next tax rule will break the basket."
MEANT_INSTEAD = "No: that nobody will dare to touch it, so that the rule comes late."


def told(team: Team) -> dict[str, str]:
    """A decision that its proposer was told."""
    proposal_id, decision_id = team.declined()
    team.tell(proposal_id, decision_id, team.engineer, team.lead)
    return {"proposalId": proposal_id, "decisionId": decision_id}


def test_the_recipient_acknowledges_and_the_notice_is_answered(team: Team) -> None:
    of = told(team)
    assert team.inbox(team.engineer) == [of["proposalId"]]
    team.engineer.does("acknowledgeDecision", **of, answer="DISAGREE_BUT_UNDERSTAND")
    assert team.inbox(team.engineer) == []
    decision = team.decision(of["proposalId"])
    assert decision["acknowledgements"] == [
        {"answer": "DISAGREE_BUT_UNDERSTAND", "by": {"memberId": team.engineer.id}},
    ]
    assert of["decisionId"] not in team.notices(told=True)


def test_a_no_that_was_not_understood_stays_open_until_the_proposer_confirms_the_playback(team: Team) -> None:
    of = told(team)
    team.engineer.does("acknowledgeDecision", **of, answer="NOT_UNDERSTOOD")
    assert team.inbox(team.product) == [of["proposalId"]]
    team.product.does("playBackConcern", **of, text=MEANT)
    assert team.inbox(team.engineer) == [of["proposalId"]]
    team.engineer.does("correctPlayback", **of, text=MEANT_INSTEAD)
    assert team.engineer.is_refused("acknowledgeDecision", **of, answer="AGREE").code == "PLAYBACK_OPEN"
    team.product.does("playBackConcern", **of, text="You fear that nobody dares to touch it.")
    team.engineer.does("confirmPlayback", **of)
    team.engineer.does("acknowledgeDecision", **of, answer="DISAGREE_BUT_UNDERSTAND")
    decision = team.decision(of["proposalId"])
    assert [(played["state"], played["correction"]) for played in decision["playbacks"]] == [
        ("CORRECTED", MEANT_INSTEAD),
        ("CONFIRMED", None),
    ]
    answers = [given["answer"] for given in decision["acknowledgements"]]
    assert answers == ["NOT_UNDERSTOOD", "DISAGREE_BUT_UNDERSTAND"]


def test_an_acknowledgement_by_anyone_else_is_refused(team: Team) -> None:
    of = told(team)
    assert team.lead.is_refused("acknowledgeDecision", **of, answer="AGREE") == (
        "NOT_RECIPIENT",
        "The decision is for those who asked: only one of them acknowledges it.",
        at("decisionId"),
    )
    assert team.decision(of["proposalId"])["acknowledgements"] == []


def test_another_answer_is_refused_while_a_misunderstanding_is_open(team: Team) -> None:
    of = told(team)
    team.engineer.does("acknowledgeDecision", **of, answer="NOT_UNDERSTOOD")
    assert team.engineer.is_refused("acknowledgeDecision", **of, answer="AGREE") == (
        "PLAYBACK_OPEN",
        "The decision was not understood, and that is still open. Confirm or correct the playback first.",
        at("decisionId"),
    )


def test_a_playback_by_another_than_the_decider_is_refused(team: Team) -> None:
    paul = team.joined_by("Paul", Role.PRODUCT_MANAGER)
    of = told(team)
    team.engineer.does("acknowledgeDecision", **of, answer="NOT_UNDERSTOOD")
    assert paul.is_refused("playBackConcern", **of, text=MEANT) == (
        "FORBIDDEN",
        "Only whoever took the decision plays the concern back.",
        at("decisionId"),
    )


def test_confirming_a_playback_that_nobody_gave_is_refused(team: Team) -> None:
    of = told(team)
    team.engineer.does("acknowledgeDecision", **of, answer="NOT_UNDERSTOOD")
    assert team.engineer.is_refused("confirmPlayback", **of) == (
        "WRONG_STATE",
        "No playback waits for an answer. Wait until the decider gives one.",
        at("decisionId"),
    )
