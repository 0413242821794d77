"""The network between the server and its database: replies that get lost, latency, and a black hole."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from ledger.api import answering
from ledger.app import erasing
from ledger.commands.issued import Issued
from ledger.commands.member import EraseMember
from ledger.directory import members
from ledger.importing import staging
from ledger.replay import loading
from ledger.store import connections, pages
from ledger.store.application import Ledger
from ledger.store.faults import LedgerUnavailable, OutcomeUnknown
from ledger.store.integrity import guard, reading, redacting
from ledger.values import SYSTEM, MemberId, Role
from ledger.webhooks import sender
from projections import follower
from projections.catalogue import VIEWS
from projections.follower import Follower
from projections.rebuild import rebuild
from tests.api.conftest import Api
from tests.faults.asking import FORM_TEAM, ask, asking, known, team
from tests.faults.cluster import until
from tests.faults.conftest import Clusters
from tests.faults.figures import Figures
from tests.faults.load import LIFE, writing
from tests.faults.oracle import Book, examine
from tests.faults.outside import Outside
from tests.faults.serving import serving
from tests.faults.wire import wired
from tests.projections.example import titles
from tests.projections.recording import Recorder
from tests.projections.test_follower import fill
from tests.store.examples import append, command


@pytest.mark.parametrize("every", [7, pytest.param(2, marks=pytest.mark.faults)])
def test_replies_to_commits_get_lost(database_url: str, figures: Figures, every: int) -> None:
    book = Book()
    with wired(database_url) as wire, writing(wire.url, book, writers=6) as load:
        until(lambda: load.acknowledged >= 30)
        wire.drop_every = every
        until(lambda: wire.drops >= 12)
        wire.drop_every = 0
        at = time.monotonic()
        until(lambda: load.first_after(at))
    found = examine(database_url, book)
    first = load.first_after(at)
    assert first is not None
    figures.survived(
        "reply to COMMIT dropped, " + ("every other one" if every == 2 else f"one of {every}"),
        found,
        recovered_s=first - at,
        more=f"{wire.drops} replies dropped, {load.unanswered} answers asked for again by the writers",
    )


def test_who_reads_through_a_hole_is_told_so_and_the_views_come_back(
    database_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swallowed statement is limited by no server; without a limit of one's own the thread that sent it is lost for good."""
    monkeypatch.setattr(follower, "ANSWER_S", 1.0)
    monkeypatch.setattr(connections, "ON_ITS_WAY_S", 0.2)
    with (
        wired(database_url) as wire,
        Ledger(wire.url, statement_timeout_ms=300) as remote,
        Follower(wire.url, ledger, VIEWS) as following,
    ):
        recorder = Recorder(ledger)
        recorder.record((uuid4(), LIFE[0][0]))
        assert all(following.wait_for(view.name, 1, 20) for view in VIEWS)
        assert remote.head() == 1
        wire.begin_hole(forget=True)
        recorder.record((uuid4(), LIFE[0][0]))
        with pytest.raises(psycopg.OperationalError, match="has not answered in time"):
            remote.head()
        wire.end_hole()
        assert remote.head() == 2
        assert all(following.wait_for(view.name, 2, 20) for view in VIEWS)
    assert examine(database_url, views=VIEWS).faults == ()


