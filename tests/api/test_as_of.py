"""`asOf` a position is what a ledger that ended there answers, for every root field that reads views."""

import random
from typing import Any

import pytest
from msgspec.structs import replace

from benchmarks.facts import History
from ledger.api.schema import build
from ledger.events import Event
from ledger.values import Role
from tests.api.conftest import Api, Client
from tests.api.test_audit_fields import WHY, known
from tests.projections import story as told
from tests.projections.recording import Recorder, append_all
from tests.projections.story import named, tell

#: They show no view's past: what was proved, asked and refused, and jobs with a state of their own.
WITHOUT = {
    "accessLog",
    "compareSimulations",
    "consistencyProof",
    "identities",
    "inclusionProof",
    "simulation",
    "verify",
}
PAGE = "totalCount pageInfo { hasNextPage endCursor }"
NO = """decisionId proposalId title disposition decidedAt position reasons { code text } told: toldAt standing unexplained
  reopened { because } appealed number"""
PROPOSAL = """proposalId title status score rank why { total terms { name contribution } } estimate { version likely }
  impact { version drag } concerns { concernId answered } decision { decisionId toldAt } carriedOver reopened touchedAt"""
QUERIES = {
    "backlog": f"backlog(first: 5 %s) {{ {PAGE} nodes {{ {PROPOSAL} }} }}",
    "proposal": f'proposal(proposalId: "{told.POSTPONED}" %s) {{ {PROPOSAL} }}',
    "proposals": f'proposals(proposalIds: ["{told.DECLINED}", "{told.OLD}"] %s) {{ {PROPOSAL} }}',
    "inbox": "inbox(%s) { proposalId }",
    "area": 'area(area: "component:default/checkout" %s) { proposals pending declined pendingDrag }',
    "areas": "areas(%s) { area proposals pending notEstimated }",
    "concerns": f"concerns(first: 5 %s) {{ {PAGE} nodes {{ concernId state text answer }} }}",
    "appeals": f"appeals(%s) {{ {PAGE} nodes {{ appealId state outcome }} }}",
    "decision": f'decision(decisionId: "{told.NO}" %s) {{ decision {{ {NO} }} basisDiff {{ kind }} conditions {{ missing }} }}',
    "declined": f"declined(first: 5, filter: {{dispositions: [DECLINE, POSTPONE, REDIRECT]}} %s) {{ {PAGE} nodes {{ {NO} }}"
    " facets { total reason { value count } team { value label count } area { value count } period { value count }"
    " told { value count } explained { value count } source { value count } } }",
    "unansweredNotices": "unansweredNotices(first: 5 %s) { nodes { decision { title } ageHours hoursOverdue } }",
    "revisits": "revisits(%s) { nodes { due decision { title } conditions { holds missing summary } } }",
    "precedents": 'precedents(of: {text: "hours lost to builds, and other work that moves the roadmap"} %s) '
    "{ relevance sharedWords excerpt decision { title decisionId } }",
    "reasonQuality": """reasonQuality(%s) { overall { noes other repeated told neverAcknowledged medianHoursToTell
        reasons { code count } } teams { teamId noes overturned } deciders { decider { memberId } noes } }""",
    "review": f'review(reviewId: "{told.REVIEW}" %s) {{ review {{ state reserved itemCount }} lines {{ item {{ place state verdict }}'
    " proposal { title status } } }",
    "agenda": f'agenda(teamId: "{told.TEAM}" %s) {{ review {{ state }} lines {{ item {{ place state }} }} }}',
    "reviews": f"reviews(first: 5 %s) {{ {PAGE} nodes {{ reviewId state decidedCount }} }}",
    "team": f'team(teamId: "{told.TEAM}" %s) {{ name productDays hoursToTell members {{ member {{ memberId }} roles }} }}',
    "teams": "teams(first: 5 %s) { nodes { name teamId } }",
    "policies": "policies(%s) { name activeIn latest { version } }",
    "policyInForce": f'policyInForce(teamId: "{told.TEAM}" %s) {{ name version }}',
    "reasonCodes": "reasonCodes(%s) { code meaning retiredAt }",
    "timeline": f'timeline(of: "{told.DECLINED}" %s) {{ nodes {{ position kind summary body occurredAt recordedAt causationId }} }}',
    "compareVersions": f'compareVersions(proposalId: "{told.DECLINED}", kind: CASE, from: 1, to: 2 %s) {{ changes {{ field after }} }}',
    "transparency": """transparency(%s) { proposed accepted declined postponed redirected withdrawn reopened estimated completed
        nobodyLooked timeToDecision { count medianDays } noes { count told acknowledged understood unexplained }
        concerns { raised unanswered } appeals { lodged open } productReviews { held expected } reasons { code count }
        teams { teamId proposed declined } months { month proposed declined } }""",
    "calibration": "calibration(%s) { overall { count median } benefits { realised } }",
    "costOfNo": "costOfNo(%s) { hours leftUndone byReason { group hours } }",
    "viewer": "viewer(%s) { rolesAcrossTeams teams { teamId roles } }",
    "node": None,
    "whyNot": None,
}
#: Ages are reckoned from the clock where no past is asked for; what waits for the viewer is so by today's roles.
#: They name one thing that may not be there yet, and are asked alone; the others several at a time.
ALONE = {"proposal", "decision", "review", "agenda", "team", "policyInForce", "compareVersions", "node", "whyNot"}
TOGETHER = 7
#: How many the story has.
COMMANDS = 50
BY_THE_CLOCK = {"decision", "unansweredNotices", "revisits", "transparency", "whyNot", "viewer"}


