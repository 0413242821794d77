"""Subscriptions over both transports: every fact once and in order, only to those who may see it, and only as long as they may."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ledger.api import sse, streams, websocket
from ledger.api.answering import UNTRUSTED
from ledger.api.feed import Feed
from ledger.app import create_app
from ledger.commands.team import RevokeRole
from ledger.directory import tokens
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import Role
from tests.api.conftest import Api, Client, case, served
from tests.faults.figures import Figures, figures

__all__ = ["figures"]

EVENTS = """subscription S($after: Position, $types: [String!], $team: UUID) {
  ledgerEvents(after: $after, types: $types, team: $team) { position kind teamId summary actor { member { name } } }
}"""


@contextmanager
def socket_of(api: Api, token: str | None, **more: Any) -> Iterator[ClientConnection]:
    """A connection by the protocol, introduced with the token."""
    url = api.base_url.replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=["graphql-transport-ws"], **more) as found:  # type: ignore[list-item]
        if token is not None:
            send(found, type="connection_init", payload={"Authorization": f"Bearer {token}"})
            assert receive(found) == {"type": "connection_ack"}
        yield found


def send(ws: ClientConnection, **frame: Any) -> None:
    ws.send(json.dumps(frame))


def receive(ws: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ws.recv(10))
    return found


def subscribe(ws: ClientConnection, name: str = "1", query: str = EVENTS, **variables: Any) -> None:
    send(ws, id=name, type="subscribe", payload={"query": query, "variables": variables})


def event(ws: ClientConnection) -> dict[str, Any]:
    frame = receive(ws)
    assert frame["type"] == "next", frame
    assert "errors" not in frame["payload"], frame
    found: dict[str, Any] = frame["payload"]["data"]["ledgerEvents"]
    return found


def closed(ws: ClientConnection) -> int:
    """The code with which the server closes."""
    try:
        while True:
            ws.recv(10)
    except ConnectionClosed as end:
        return 0 if end.rcvd is None else end.rcvd.code


def submit(client: Client, team_id: Any, title: str = "Split the price rules") -> int:
    """The position of the proposal's first fact."""
    found = client.do("submitProposal", teamId=str(team_id), title=title, businessCase=case())
    assert not found["userErrors"], found
    return int(found["receipt"]["facts"][0]["position"])


def test_each_fact_comes_once_and_in_order_from_a_position_on(api: Api) -> None:
    team = api.team()
    ada, auditor = api.client(Role.ENGINEER, team), api.client(Role.AUDITOR)
    submit(ada, team)
    with socket_of(api, auditor.token) as ws:
        subscribe(ws, after="0")
        submit(ada, team, "Drop the old basket")
        last = api.ledger.head()
        seen = [event(ws) for _ in range(last)]
    assert [int(one["position"]) for one in seen] == list(range(1, last + 1))
    assert [one["kind"] for one in seen].count("ProposalSubmitted") == 2
    assert seen[-1]["teamId"] == str(team)
    assert seen[-1]["actor"]["member"]["name"] == "Ada"


def test_without_a_position_it_begins_with_what_comes_next(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    submit(ada, team)
    with socket_of(api, ada.token) as ws:
        subscribe(ws)
        send(ws, type="ping")
        assert receive(ws) == {"type": "pong"}
        subscribe(ws, "2", "subscription { nothing }")
        assert receive(ws)["type"] == "error"  # so that the first one is under way
        time.sleep(0.1)
        position = submit(ada, team, "Drop the old basket")
        assert int(event(ws)["position"]) == position


def test_nobody_gets_another_teams_facts(api: Api) -> None:
    ours, theirs = api.team("Checkout"), api.team("Search")
    ada, bob = api.client(Role.ENGINEER, ours), api.client(Role.ENGINEER, theirs, "Bob")
    submit(bob, theirs)
    with socket_of(api, ada.token) as ws:
        subscribe(ws, after="0", types=["ProposalSubmitted"])
        submit(bob, theirs, "Index less")
        position = submit(ada, ours)
        assert int(event(ws)["position"]) == position
        subscribe(ws, "2", team=str(theirs))
        refused = receive(ws)
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "NOT_FOUND")


