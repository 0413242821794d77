"""A NO counts as told only once its audience names the proposer; until then it is shown as not told, with its age."""

import pytest

from ledger.events.review import ReviewOpened
from tests.rules.saying import at, no, now
from tests.rules.town import Team

AGED = "query ($asOf: AsOf) { unansweredNotices(asOf: $asOf) { nodes { ageHours decision { decisionId } } } }"


def test_a_no_is_shown_as_not_told_until_its_audience_names_the_proposer(team: Team) -> None:
    proposal_id, decision_id = team.declined()
    assert team.decision(proposal_id)["toldAt"] is None
    assert decision_id in team.notices(told=False)
    team.tell(proposal_id, decision_id, team.lead)
    assert [told["namesProposer"] for told in team.decision(proposal_id)["communications"]] == [False]
    assert decision_id in team.notices(told=False)
    assert team.inbox(team.product) == [proposal_id]
    assert team.transparency()["declines"]["told"] == 0
    team.tell(proposal_id, decision_id, team.lead, team.engineer)
    assert team.decision(proposal_id)["toldAt"] is not None
    assert decision_id not in team.notices(told=False)
    assert decision_id in team.notices(told=True)
    assert team.transparency()["declines"]["told"] == 1


def test_a_no_that_is_not_told_shows_its_age_against_what_the_team_promises(team: Team) -> None:
    team.town.steward.does("setServiceLevel", teamId=team.id, daysToDecide=30, hoursToTell=24)
    decided_at = now(hours=-72)
    proposal_id = team.propose(at=decided_at)
    answer = no(team.opened(proposal_id, at=decided_at), proposal_id)
    decision_id = team.decide({**answer, "occurredAt": decided_at})
    notice = team.notices(told=False)[decision_id]
    assert notice["ageHours"] == pytest.approx(72, abs=0.1)
    assert notice["hoursOverdue"] == pytest.approx(48, abs=0.1)


def test_an_answer_to_a_no_that_was_not_told_is_refused(team: Team) -> None:
    proposal_id, decision_id = team.declined()
    team.tell(proposal_id, decision_id, team.lead)
    of = {"proposalId": proposal_id, "decisionId": decision_id}
    assert team.engineer.is_refused("acknowledgeDecision", **of, answer="AGREE") == (
        "NOT_TOLD",
        "You have not been told this decision yet. Ask its decider to tell you.",
        at("decisionId"),
    )


def test_telling_nobody_is_refused(team: Team) -> None:
    proposal_id, decision_id = team.declined()
    given = {"proposalId": proposal_id, "decisionId": decision_id, "channel": "EMAIL", "audience": []}
    assert team.product.is_refused("communicateDecision", **given) == (
        "BAD_USER_INPUT",
        "`audience` is empty; add at least one.",
        at("audience"),
    )


def test_the_age_of_a_no_that_is_not_told_is_that_of_the_state_asked_for(team: Team) -> None:
    decided_at = now(hours=-72)
    proposal_id = team.propose(at=decided_at)
    answer = no(team.opened(proposal_id, at=decided_at), proposal_id)
    decision_id = team.decide({**answer, "occurredAt": decided_at})

    def age_s(as_of: dict[str, str]) -> float:
        (notice,) = team.engineer.asks(AGED, asOf=as_of)["nodes"]
        assert notice["decision"]["decisionId"] == decision_id
        return float(notice["ageHours"]) * 3600

    between = now()  # a moment in which nothing happened
    later = team.opened(team.propose())
    events = team.town.ledger.read(0, 10_000)
    recorded = {event.position: event.recorded_at for event in events if event.recorded_at is not None}
    (opened,) = [event for event in events if str(event.stream_id) == later and isinstance(event.fact, ReviewOpened)]
    for as_of, then in (
        ({"recordedAt": between.isoformat()}, between),
        ({"reviewId": later}, recorded[opened.position]),
        ({"position": str(opened.position - 1)}, recorded[opened.position - 1]),
    ):
        assert age_s(as_of) == pytest.approx((then - decided_at).total_seconds(), abs=1e-5), as_of
