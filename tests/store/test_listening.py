"""A loop whose tasks append hears the answers itself, and leaves to the thread whatever is not as it should be."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import uvloop

from ledger.store import appender, group, pacing
from ledger.store.application import Ledger
from ledger.store.faults import LedgerUnavailable, VersionConflict
from ledger.store.group import GroupCommit
from ledger.store.receipt import CommandEvents, Receipt
from ledger.store.recorder import LedgerRecorder
from tests.store.examples import append, command
from tests.store.proxy import Proxy, proxied

WAITING_FOR_A_LOCK = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""

Runs = Callable[[Awaitable[None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def runs(request: pytest.FixtureRequest) -> Runs:
    run: Runs = request.param
    return run


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with proxied(database_url) as made:
        yield made


def writes(ledger: Ledger) -> GroupCommit:
    assert isinstance(ledger.recorder, LedgerRecorder)
    return ledger.recorder.writes


def listens(ledger: Ledger) -> bool:
    """Does this very loop hear the answers?"""
    listener = writes(ledger)._listener
    return listener is not None and listener.is_current() and listener.loop is asyncio.get_running_loop()


async def told(ledger: Ledger, sent: CommandEvents) -> Receipt:
    """This will append one command from a task."""
    return await ledger.append_async(
        sent.events, command_id=sent.command_id, request_hash=sent.request_hash, at=sent.at
    )


async def listening(ledger: Ledger) -> None:
    """This will append until the loop listens."""
    while not listens(ledger):
        await told(ledger, command(uuid4(), 1))


def open_files() -> int:
    """This will count this process's open files."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_tasks_that_are_answered_together_share_the_next_transaction(
    ledger: Ledger, runs: Runs, superuser: psycopg.Connection
) -> None:
    async def appends() -> None:
        await listening(ledger)
        before = ledger.head()

        async def sends() -> None:
            for _ in range(20):
                await told(ledger, command(uuid4(), 1))

        await asyncio.gather(*(sends() for _ in range(8)))
        assert ledger.head() - before == 160
        assert listens(ledger)
        found = superuser.execute(
            "SELECT count(DISTINCT recorded_at) FROM ledger.events WHERE position > %s", [before]
        ).fetchone()
        assert found is not None
        assert found[0] < 80

    runs(appends())


def test_each_task_gets_the_answer_to_its_own_command(ledger: Ledger, runs: Runs) -> None:
    async def appends() -> None:
        await listening(ledger)
        stream = uuid4()
        sent = [command(stream, 1) for _ in range(5)] + [command(uuid4(), 1) for _ in range(5)]
        answers = await asyncio.gather(*(told(ledger, one) for one in sent), return_exceptions=True)
        assert sum(isinstance(answer, VersionConflict) for answer in answers[:5]) == 4
        assert all(isinstance(answer, Receipt) for answer in answers[5:])
        # What was refused went through the thread; then the loop listens again.
        again = await told(ledger, sent[-1])
        assert again.repeated
        assert again.first_position == answers[-1].first_position  # type: ignore[union-attr]
        await listening(ledger)

    runs(appends())


def test_a_lost_reply_is_looked_up_for_a_task_too(proxy: Proxy, runs: Runs) -> None:
    async def appends() -> None:
        await listening(ledger)
        proxy.drop_replies = 1
        sent = command(uuid4(), 1)
        receipt = await told(ledger, sent)
        assert proxy.dropped.is_set()
        assert not receipt.repeated or receipt.first_position == ledger.head()
        assert [event.command_id for event in ledger.read(receipt.first_position - 1, 10)] == [sent.command_id]
        await listening(ledger)

    with Ledger(proxy.url) as ledger:
        runs(appends())


def test_a_reply_that_never_comes_is_looked_up_for_a_task_too(
    proxy: Proxy, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "REPLY_TIMEOUT_S", 0.5)

    async def appends() -> None:
        await listening(ledger)
        proxy.swallow_replies = True
        asyncio.get_running_loop().call_later(1.0, setattr, proxy, "swallow_replies", False)
        sent = command(uuid4(), 1)
        receipt = await told(ledger, sent)
        assert [event.command_id for event in ledger.read(receipt.first_position - 1, 10)] == [sent.command_id]

    with Ledger(proxy.url) as ledger:
        runs(appends())


