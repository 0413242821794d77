"""Requests that come again word for word: they get what they would get the ordinary way, and nothing that they may not."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import psycopg
import pytest

from ledger.api import http, snapshot
from ledger.api.context import Viewer
from ledger.api.requests import GRAPHQL_JSON
from ledger.api.response_cache import OVERHEAD_BYTES, Question, Repeated, ResponseCache
from ledger.api.snapshot import Viewers
from ledger.api.web import Web
from ledger.app import create_app, repeating
from ledger.commands.team import RevokeRole
from ledger.directory import tokens
from ledger.handlers import bootstrap
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import ORGANISATION, MemberId, Role
from tests.api.conftest import PEPPER, Api, Client, case, served

PAGE = "{ backlog(first: 5) { nodes { title } totalCount } }"
ORIGIN = "https://portal.example"
WAIT_S = 10.0
#: Holds back every statement that finds out where all stands.
HOLD = "LOCK TABLE ledger.head IN ACCESS EXCLUSIVE MODE"


class Said(NamedTuple):
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["errors"][0]["extensions"]["code"])

    @property
    def total(self) -> int:
        return int(self.body["data"]["backlog"]["totalCount"])


class Line:
    """A connection that sends bytes as they are, and takes answers one by one."""

    def __init__(self, base_url: str) -> None:
        url = httpx.URL(base_url)
        self.socket = socket.create_connection((url.host, url.port or 80), timeout=WAIT_S)
        self._read = self.socket.makefile("rb")

    def ask(self, *requests: bytes) -> Said:
        """The answer to the last of several that go out in one piece."""
        self.socket.sendall(b"".join(requests))
        return [self.take() for _ in requests][-1]

    def take(self) -> Said:
        status = self._read.readline()
        assert status, "the connection was closed"
        headers = {}
        while (line := self._read.readline().decode().strip()) != "":
            name, _, headers[name] = line.partition(": ")
        body = self._read.read(int(headers.get("content-length", 0)))
        return Said(int(status.split()[1]), headers, json.loads(body) if body else None)

    def is_over(self) -> bool:
        return self._read.read(1) == b""


class Repeating(Api):
    """A served ledger whose shelf can be looked at."""

    app: Web

    @contextmanager
    def line(self) -> Iterator[Line]:
        found = Line(self.base_url)
        try:
            yield found
        finally:
            found.socket.close()

    @property
    def given(self) -> int:
        return self.app.shelf.given

    def settle(self, client: Client) -> None:
        """Wait until the views have all that was recorded."""
        query = "query Q($p: Position) { backlog(first: 1, atLeast: $p) { totalCount } }"
        client.ask(query, p=str(self.ledger.head()))

    def propose(self, client: Client, team_id: Any, title: str) -> None:
        found = client.do("submitProposal", teamId=str(team_id), title=title, businessCase=case())
        assert found["userErrors"] == [], found
        self.settle(client)

    def until_given(self, line: Line, request: bytes) -> Said:
        """The first answer from the shelf; a request whose token is looked up anew goes the ordinary way."""
        deadline = time.monotonic() + WAIT_S
        while True:
            before, found = self.given, line.ask(request)
            if self.given > before:
                return found
            assert time.monotonic() < deadline, found


@contextmanager
def repeating_api(settings: Settings) -> Iterator[Repeating]:
    assert settings.database_url is not None
    app = create_app(settings)
    assert isinstance(app, Web)
    with closing(Ledger(settings.database_url)) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        with served(app, settings) as base_url:
            found = Repeating(settings.database_url, base_url, ledger)
            found.app = app
            found.until_ready()
            yield found
            for client in found.clients:
                client.http.close()


@pytest.fixture(autouse=True)
def _known_as_long_as_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test rest on tokens being looked up again just because time goes by."""
    monkeypatch.setattr(snapshot, "KNOWN_S", 60.0)


@pytest.fixture
def api(settings: Settings) -> Iterator[Repeating]:
    with repeating_api(replace(settings, origins=frozenset({ORIGIN}))) as found:
        yield found


