"""Processes that serve: one and several, on a database of their own or a given one, until a signal ends them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from ledger.api.documents import prepare
from ledger.app import NotMigrated, serve
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.directory.scopes import Scope
from ledger.settings import Settings
from ledger.store.embedded_keeper import running
from ledger.store.migrations import migrations
from ledger.values import MemberId, Role
from tests.api.conftest import PEPPER, Api

PROGRAM = """
import logging, sys
from ledger.app import serve
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.directory.scopes import Scope
from ledger.settings import Settings
logging.basicConfig(level=logging.INFO)
serve(Settings.from_environment(), ready=lambda address: print(address, flush=True))
"""
START_S = 60
END_S = 20


@contextmanager
def serving(program: str = PROGRAM, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "LEDGER_PORT": "0", "LEDGER_TOKEN_PEPPER": PEPPER.hex(), **environment},
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        assert base_url.startswith("http://"), "it did not start"
        yield process, base_url
    finally:
        if process.poll() is None:
            process.terminate()  # it ends its workers too
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        process.kill()
        assert process.stdout is not None
        process.stdout.close()


def ready(base_url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(f"{base_url}/health/ready", timeout=5).status_code == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_until_a_signal_ends_it(database_url: str, tmp_path: Path, workers: str) -> None:
    with serving(LEDGER_DATABASE_URL=database_url, LEDGER_DATA_DIR=str(tmp_path), LEDGER_WORKERS=workers) as served:
        process, base_url = served
        ready(base_url)
        port = int(base_url.rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)
        with socket.socket() as knock:
            assert knock.connect_ex(("127.0.0.1", port)) != 0
    with psycopg.connect(database_url) as connection:
        left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + END_S
        while connection.execute(left).fetchone() != (0,):
            assert time.monotonic() < deadline, "connections are left"
            time.sleep(0.05)


def test_each_worker_has_the_very_settings(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "mine.graphql").write_text("query Mine { viewer { client } }")
    changed = f"replace(Settings.from_environment(), points_per_minute=7, documents=Path({str(tmp_path)!r}), workers=2)"
    program = PROGRAM.replace("Settings.from_environment()", changed)
    program = f"from dataclasses import replace\nfrom pathlib import Path\n{program}"
    secret = token(database_url, Scope.FREE_FORM)
    with serving(program, LEDGER_DATABASE_URL=database_url, LEDGER_DATA_DIR=str(tmp_path)) as (_, base_url):
        ready(base_url)
        headers = {"Authorization": f"Bearer {secret}"}
        found = httpx.post(f"{base_url}/graphql", json={"documentId": "mine"}, headers=headers, timeout=30).json()
        assert found["data"] == {"viewer": {"client": "tests"}}
        assert found["extensions"]["cost"]["pointsLeft"] == 6


def token(database_url: str, *scopes: Scope) -> str:
    member_id = MemberId(uuid4())
    with psycopg.connect(database_url, autocommit=True) as connection:
        members.put(connection, [Person(member_id, "Ada")])
        return tokens.create(connection, PEPPER, member_id, "tests", granted=scopes)[0]


def test_without_a_database_it_starts_one_and_ends_it(tmp_path: Path) -> None:
    with serving(LEDGER_DATABASE_URL="", LEDGER_DATA_DIR=str(tmp_path)) as (process, base_url):
        ready(base_url)
        assert running(tmp_path)
        process.send_signal(signal.SIGINT)
        process.wait(END_S)
    deadline = time.monotonic() + END_S
    while running(tmp_path):
        assert time.monotonic() < deadline, "PostgreSQL is left"
        time.sleep(0.05)


def test_a_database_without_migrations_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(NotMigrated, match=migrations()[0].name):
        serve(Settings(empty_database_url, tmp_path, token_pepper=PEPPER))


def test_each_of_many_at_once_gets_their_own_answer(api: Api) -> None:
    team = api.team()
    people = [api.client(Role.ENGINEER, team, name=f"Person {n}") for n in range(8)]
    query = "{ viewer { member { memberId name } } }"
    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda n: (n % 8, people[n % 8].ask(query)), range(200)))
    for number, found in answers:
        assert found["viewer"]["member"] == {"memberId": str(people[number].member_id), "name": f"Person {number}"}


def test_a_document_is_parsed_and_validated_once(api: Api) -> None:
    ada = api.client()
    query = "query OnlyHere { viewer { client } }"
    ada.ask(query)
    before = prepare.cache_info()
    for _ in range(5):
        ada.ask(query)
    after = prepare.cache_info()
    assert after.misses == before.misses
    assert after.hits > before.hits
    assert after.maxsize is not None
