"""An older state of the database is put back: nothing is served on it until somebody has reconciled it with what was signed."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from ledger.app import create_app, serving
from ledger.handlers import bootstrap
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.faults import NotReconciled
from ledger.store.integrity import reconciling
from ledger.store.integrity.remembering import Memory
from ledger.values import Role
from projections import follower
from projections.catalogue import VIEWS
from projections.follower import Follower
from projections.rebuild import rebuild
from tests.api.conftest import PEPPER, Api, Client, served
from tests.cli.conftest import Cli
from tests.faults import cluster
from tests.faults.asking import ask, known
from tests.faults.cluster import until
from tests.faults.figures import Figures
from tests.faults.load import LIFE
from tests.faults.oracle import Book, examine
from tests.faults.outside import Outside
from tests.faults.test_oracle import follow, remember
from tests.faults.wire import Wire, wired
from tests.integrity.conftest import do
from tests.projections.recording import Recorder

PUT_BACK = (
    "DELETE FROM ledger.events WHERE position > {0}",
    "DELETE FROM ledger.commands WHERE first_position > {0}",
    "UPDATE ledger.head SET position = {0}, recorded_at = (SELECT recorded_at FROM ledger.events WHERE position = {0})",
)


@pytest.mark.faults
def test_it_is_refused_until_it_is_reconciled(seed: Path, tmp_path: Path, outside: Outside, figures: Figures) -> None:
    folder, backup, book = cluster.copied(seed, tmp_path / "cluster"), tmp_path / "backup", Book()
    with cluster.running(folder) as server, Ledger(server.url) as ledger:
        for _ in range(10):
            remember(book, ledger)
    cluster.copied(folder, backup)
    with cluster.running(folder) as server, Ledger(server.url) as ledger:
        for _ in range(10):
            remember(book, ledger)
        outside.seal(server.url)
        assert examine(server.url, book, checkpoint=outside.checkpoint()).faults == ()
    shutil.rmtree(folder)
    cluster.copied(backup, folder)
    with cluster.running(folder) as server:
        settings = {"LEDGER_DATABASE_URL": server.url, "LEDGER_DATA_DIR": str(tmp_path)}
        cli = Cli({**settings, "LEDGER_SEAL_FOLDER": str(outside.kept.folder)})
        begun = time.monotonic()
        refused = cli.run("serve", "--port", "0")
        took_s = time.monotonic() - begun
        assert refused.code == 1
        assert "The ledger ends at 20, and 40 facts were signed: an older state was restored." in refused.err
        seen = examine(server.url, book, checkpoint=outside.checkpoint())
        assert seen.parts == {"once", "root"}
        assert seen.lost == 10
        # Somebody looks, and says that what is gone is gone.
        outside.kept.folder.rename(tmp_path / "before the restore")
        with cli.running("serve", "--port", "0", "--json") as process:
            assert process.document()["address"].startswith("http://")
    figures.named("an older state restored", f"refused: {refused.err.strip().partition('Error: ')[2]}", after_s=took_s)


def test_a_server_that_does_not_find_what_was_signed_is_found_out(
    database_url: str,
    ledger: Ledger,
    tmp_path: Path,
    outside: Outside,
    figures: Figures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that the test above can fail."""
    for _ in range(10):
        remember(Book(), ledger)
    outside.seal(database_url)
    with psycopg.connect(database_url, autocommit=True) as superuser:
        do(superuser, [statement.format(10) for statement in PUT_BACK])
    settings, served_on = Settings(database_url, tmp_path, seal_folder=outside.kept.folder), list[Settings]()
    monkeypatch.setattr(serving, "_serve", lambda on, *_: served_on.append(on))

    def refused() -> None:
        with pytest.raises(NotReconciled, match="an older state was restored"):
            serving.serve(settings)

    refused()
    assert not served_on
    monkeypatch.setattr(reconciling, "signed", lambda _: None)
    figures.found_out("a server that takes what was signed for nothing", "DID NOT RAISE", refused)
    assert served_on


HOW_MANY = "{ teams(first: 100) { totalCount } }"
WAIT_S = 20