def test_every_root_field_that_reads_views_takes_as_of() -> None:
    fields = build()._schema.query_type.fields  # type: ignore[union-attr]
    assert {name for name, field in fields.items() if "asOf" not in field.args} == WITHOUT
    assert fields.keys() - WITHOUT == QUERIES.keys()


def answers(client: Client, at: int | None) -> dict[str, Any]:
    """What each root field says, errors by their codes."""
    given = "" if at is None else f'asOf: {{position: "{at}"}}'
    documents = {name: _given(text, given) for name, text in QUERIES.items() if text is not None}
    node = client.answer(f'{{ decision(decisionId: "{told.NO}") {{ decision {{ id }} }} }}')
    node_id = node["data"]["decision"]["decision"]["id"] if "errors" not in node else "RGVjaXNpb246eA"
    documents["node"] = f'node(id: "{node_id}" {given}) {{ id ... on Decision {{ {NO} }} }}'
    together = [name for name in QUERIES if name not in ALONE]
    found: dict[str, Any] = {}
    for start in range(0, len(together), TOGETHER):
        names = together[start : start + TOGETHER]
        found |= client.ask("{ " + " ".join(documents[name] for name in names) + " }")
    for name in ALONE - {"whyNot"}:
        found[name] = _alone(client.answer(f"{{ {documents[name]} }}"))
    position = {} if at is None else {"asOf": {"position": str(at)}}
    found["whyNot"] = _alone(client.answer(WHY, id=str(told.DECLINED), **position))
    assert found.keys() == QUERIES.keys()
    return found


def _given(text: str, given: str) -> str:
    return text.replace("(%s)", f"({given})" if given else "").replace(" %s)", f" {given})")


def _alone(answer: dict[str, Any]) -> Any:
    codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
    assert not set(codes) - {"NOT_FOUND", "BAD_USER_INPUT"}, answer
    return answer.get("data"), codes


@pytest.fixture
def auditor(api: Api) -> Client:
    return known(api, api.client(Role.AUDITOR))


def test_as_of_ten_positions_is_what_a_ledger_ending_there_answers(api: Api, auditor: Client) -> None:
    """The ledger is asked ten times while it grows, and again as of each of those positions when it has grown up."""
    recorder = Recorder(api.ledger)
    record, told_so_far = recorder.record, 0
    seed = random.randrange(10**6)
    print("seed", seed)
    chosen = set(random.Random(seed).sample(range(8, COMMANDS + 1), 10))
    then: dict[int, dict[str, Any]] = {}

    def recording(*facts: Any, **more: Any) -> int:
        nonlocal told_so_far
        position = record(*facts, **more)
        told_so_far += 1
        if told_so_far in chosen:
            auditor.ask("query ($at: Position) { policies(atLeast: $at) { name } }", at=str(position))
            for field in ("backlog", "declined", "reviews", "transparency", "costOfNo", "teams"):
                auditor.ask(f'{{ {field}(atLeast: "{position}") {{ __typename }} }}')
            now, past = answers(auditor, None), answers(auditor, position)
            for name in QUERIES.keys() - BY_THE_CLOCK - {"node"}:
                assert now[name] == past[name], name
            then[position] = past
        return position

    recorder.record = recording  # type: ignore[method-assign]
    tell(recorder)
    append_all(api.ledger, _more(api.ledger.head()))
    head = api.ledger.head()
    for field in ("backlog", "declined", "reviews", "transparency", "costOfNo", "teams"):
        auditor.ask(f'{{ {field}(atLeast: "{head}") {{ __typename }} }}')
    assert len(then) == 10
    assert len({repr(found["declined"]) for found in then.values()}) > 2, "ten states that answer alike prove nothing"
    for position, found in then.items():
        again = answers(auditor, position)
        for name in QUERIES.keys() - {"node"}:
            assert again[name] == found[name], (name, position)


def _more(head: int) -> list[Event]:
    """A history of two other teams, which a past state must not show."""
    return (
        [replace(event, position=None) for event in History(7, teams=2, together=10).events(facts=400)] if head else []
    )


def test_as_of_a_position_in_the_future_is_refused(auditor: Client, api: Api) -> None:
    error = auditor.error('{ teams(asOf: {position: "999999"}) { nodes { name } } }')
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "999999" in error["message"]


def test_as_of_an_instant_and_a_review_are_the_positions_that_they_mean(api: Api, auditor: Client) -> None:
    tell(Recorder(api.ledger))
    auditor.ask(f'{{ declined(atLeast: "{api.ledger.head()}") {{ totalCount }} }}')
    opened = f'{{ review(reviewId: "{told.REVIEW}") {{ review {{ knowledgePosition }} }} }}'
    position = auditor.ask(opened)["review"]["review"]["knowledgePosition"]
    document = f'query ($asOf: AsOf) {{ whyNot(proposalId: "{told.DECLINED}", asOf: $asOf) {{ proposal {{ status caseVersion }} }} }}'
    by_review = auditor.ask(document, asOf={"reviewId": str(told.REVIEW)})
    assert by_review == auditor.ask(document, asOf={"position": position})
    assert by_review["whyNot"]["proposal"]["status"] == "PENDING"
    ((recorded_at,),) = api.sql("SELECT recorded_at FROM ledger.events WHERE position = %s", int(position))
    by_instant = auditor.ask(document, asOf={"recordedAt": recorded_at.isoformat()})
    assert by_instant == by_review
    unknown = auditor.error(document, asOf={"reviewId": str(named("no review"))})
    assert "there is no review" in unknown["message"]
