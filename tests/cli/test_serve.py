"""serve: the API on a given database, until it is told to end."""

import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Cli, named_in

START_S = 60
SAMPLE = Path(__file__).parents[1] / "importing/samples/orchard.jsonl"


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, "1"), (signal.SIGINT, "2")])
def test_it_answers_until_it_is_told_to_end(cli: Cli, number: signal.Signals, workers: str) -> None:
    secret = cli.run("token", "create", "Alex", "--role", "AUDITOR").out.strip()
    with cli.running("serve", "--port", "0", "--workers", workers, "--json") as process:
        document = process.document()
        assert document == {"address": document["address"], "graphql": f"{document['address']}/graphql"}
        until_ready(document["address"])
        answer = httpx.post(
            document["graphql"],
            json={"query": "{ viewer { client member { name } } }"},
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
        )
        assert answer.json()["data"] == {"viewer": {"client": "cli", "member": {"name": "Alex"}}}
        assert process.end(number) == 0
        process.finish()
        assert len(process.out) == 1
    port = int(document["address"].rsplit(":", 1)[1])
    with socket.socket() as knock:
        assert knock.connect_ex(("127.0.0.1", port)) != 0
    assert named_in(Path(cli.settings["LEDGER_DATA_DIR"])) == []


def until_ready(address: str) -> None:
    """A new ledger's views are made after the address is told."""
    deadline = time.monotonic() + START_S
    while (found := httpx.get(f"{address}/health/ready", timeout=START_S)).status_code != 200:
        assert time.monotonic() < deadline, found.text
        time.sleep(0.05)


def test_a_port_that_is_taken_is_named(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = cli.run("serve", "--port", str(port), "--json")
    assert (found.code, found.out) == (2, "")
    assert f"Nothing can listen on port {port} of 127.0.0.1" in found.err
    assert "Traceback" not in found.err


def test_what_was_imported_beside_it_is_waited_for(cli: Cli) -> None:
    with cli.running("serve", "--port", "0", "--json") as process:
        process.document()
        assert cli.run("import", str(SAMPLE)).code == 0
        found = cli.run("project", "--once", "--json")
        assert (found.code, found.json()["position"] > 30) == (0, True), found.err
        assert process.end(signal.SIGINT) == 0