class Replaced:
    """A server that goes on while the database under it is put back to how it was ten teams before."""

    def __init__(self, steward: Client, wire: Wire, now: str, older: str, book: Book) -> None:
        self.steward, self.wire, self.now, self.older, self.book = steward, wire, now, older, book

    def ready(self) -> tuple[int, Any]:
        found = httpx.get(f"{self.steward.http.base_url}/health/ready", timeout=30)
        return found.status_code, found.json()

    def found(self, count: int) -> list[str]:
        """The codes of so many mutations, each under a command of its own that is asked once."""
        codes = []
        for _ in range(count):
            self.book.ask(command := uuid4(), 1)
            code, facts = ask(self.steward.http, command)
            codes.append(code or "ACKNOWLEDGED")
            if code is None:
                position = int(facts[0]["position"])
                self.book.acknowledge(command, position, position, [bytes.fromhex(facts[0]["leaf"])])
        return codes

    def restore(self) -> float:
        """This will lead the server to the older state, and wait until it has an answer of it: for how long, in seconds."""
        self.wire.lead_to(self.older)
        return until(lambda: self.codes() != {"UNAVAILABLE"}, seconds=WAIT_S)

    def codes(self) -> set[str]:
        return {error["extensions"]["code"] for error in self.steward.answer(HOW_MANY).get("errors", ())}


@contextmanager
def replaced(seed: Path, folder: Path) -> Iterator[Replaced]:
    book, backup = Book(), folder / "backup"
    live = cluster.copied(seed, folder / "cluster")
    with cluster.running(live) as server, Ledger(server.url) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        api = Api(server.url, "", ledger)
        steward = api.client(Role.STEWARD)
        known(api, book)
        api.handlers._lookups.close()  # type: ignore[attr-defined]
    cluster.copied(live, backup)
    with cluster.running(live) as server, cluster.running(backup) as older, wired(server.url) as wire:
        settings = Settings(wire.url, folder, token_pepper=PEPPER, pool_size=4, wait_s=5)
        with (
            served(create_app(settings), settings) as base_url,
            Client(base_url, steward.token, steward.member_id).http as http,
        ):
            steward.http.close()
            steward.http = http
            found = Replaced(steward, wire, server.url, older.url, book)
            until(lambda: found.ready()[0] == 200, seconds=WAIT_S)
            assert found.found(10) == ["ACKNOWLEDGED"] * 10
            time.sleep(2)  # in which the server has looked again
            yield found


@pytest.mark.faults
def test_a_running_server_refuses_it_and_serves_again_once_the_facts_are_back(
    seed: Path, tmp_path: Path, figures: Figures
) -> None:
    with replaced(seed, tmp_path) as under:
        took_s = under.restore()
        assert under.codes() == {"NOT_RECONCILED"}
        assert under.found(3) == ["NOT_RECONCILED"] * 3
        status, body = under.ready()
        assert (status, body["ready"], body["database"]) == (503, False, "ok")
        assert "an older state was restored" in body["ledger"]
        answer = under.steward.http.post("/graphql", json={"query": HOW_MANY})
        (error,) = answer.json()["errors"]
        assert answer.status_code == 503
        assert error["message"] == f"{body['ledger']} Nothing is read or recorded until its operator has reconciled it."
        with Ledger(under.older) as older:
            assert older.head() < 40
        under.wire.lead_to(under.now)
        until(lambda: under.ready()[0] == 200, seconds=WAIT_S)
        assert under.found(1) == ["ACKNOWLEDGED"]
        seen = examine(under.now, under.book)
        figures.survived(
            "an older state restored under a server", seen, more=f"refused: {error['message']} ({took_s:.1f} s)"
        )


