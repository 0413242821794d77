"""The root fields over the audit, transparency, reviews and outcomes views, through the real API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema

from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import Role
from tests.api.conftest import Api, Client
from tests.projections import story as told
from tests.projections.recording import Recorder
from tests.projections.story import tell

ROOT = Path(__file__).parents[2]
WHY = """
query Why($id: UUID!, $asOf: AsOf, $atLeast: Position) { whyNot(proposalId: $id, asOf: $asOf, atLeast: $atLeast) {
  proposal { title status proposers { memberId name } }
  team { name hoursToTell }
  concerns { state answer raisedBy { memberId } }
  decisions { decision { disposition decidedAt } }
  latestNo {
    decision {
      verdict disposition decidedAt position decider { memberId name } reasons { code text companion } basis { caseVersion policyId }
      score rank cutScore capacityLeft toldAt tellBy communications { channel audience { memberId } namesProposer }
      acknowledgements { answer } playbacks { state correction } explanations { delayDays reasons { code } }
      revisit { kind on } reopened { because at } unexplained unexplainedWhenDecided provenance { system knownAt }
    }
    review { minutesUrl } policy { name method version } isBasisInferred
    case { version case { problem benefitsOfFixing { code } risksOfIgnoring { probability lossHours } } }
    estimate { estimate { likely value unit } } impact { impact { drag level } }
    score { total terms { name value contribution } missing }
    basisDiff { kind changes { field before after words { change text } } }
    chosenInstead { title } conditions { holds missing unit summary } appeals { state grounds outcome }
  } } }
"""


@pytest.fixture
def storied(api: Api, settings: Settings) -> Iterator[int]:
    """The story in a served ledger; gives its last position."""
    assert settings.database_url is not None
    ledger = Ledger(settings.database_url)
    tell(Recorder(ledger))
    yield ledger.head()
    ledger.close()


def known(api: Api, client: Client) -> Client:
    """The client, once the ledger's views know the roles that it was just given."""
    client.ask("query ($at: Position) { viewer(atLeast: $at) { client } }", at=str(api.ledger.head()))
    return client


@pytest.fixture
def auditor(api: Api, storied: int) -> Client:
    return known(api, api.client(Role.AUDITOR))


def test_why_not_answers_in_one_query_all_that_an_engineer_would_ask(auditor: Client, storied: int) -> None:
    found = auditor.ask(WHY, id=str(told.DECLINED), atLeast=str(storied))["whyNot"]
    no = found["latestNo"]
    assert (no["decision"]["verdict"], no["decision"]["disposition"]) == ("NO", "DECLINE")
    assert no["decision"]["decider"] == {"memberId": str(told.BEN), "name": None}
    assert no["decision"]["reasons"][0] == {"code": "AREA_SUNSET", "text": told.TEXT, "companion": "2027-01-01"}
    assert no["decision"]["capacityLeft"] == "5"
    assert no["case"]["case"]["problem"] == "Two price engines: hours lost every week"
    assert [term["name"] for term in no["score"]["terms"]] == ["drag × confidence", "expected days"]
    assert no["policy"] == {"name": "momentum", "method": "MOMENTUM", "version": 1}
    assert {"change": "ADDED", "text": "nine "} in no["basisDiff"][0]["changes"][0]["words"]
    assert no["chosenInstead"] == [{"title": "Flaky tests"}]
    assert no["appeals"][0]["state"] == "DISMISSED"
    assert found["team"] == {"name": "checkout", "hoursToTell": 48}


def test_as_of_the_decision_the_answer_is_the_one_of_then(auditor: Client, storied: int) -> None:
    now = auditor.ask(WHY, id=str(told.DECLINED), atLeast=str(storied))["whyNot"]
    position = str(int(now["latestNo"]["decision"]["position"]) + 1)
    then = auditor.ask(WHY, id=str(told.DECLINED), asOf={"position": position})["whyNot"]
    assert then["latestNo"]["basisDiff"] == []
    assert then["latestNo"]["decision"]["toldAt"] is None


def test_names_come_from_the_directory(api: Api, auditor: Client, storied: int) -> None:
    api.sql("INSERT INTO directory.members (member_id, name) VALUES (%s, 'Ben') ON CONFLICT DO NOTHING", told.BEN)
    found = auditor.ask(WHY, id=str(told.DECLINED), atLeast=str(storied))["whyNot"]
    assert found["latestNo"]["decision"]["decider"]["name"] == "Ben"


