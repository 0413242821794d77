"""`append_new` records what is new and contiguous, and leaves the rest to `append` without a trace of its own."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from ledger.store.appender import Appender, NotNew
from ledger.store.application import Ledger, prepared
from ledger.store.batch import Repeated
from ledger.store.connections import writer_connection
from ledger.store.faults import VersionConflict
from ledger.store.receipt import Receipt
from tests.store.examples import MONDAY, append, command

#: A call with three events of two commands; the arrays are replaced by name.
CALL = """SELECT ledger.append_new(
    new_ids => ARRAY[gen_random_uuid(), gen_random_uuid()], request_hashes => ARRAY[''::bytea, ''], first_events => ARRAY[1, 3],
    command_ids => ARRAY[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()],
    stream_ids => ARRAY[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()], versions => ARRAY[1, 1, 1],
    topics => ARRAY['t', 't', 't'], occurred_ats => ARRAY[now(), now(), now()], salts => ARRAY[''::bytea, '', ''],
    metas => ARRAY[''::bytea, '', ''], payloads => ARRAY[''::bytea, '', ''])"""


@pytest.fixture
def appender(database_url: str) -> Iterator[Appender]:
    made = Appender(lambda: writer_connection(database_url, 5_000))
    yield made
    made.close()


def test_it_records_just_what_append_does(appender: Appender, ledger: Ledger) -> None:
    team, other = uuid4(), uuid4()
    sent = [prepared(command(team, 1, 2)), prepared(command(other, 1)), prepared(command(other, 2, 3))]
    appender.send(sent, new=True)
    found, head = appender.receive()
    assert head == 5
    for one, receipt in zip(sent, found, strict=True):
        assert isinstance(receipt, Receipt)
        # The leaves are the database's own: the receipt of a repeated command is read from there.
        first = ledger.outcome(one.command_id, one.request_hash())
        assert first is not None
        assert (first.first_position, first.last_position) == (receipt.first_position, receipt.last_position)
        assert (first.leaves, first.recorded_at) == (receipt.leaves, receipt.recorded_at)
    assert [event.version for event in ledger.events(other)] == [1, 2, 3]


@pytest.mark.parametrize("versions", [(1,), (2,), (4,), (3, 5), (3, 3), (4, 3)])
def test_a_batch_with_a_version_that_does_not_follow_leaves_nothing_behind(
    appender: Appender, ledger: Ledger, versions: tuple[int, ...]
) -> None:
    team = uuid4()
    append(ledger, command(team, 1, 2))
    sent = [prepared(command(uuid4(), 1)), prepared(command(team, *versions))]
    appender.send(sent, new=True)
    with pytest.raises(NotNew):
        appender.receive()
    assert ledger.head() == 2
    appender.send(sent)
    (good, bad), head = appender.receive()
    assert isinstance(good, Receipt)
    assert isinstance(bad, VersionConflict)
    assert head == 3


def test_a_batch_with_a_known_command_leaves_nothing_behind(appender: Appender, ledger: Ledger) -> None:
    known = command(uuid4(), 1)
    append(ledger, known)
    sent = [prepared(command(uuid4(), 1)), prepared(known)]
    appender.send(sent, new=True)
    with pytest.raises(NotNew):
        appender.receive()
    assert ledger.head() == 1
    appender.send(sent)
    (good, repeated), _ = appender.receive()
    assert isinstance(good, Receipt)
    assert repeated == Repeated(1, 1)


def test_a_batch_that_is_not_new_does_not_disturb_the_one_behind_it(appender: Appender, ledger: Ledger) -> None:
    appender.send([prepared(command(uuid4(), 2))], new=True)
    appender.send([prepared(command(uuid4(), 1))], new=True)
    with pytest.raises(NotNew):
        appender.receive()
    (receipt,), head = appender.receive()
    assert isinstance(receipt, Receipt)
    assert (receipt.first_position, head) == (1, 1)


def test_a_story_is_never_told_by_it(story: Ledger, empty_database_url: str) -> None:
    append(story, command(uuid4(), 1))
    with (
        psycopg.connect(empty_database_url, autocommit=True) as superuser,
        pytest.raises(psycopg.Error, match="a story") as refused,
    ):
        superuser.execute(CALL)
    assert refused.value.sqlstate == "LG002"
    assert story.head() == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("first_events => ARRAY[1, 3]", "first_events => ARRAY[2, 3]"),
        ("first_events => ARRAY[1, 3]", "first_events => ARRAY[1, 4]"),
        ("first_events => ARRAY[1, 3]", "first_events => ARRAY[1, 1]"),
        ("first_events => ARRAY[1, 3]", "first_events => ARRAY[1]"),
        ("ARRAY[1, 1, 1]", "ARRAY[1, 1]"),
        ("ARRAY['t', 't', 't']", "ARRAY['t', 't']"),
        ("ARRAY[now(), now(), now()]", "ARRAY[now(), now()]"),
        ("metas => ARRAY[''::bytea, '', '']", "metas => ARRAY[''::bytea, '']"),
        ("request_hashes => ARRAY[''::bytea, '']", "request_hashes => ARRAY[''::bytea]"),
        ("stream_ids => ARRAY[gen_random_uuid(), gen_random_uuid(), gen_random_uuid()]", "stream_ids => NULL"),
    ],
)
def test_arrays_that_do_not_agree_are_refused(
    superuser: psycopg.Connection, ledger: Ledger, right: str, wrong: str
) -> None:
    assert CALL.count(right) == 1
    with pytest.raises(psycopg.Error):
        superuser.execute(CALL.replace(right, wrong))
    assert ledger.head() == 0
    superuser.execute(CALL)
    assert ledger.head() == 3


def test_an_instant_s_position_is_the_last_that_was_recorded_by_then(story: Ledger, empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as reader:
        assert positions_at(reader, [MONDAY]) == [0]
        told: list[datetime] = []
        for hours in (0, 0, 0, 1, 2, 2, 5, 9, 9, 9, 9, 10, 30):
            told.append(MONDAY + timedelta(hours=hours))
            append(story, command(uuid4(), 1, at=told[-1]))
            asked = [MONDAY + timedelta(minutes=30 * half) for half in range(-2, 64)]
            assert positions_at(reader, asked) == [sum(at <= instant for at in told) for instant in asked]


def positions_at(reader: psycopg.Connection, instants: list[datetime]) -> list[int]:
    """This will ask for the position of each instant."""
    asked = "SELECT ledger.position_at(i) FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS u (i, n) ORDER BY n"
    return [position for (position,) in reader.execute(asked, [instants])]