def test_the_webhooks_go_on_after_a_hole(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their leader would wait for ever for an answer that was swallowed, and keep the lock by which another could take over."""
    monkeypatch.setattr(connections, "STATEMENT_TIMEOUT_MS", 500)
    monkeypatch.setattr(connections, "ON_ITS_WAY_S", 0.2)

    def leader() -> int | None:
        with psycopg.connect(database_url, autocommit=True) as looking:
            found = looking.execute(
                "SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()"
                " WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.granted",
                [sender.LOCK >> 32, sender.LOCK & 0xFFFFFFFF],
            ).fetchone()
        return found and found[0]

    with wired(database_url) as wire, sender.Sender(wire.url, bytes(32)):
        until(leader)
        before = leader()
        wire.begin_hole(forget=True)
        time.sleep(2 * sender.POLL_S)  # by now a statement of its was swallowed
        wire.end_hole()
        until(lambda: leader() not in (None, before), seconds=20)


def test_the_guard_looks_again_after_a_hole_and_ends_when_it_is_told_to(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that stops waits for its guard: one that waits for an answer for ever would hold it up."""
    monkeypatch.setattr(reading, "STATEMENT_TIMEOUT_MS", 500)
    monkeypatch.setattr(connections, "ON_ITS_WAY_S", 0.2)
    clock, holes = guard.clock_apart_s, list[bool]()

    def into_a_hole(connection: connections.Connection) -> float:
        if holes:
            wire.begin_hole(forget=True)
        return clock(connection)

    monkeypatch.setattr(guard, "clock_apart_s", into_a_hole)
    with wired(database_url) as wire:
        watch = guard.Watch(wire.url, every_s=0.05)
        watch.start()
        holes.append(True)
        until(lambda: "has not answered in time" in caplog.text, seconds=20)
        holes.clear()
        wire.end_hole()
        with psycopg.connect(database_url, autocommit=True) as superuser:
            superuser.execute("SET ledger.migrating = 'on'")
            superuser.execute("ALTER TABLE ledger.events DISABLE TRIGGER append_only")
        until(lambda: watch.faults, seconds=20)
        holes.append(True)
        stopping = Thread(target=watch.stop, daemon=True)
        stopping.start()
        stopping.join(10)
        assert not stopping.is_alive()


def test_an_erasure_does_not_wait_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has few threads for commands: one that an erasure keeps is gone."""
    monkeypatch.setattr(erasing, "STATEMENT_TIMEOUT_MS", 500)
    monkeypatch.setattr(erasing, "ON_ITS_WAY_S", 0.2)
    erase = members.erase

    def swallowed(*given: Any, **more: Any) -> bool:
        wire.begin_hole(forget=True)
        return erase(*given, **more)

    monkeypatch.setattr(members, "erase", swallowed)
    command_id, member_id = uuid4(), MemberId(uuid4())
    issued = Issued(
        EraseMember(member_id, "she asked for it", "GDPR Article 17"), command_id, SYSTEM, datetime.now(UTC)
    )
    with wired(database_url) as wire:
        with pytest.raises(OutcomeUnknown):
            erasing.empty(wire.url, issued)
        wire.end_hole()


def test_a_command_that_is_known_is_never_said_to_be_not_done(database_url: str) -> None:
    """The append answers that the command is known; then the reading of its first outcome breaks."""
    with wired(database_url) as wire, Ledger(wire.url) as remote:
        sent = command(uuid4(), 1)
        first = append(remote, sent)
        assert remote.head() == 1
        wire.drop_on = 2  # the first connection appends, the second reads
        with pytest.raises(OutcomeUnknown):
            append(remote, sent)
        again = append(remote, sent)
        assert (again.leaves, again.repeated) == (first.leaves, True)


@pytest.mark.parametrize("forget", [False, True], ids=["cut", "swallowed"])
def test_a_connection_that_breaks_while_it_is_made_ready_is_told_as_what_it_is(
    database_url: str, monkeypatch: pytest.MonkeyPatch, forget: bool
) -> None:
    monkeypatch.setattr(connections, "ON_ITS_WAY_S", 0.2)
    configure = connections.configured

    def broken(role: str, statement_timeout_ms: int) -> Callable[[connections.Connection], None]:
        def then_break(connection: connections.Connection) -> None:
            configure(role, statement_timeout_ms)(connection)
            if forget:
                wire.begin_hole(forget=True)
            else:
                wire.drop_on = 1

        return then_break

    with wired(database_url) as wire, Ledger(wire.url, statement_timeout_ms=300) as remote:
        monkeypatch.setattr(connections, "configured", broken)
        sent = command(uuid4(), 1)
        with pytest.raises(LedgerUnavailable):
            append(remote, sent)
        monkeypatch.setattr(connections, "configured", configure)
        wire.end_hole()
        assert append(remote, sent).first_position == 1


def test_an_import_does_not_wait_for_ever_for_its_statement(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ON_ITS_WAY_S", 0.2)
    prepare = pages.prepare

    def swallowed(*given: Any) -> None:
        wire.begin_hole(forget=True)
        prepare(*given)

    monkeypatch.setattr(pages, "prepare", swallowed)
    with wired(database_url) as wire, Ledger(wire.url, statement_timeout_ms=300) as remote:
        with pytest.raises(psycopg.OperationalError, match="has not answered in time"):
            remote.pages().send([b""], 1)
        wire.end_hole()


@pytest.mark.parametrize("step", ["fold", "switch"])
def test_a_view_that_is_being_built_does_not_wait_for_ever(
    database_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before it leads a follower builds what is new or has changed: if that waited for ever all views would stand still."""
    monkeypatch.setattr(connections, "PATIENCE_S", 1.0)
    fill(Recorder(ledger))
    with wired(database_url) as wire:
        with pytest.raises(psycopg.OperationalError, match=r"has not answered in time|connection is closed"):
            rebuild(
                wire.url,
                ledger,
                [titles()],
                progress=lambda at: wire.begin_hole(forget=True) if at.step == step else None,
            )
        wire.end_hole()
        assert rebuild(wire.url, ledger, [titles()]) == ledger.head()


@pytest.mark.parametrize(
    ("where", "ask"),
    [
        (loading, loading.load),
        (redacting, lambda url: redacting.carry_out(url, 1)),
        (staging, lambda url: staging.Staging(url).recorded_at()),
    ],
    ids=["replay", "redaction", "import"],
)
def test_what_takes_long_does_not_wait_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch, where: ModuleType, ask: Callable[[str], object]
) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 1.0)
    opened = connections.patient_connection

    def into_a_hole(url: str) -> connections.Connection:
        connection = opened(url)
        wire.begin_hole(forget=True)
        return connection

    monkeypatch.setattr(where, "patient_connection", into_a_hole)
    with wired(database_url) as wire:
        with pytest.raises(psycopg.OperationalError, match="has not answered in time"):
            ask(wire.url)
        wire.end_hole()