#: Each list, with what chooses among its items.
LISTS = {
    "accessLog": "",
    "appeals": "states: [DISMISSED]",
    "backlog": "",
    "concerns": "blocking: true",
    "declined": "filter: {dispositions: [DECLINE, POSTPONE]}",
    "reviews": "kind: PRODUCT",
    "revisits": "",
    "teams": "",
    "timeline": f'of: "{told.DECLINED}", kinds: ["DecisionTaken", "ImpactAssessed"]',
    "unansweredNotices": "imported: true",
}
#: Counted where it is tested: tests/api/test_linking.py.
ELSEWHERE = {"identities"}


@pytest.mark.parametrize("name", LISTS)
def test_the_total_of_a_list_is_how_many_all_its_pages_have(auditor: Client, storied: int, name: str) -> None:
    auditor.ask("query ($at: Position) { teams(atLeast: $at) { nodes { name } } }", at=str(storied))
    after, shown, totals = None, 0, set()
    while True:
        query = f"query ($after: String) {{ {name}(first: 1, after: $after, {LISTS[name]}) {{ totalCount nodes {{ __typename }}"
        page = auditor.ask(f"{query} pageInfo {{ hasNextPage endCursor }} }} }}", after=after)[name]
        shown += len(page["nodes"])
        totals.add(page["totalCount"])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert totals == {shown}
    assert shown > 0


def test_each_list_of_the_schema_is_counted_here() -> None:
    fields = build_schema((ROOT / "ledger/api/schema.graphql").read_text("utf-8")).query_type
    assert fields is not None
    lists = {name for name, field in fields.fields.items() if str(field.type).rstrip("!").endswith("Connection")}
    assert lists == LISTS.keys() | ELSEWHERE


QUERIES = {
    "decision": '{ decision(decisionId: "%(no)s", atLeast: "%(head)s") { decision { title number } isBasisInferred } }',
    "declined": """{ declined(atLeast: "%(head)s", first: 1, filter: {dispositions: [DECLINE, POSTPONE]}) { totalCount
        pageInfo { hasNextPage endCursor } nodes { decisionId title } facets { total reason { value count } told { value count } } } }""",
    "unansweredNotices": """{ unansweredNotices(atLeast: "%(head)s") {
        nodes { decision { title toldAt } ageHours hoursOverdue } } }""",
    "revisits": '{ revisits(atLeast: "%(head)s") { nodes { due proposal { title } conditions { summary } } } }',
    "timeline": """{ timeline(of: "%(proposal)s", kinds: ["DecisionTaken"], atLeast: "%(head)s") {
        nodes { kind summary body actor { member { memberId } role } knownAt source { system } } } }""",
    "compareVersions": """{ compareVersions(proposalId: "%(proposal)s", kind: CASE, from: 1, to: 2, atLeast: "%(head)s") {
        changes { field before after } before { by { memberId } } } }""",
    "concerns": '{ concerns(states: [OPEN], atLeast: "%(head)s") { nodes { text raisedBy { memberId } } } }',
    "appeals": '{ appeals(atLeast: "%(head)s") { nodes { grounds state } } }',
    "review": """{ review(reviewId: "%(review)s", atLeast: "%(head)s") {
        review { state capacity reserved attendees { memberId } }
        lines { item { place state verdict } proposal { title status } } } }""",
    "agenda": '{ agenda(teamId: "%(team)s", atLeast: "%(head)s") { lines { item { place } } } }',
    "reviews": '{ reviews(kind: PRODUCT, atLeast: "%(head)s") { nodes { state skipReason } } }',
    "transparency": """{ transparency(since: "2026-01-01T00:00:00Z", atLeast: "%(head)s") { proposed accepted declined redirected
        noes { count shareTold } timeToDecision { medianDays } productReviews { held expected } reasons { code count }
        months { month proposed } teams { teamId } concerns { unanswered } } }""",
    "calibration": """{ calibration(by: BASIS, atLeast: "%(head)s") { overall { count median } groups { group covered }
        benefits { promised realised } } }""",
    "costOfNo": '{ costOfNo(atLeast: "%(head)s") { hours leftUndone byReason { group hours } } }',
}


