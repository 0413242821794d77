"""Answers that are kept: never out of date, never another viewer's, and 304 for who has them."""

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ledger.api import schema
from ledger.api.context import Viewer
from ledger.api.documents import prepare
from ledger.api.persisted import TrustedDocuments
from ledger.api.requests import GRAPHQL_JSON
from ledger.api.response_cache import OVERHEAD_BYTES, PURE, Bounded, Kept, Question, ResponseCache, question_of
from ledger.api.traffic import Traffic
from ledger.app import create_app
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import ORGANISATION, MemberId, Role, TeamId
from tests.api.conftest import PEPPER, Api, Client, case, served

PAGE = "{ backlog(first: 5) { nodes { title status proposers { name } } totalCount } }"


def get(client: Client, query: str = PAGE, **headers: str) -> httpx.Response:
    return client.http.get("/graphql", params={"query": query}, headers=headers)


def proposed(client: Client, team_id: TeamId, title: str) -> str:
    """The position at which a new proposal was recorded."""
    found = client.do("submitProposal", teamId=str(team_id), title=title, businessCase=case())
    assert found["userErrors"] == [], found
    return str(found["position"])


def settled(api: Api, *clients: Client) -> None:
    """Wait until the views have all that was recorded."""
    for client in clients:
        at_least(client, str(api.ledger.head()))


def at_least(client: Client, position: str) -> None:
    """Wait until the backlog has got there."""
    client.ask("query Q($p: Position) { backlog(first: 1, atLeast: $p) { totalCount } }", p=position)