def test_a_connection_that_the_server_ends_is_made_anew(
    ledger: Ledger, runs: Runs, superuser: psycopg.Connection
) -> None:
    async def appends() -> None:
        await listening(ledger)
        files = open_files()
        for _ in range(5):
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'SELECT ledger.append_new%'"
            )
            await listening(ledger)
            await told(ledger, command(uuid4(), 1))
        assert open_files() <= files + 1  # the last watch may not have ended yet

    runs(appends())


def test_loops_and_threads_take_turns(ledger: Ledger, runs: Runs) -> None:
    async def sends() -> None:
        for _ in range(50):
            await told(ledger, command(uuid4(), 1))

    async def appends() -> None:
        await asyncio.gather(*(sends() for _ in range(4)))

    def sends_from_a_thread() -> None:
        for _ in range(50):
            append(ledger, command(uuid4(), 1))

    senders = [threading.Thread(target=runs, args=(appends(),)) for _ in range(2)]
    senders += [threading.Thread(target=sends_from_a_thread) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert ledger.head() == 2 * 200 + 2 * 50


def test_a_loop_that_comes_after_another_has_nothing_to_wait_for(
    ledger: Ledger, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (group, pacing):
        monkeypatch.setattr(module, "IDLE_S", 60.0)  # the thread does not come to anybody's help

    async def appends() -> None:
        async with asyncio.timeout(10):
            for _ in range(8):
                await asyncio.gather(*(told(ledger, command(uuid4(), 1)) for _ in range(24)))

    for _ in range(8):
        runs(appends())


def test_a_loop_that_is_kept_waiting_by_its_own_append_is_answered(ledger: Ledger, runs: Runs) -> None:
    async def appends() -> None:
        await listening(ledger)
        head = ledger.head()
        assert append(ledger, command(uuid4(), 1)).first_position == head + 1  # holds the loop until it is answered
        assert not listens(ledger)
        assert (await told(ledger, command(uuid4(), 1))).first_position == head + 2

    runs(appends())


def test_a_loop_that_ended_with_commands_on_their_way_holds_up_nobody(
    ledger: Ledger, runs: Runs, superuser: psycopg.Connection
) -> None:
    left = command(uuid4(), 1)
    heads: list[int] = []

    async def leaves() -> None:
        await listening(ledger)
        heads.append(ledger.head())
        superuser.execute("BEGIN")
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(told(ledger, left), 0.1)

    before = open_files()
    runs(leaves())
    superuser.execute("COMMIT")
    assert append(ledger, command(uuid4(), 1)).first_position == heads[0] + 2
    assert [event.command_id for event in ledger.read(heads[0], 1)] == [left.command_id]
    runs(listening(ledger))
    assert append(ledger, command(uuid4(), 1))
    assert open_files() <= before + 5  # the ledger's own, and no loop's


def test_closing_answers_the_tasks_that_wait(database_url: str, runs: Runs, superuser: psycopg.Connection) -> None:
    async def appends() -> None:
        ledger = Ledger(database_url)
        await listening(ledger)
        head = ledger.head()
        with superuser.transaction():
            superuser.execute("SELECT FROM ledger.head FOR UPDATE")
            sent = [asyncio.create_task(told(ledger, command(uuid4(), 1))) for _ in range(20)]
            while superuser.execute(WAITING_FOR_A_LOCK).fetchone() != (1,):  # noqa: ASYNC110  # the database does not call
                await asyncio.sleep(0.01)
            closing = threading.Thread(target=ledger.close)
            closing.start()
        receipts = await asyncio.gather(*sent)
        assert sorted(receipt.first_position for receipt in receipts) == list(range(head + 1, head + 21))
        await asyncio.to_thread(closing.join)
        with pytest.raises(LedgerUnavailable):
            await told(ledger, command(uuid4(), 1))

    runs(appends())