def test_a_role_that_is_taken_back_ends_what_it_showed(api: Api) -> None:
    ours, theirs = api.team("Checkout"), api.team("Search")
    ada = api.client(Role.ENGINEER, ours)
    bob = api.client(Role.ENGINEER, theirs, "Bob")
    with socket_of(api, ada.token) as ws:
        subscribe(ws, after="0", types=["ProposalSubmitted", "RoleRevoked"])
        submitted = api.client(Role.ENGINEER, ours, "Eve")
        first = submit(submitted, ours)
        assert int(event(ws)["position"]) == first
        api.issue(RevokeRole(ours, ada.member_id, Role.ENGINEER))
        submit(submitted, ours, "Not for Ada")
        submit(bob, theirs)
        with pytest.raises(TimeoutError):
            ws.recv(1)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (['{"type":"connection_init","payload":{}}'], websocket.FORBIDDEN),
        (['{"type":"connection_init","payload":{"Authorization":"Bearer ldg_x"}}'], websocket.FORBIDDEN),
        (['{"type":"connection_init","payload":{"Authorization":["Bearer"]}}'], websocket.FORBIDDEN),
        (['{"type":"subscribe","id":"1","payload":{"query":"{a}"}}'], websocket.UNAUTHORIZED),
        (["[]"], websocket.BAD_REQUEST),
        (["{"], websocket.BAD_REQUEST),
        (['{"type":"connection_init","payload":7}'], websocket.BAD_REQUEST),
        (['{"type":"connection_terminate"}'], websocket.BAD_REQUEST),
        ([b"\x00\x01"], websocket.BAD_REQUEST),
        (["[" * 100_000], websocket.BAD_REQUEST),
        (["<init>", '{"type":"connection_init"}'], websocket.TOO_MANY),
        (["<init>", '{"type":"subscribe","id":"","payload":{"query":"{a}"}}'], websocket.BAD_REQUEST),
        (
            ["<init>", '{"type":"subscribe","id":"1","payload":{}}', '{"type":"subscribe","id":1}'],
            websocket.BAD_REQUEST,
        ),
        (["<init>", "<subscribe>", "<subscribe>"], websocket.ALREADY_EXISTS),
    ],
)
def test_odd_frames_are_answered_with_the_protocols_codes(api: Api, frames: list[Any], code: int) -> None:
    ada = api.client(Role.AUDITOR)
    known = {
        "<init>": json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {ada.token}"}}),
        "<subscribe>": json.dumps({"type": "subscribe", "id": "1", "payload": {"query": EVENTS}}),
    }
    with socket_of(api, None) as ws:
        for frame in frames:
            ws.send(known.get(frame, frame) if isinstance(frame, str) else frame)
        assert closed(ws) == code
    assert ada.ask("{ viewer { client } }")


def test_who_does_not_say_who_they_are_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "INIT_S", 0.2)
    with socket_of(api, None) as ws:
        assert closed(ws) == websocket.INIT_TIMEOUT


def test_who_can_not_be_known_now_is_told_to_try_again(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    ada = api.client(Role.AUDITOR)
    with psycopg.connect(api.database_url) as superuser, socket_of(api, None) as ws:
        superuser.execute("LOCK directory.tokens IN ACCESS EXCLUSIVE MODE")
        send(ws, type="connection_init", payload={"Authorization": f"Bearer {ada.token}"})
        assert closed(ws) == websocket.TRY_AGAIN_LATER
    assert not [record for record in caplog.records if record.exc_info]
    with socket_of(api, ada.token):
        pass


def test_another_protocol_is_not_spoken(api: Api) -> None:
    url = api.base_url.replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=["graphql-ws"]) as ws:  # type: ignore[list-item]
        assert closed(ws) == websocket.PROTOCOL_NOT_ACCEPTABLE


