"""The writer that groups: every command gets the answer that is true of it, also when the database does not give one."""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from time import sleep
from uuid import uuid4

import psycopg
import pytest

from ledger.store import appender, connections, flights, group, pacing
from ledger.store.application import Ledger
from ledger.store.batch import PackedCommand, packed
from ledger.store.codec import plain
from ledger.store.faults import LedgerBusy, LedgerUnavailable, OutcomeUnknown
from ledger.store.receipt import Receipt
from ledger.store.recorder import LedgerRecorder
from tests.store.examples import REQUEST, append, command
from tests.store.proxy import Proxy, proxied

WAITING_FOR_A_LOCK = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with proxied(database_url) as made:
        yield made


@pytest.fixture
def remote(proxy: Proxy) -> Iterator[Ledger]:
    """A ledger at the other end of the wire, with its connection made."""
    with Ledger(proxy.url) as made:
        append(made, command(uuid4(), 1))
        yield made


def raw(topic: str) -> PackedCommand:
    """This will pack a command of one event with any topic."""
    command_id, now = uuid4(), datetime.now(UTC)
    event = plain(
        event_id=uuid4(),
        stream_id=uuid4(),
        version=1,
        topic=topic,
        occurred_at=now,
        command_id=command_id,
        payload=b"{}",
    )
    return packed(command_id, REQUEST, now, [event])


def test_a_command_that_the_database_can_t_take_does_not_fail_its_neighbours(ledger: Ledger) -> None:
    assert isinstance(ledger.recorder, LedgerRecorder)
    good, bad, fine = ledger.recorder.writes.append([raw("fine"), raw("not\0text"), raw("fine")])
    assert isinstance(good, Receipt)
    assert isinstance(bad, psycopg.DataError)
    assert isinstance(fine, Receipt)
    assert (good.first_position, fine.first_position) == (1, 2)


def test_commands_that_come_together_share_a_transaction(ledger: Ledger, superuser: psycopg.Connection) -> None:
    sent = [command(uuid4(), 1) for _ in range(32)]
    with ThreadPoolExecutor(32) as threads, superuser.transaction():
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        receipts = [threads.submit(append, ledger, one) for one in sent]
        while not all(receipt.running() for receipt in receipts):
            pass
        superuser.execute("COMMIT")
        done = [receipt.result() for receipt in receipts]
    assert sorted(receipt.first_position for receipt in done) == list(range(1, 33))
    transactions = superuser.execute("SELECT count(DISTINCT recorded_at) FROM ledger.events").fetchone()
    assert transactions is not None
    assert transactions[0] < 32


def test_a_lost_reply_to_a_commit_is_looked_up(proxy: Proxy, remote: Ledger) -> None:
    proxy.drop_replies = 1
    sent = command(uuid4(), 1)
    receipt = append(remote, sent)
    assert proxy.dropped.is_set()
    assert receipt.first_position == 2
    assert [event.command_id for event in remote.read(1, 10)] == [sent.command_id]


def test_a_reply_that_never_comes_is_looked_up_too(
    proxy: Proxy, remote: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appender, "REPLY_TIMEOUT_S", 0.5)
    proxy.swallow_replies = True
    back = threading.Timer(1.0, lambda: setattr(proxy, "swallow_replies", False))
    back.start()
    sent = command(uuid4(), 1)
    assert append(remote, sent).first_position == 2
    back.join()
    assert [event.command_id for event in remote.read(1, 10)] == [sent.command_id]


def test_an_outcome_that_can_t_be_known_is_said_to_be_unknown(
    proxy: Proxy, remote: Ledger, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "LOST_REPLY_TIMEOUT_S", 0.3)
    proxy.drop_replies = 1
    proxy.refuse = True
    sent = command(uuid4(), 1)
    with pytest.raises(OutcomeUnknown) as fault:
        append(remote, sent)
    assert fault.value.command_id == sent.command_id
    # It was recorded all the same, and sending it again tells.
    proxy.refuse = False
    assert append(remote, sent).repeated
    assert ledger.head() == 2


def test_a_database_out_of_reach_before_anything_was_sent_is_unavailable(proxy: Proxy) -> None:
    proxy.refuse = True
    with Ledger(proxy.url) as ledger:
        with pytest.raises(LedgerUnavailable):
            append(ledger, command(uuid4(), 1))
        proxy.refuse = False
        assert append(ledger, command(uuid4(), 1)).first_position == 1


def test_a_ledger_without_its_tables_says_what_the_database_says(empty_database_url: str) -> None:
    with Ledger(empty_database_url) as ledger, pytest.raises(psycopg.Error, match="does not exist"):
        append(ledger, command(uuid4(), 1))


