"""What an operator sees: numbers by operation, a log without bodies or secrets, traces, and streams that end with the process."""

import json
import logging
import re
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import psycopg
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from ledger import logs
from ledger.api import metrics
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.directory.scopes import OF_PERSON, Scope
from ledger.settings import Settings
from ledger.values import MemberId, Role
from tests.api.conftest import PEPPER, Api, case
from tests.faults.figures import Figures, figures

__all__ = ["figures"]


def scraper(api: Api) -> dict[str, str]:
    """The headers of a token that may read the metrics."""
    found = api.client(Role.AUDITOR)
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        secret, _ = tokens.create(connection, PEPPER, found.member_id, "prometheus", granted=[Scope.METRICS])
    return {"Authorization": f"Bearer {secret}"}


def numbers(api: Api, headers: dict[str, str]) -> dict[str, float]:
    response = httpx.get(f"{api.base_url}/metrics", headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line.rpartition(" ") for line in response.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_numbers_are_kept_by_operation_and_by_outcome(api: Api) -> None:
    team = api.team()
    ada, headers = api.client(Role.ENGINEER, team), scraper(api)
    before = numbers(api, headers)
    ada.ask("query Whoami { viewer { client } }")
    ada.answer("query Whoami { viewer { client } }")
    ada.do("submitProposal", teamId=str(team), title="Split the price rules", businessCase=case())
    ada.answer("{ nothing }")
    after = numbers(api, headers)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown('ledger_requests_total{kind="query",operation="Whoami",status="200"}') == 2
    assert grown('ledger_request_seconds_count{kind="query",operation="Whoami"}') == 2
    assert grown('ledger_commands_total{command="SubmitProposal",outcome="recorded"}') == 1
    assert grown("ledger_command_seconds_count") == 1
    assert after["ledger_head_position"] == api.ledger.head()
    assert after['ledger_view_position{view="backlog"}'] <= api.ledger.head()
    assert after['ledger_view_stopped{view="audit"}'] == 0
    assert after['ledger_pool_connections{state="used"}'] >= 0


def test_the_metrics_want_a_token_of_their_own(api: Api) -> None:
    assert Scope.METRICS not in OF_PERSON
    assert httpx.get(f"{api.base_url}/metrics").status_code == 401
    response = api.client(Role.STEWARD).http.get("/metrics")
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")


def test_names_that_clients_make_up_do_not_fill_the_memory(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_names", set())
    ada, headers = api.client(Role.AUDITOR), scraper(api)

    def names() -> set[str]:
        return set(re.findall(r'operation="([^"]*)"', " ".join(numbers(api, headers))))

    before = names()
    for number in range(metrics.NAMES_MAX + 20):
        metrics.request(f"MadeUp{number}", "query", 200, 0.001)
    ada.ask("query YetAnother { viewer { client } }")
    after = names()
    assert metrics.OTHERS in after
    assert "YetAnother" not in after
    assert len(after - before) <= metrics.NAMES_MAX + 1


def test_the_log_tells_mutations_and_failures_without_their_contents(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    caplog.set_level(logging.INFO)
    ada.do("submitProposal", teamId=str(team), title="The secret plan", businessCase=case())
    ada.http.post("/graphql", content=b"[", headers={"Content-Type": "application/json"})
    found = [record for record in caplog.records if record.name == "ledger.requests"]
    assert [(record.kind, record.status) for record in found] == [("mutation", 200), ("", 400)]  # type: ignore[attr-defined]
    assert found[0].member == str(ada.member_id)  # type: ignore[attr-defined]
    told = "\n".join(logs.JsonLines().format(record) for record in caplog.records)
    assert "secret plan" not in told
    assert ada.token not in told


def test_json_lines_are_json_whatever_a_record_brings() -> None:
    error = ValueError('with "quotes"\nand lines')
    brought = {"operation": "A", "path": Path("/")}
    raised = (ValueError, error, None)
    record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed %s", ("now",), raised, extra=brought)
    found = json.loads(logs.JsonLines().format(record))
    assert (found["message"], found["level"], found["operation"], found["path"]) == ("failed now", "ERROR", "A", "/")
    assert 'ValueError: with "quotes"' in found["exception"]
    assert "operation=A" in logs.Lines(logs.TEXT).format(record)


def test_a_line_for_people_is_one_line_whoever_had_a_say_in_it() -> None:
    said = "db:\nERROR fake: \x1b[2Jall is well\u2028"
    brought = {"operation": "A\r\nERROR fake"}
    record = logging.getLogger("x").makeRecord(
        "x", logging.WARNING, "f", 1, "waiting: %s", (said,), None, extra=brought
    )
    line = logs.Lines(logs.TEXT).format(record)
    assert line.splitlines() == [line]
    assert "\x1b" not in line
    assert line.endswith(r"waiting: db:\nERROR fake: \x1b[2Jall is well\u2028 operation=A\r\nERROR fake")


def test_the_address_of_a_socket_is_not_told(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A client may have put its token there."""
    caplog.set_level(logging.INFO)
    connecting = logging.getLogger("uvicorn.error")
    connecting.addFilter(logs.is_told)
    try:
        url = api.base_url.replace("http", "ws") + "/graphql?token=ldg_abc"
        with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]):
            pass
    finally:
        connecting.removeFilter(logs.is_told)
    assert "ldg_abc" not in caplog.text


def test_what_anybody_may_cause_is_told_once_a_second_with_how_often() -> None:
    now = [0.0]
    seldom = logs.Seldom(clock=lambda: now[0])

    def told(message: str, level: int = logging.WARNING) -> int | None:
        record = logging.makeLogRecord({"msg": message, "levelno": level})
        return getattr(record, "kept_back", 0) if seldom(record) else None

    assert [told("no HTTP") for _ in range(5)] == [0, None, None, None, None]
    assert told("no WebSocket") == 0
    assert [told("it broke", logging.ERROR) for _ in range(2)] == [0, 0]
    now[0] = 1.0
    assert [told("no HTTP") for _ in range(2)] == [4, None]
    now[0] = 2.0
    assert [told("no WebSocket"), told("no HTTP")] == [0, 1]


class Collector:
    """Where traces go: remembers what it was sent."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.got.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()


SERVER = """
import logging, os, sys
from ledger.app import serve
from ledger.settings import Settings
settings = Settings.from_environment()
serve(settings, ready=lambda address: print(address, flush=True))
"""


def started(settings: Settings, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """A server in a process of its own, and its address."""
    assert settings.database_url is not None
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdout=subprocess.PIPE,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "LEDGER_DATABASE_URL": settings.database_url,
            "LEDGER_DATA_DIR": str(settings.data_dir),
            "LEDGER_TOKEN_PEPPER": PEPPER.hex(),
            "LEDGER_PORT": "0",
            **environment,
        },
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def until_ready(address: str) -> None:
    deadline = time.monotonic() + 30
    while httpx.get(f"{address}/health/ready", timeout=30).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def secret_of(settings: Settings, *scopes: Scope) -> str:
    assert settings.database_url is not None
    member_id = MemberId(uuid4())
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        members.put(connection, [Person(member_id, "Ada")])
        return tokens.create(connection, PEPPER, member_id, "tests", granted=scopes or None)[0]


def test_a_trace_goes_where_the_environment_says(settings: Settings) -> None:
    collector = Collector()
    endpoint = f"http://127.0.0.1:{collector.server.server_port}"
    process, address = started(settings, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="100")
    try:
        headers = {
            "Authorization": f"Bearer {secret_of(settings)}",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        }
        body = {"query": "query Whoami { viewer { client } }"}
        assert httpx.post(f"{address}/graphql", json=body, headers=headers, timeout=30).status_code == 200
        deadline = time.monotonic() + 15
        while not collector.got and time.monotonic() < deadline:
            time.sleep(0.05)
        told = b"".join(collector.got)
        assert b"query Whoami" in told
        assert bytes.fromhex("0af7651916cd43dd8448eb211c80319c") in told
    finally:
        process.terminate()
        process.wait(20)
        collector.server.shutdown()
        collector.server.server_close()
        process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_open_streams_and_the_server_at_once(settings: Settings, workers: int) -> None:
    process, address = started(settings, LEDGER_WORKERS=str(workers))
    headers = {"Authorization": f"Bearer {secret_of(settings, Scope.FREE_FORM, Scope.METRICS)}"}
    query = {"query": "subscription { ledgerEvents { position } }"}
    try:
        until_ready(address)
        with httpx.stream("POST", f"{address}/graphql/stream", json=query, headers=headers, timeout=60) as response:
            assert response.status_code == 200
            lines = response.iter_lines()
            next(lines)
            assert "ledger_requests" in httpx.get(f"{address}/metrics", headers=headers, timeout=60).text
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            told = "\n".join(lines)
        process.wait(20)
        took = time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    assert "complete" not in told, told  # it was cut off, so that the client takes it up elsewhere
    assert took < 9, f"it took {took:.1f} s"


DEAF = """
from contextlib import nullcontext
from ledger.app import composition
composition._told_of_the_end = lambda feed: nullcontext()
"""


@pytest.mark.faults
def test_a_server_that_does_not_end_its_streams_is_found_out(
    settings: Settings, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can fail."""
    monkeypatch.setattr("tests.api.test_operations.SERVER", DEAF + SERVER)
    check = test_a_signal_ends_open_streams_and_the_server_at_once
    figures.found_out(
        "a server that does not end its streams when it stops", "closed connection without", check, settings, 1
    )
