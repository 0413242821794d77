"""A reader that follows the log while others write misses nothing and sees it in order."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from uuid import uuid4

import pytest

from ledger.events.envelope import Event
from ledger.store.application import Ledger
from ledger.store.faults import VersionConflict
from tests.store.examples import append, command

WRITERS = 8
COMMANDS = 60
EVENTS = 3


def write(ledger: Ledger) -> None:
    """This will append to a stream of the writer's own, with a conflict now and then."""
    stream = uuid4()
    for number in range(COMMANDS):
        version = number * EVENTS + 1
        append(ledger, command(stream, *range(version, version + EVENTS)))
        if number % 10 == 0:
            with pytest.raises(VersionConflict):
                append(ledger, command(stream, version))


def test_a_follower_misses_nothing_and_sees_the_order(ledger: Ledger, database_url: str) -> None:
    total = WRITERS * COMMANDS * EVENTS
    seen: list[Event] = []
    deadline = monotonic() + 60
    # Two ledgers stand for two processes, each with a writer of its own; the follower is a third.
    with Ledger(database_url) as other, Ledger(database_url) as follower, ThreadPoolExecutor(WRITERS) as threads:
        writers = [threads.submit(write, (ledger, other)[number % 2]) for number in range(WRITERS)]
        while len(seen) < total and monotonic() < deadline:
            page = follower.read(len(seen), 100)
            assert [event.position for event in page] == list(range(len(seen) + 1, len(seen) + 1 + len(page)))
            seen += page
        for writer in writers:
            writer.result()
        assert follower.read(len(seen), 100) == []
    assert len(seen) == total
    last: dict[object, int] = {}
    for event in seen:
        assert event.version == last.get(event.stream_id, 0) + 1
        last[event.stream_id] = event.version
    times = [event.recorded_at for event in seen]
    assert times == sorted(times)  # type: ignore[type-var]


def test_a_waiting_reader_is_woken_by_its_own_process(ledger: Ledger) -> None:
    assert not ledger.wait_past(0, timeout_s=0.01)
    with ThreadPoolExecutor(1) as threads:
        woken = threads.submit(ledger.wait_past, 0, 30.0)
        append(ledger, command(uuid4(), 1))
        assert woken.result()
    assert ledger.wait_past(0, timeout_s=0)
    assert not ledger.wait_past(1, timeout_s=0)
