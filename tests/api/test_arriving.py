"""What comes over a connection before it is a request: bounded in bytes and in time, whoever sends it, and never in doubt."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from ledger.app import arriving
from tests.api.conftest import Api
from tests.api.test_hostile import resident_mib

WAIT_S = 10.0
#: How a sender learns that nobody takes any more.
CUT = r"reset|Broken pipe"


@contextmanager
def connected(api: Api) -> Iterator[socket.socket]:
    url = httpx.URL(api.base_url)
    with socket.create_connection((url.host, url.port or 80), timeout=WAIT_S) as found:
        yield found


def answer(sock: socket.socket) -> tuple[int, Any]:
    """The status and the error of the answer with which the server ends the connection; 0: it said nothing."""
    said = b""
    while piece := sock.recv(65_536):
        said += piece
    if not said:
        return 0, None
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"x-content-type-options: nosniff" in head
    (error,) = json.loads(body)["errors"]
    return int(head.split()[1]), error


def send(sock: socket.socket, pieces: list[bytes], pause_s: float = 0) -> None:
    for piece in pieces:
        sock.sendall(piece)
        time.sleep(pause_s)


def live(api: Api) -> bool:
    return httpx.get(f"{api.base_url}/health/live", timeout=2).status_code == 200


@pytest.mark.parametrize("piece", [b"X: " + b"a" * 65_000, b"".join(b"x%d: a\r\n" % n for n in range(7_000))])
def test_a_head_that_does_not_end_is_cut_off_and_leaves_nothing(served_api: Api, piece: bytes) -> None:
    before = resident_mib()
    with connected(served_api) as sock:
        sock.sendall(b"GET /graphql HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(OSError, match=CUT):  # long before all of this is sent
            send(sock, [piece] * 500)
    assert live(served_api)
    assert resident_mib() - before < 16


def test_a_head_that_is_too_long_is_told_so(served_api: Api) -> None:
    with connected(served_api) as sock:
        sock.sendall(b"GET /graphql?query=" + b"a" * arriving.HEAD_MAX)
        time.sleep(0.2)
        status, error = answer(sock)
    assert (status, error["extensions"]["code"]) == (431, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "drops",
    [b"GET /health/live HTTP/1.1\r\nX: " + b"a" * 200, b"\r\n" * 100],
    ids=["of a head", "of nothing"],
)
def test_a_request_that_comes_in_drops_is_not_waited_for(
    served_api: Api, monkeypatch: pytest.MonkeyPatch, drops: bytes
) -> None:
    monkeypatch.setattr(arriving, "ARRIVAL_S", 0.5)
    with connected(served_api) as sock:
        begun = time.monotonic()
        with pytest.raises(OSError, match=CUT):
            send(sock, [bytes([drop]) for drop in drops], pause_s=0.05)
        assert time.monotonic() - begun < 5


def test_a_connection_that_says_nothing_is_closed(served_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "ARRIVAL_S", 0.3)
    with connected(served_api) as sock:
        assert answer(sock) == (0, None)


def test_a_body_that_nobody_waits_for_any_more_does_not_hold_the_connection(
    served_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "ARRIVAL_S", 0.5)
    with connected(served_api) as sock:
        sock.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert b"401 Unauthorized" in sock.recv(65_536)
        begun = time.monotonic()
        assert sock.recv(65_536) == b""
        assert time.monotonic() - begun < 5


def test_a_stream_and_what_is_kept_alive_outlive_the_time_to_arrive(
    served_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "ARRIVAL_S", 0.3)
    ada = served_api.clients[0]
    headers = {"Authorization": f"Bearer {ada.token}"}
    asked = {"query": "subscription { ledgerEvents(after: 0) { position } }"}
    with (
        httpx.Client(base_url=served_api.base_url, timeout=5) as http,
        http.stream("POST", "/graphql/stream", json=asked, headers=headers) as found,
        httpx.Client(base_url=served_api.base_url, headers=headers, timeout=5) as other,
    ):
        lines = found.iter_lines()
        assert next(lines) == ":"
        for _ in range(3):
            time.sleep(0.3)
            assert other.post("/graphql", json={"query": "{ viewer { client } }"}).status_code == 200
        assert found.status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        b"GET /health/live HTTP/1.1\nHost: x\n\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_and_the_connection_closed(served_api: Api, request_: bytes) -> None:
    with connected(served_api) as sock:
        sock.sendall(request_)
        status, error = answer(sock)
    assert (status, error["extensions"]["code"]) == (400, "BAD_USER_INPUT")


@pytest.mark.parametrize("upgrade", [b"Upgrade: h2c", b"upgrade:h2c ", b"Upgrade: websocket-2"])
@pytest.mark.parametrize("pause_s", [0, 0.2], ids=["in one piece", "body apart"])
def test_an_offer_of_another_protocol_costs_nobody_the_body(served_api: Api, upgrade: bytes, pause_s: float) -> None:
    body = b'{"query": "{ viewer { client } }", "variables": {"a": "\\r\\nUpgrade: h2c\\r\\n"}}'
    head = b"\r\n".join(
        [
            b"POST /graphql HTTP/1.1",
            b"Host: x",
            b"Connection: Upgrade, HTTP2-Settings",
            upgrade,
            b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
            b"Content-Type: application/json",
            b"Authorization: Bearer " + served_api.clients[0].token.encode(),
            b"Content-Length: %d" % len(body),
            b"\r\n",
        ]
    )
    with connected(served_api) as sock:
        send(sock, [head, body] if pause_s else [head + body], pause_s)
        if b"h2c" not in upgrade:  # nobody knows it, and what is its and what is ours
            assert answer(sock)[0] == 400
            return
        said = sock.recv(65_536)
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert b'{"viewer":{"client":"tests"}}' in said


def test_connections_beyond_the_most_are_told_to_come_again(served_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "connections_max", lambda: 3)
    held = [connected(served_api) for _ in range(8)]
    socks = [each.__enter__() for each in held]
    try:
        time.sleep(0.2)
        status, error = answer(socks[-1])
        assert (status, error["extensions"]["code"]) == (503, "UNAVAILABLE")
    finally:
        for each in held:
            each.__exit__(None, None, None)
    deadline = time.monotonic() + WAIT_S
    while httpx.get(f"{served_api.base_url}/health/live").status_code != 200:
        assert time.monotonic() < deadline