def test_a_lock_that_is_not_given_in_time_records_nothing(
    database_url: str, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_TIMEOUT_MS", 100)
    sent = command(uuid4(), 1)
    with Ledger(database_url) as ledger:
        with superuser.transaction():
            superuser.execute("SELECT FROM ledger.head FOR UPDATE")
            with pytest.raises(LedgerBusy):
                append(ledger, sent)
        assert append(ledger, sent).first_position == 1


def test_a_full_queue_is_said_to_be_full_at_once(
    ledger: Ledger, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "WAITING_COMMANDS", 3)
    monkeypatch.setattr(pacing, "IN_FLIGHT", 1)
    assert isinstance(ledger.recorder, LedgerRecorder)
    append(ledger, command(uuid4(), 1))
    with ThreadPoolExecutor(4) as threads, superuser.transaction():
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        first = threads.submit(append, ledger, command(uuid4(), 1))
        while superuser.execute(WAITING_FOR_A_LOCK).fetchone() != (1,):
            pass
        rest = [threads.submit(append, ledger, command(uuid4(), 1)) for _ in range(3)]
        while len(ledger.recorder.writes._queue) < 3:
            pass
        with pytest.raises(LedgerBusy, match="waiting"):
            append(ledger, command(uuid4(), 1))
        superuser.execute("COMMIT")
        assert sorted(one.result().first_position for one in (first, *rest)) == [2, 3, 4, 5]


def test_closing_answers_what_is_waiting_and_takes_no_more(database_url: str, superuser: psycopg.Connection) -> None:
    ledger = Ledger(database_url)
    with ThreadPoolExecutor(9) as threads:
        with superuser.transaction():
            superuser.execute("SELECT FROM ledger.head FOR UPDATE")
            receipts = [threads.submit(append, ledger, command(uuid4(), 1)) for _ in range(8)]
            while not all(receipt.running() for receipt in receipts):
                pass
            closing = threads.submit(ledger.close)
        outcomes = [receipt.exception() for receipt in receipts]
        closing.result()
    # A sender that was too late is told so; all others were waited for.
    assert all(outcome is None or isinstance(outcome, LedgerUnavailable) for outcome in outcomes)
    with pytest.raises(LedgerUnavailable):
        append(ledger, command(uuid4(), 1))
    found = superuser.execute("SELECT position FROM ledger.head").fetchone()
    assert found == (sum(outcome is None for outcome in outcomes),)


def test_an_answer_that_came_with_the_one_before_it_is_not_waited_for(
    database_url: str, superuser: psycopg.Connection
) -> None:
    made = appender.Appender(lambda: connections.writer_connection(database_url, 5_000))
    try:
        made.send([raw("first")])
        made.send([raw("second")])
        while superuser.execute("SELECT position FROM ledger.head").fetchone() != (2,):
            pass
        sleep(0.2)  # the second answer follows its commit
        assert made.receive()[1] == 1
        assert made.has_answer()
        assert made.receive()[1] == 2
        assert not made.has_answer()
    finally:
        made.close()


def test_two_batches_that_were_on_their_way_are_each_recorded_once(
    proxy: Proxy, remote: Ledger, superuser: psycopg.Connection
) -> None:
    sent = [command(uuid4(), 1, 2) for _ in range(20)]
    assert isinstance(remote.recorder, LedgerRecorder)
    writes = remote.recorder.writes
    with ThreadPoolExecutor(20) as threads, superuser.transaction():
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        receipts = [threads.submit(append, remote, one) for one in sent]
        while len(writes._flights) < 2 or superuser.execute(WAITING_FOR_A_LOCK).fetchone() != (1,):
            pass
        proxy.drop_replies = 1
        superuser.execute("COMMIT")
        done = [receipt.result() for receipt in receipts]
    assert proxy.dropped.is_set()
    assert sorted(receipt.first_position for receipt in done) == list(range(2, 42, 2))
    assert remote.head() == 41


def test_a_connection_that_breaks_under_a_sender_costs_nobody_their_answer(
    ledger: Ledger, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(ledger, command(uuid4(), 1))
    cut: list[str] = []
    send = appender.Appender.send

    def send_after_a_cut(self: appender.Appender, commands: Sequence[PackedCommand], *, new: bool = False) -> None:
        if threading.current_thread().name != "ledger-append" and len(cut) < 20:
            cut.append(threading.current_thread().name)
            # Over TCP there is nothing to cut any more once the server has answered the last cut.
            with socket.socket(fileno=os.dup(self.fileno())) as wire, suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        send(self, commands, new=new)

    monkeypatch.setattr(appender.Appender, "send", send_after_a_cut)
    sent = [command(uuid4(), 1) for _ in range(400)]
    with ThreadPoolExecutor(16) as threads:
        receipts = list(threads.map(lambda one: append(ledger, one), sent))
    assert cut  # how often a sender, and not the writer, sends is a matter of timing
    assert sorted(receipt.first_position for receipt in receipts) == list(range(2, 402))
    kept = superuser.execute(
        "SELECT command_id, first_position FROM ledger.commands WHERE first_position > 1"
    ).fetchall()
    assert dict(kept) == {one.command_id: receipt.first_position for one, receipt in zip(sent, receipts, strict=True)}