def asked(client: Client, name: str, head: int) -> Any:
    ids = {"no": told.NO, "proposal": told.DECLINED, "review": told.REVIEW, "team": told.TEAM, "head": head}
    return client.ask(QUERIES[name] % ids)[name]


def test_each_root_field_answers_what_was_recorded(auditor: Client, storied: int) -> None:
    assert asked(auditor, "decision", storied)["decision"] == {"title": "Two price engines", "number": 1}
    declined = asked(auditor, "declined", storied)
    assert declined["totalCount"] == declined["facets"]["total"] == 4
    assert declined["nodes"][0]["title"] == "Slow build"
    waiting = asked(auditor, "unansweredNotices", storied)["nodes"]
    assert [notice["decision"]["title"] for notice in waiting] == ["Slow build", "Wrong list"]
    assert all(notice["hoursOverdue"] > 0 for notice in waiting)
    assert asked(auditor, "revisits", storied)["nodes"][0]["due"] is True
    (entry,) = asked(auditor, "timeline", storied)["nodes"]
    assert entry["body"]["verdict"] == "NO"
    assert entry["actor"]["role"] == "PRODUCT_MANAGER"
    assert asked(auditor, "compareVersions", storied)["changes"][0]["field"] == "problem"
    assert asked(auditor, "concerns", storied)["nodes"] == [
        {"text": "Nobody owns it.", "raisedBy": {"memberId": str(told.ANA)}}
    ]
    assert asked(auditor, "appeals", storied)["nodes"] == [{"grounds": "NEW_INFORMATION", "state": "DISMISSED"}]
    review = asked(auditor, "review", storied)
    assert (review["review"]["state"], review["review"]["reserved"], len(review["lines"])) == ("CLOSED", "5", 5)
    assert asked(auditor, "agenda", storied) is None
    assert len(asked(auditor, "reviews", storied)["nodes"]) == 2
    counted = asked(auditor, "transparency", storied)
    assert (counted["proposed"], counted["declined"], counted["productReviews"]["held"]) == (6, 1, 1)
    assert asked(auditor, "calibration", storied)["overall"]["count"] == 1
    assert asked(auditor, "costOfNo", storied)["hours"] == 30


def test_a_page_goes_on_behind_its_cursor(auditor: Client, storied: int) -> None:
    first = asked(auditor, "declined", storied)
    more = auditor.ask(
        "query ($after: String) { declined(first: 3, after: $after, filter: {dispositions: [DECLINE, POSTPONE]}) { nodes { title }"
        " pageInfo { hasNextPage } } }",
        after=first["pageInfo"]["endCursor"],
    )["declined"]
    assert [node["title"] for node in more["nodes"]] == [
        "Two price engines",
        "Enhanced While Loop",
        "Enhanced While Loop",
    ]
    assert more["pageInfo"]["hasNextPage"] is False


def test_a_member_of_another_team_sees_nothing_of_it(api: Api, storied: int) -> None:
    stranger = known(api, api.client(Role.PRODUCT_MANAGER, api.team("Payments")))
    head = str(api.ledger.head())
    assert stranger.error(WHY, id=str(told.DECLINED), atLeast=head)["extensions"]["code"] == "NOT_FOUND"
    for name in ("decision", "compareVersions", "review", "agenda"):
        ids = {"no": told.NO, "proposal": told.DECLINED, "review": told.REVIEW, "team": told.TEAM, "head": head}
        assert stranger.error(QUERIES[name] % ids)["extensions"]["code"] == "NOT_FOUND", name
    for name in ("declined", "unansweredNotices", "revisits", "timeline", "concerns", "appeals", "reviews"):
        assert asked(stranger, name, int(head))["nodes"] == [], name
    counted = asked(stranger, "transparency", int(head))
    assert (counted["proposed"], counted["declined"], counted["reasons"], counted["teams"]) == (0, 0, [], [])
    assert asked(stranger, "calibration", int(head))["overall"]["count"] == 0
    assert asked(stranger, "costOfNo", int(head)) == {"hours": 0, "leftUndone": 0, "byReason": []}