@pytest.mark.faults
def test_a_server_that_does_not_remember_is_found_out(
    seed: Path, tmp_path: Path, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can fail: the older state is read and written as if it were the ledger."""
    monkeypatch.setattr(Memory, "_note", lambda *_: None)
    with replaced(seed, tmp_path) as under:
        under.restore()
        assert under.codes() == set()
        assert under.found(3) == ["ACKNOWLEDGED"] * 3
        assert under.ready()[1]["ledger"] == "ok"
        seen = examine(under.now, under.book)  # what was acknowledged is not in the ledger that everybody knows
        assert seen.lost == 3
        figures.caught("once", "a server that does not know its ledger again", seen)


LEFT_BEHIND = "UPDATE views.positions SET position = position + 4"


def left_ahead(url: str, recorder: Recorder) -> None:
    """The log is put back, and the views that were there stay: they have followed four facts that are not there any more."""
    recorder.record((uuid4(), LIFE[0][0]))
    follow(url, recorder.ledger)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LEFT_BEHIND)


def overtaken(recorder: Recorder) -> int:
    for _ in range(4):
        recorder.record((uuid4(), LIFE[0][0]))
    return recorder.record((uuid4(), LIFE[0][0]))


def test_views_that_are_ahead_of_the_log_stop_until_they_are_built_again(
    settings: Settings, ledger: Ledger, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    url, recorder = settings.database_url or "", Recorder(ledger)
    bootstrap(ledger, datetime.now(UTC), uuid4())
    left_ahead(url, recorder)
    with served(create_app(settings, follow=False), settings) as base_url:
        assert readiness(base_url) == (503, "ahead")
        with caplog.at_level(logging.CRITICAL), Follower(url, ledger, VIEWS) as following:
            until(lambda: len(following.faults) == len(VIEWS))
            assert f"the ledger ends at {ledger.head()}: an older state was restored" in caplog.text
            assert readiness(base_url) == (503, "stopped")
            head = overtaken(recorder)
            assert not any(following.wait_for(view.name, head, 0.2) for view in VIEWS)
            rebuild(url, ledger, VIEWS)
            until(lambda: all(following.wait_for(view.name, head, 0.1) for view in VIEWS))
        assert readiness(base_url) == (200, "ok")
    assert examine(url, views=VIEWS).faults == ()
    figures.named(
        "views left ahead of a log that was put back", "they stop, and `/health/ready` says so, until `rebuild`"
    )


def test_a_follower_that_waits_for_the_log_to_come_up_to_its_views_is_found_out(
    database_url: str, ledger: Ledger, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can fail: what the log grows by until then is in no view."""
    recorder = Recorder(ledger)
    left_ahead(database_url, recorder)
    monkeypatch.setattr(Follower, "_stop_elsewhere", lambda *_: None)
    overtaken(recorder)
    follow(database_url, ledger)
    figures.caught(
        "views", "a follower that waits for an older log to come up to it", examine(database_url, views=VIEWS)
    )


def passed_again(url: str) -> int:
    """The views follow, the log is put back four facts under them, and grows past where they are: the new last position."""
    with Ledger(url) as ledger:
        recorder = Recorder(ledger)
        for _ in range(6):
            recorder.record((uuid4(), LIFE[0][0]))
        follow(url, ledger)
        kept = ledger.head() - 4
    with psycopg.connect(url, autocommit=True) as superuser:
        do(superuser, [statement.format(kept) for statement in PUT_BACK])
    with Ledger(url) as ledger:
        return overtaken(Recorder(ledger))


def test_views_that_the_log_has_passed_again_stop_until_they_are_built_again(
    settings: Settings, ledger: Ledger, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    url = settings.database_url or ""
    bootstrap(ledger, datetime.now(UTC), uuid4())
    head = passed_again(url)
    with caplog.at_level(logging.CRITICAL), Follower(url, ledger, VIEWS) as following:
        until(lambda: len(following.faults) == len(VIEWS))
        assert f"is at {head - 1} and another fact stands there: another state was restored" in caplog.text
        assert "Run: decision-ledger rebuild" in following.faults["backlog"]
        rebuild(url, ledger, VIEWS)
        until(lambda: all(following.wait_for(view.name, head, 0.1) for view in VIEWS))
    assert examine(url, views=VIEWS).faults == ()
    figures.named("views that a log which was put back has passed again", "they stop until `rebuild`")


def test_a_follower_that_looks_only_at_how_far_the_log_goes_is_found_out(
    database_url: str, ledger: Ledger, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can fail: rows of facts that are gone stay, and those that stand there now are in no view."""
    passed_again(database_url)
    monkeypatch.setattr(follower, "_ELSEWHERE", "SELECT view FROM views.positions WHERE view = ANY(%s) AND false")
    follow(database_url, ledger)
    seen = examine(database_url, views=VIEWS)
    figures.caught("views", "a follower that does not know the fact again at which it stands", seen)


def test_views_that_noted_no_fact_yet_are_followed_on(database_url: str, ledger: Ledger) -> None:
    """As those which a version of before has made."""
    recorder = Recorder(ledger)
    recorder.record((uuid4(), LIFE[0][0]))
    follow(database_url, ledger)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE views.positions DROP COLUMN leaf")
    recorder.record((uuid4(), LIFE[0][0]))
    follow(database_url, ledger)
    with psycopg.connect(database_url) as connection:
        noted = connection.execute("SELECT DISTINCT encode(leaf, 'hex') FROM views.positions").fetchall()
        there = connection.execute("SELECT encode(leaf, 'hex') FROM ledger.events WHERE position = 2").fetchall()
    assert noted == there


def readiness(base_url: str) -> tuple[int, str]:
    found = httpx.get(f"{base_url}/health/ready", timeout=30)
    return found.status_code, found.json()["views"]