def test_a_page_of_another_origin_can_not_connect(api: Api) -> None:
    with pytest.raises(InvalidStatus) as refused, socket_of(api, None, origin="https://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    with socket_of(api, api.client(Role.AUDITOR).token, origin=api.base_url):
        pass


def test_queries_and_broken_documents_are_refused_with_their_codes(api: Api) -> None:
    with socket_of(api, api.client(Role.AUDITOR).token) as ws:
        for name, query, code in (
            ("q", "{ viewer { client } }", "BAD_USER_INPUT"),
            ("p", "subscription {", "GRAPHQL_PARSE_FAILED"),
            ("v", "subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("a", 'subscription { ledgerEvents(after: "999999") { position } }', "BAD_USER_INPUT"),
            ("t", 'subscription { ledgerEvents(types: ["Nothing"]) { position } }', "BAD_USER_INPUT"),
        ):
            subscribe(ws, name, query)
            frame = receive(ws)
            assert (frame["id"], frame["type"]) == (name, "error"), frame
            assert frame["payload"][0]["extensions"]["code"] == code


def test_a_token_that_ends_ends_its_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RECHECK_S", 0.1)
    ada = api.client(Role.AUDITOR)
    with socket_of(api, ada.token) as ws, stream_of(api, ada, after="0") as lines:
        subscribe(ws, after="0")
        event(ws)
        with psycopg.connect(api.database_url, autocommit=True) as connection:
            (token,) = (one for one in tokens.every(connection) if one.member_id == ada.member_id)
            tokens.revoke(connection, token.token_id)
        assert closed(ws) == websocket.FORBIDDEN
        *_, (_, refused), (last, _) = blocks(lines)
        assert (last, refused["errors"][0]["extensions"]["code"]) == ("complete", "UNAUTHENTICATED")


def test_a_token_may_hold_twenty_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PER_TOKEN_MAX", 2)
    ada = api.client(Role.AUDITOR)
    with socket_of(api, ada.token), stream_of(api, ada, after="0"):
        response = ada.http.post("/graphql/stream", json={"query": EVENTS})
        assert (response.status_code, response.headers["retry-after"]) == (429, "10")
        assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        with socket_of(api, None) as ws:
            send(ws, type="connection_init", payload={"Authorization": f"Bearer {ada.token}"})
            assert closed(ws) == websocket.TOO_MANY
    with socket_of(api, ada.token), socket_of(api, ada.token):
        pass


@contextmanager
def stream_of(api: Api, client: Client, last_event_id: str = "", **variables: Any) -> Iterator[Iterator[str]]:
    """The lines of a stream of server-sent events."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_event_id} if last_event_id else {})}
    body = {"query": EVENTS, "variables": variables}
    with client.http.stream("POST", "/graphql/stream", json=body, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response.iter_lines()


def blocks(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event's name, and its data with its id as `id`."""
    name, data, place = "", "", ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data:"):
            data = line[5:].strip()
        elif line.startswith("id: "):
            place = line[4:]
        elif not line and name:
            yield name, {**json.loads(data or "{}"), "id": place}
            name = data = ""


def test_server_sent_events_go_on_where_they_broke_off(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    submit(ada, team)
    first = api.ledger.head()
    with stream_of(api, ada, after="0") as lines:
        for _, found in blocks(lines):
            if found["id"] == str(first):
                break
    second = submit(ada, team, "Drop the old basket")
    with stream_of(api, ada, last_event_id=found["id"], after="0") as lines:
        name, found = next(blocks(lines))
    assert (name, found["id"]) == ("next", str(second))
    assert found["data"]["ledgerEvents"]["position"] == str(second)


def test_a_stream_is_refused_like_any_request(api: Api) -> None:
    ada = api.client(Role.AUDITOR)
    for headers, body, status, code in (
        ({"Authorization": "Bearer x"}, {"query": EVENTS}, 401, "UNAUTHENTICATED"),
        ({}, {"query": "{ viewer { client } }"}, 400, "BAD_USER_INPUT"),
        ({}, {"query": "subscription {"}, 400, "GRAPHQL_PARSE_FAILED"),
        ({"Last-Event-ID": "x"}, {"query": EVENTS}, 400, "BAD_USER_INPUT"),
    ):
        response = ada.http.post("/graphql/stream", json=body, headers=headers)
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)
    with ada.http.stream("GET", "/graphql/stream", params={"query": EVENTS.replace("$after: Position, ", "")}) as found:
        assert found.status_code in (200, 400)


@contextmanager
def api_with(settings: Settings) -> Iterator[Api]:
    url = settings.database_url or ""
    with closing(Ledger(url)) as ledger, served(create_app(settings), settings) as base_url:
        api = Api(url, base_url, ledger)
        api.until_ready()
        yield api
        for client in api.clients:
            client.http.close()


def test_a_page_follows_only_from_an_origin_that_may(settings: Settings) -> None:
    allowed = "https://portal.example"
    with api_with(replace(settings, origins=frozenset({allowed}))) as api:
        ada = api.client(Role.AUDITOR)
        asked = {"query": "subscription { ledgerEvents(after: 0) { position } }"}
        for method in ("GET", "POST", "OPTIONS"):
            for origin in ("https://evil.example", "null"):
                found = ada.http.request(method, "/graphql/stream", params=asked, headers={"Origin": origin})
                assert (found.status_code, found.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
                assert "access-control-allow-origin" not in found.headers
                assert found.headers["x-content-type-options"] == "nosniff"
        ahead = ada.http.options("/graphql/stream", headers={"Origin": allowed})
        assert (ahead.status_code, ahead.headers["access-control-allow-origin"]) == (204, allowed)
        assert "Last-Event-ID" in ahead.headers["access-control-allow-headers"]
        with ada.http.stream("GET", "/graphql/stream", params=asked, headers={"Origin": allowed}) as stream:
            assert (stream.status_code, stream.headers["access-control-allow-origin"]) == (200, allowed)
            assert stream.headers["x-content-type-options"] == "nosniff"
        refused = ada.http.get("/graphql/stream", params={"query": "{"}, headers={"Origin": allowed})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, allowed)


def test_streams_are_reckoned_like_requests(settings: Settings) -> None:
    with api_with(replace(settings, points_per_minute=25)) as api:
        ada, bob = api.client(Role.AUDITOR), api.client(Role.AUDITOR, name="Bob")
        found = [ada.http.post("/graphql/stream", json={"query": "subscription {"}) for _ in range(2)]
        assert [one.status_code for one in found] == [400, 429]
        assert found[1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert int(found[1].headers["retry-after"]) > 1
        with socket_of(api, bob.token) as ws:
            codes = []
            for name in "12":
                subscribe(ws, name, "subscription {")
                codes.append(receive(ws)["payload"][0]["extensions"]["code"])
        assert codes == ["GRAPHQL_PARSE_FAILED", "RATE_LIMITED"]


@pytest.mark.parametrize("at", [0, 1], ids=["at once", "between two facts"])
def test_a_stream_that_can_not_be_read_on_is_cut_off_where_it_was(
    api: Api, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Without the event `complete`, or with a code after which clients try again."""
    breaking(monkeypatch, at, psycopg.OperationalError("db-7.internal has gone"))
    auditor = api.client(Role.AUDITOR)
    with socket_of(api, auditor.token) as ws:
        subscribe(ws, after="0")
        assert [event(ws)["position"] for _ in range(at)] == ["1"][:at]
        assert closed(ws) == websocket.TRY_AGAIN_LATER
    with stream_of(api, auditor, after="0") as lines:
        assert [(name, found["id"]) for name, found in blocks(lines)] == [("next", "1")][:at]


def test_a_stream_that_breaks_by_our_fault_says_so_and_no_more(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    breaking(monkeypatch, 1, RuntimeError("the secret is 7"))
    auditor = api.client(Role.AUDITOR)
    with socket_of(api, auditor.token) as ws:
        subscribe(ws, after="0")
        event(ws)
        last = receive(ws)
        (error,) = last["payload"]["errors"]
        assert error["extensions"]["code"] == "INTERNAL"
        assert receive(ws)["type"] == "complete"
    assert "secret" not in json.dumps(last)
    assert error["extensions"]["reference"] in caplog.text


def breaking(monkeypatch: pytest.MonkeyPatch, at: int, error: Exception) -> None:
    """Facts can be read one at a time, and from a position on not any more."""
    whole = Feed.after

    async def after(self: Feed, position: int) -> Any:
        if position >= at:
            raise error
        return (await whole(self, position))[:1]

    monkeypatch.setattr(Feed, "after", after)


def test_readers_far_behind_and_readers_at_the_head_see_the_same(api: Api) -> None:
    team = api.team()
    ada, auditor = api.client(Role.ENGINEER, team), api.client(Role.AUDITOR)
    seen: dict[int, list[int]] = {}

    def read(which: int, after: str, until: int) -> None:
        with socket_of(api, auditor.token) as ws:
            subscribe(ws, after=after)
            seen[which] = []
            while not seen[which] or seen[which][-1] < until:
                seen[which].append(int(event(ws)["position"]))

    for number in range(150):
        submit(ada, team, f"Debt {number}")
    last = api.ledger.head()
    readers = [
        threading.Thread(target=read, args=(which, "0" if which % 2 else str(last), last + 20)) for which in range(8)
    ]
    for reader in readers:
        reader.start()
    for number in range(20):
        submit(ada, team, f"More debt {number}")
    assert api.ledger.head() >= last + 20
    for reader in readers:
        reader.join(30)
    assert all(seen[which] == list(range(1 if which % 2 else last + 1, last + 21)) for which in range(8)), seen


def test_a_reader_that_takes_nothing_is_dropped_and_others_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sse, "SEND_S", 0.3)
    takes_nothing(api, caplog)


@pytest.mark.faults
def test_a_server_that_waits_for_its_readers_is_found_out(
    api: Api, caplog: pytest.LogCaptureFixture, figures: Figures
) -> None:
    """So that the test above can fail: `SEND_S` is what it is, and longer than the test waits."""
    figures.found_out("a server that waits for a slow reader", "was dropped at", takes_nothing, api, caplog)


def takes_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A reader asks for more than fits on the way, and takes none of it: it is dropped, and the next one gets all of it."""
    team = api.team()
    ada, auditor = api.client(Role.ENGINEER, team), api.client(Role.AUDITOR)
    again = " ".join(f"body{number}: body" for number in range(25))
    long = case(problem="Every change to the price rules breaks the basket. " * 60)
    for number in range(40):
        assert ada.do("submitProposal", teamId=str(team), title=f"Debt {number}", businessCase=long)["position"]
    content = json.dumps({"query": EVENTS.replace("summary", again), "variables": {"after": "0"}})
    host, port = api.base_url.removeprefix("http://").split(":")
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect((host, int(port)))
        reader.sendall(
            f"POST /graphql/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {auditor.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode()
        )
        deadline = time.monotonic() + 10
        while "was dropped at" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "was dropped at" in caplog.text
    with socket_of(api, auditor.token) as other:
        subscribe(other, after="0")
        assert event(other)["position"] == "1"


def test_a_document_that_a_token_may_not_run_is_refused_on_every_way_and_recorded(settings: Settings) -> None:
    with api_with(settings) as api:
        bob, trusted = api.client(Role.AUDITOR), api.client(Role.AUDITOR)
        api.sql("UPDATE directory.tokens SET scopes = '{}' WHERE member_id = %s", trusted.member_id)
        refused = trusted.http.post("/graphql/stream", json={"query": EVENTS})
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
        with socket_of(api, trusted.token) as ws:
            subscribe(ws)
            frame = receive(ws)
        assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
        assert trusted.http.get("/metrics").status_code == 403
        wanted = {(UNTRUSTED, 2), ("metrics", 1)}
        log = "accessLog(kinds: [FORBIDDEN], memberId: $of, atLeast: $at) { nodes { subject count } }"
        text = f"query Q($of: UUID, $at: Position) {{ {log} }}"
        deadline, seen = time.monotonic() + 15, None
        while seen != wanted and time.monotonic() < deadline:
            nodes = bob.ask(text, of=str(trusted.member_id), at=str(api.ledger.head()))["accessLog"]["nodes"]
            seen = {
                (subject, sum(n["count"] for n in nodes if n["subject"] == subject))
                for subject in {n["subject"] for n in nodes}
            }
            time.sleep(0.05)
        assert seen == wanted