def test_notices_are_chosen_by_their_teams(auditor: Client, storied: int) -> None:
    text = """query ($at: Position, $teams: [UUID!]) { unansweredNotices(atLeast: $at, teamIds: $teams) {
        totalCount nodes { decision { teamId } } } }"""

    def of(teams: list[str] | None) -> tuple[int, set[str]]:
        found = auditor.ask(text, at=str(storied), teams=teams)["unansweredNotices"]
        assert found["totalCount"] == len(found["nodes"])
        return found["totalCount"], {node["decision"]["teamId"] for node in found["nodes"]}

    one = str(told.TEAM)
    every, teams = of(None)
    assert one in teams
    parts = [of([team]) for team in teams]
    assert sum(count for count, _ in parts) == every
    assert all(len(shown) == 1 for _, shown in parts)
    assert of([]) == (0, set())


NOBODY = "00000000-0000-4000-8000-000000000000"
#: Each field that looks one thing up, asked for what is not there.
LOOKUPS = {
    "compareSimulations": f'simulationIds: ["{NOBODY}", "{told.DECLINED}"]',
    "compareVersions": f'proposalId: "{told.DECLINED}", kind: CASE, from: 1, to: 99',
    "decision": f'decisionId: "{NOBODY}"',
    "policyInForce": f'teamId: "{NOBODY}"',
    "precedents": f'of: {{proposalId: "{NOBODY}"}}',
    "proposal": f'proposalId: "{NOBODY}"',
    "review": f'reviewId: "{NOBODY}"',
    "simulation": f'simulationId: "{NOBODY}"',
    "team": f'teamId: "{NOBODY}"',
    "whyNot": f'proposalId: "{NOBODY}"',
}


def test_what_is_not_there_leaves_the_rest_of_the_answer_as_it_is(api: Api, auditor: Client, storied: int) -> None:
    member = known(api, api.client(Role.ENGINEER, api.team("Payments")))
    rest = "viewer { client } backlog(first: 1) { nodes { title } }"
    for viewer in (auditor, member):
        for name, arguments in LOOKUPS.items():
            found = viewer.answer(f"{{ {rest} {name}({arguments}) {{ __typename }} }}")
            (error,) = found["errors"]
            assert (error["extensions"]["code"], error["path"]) == ("NOT_FOUND", [name]), name
            assert found["data"][name] is None
            assert found["data"]["viewer"] is not None
            assert found["data"]["backlog"] is not None


def test_each_field_that_looks_one_thing_up_may_be_null() -> None:
    query = build_schema((ROOT / "ledger/api/schema.graphql").read_text("utf-8")).query_type
    assert query is not None
    may_be_null = {name for name, field in query.fields.items() if not str(field.type).endswith("!")}
    assert may_be_null == LOOKUPS.keys() | {"agenda", "area", "node"}


PERIOD = '{since: "2026-02-01T00:00:00Z", until: "%s"}'


def test_a_period_that_ends_before_it_begins_is_refused_by_each_field_that_takes_one(
    auditor: Client, storied: int
) -> None:
    query = build_schema((ROOT / "ledger/api/schema.graphql").read_text("utf-8")).query_type
    assert query is not None
    fields = {name for name, field in query.fields.items() if {"since", "until"} <= field.args.keys()}
    assert fields == {"accessLog", "calibration", "costOfNo", "reasonQuality", "reviews", "transparency"}
    asks = {name: f"{{ {name}({PERIOD[1:-1]}) {{ __typename }} }}" for name in fields}
    asks["declined"] = f"{{ declined(filter: {PERIOD}) {{ __typename }} }}"
    for name, text in asks.items():
        for until in ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"):
            error = auditor.error(text % until)
            assert error["extensions"]["code"] == "BAD_USER_INPUT", name
            assert f"2026-02-01T00:00:00Z is not before `until` {until}" in error["message"], name
        assert auditor.ask(text % "2026-02-01T00:00:01Z")


def test_an_unknown_kind_of_fact_is_refused_with_a_sentence(auditor: Client, storied: int) -> None:
    text = f'{{ timeline(of: "{told.DECLINED}", kinds: ["Nothing"]) {{ nodes {{ kind }} }} }}'
    error = auditor.error(text)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "'Nothing' is no type of fact" in error["message"]