def test_an_unchanged_page_is_304_until_the_ledger_moves(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    at_least(ada, proposed(ada, team, "Pay the first debt"))
    first = get(ada)
    assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
    assert "Authorization" in first.headers["vary"]
    tag = first.headers["etag"]
    again = get(ada, **{"If-None-Match": f'"other", {tag}'})
    assert get(ada, **{"If-None-Match": tag.removeprefix("W/")}).status_code == 304
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    anything = get(ada, **{"If-None-Match": "*"})
    assert (anything.status_code, anything.content, anything.headers["etag"]) == (304, b"", tag)
    at_least(ada, proposed(ada, team, "Pay the second debt"))
    assert get(ada, **{"If-None-Match": "*"}).status_code == 304
    moved = get(ada, **{"If-None-Match": tag})
    assert moved.status_code == 200
    assert moved.headers["etag"] != tag
    assert moved.json()["data"]["backlog"]["totalCount"] == 2


def test_a_kept_answer_is_given_again_and_is_what_it_was(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    at_least(ada, proposed(ada, team, "Pay the first debt"))
    first, again = ada.answer(PAGE), ada.answer(PAGE)
    assert again["data"] == first["data"]
    assert again["extensions"]["ledger"] == first["extensions"]["ledger"]
    assert (first["extensions"]["cost"]["points"], again["extensions"]["cost"]["points"]) == (1, 1)
    wide = "{ backlog(first: 100) { nodes { title status kind area } } }"
    assert [ada.answer(wide)["extensions"]["cost"]["points"] for _ in range(2)] == [5, 1]


def test_a_page_takes_the_fast_way_through_the_whole_api(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    at_least(ada, proposed(ada, team, "Pay the first debt"))
    ada.ask("query Fast { backlog { nodes { title submittedAt teamId proposers { name } } pageInfo { endCursor } } }")
    plans = prepare(
        schema.build(),
        "query Fast { backlog { nodes { title submittedAt teamId proposers { name } } pageInfo { endCursor } } }",
    ).plans
    assert (plans.completed, plans.fell_back) == (1, 0)


def test_a_changed_name_is_in_the_next_answer(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team, name="Ada")
    at_least(ada, proposed(ada, team, "Pay the first debt"))
    tag = get(ada).headers["etag"]
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        members.put(connection, [Person(ada.member_id, "Countess")])
    found = get(ada, **{"If-None-Match": tag})
    assert found.status_code == 200
    assert found.json()["data"]["backlog"]["nodes"][0]["proposers"] == [{"name": "Countess"}]
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        members.erase(connection, ada.member_id)
    # An erased member's tokens may let nobody in; another member must not see the name either.
    eve = api.client(Role.AUDITOR)
    at_least(eve, str(api.ledger.head()))
    assert get(eve).json()["data"]["backlog"]["nodes"][0]["proposers"] == [{"name": None}]


def test_who_may_see_less_gets_nothing_that_was_kept_for_another(api: Api) -> None:
    ours, theirs = api.team("Ours"), api.team("Theirs")
    ada, eve = api.client(Role.ENGINEER, ours), api.client(Role.ENGINEER, theirs)
    all_seeing, stranger = api.client(Role.AUDITOR), api.client()
    at_least(ada, proposed(ada, ours, "Ours alone"))
    wait = str(api.ledger.head())
    for client in (ada, eve, all_seeing, stranger):
        at_least(client, wait)
    tags = {}
    for _ in range(2):
        for client, titles in ((ada, ["Ours alone"]), (eve, []), (all_seeing, ["Ours alone"]), (stranger, [])):
            found = get(client)
            assert [one["title"] for one in found.json()["data"]["backlog"]["nodes"]] == titles
            tags[client.member_id] = found.headers["etag"]
    assert len(set(tags.values())) == 4
    assert get(eve, **{"If-None-Match": tags[ada.member_id]}).status_code == 200


def test_a_revoked_token_gets_no_kept_answer(api: Api) -> None:
    ada = api.client(Role.AUDITOR)
    tag = get(ada).headers["etag"]
    assert get(ada).status_code == 200
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        (token,) = (one for one in tokens.every(connection) if one.member_id == ada.member_id)
        tokens.revoke(connection, token.token_id)
    assert get(ada, **{"If-None-Match": tag}).status_code == 401


def test_a_role_that_was_taken_away_ends_what_was_seen(api: Api) -> None:
    from ledger.commands.team import RevokeRole

    ada = api.client(Role.AUDITOR)
    team = api.team()
    bob = api.client(Role.ENGINEER, team)
    at_least(ada, proposed(bob, team, "Seen by the auditor"))
    assert get(ada).json()["data"]["backlog"]["totalCount"] == 1
    api.issue(RevokeRole(ORGANISATION, ada.member_id, Role.AUDITOR))
    at_least(bob, str(api.ledger.head()))
    assert get(ada).json()["data"]["backlog"]["totalCount"] == 0


def test_what_a_request_meant_for_one_role_is_not_what_it_means_without_it(api: Api) -> None:
    from ledger.commands.team import RevokeRole

    ada, eve = api.client(Role.AUDITOR), api.client(Role.AUDITOR)
    team = api.team()
    bob = api.client(Role.ENGINEER, team)
    at_least(ada, proposed(bob, team, "Seen by auditors"))
    assert [get(ada).json()["data"]["backlog"]["totalCount"] for _ in range(2)] == [1, 1]  # it is remembered
    api.issue(RevokeRole(ORGANISATION, ada.member_id, Role.AUDITOR))
    at_least(bob, str(api.ledger.head()))
    assert get(eve).json()["data"]["backlog"]["totalCount"] == 1  # and kept for whoever is an auditor now
    assert get(ada).json()["data"]["backlog"]["totalCount"] == 0


def test_a_token_that_ends_gets_nothing_that_is_kept(api: Api) -> None:
    ada = api.client(Role.AUDITOR)
    until = datetime.now(UTC) + timedelta(seconds=2)
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        secret, _ = tokens.create(connection, PEPPER, ada.member_id, "short", expires_at=until)
    ada.http.headers["Authorization"] = f"Bearer {secret}"
    while (found := get(ada)).status_code == 200:
        assert datetime.now(UTC) < until + timedelta(seconds=1)
    assert found.status_code == 401
    assert datetime.now(UTC) >= until


def test_kept_answers_and_304_take_points_too(settings: Settings) -> None:
    few = replace(settings, points_per_minute=4)
    assert few.database_url is not None
    with served(create_app(few), few) as base_url, closing(Ledger(few.database_url)) as ledger:
        api = Api(few.database_url, base_url, ledger)
        ada = api.client(Role.AUDITOR)
        while httpx.get(f"{base_url}/health/ready").status_code != 200:
            time.sleep(0.05)
        while api.sql("SELECT 1 FROM views.positions, ledger.head WHERE views.positions.position < head.position"):
            time.sleep(0.01)
        first = get(ada, "{ backlog { totalCount } }")
        tag = {"If-None-Match": first.headers["etag"]}
        found = [get(ada, "{ backlog { totalCount } }", **headers) for headers in ({}, tag, tag, tag, {})]
        assert [one.status_code for one in found] == [200, 304, 304, 429, 429]
        assert found[0].json()["extensions"]["cost"]["pointsLeft"] == 2
        for client in api.clients:
            client.http.close()


def test_the_same_text_by_another_way_is_another_request(api: Api) -> None:
    ada = api.client(Role.AUDITOR)
    text = b'{"query":"{ teams { nodes { name } } }"}'
    headers = {"Content-Type": "application/json"}
    posted = [ada.http.post("/graphql", content=text, headers=headers) for _ in range(2)]
    assert [one.json()["data"] for one in posted] == [posted[0].json()["data"]] * 2
    assert ada.http.get(f"/graphql?{text.decode()}").json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert ada.http.post("/graphql", content=text, headers={**headers, "Content-Encoding": "br"}).status_code == 415
    assert ada.http.post("/graphql", content=text, headers={**headers, "Accept": "text/html"}).status_code == 406
    wished = ada.http.post("/graphql", content=text, headers={**headers, "Accept": GRAPHQL_JSON})
    assert wished.headers["content-type"].startswith(GRAPHQL_JSON)


@pytest.mark.parametrize(
    "query", ["{ viewer { client } }", "{ inbox { title } }", "{ backlog { totalCount } inbox { title } }"]
)
def test_what_is_of_the_viewer_alone_is_not_kept(api: Api, query: str) -> None:
    found = get(api.client(Role.AUDITOR), query)
    assert found.status_code == 200
    assert "etag" not in found.headers
    assert found.headers["cache-control"] == "no-store"


def test_an_answer_with_an_error_is_not_kept(api: Api) -> None:
    ada = api.client(Role.AUDITOR)
    query = f'{{ proposal(proposalId: "{uuid4()}") {{ title }} }}'
    for _ in range(2):
        found = get(ada, query)
        assert found.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert "etag" not in found.headers


def test_head_is_get_without_the_body(api: Api) -> None:
    ada = api.client(Role.AUDITOR)
    settled(api, ada)
    body, head = get(ada), ada.http.head("/graphql", params={"query": PAGE})
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", body.headers["etag"])


# The keys: two viewers and two moments are never taken for one another.

TEAMS = [TeamId(uuid4()) for _ in range(3)]
ROLES = st.dictionaries(
    st.sampled_from([*TEAMS, ORGANISATION]), st.frozensets(st.sampled_from(list(Role)), min_size=1), max_size=4
)


@hypothesis_settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    ROLES,
    ROLES,
    st.booleans(),
    st.sampled_from([None, {}, {"a": 1}, {"a": "1"}]),
    st.sampled_from([None, {}, {"a": 1}, {"a": "1"}]),
)
def test_only_the_same_question_by_one_who_sees_the_same_has_the_same_key(
    roles: dict[TeamId, frozenset[Role]], others: dict[TeamId, frozenset[Role]], moves: bool, asked: Any, other: Any
) -> None:
    ada = Viewer(MemberId(uuid4()), "a", roles)
    eve = Viewer(MemberId(uuid4()), "b", dict(reversed(others.items())))
    first = Question(ada, question_of("d", None, asked, ada), "", "query").key(b"moment")
    second = Question(eve, question_of("d", None, other, eve), "", "query").key(b"later" if moves else b"moment")
    is_same = roles == others and (asked or None) == (other or None) and not moves
    assert (first == second) is is_same


def test_what_a_request_means_is_remembered_for_the_very_viewer() -> None:
    cache = ResponseCache()
    roles = {TEAMS[0]: frozenset([Role.ENGINEER])}
    ada = Viewer(MemberId(uuid4()), "a", roles)
    meant = Question(ada, b"what it means", "", "query")
    cache.remember(meant, is_get=True, text=b"query=1")
    assert cache.question(ada, is_get=True, text=b"query=1") is meant
    assert cache.question(ada, is_get=False, text=b"query=1") is None
    assert cache.question(ada, is_get=True, text=b"query=2") is None
    assert cache.question(msgspec.structs.replace(ada, roles={}), is_get=True, text=b"query=1") is None


def test_what_is_kept_is_bounded_in_bytes_and_drops_what_was_not_asked_for_longest() -> None:
    kept: Bounded[bytes, str] = Bounded(10 * (100 + OVERHEAD_BYTES))
    for number in range(10):
        kept.put(bytes([number]), str(number), 100)
    assert kept.get(b"\x00") == "0"
    kept.put(b"new", "new", 100)
    assert kept.get(b"\x01") is None
    assert kept.get(b"\x00") == "0"
    assert (len(kept), kept.evicted) == (10, 1)
    assert kept.bytes_held <= kept.bytes_max
    kept.put(b"huge", "huge", kept.bytes_max)
    assert kept.get(b"huge") is None
    for _ in range(3):
        kept.put(b"new", "newer", 50)
    assert kept.bytes_held == 9 * (100 + OVERHEAD_BYTES) + 50 + OVERHEAD_BYTES


def test_answers_and_requests_are_weighed_with_their_text() -> None:
    cache = ResponseCache(10_000, 10_000)
    ada = Viewer(MemberId(uuid4()), "a", {})
    for number in range(100):
        cache.put(bytes([number]), Kept(b"x" * 1_000, "1", (), 0))
        text = b"%1000d" % number
        cache.remember(Question(ada, b"y" * 1_000, "", "query"), is_get=False, text=text)
    assert (len(cache.answers), len(cache.questions)) == (6, 4)
    assert cache.get(bytes([99])) is not None
    assert cache.get(bytes([1])) is None
    assert (cache.hits, cache.misses) == (1, 1)


def test_every_root_field_that_is_kept_is_there_and_none_shows_the_viewer() -> None:
    known = schema.build()._schema.query_type
    assert known is not None
    assert set(PURE) - {"__typename"} <= set(known.fields)
    assert not PURE & {
        "viewer",
        "inbox",
        "node",
        "verify",
        "accessLog",
        "decision",
        "whyNot",
        "revisits",
        "transparency",
    }


# Trusted documents.

TRUSTED = "query Backlog($first: Int! = 3) { backlog(first: $first) { totalCount } }\n"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "backlog.graphql").write_text(TRUSTED)
    return folder


def test_a_folder_is_read_with_what_is_below_it_and_refused_with_all_its_faults(documents: Path) -> None:
    from ledger.api.persisted import DocumentsInvalid

    read = TrustedDocuments.read(documents, schema.build())
    assert read.by_name == {"backlog": TRUSTED}
    (documents / "odd.graphql").write_text("{ nothing }")
    (documents / "odder.graphql").write_text("{")
    (documents / "backlog.graphql").write_text(TRUSTED)
    with pytest.raises(DocumentsInvalid) as refused:
        TrustedDocuments.read(documents, schema.build())
    assert [word in str(refused.value) for word in ("odd.graphql", "odder.graphql", "another document")] == [True] * 3
    with pytest.raises(DocumentsInvalid, match="no folder"):
        TrustedDocuments.read(documents / "nowhere", schema.build())


def test_traffic_counts_are_plain_numbers_for_the_metrics() -> None:
    traffic = Traffic()
    assert (traffic.cache.hits, traffic.cache.misses, traffic.gate.shed, traffic.rates.limited) == (0, 0, 0, 0)


def test_a_document_is_measured_once_however_it_is_asked_for() -> None:
    built = schema.build()
    assert prepare(built, TRUSTED) is prepare(built, TRUSTED)