def test_a_request_ends_in_time_and_says_what_is_known(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    steward, command_id = api.client(Role.STEWARD), uuid4()
    asked = {"query": FORM_TEAM, "variables": {"input": team(command_id)}}
    assert ask(steward.http, uuid4())[0] is None
    monkeypatch.setattr(answering, "REQUEST_S", 0.3)
    with psycopg.connect(api.database_url) as superuser:
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        answer = steward.http.post("/graphql", json=asked)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (504, "OUTCOME_UNKNOWN")
    assert "Send it again with the same commandId" in error["message"]
    monkeypatch.undo()
    code, facts = ask(steward.http, command_id)
    assert code is None
    assert api.sql("SELECT position FROM ledger.events WHERE command_id = %s", command_id) == [
        (int(facts[0]["position"]),)
    ]


@pytest.mark.faults
@pytest.mark.parametrize("latency_ms", [200, 2_000])
def test_latency(database_url: str, tmp_path: Path, figures: Figures, latency_ms: int) -> None:
    with wired(database_url) as wire, serving(database_url, tmp_path, behind=wire.url) as served:
        book = known(served.api, Book())
        wire.latency_s = latency_ms / 2_000
        with asking(served.steward, served.base_url, book) as clients:
            time.sleep(10 if latency_ms < 1_000 else 25)
        wire.latency_s = 0
        served.catch_up()
        found = examine(database_url, book, views=VIEWS)
        assert found.acknowledged > 0
        figures.survived(
            f"{latency_ms} ms there and back", found, more=f"slowest answer {clients.slowest_s:.1f} s; {clients.told()}"
        )


@pytest.mark.faults
@pytest.mark.parametrize("forget", [False, True], ids=["what was held back arrives", "the connections stay dead"])
def test_a_black_hole_of_30_s(
    clusters: Clusters, outside: Outside, tmp_path: Path, figures: Figures, forget: bool
) -> None:
    cluster = clusters()
    with wired(cluster.url) as wire, serving(cluster.url, tmp_path, behind=wire.url) as served:
        book = known(served.api, Book())
        with asking(served.steward, served.base_url, book) as clients:
            until(lambda: clients.acknowledged >= 50)
            outside.seal(cluster.url)
            wire.begin_hole(forget=forget)
            until(lambda: not served.is_ready(), seconds=20)
            assert served.get("/health/live") == (200, {"live": True})
            time.sleep(30)
            wire.end_hole()
            at = time.monotonic()
            until(lambda: clients.first_after(at))
            until(served.is_ready)
            ready_s = time.monotonic() - at
            until(lambda: clients.acknowledged >= 100)
        served.catch_up()
        found = examine(cluster.url, book, checkpoint=outside.checkpoint(), views=VIEWS)
        assert clients.slowest_s < 32
        figures.survived(
            f"black hole of 30 s, {'connections stay dead' if forget else 'bytes arrive late'}",
            found,
            recovered_s=ready_s,
            more=f"slowest answer {clients.slowest_s:.1f} s; {clients.told()}",
        )