def posted(client: Client, query: str = PAGE, **headers: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    told = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
    return _head("POST", "/graphql", client, told) + body


def got(client: Client, query: str = PAGE, **headers: str) -> bytes:
    return _head("GET", f"/graphql?{httpx.QueryParams(query=query)}", client, headers)


def _head(method: str, path: str, client: Client, headers: dict[str, str]) -> bytes:
    told = {"Host": "ledger.example", "Authorization": f"Bearer {client.token}", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode()


Make = Callable[[Client], bytes]


# What it gets.


WAYS: list[Make] = [
    posted,
    got,
    lambda ada: posted(ada, Accept=GRAPHQL_JSON),
    lambda ada: posted(ada, Origin=ORIGIN),
    lambda ada: got(ada, Origin=ORIGIN),
    lambda ada: posted(ada, Connection="keep-alive"),
    lambda ada: posted(ada, "query Named { teams { nodes { name } } }"),
]


def test_it_gets_what_it_got_the_ordinary_way(api: Repeating, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = api.client(Role.AUDITOR)
    api.settle(ada)
    with api.line() as line:
        for request in [make(ada) for make in WAYS]:
            line.ask(request)
            again = api.until_given(line, request)
            with monkeypatch.context() as patched:
                patched.setattr(api.app.shelf, "find", lambda _: None)
                before = api.given
                ordinary = line.ask(request)
            assert api.given == before
            for said in (again, ordinary):
                said.headers.pop("date")
                said.headers.pop("content-length")  # of other points
                assert said.body["extensions"]["cost"].pop("pointsLeft") > 0
            assert again == ordinary
            assert again.status == 200


def test_what_the_client_has_is_not_sent_again(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    api.settle(ada)
    with api.line() as line:
        tag = line.ask(got(ada)).headers["etag"]
        request = got(ada, **{"If-None-Match": tag})
        line.ask(request)
        said = api.until_given(line, request)
        any_ = [line.ask(got(ada, **{"If-None-Match": "*"})).status for _ in range(3)]
    assert (said.status, said.body, said.headers["etag"]) == (304, None, tag)
    assert any_ == [304] * 3
    assert "content-type" not in said.headers
    assert api.app.graphql._traffic.cache.unchanged > 1


def test_it_is_counted_like_any_other(api: Repeating) -> None:
    from ledger.api.metrics import REQUESTS, SECONDS

    ada = api.client(Role.AUDITOR)
    request = posted(ada, "query Counted { backlog { totalCount } }")
    with api.line() as line:
        line.ask(request)
        api.until_given(line, request)
        cache = api.app.graphql._traffic.cache
        requests, seconds = REQUESTS.labels("Counted", "query", "200"), SECONDS.labels("Counted", "query")
        before = requests._value.get(), seconds._sum.get(), cache.hits
        api.until_given(line, request)
    after = requests._value.get(), seconds._sum.get(), cache.hits
    assert all(one < other for one, other in zip(before, after, strict=True))
    assert api.app.graphql._traffic.gate.inside == 0


# What it does not get.


def test_a_token_that_was_revoked_gets_nothing_from_then_on(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    api.settle(ada)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        assert revoked(api, ada, line, posted(ada)).status == 401


def revoked(api: Repeating, client: Client, line: Line, request: bytes) -> Said:
    """What the client gets right after its token was revoked."""
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        (token,) = [one for one in tokens.every(connection) if one.member_id == client.member_id]
        assert tokens.revoke(connection, token.token_id)
    return line.ask(request)


def test_a_token_that_ends_gets_nothing_from_then_on(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    api.settle(ada)
    until = datetime.now(UTC) + timedelta(seconds=2)
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        ada.token, _ = tokens.create(connection, PEPPER, ada.member_id, "short", expires_at=until)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        while line.ask(posted(ada)).status == 200:
            assert datetime.now(UTC) < until + timedelta(seconds=1)
    assert datetime.now(UTC) >= until


def test_a_role_that_was_taken_away_ends_what_was_seen(api: Repeating) -> None:
    ada, team = api.client(Role.AUDITOR), api.team()
    bob = api.client(Role.ENGINEER, team)
    api.propose(bob, team, "Seen by the auditor")
    with api.line() as line:
        line.ask(posted(ada))
        assert api.until_given(line, posted(ada)).total == 1
        api.issue(RevokeRole(ORGANISATION, ada.member_id, Role.AUDITOR))
        api.settle(bob)
        assert line.ask(posted(ada)).total == 0


def test_what_has_happened_meanwhile_is_in_the_answer(api: Repeating) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    api.propose(ada, team, "Pay the first debt")
    with api.line() as line:
        line.ask(got(ada))
        before = api.until_given(line, got(ada))
        api.propose(ada, team, "Pay the second debt")
        after = line.ask(got(ada))
        again = api.until_given(line, got(ada))
    assert (before.total, after.total, again.total) == (1, 2, 2)
    assert before.headers["etag"] != after.headers["etag"] == again.headers["etag"]
    assert int(before.body["extensions"]["ledger"]["position"]) < int(again.body["extensions"]["ledger"]["position"])


def seen_by_two(api: Repeating) -> tuple[Client, Client]:
    """Two engineers: of the one's team there is a proposal, of the other's none."""
    team = api.team()
    ada, bob = api.client(Role.ENGINEER, team), api.client(Role.ENGINEER, api.team("Search"))
    api.propose(ada, team, "Seen by one team alone")
    return ada, bob


def test_another_viewer_never_gets_it(api: Repeating) -> None:
    ada, bob = seen_by_two(api)
    with api.line() as line:
        for _ in range(3):
            assert [line.ask(posted(one)).total for one in (ada, bob)] == [1, 0]
        assert [api.until_given(line, posted(one)).total for one in (ada, bob)] == [1, 0]


OTHERS: list[tuple[dict[str, str], int, str]] = [
    ({"Accept": "text/html"}, 406, "BAD_USER_INPUT"),
    ({"Origin": "https://foreign.example"}, 403, "FORBIDDEN"),
    ({"Content-Encoding": "br"}, 415, "BAD_USER_INPUT"),
    ({"Content-Type": "text/plain"}, 415, "BAD_USER_INPUT"),
    ({"Authorization": "Bearer ldg_of_nobody"}, 401, "UNAUTHENTICATED"),
    ({"Authorization": "Basic x"}, 401, "UNAUTHENTICATED"),
]


def test_with_another_header_it_is_another_request(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        for headers, status, code in OTHERS * 2:
            said = line.ask(posted(ada, **headers))
            assert (said.status, said.code) == (status, code)
        assert api.until_given(line, posted(ada)).status == 200


def test_one_that_is_traced_is_never_repeated(api: Repeating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "is_traced", lambda: True)
    ada = api.client(Role.AUDITOR)
    with api.line() as line:
        assert [line.ask(posted(ada)).status for _ in range(5)] == [200] * 5
    assert api.given == 0


def test_points_that_are_used_up_are_told_with_the_time_to_wait(settings: Settings) -> None:
    with repeating_api(settings) as api:
        ada = api.client(Role.AUDITOR)
        with api.line() as line:
            line.ask(posted(ada))
            api.until_given(line, posted(ada))
            rates = api.app.graphql._traffic.rates
            rates.per_minute = 2
            said = [line.ask(posted(ada)) for _ in range(3)]
        assert rates.limited == 1
    assert [one.status for one in said] == [200, 200, 429]
    assert said[-1].code == "RATE_LIMITED"
    assert 0 < int(said[-1].headers["retry-after"]) <= 30


def test_beyond_what_a_process_takes_at_once_it_is_turned_away(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        gate = api.app.graphql._traffic.gate
        gate.requests_max = 0
        said = line.ask(posted(ada))
    assert (said.status, said.code, gate.shed) == (503, "UNAVAILABLE", 1)


def test_of_another_ledger_than_the_one_that_was_seen_it_gets_nothing(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        api.app.shelf._resources().memory._note("an older state was restored")
        assert line.ask(posted(ada)).status == 503


def test_while_nobody_can_say_where_all_stands_it_is_told_so(api: Repeating, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = api.client(Role.AUDITOR)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        monkeypatch.setattr(snapshot, "MOMENT_S", 0.2)
        with psycopg.connect(api.database_url) as holding:
            holding.execute(HOLD)
            said = line.ask(posted(ada))
        assert (said.status, said.code, said.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
        assert api.until_given(line, posted(ada)).status == 200


# Its place among others.


def test_answers_come_in_the_order_in_which_was_asked(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    one, other = posted(ada), posted(ada, "{ teams { nodes { name } } viewer { client } }")
    with api.line() as line:
        line.ask(one)
        api.until_given(line, one)
        with psycopg.connect(api.database_url) as holding:
            holding.execute(HOLD)
            for piece in (
                one,
                other,
                one + other,
                other[:50],
                other[50:] + one,
            ):  # none is answered before the last is sent
                line.socket.sendall(piece)
                time.sleep(0.05)
        said = [line.take() for _ in range(6)]
        assert ["viewer" in one.body["data"] for one in said] == [False, True, False, True, True, False]
        assert api.until_given(line, one).status == 200


def test_what_comes_in_pieces_or_ends_the_connection_is_answered_as_ever(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    ending = posted(ada, Connection="close")
    with api.line() as line:
        for _ in range(3):
            request = posted(ada, "{ teams { totalCount nodes { name } } }")
            line.socket.sendall(request[:-1])
            time.sleep(0.01)
            assert line.ask(request[-1:]).status == 200
    for request in (ending, ending, posted(ada).replace(b"HTTP/1.1", b"HTTP/1.0")):
        with api.line() as line:
            said = line.ask(request)
            assert (said.status, said.headers["connection"], line.is_over()) == (200, "close", True)
    assert api.given == 0


def test_one_who_goes_while_it_is_answered_costs_nothing(api: Repeating) -> None:
    ada = api.client(Role.AUDITOR)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        with psycopg.connect(api.database_url) as holding:
            holding.execute(HOLD)
            for _ in range(10):
                with api.line() as gone:
                    gone.socket.sendall(posted(ada) * 2)
                with api.line() as gone:
                    gone.socket.sendall(posted(ada))
        deadline = time.monotonic() + WAIT_S
        while api.app.graphql._traffic.gate.inside:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert api.until_given(line, posted(ada)).status == 200


@pytest.mark.parametrize("is_known", [True, False], ids=["from the shelf", "the ordinary way"])
def test_a_server_that_ends_gives_the_answer_first(settings: Settings, is_known: bool) -> None:
    # What is known is so for a moment only, which a busy machine may let pass.
    assert any(given_as_it_ended(settings, is_known) is is_known for _ in range(3))


def given_as_it_ended(settings: Settings, is_known: bool) -> bool:
    """Was the answer that a server gave as it ended one from the shelf?"""
    with repeating_api(settings) as api:
        ada = api.client(Role.AUDITOR)
        line = Line(api.base_url)
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        if not is_known:  # found on the shelf, and not let in without being looked up
            api.app.graphql._traffic.viewers._known.clear()
        before = api.given
        holding = psycopg.connect(api.database_url)
        holding.execute(HOLD)
        line.socket.sendall(posted(ada))
        time.sleep(0.2)
        threading.Timer(0.5, holding.close).start()
    said = line.take()
    assert (said.status, said.headers["connection"], line.is_over()) == (200, "close", True)
    line.socket.close()
    return api.given > before


def test_requests_that_are_remembered_are_bounded_in_bytes() -> None:
    cache = ResponseCache(repeated_bytes_max=10 * (1_000 + OVERHEAD_BYTES))
    question = Question(Viewer(MemberId(uuid4()), "a", {}), b"x" * 1_000, "", "query")
    for number in range(100):
        cache.repeat(bytes([number]), Repeated(b"", question, "application/json", False, "", None))
    assert len(cache.repeated) == 10
    assert cache.repeated.bytes_held == cache.bytes_held == 10 * (1_000 + OVERHEAD_BYTES)
    assert cache.repeated.get(bytes([99])) is not None


# That the tests above would see it: a safety is taken away, and who may not gets what they may not.


def test_without_the_look_at_the_token_a_revoked_one_would_get_it(
    api: Repeating, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = api.client(Role.AUDITOR)
    api.settle(ada)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        monkeypatch.setattr(Viewers, "are", lambda *_: True)
        assert revoked(api, ada, line, posted(ada)).status == 200


def test_without_the_token_in_the_key_another_viewer_would_get_it(
    api: Repeating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeating, "sha256", lambda data: sha256(re.sub(rb"Bearer \w+", b"", data)))
    ada, bob = seen_by_two(api)
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        assert line.ask(posted(bob)).total == 1


def test_without_the_position_in_the_key_what_has_happened_would_be_missed(
    api: Repeating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "key", lambda question, _: sha256(question.text).digest())
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    api.propose(ada, team, "Pay the first debt")
    with api.line() as line:
        line.ask(posted(ada))
        api.until_given(line, posted(ada))
        api.propose(ada, team, "Pay the second debt")
        assert api.until_given(line, posted(ada)).total == 1
