"""What `append` promises: whole commands, no gaps, one record per command id, and a clock that never goes back."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from ledger.events.envelope import Event
from ledger.events.team import MemberJoined
from ledger.store.application import Ledger
from ledger.store.codec import leaf
from ledger.store.faults import CommandReused, StoryRanBackwards, VersionConflict
from ledger.store.receipt import CommandEvents, Receipt
from tests.store.examples import MONDAY, OTHER_REQUEST, REQUEST, append, command, days, joined, positions


def test_a_command_is_read_back_as_it_was_sent(ledger: Ledger) -> None:
    team = uuid4()
    sent = command(team, 1, 2)
    receipt = append(ledger, sent)
    assert (receipt.first_position, receipt.last_position, receipt.repeated) == (1, 2, False)
    for stored, original in zip(ledger.events(team), sent.events, strict=True):
        assert stored.recorded_at == receipt.recorded_at
        assert msgspec.structs.replace(stored, position=0, recorded_at=None) == original
    assert ledger.events(team) == ledger.read(0, 10)
    assert ledger.head() == 2


def test_a_stream_folds_into_a_state_and_its_version(ledger: Ledger) -> None:
    def members(state: tuple[int, ...], event: Event) -> tuple[int, ...]:
        assert isinstance(event.fact, MemberJoined)
        return (*state, event.fact.member_id.int)

    team, nobody = uuid4(), tuple[int, ...]()
    append(ledger, command(team, 1, 2, 3))
    assert ledger.load(team, members, nobody) == ((1, 2, 3), 3)
    assert ledger.load(uuid4(), members, nobody) == (nobody, 0)


@pytest.mark.parametrize("versions", [(2,), (1, 3), (1, 1), (2, 1), (3, 4)])
def test_a_new_stream_takes_no_gap_no_repeat_and_no_disorder(ledger: Ledger, versions: tuple[int, ...]) -> None:
    with pytest.raises(VersionConflict) as conflict:
        append(ledger, command(uuid4(), *versions))
    assert conflict.value.version == 0
    assert ledger.head() == 0


@pytest.mark.parametrize("versions", [(1,), (2,), (4,), (3, 5), (3, 3), (4, 3)])
def test_a_known_stream_goes_on_from_its_last_version_only(ledger: Ledger, versions: tuple[int, ...]) -> None:
    team = uuid4()
    append(ledger, command(team, 1, 2))
    with pytest.raises(VersionConflict) as conflict:
        append(ledger, command(team, *versions))
    assert (conflict.value.stream_id, conflict.value.version) == (team, 2)
    assert isinstance(conflict.value, IntegrityError)
    assert append(ledger, command(team, 3)).first_position == 3


@pytest.mark.parametrize("versions", [(0, 0), (1, 0), (0, 2), (2,), (-1,), (0, 1, 3)])
def test_the_library_s_own_streams_may_count_from_0_and_leave_no_gap_either(
    ledger: Ledger, versions: tuple[int, ...]
) -> None:
    stream = uuid4()
    with pytest.raises(VersionConflict):
        ledger.recorder.insert_events([StoredEvent(stream, version, "Other", b"{}") for version in versions])
    assert ledger.recorder.insert_events([StoredEvent(stream, version, "Other", b"{}") for version in (0, 1, 2)]) == [
        1,
        2,
        3,
    ]
    for version in (0, 1, 4):
        with pytest.raises(VersionConflict):
            ledger.recorder.insert_events([StoredEvent(stream, version, "Other", b"{}")])


def test_two_streams_may_take_turns_in_one_command(ledger: Ledger) -> None:
    proposal, review, both = uuid4(), uuid4(), uuid4()
    turns = [(proposal, 1), (review, 1), (proposal, 2), (proposal, 3), (review, 2)]
    events = [joined(both, stream, version, index) for index, (stream, version) in enumerate(turns)]
    assert ledger.append(events, command_id=both, request_hash=REQUEST, at=MONDAY).last_position == 5
    wrong = uuid4()
    turns = [(proposal, 4), (review, 3), (proposal, 6)]
    events = [joined(wrong, stream, version, index) for index, (stream, version) in enumerate(turns)]
    with pytest.raises(VersionConflict) as conflict:
        ledger.append(events, command_id=wrong, request_hash=REQUEST, at=MONDAY)
    assert conflict.value.stream_id == proposal
    assert ledger.head() == 5


def test_a_command_of_two_streams_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    proposal, review = uuid4(), uuid4()
    append(ledger, command(review, 1))
    torn = uuid4()
    with pytest.raises(VersionConflict) as conflict:
        ledger.append(
            [joined(torn, proposal, 1), joined(torn, review, 1, index=1)],
            command_id=torn,
            request_hash=REQUEST,
            at=MONDAY,
        )
    assert conflict.value.stream_id == review
    assert ledger.events(proposal) == []
    assert ledger.outcome(torn, REQUEST) is None
    whole = uuid4()
    receipt = ledger.append(
        [joined(whole, proposal, 1), joined(whole, review, 2, index=1)],
        command_id=whole,
        request_hash=REQUEST,
        at=MONDAY,
    )
    assert (receipt.first_position, receipt.last_position) == (2, 3)


def test_positions_have_no_gap_after_conflicts_repeats_and_rollbacks(
    ledger: Ledger, superuser: psycopg.Connection
) -> None:
    team = uuid4()
    first = command(team, 1)
    append(ledger, first)
    for refused in (command(team, 1), command(team, 7)):
        with pytest.raises(VersionConflict):
            append(ledger, refused)
    append(ledger, first)
    with superuser.transaction(force_rollback=True):
        superuser.execute("UPDATE ledger.head SET position = position + 10")
    append(ledger, command(team, 2, 3))
    assert positions(ledger.read(0, 10)) == [1, 2, 3]
    assert ledger.head() == 3


def test_a_known_command_gives_its_first_outcome(ledger: Ledger) -> None:
    team = uuid4()
    sent = command(team, 1, 2)
    first = append(ledger, sent)
    append(ledger, command(team, 3))
    again = append(ledger, sent)
    assert again == msgspec.structs.replace(first, repeated=True)
    assert ledger.outcome(sent.command_id, REQUEST) == again
    assert ledger.head() == 3


def test_a_known_command_with_another_request_is_refused(ledger: Ledger) -> None:
    sent = command(uuid4(), 1)
    append(ledger, sent)
    with pytest.raises(CommandReused):
        ledger.append(
            command(uuid4(), 1, command_id=sent.command_id).events,
            command_id=sent.command_id,
            request_hash=OTHER_REQUEST,
            at=MONDAY,
        )
    with pytest.raises(CommandReused):
        ledger.outcome(sent.command_id, OTHER_REQUEST)
    assert ledger.head() == 1


def test_one_command_id_32_times_in_parallel_is_recorded_once(ledger: Ledger) -> None:
    sent = command(uuid4(), 1)
    with ThreadPoolExecutor(32) as threads:
        receipts = list(threads.map(lambda _: append(ledger, sent), range(32)))
    assert sum(not receipt.repeated for receipt in receipts) == 1
    assert {(receipt.first_position, receipt.leaves) for receipt in receipts} == {(1, receipts[0].leaves)}
    assert ledger.head() == 1


def test_of_32_writers_of_one_version_one_wins_and_31_are_told(ledger: Ledger) -> None:
    team = uuid4()
    for version in (1, 2, 3):

        def outcome(_: int, version: int = version) -> int | None:
            try:
                append(ledger, command(team, version))
            except VersionConflict as conflict:
                return conflict.version
            return None

        with ThreadPoolExecutor(32) as threads:
            outcomes = list(threads.map(outcome, range(32)))
        assert (outcomes.count(None), outcomes.count(version)) == (1, 31)
    assert positions(ledger.events(team)) == [1, 2, 3]


def test_two_processes_share_one_order(ledger: Ledger, database_url: str) -> None:
    with Ledger(database_url) as other, ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda n: append((ledger, other)[n % 2], command(uuid4(), 1, 2)), range(200)))
    assert sorted(receipt.first_position for receipt in receipts) == list(range(1, 401, 2))


def test_recorded_at_never_goes_back_even_when_the_clock_does(ledger: Ledger, superuser: psycopg.Connection) -> None:
    for _ in range(20):
        append(ledger, command(uuid4(), 1, at=MONDAY))
    times = [event.recorded_at for event in ledger.read(0, 100)]
    assert times == sorted(times)  # type: ignore[type-var]
    tomorrow = datetime.now(UTC) + days(1)
    superuser.execute("UPDATE ledger.head SET recorded_at = %s", [tomorrow])  # as after a clock that was a day fast
    assert append(ledger, command(uuid4(), 1)).recorded_at == tomorrow


def test_a_wall_ledger_takes_the_database_s_time_not_the_command_s(ledger: Ledger) -> None:
    receipt = append(ledger, command(uuid4(), 1, at=MONDAY))
    assert abs(datetime.now(UTC) - receipt.recorded_at) < days(0.1)
    assert ledger.read(0, 1)[0].occurred_at == MONDAY
    assert ledger.identity()[1] == "wall"


def test_a_story_is_recorded_at_its_own_times(story: Ledger) -> None:
    team = uuid4()
    for version, day in enumerate((0, 1, 1, 5), start=1):
        assert append(story, command(team, version, at=MONDAY + days(day))).recorded_at == MONDAY + days(day)
    assert [event.recorded_at for event in story.events(team)] == [MONDAY + days(day) for day in (0, 1, 1, 5)]
    assert story.identity()[1] == "story"


def test_a_story_refuses_to_run_backwards(story: Ledger) -> None:
    append(story, command(uuid4(), 1, at=MONDAY))
    with pytest.raises(StoryRanBackwards) as fault:
        append(story, command(uuid4(), 1, at=MONDAY - days(1)))
    assert (fault.value.at, fault.value.recorded_at) == (MONDAY - days(1), MONDAY)
    assert append(story, command(uuid4(), 1, at=MONDAY)).first_position == 2


@pytest.mark.parametrize("clock", ["ledger", "story"])
def test_the_leaf_is_the_hash_of_the_stored_bytes(request: pytest.FixtureRequest, clock: str) -> None:
    kept: Ledger = request.getfixturevalue(clock)
    team = uuid4()
    moment = MONDAY.replace(microsecond=123_457)
    receipts = [append(kept, command(team, n, n + 1, at=moment)) for n in (1, 3)]
    url = request.getfixturevalue("database_url" if clock == "ledger" else "empty_database_url")
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT position, recorded_at, meta, leaf FROM ledger.events ORDER BY position"
        ).fetchall()
    assert [leaf(position, recorded_at, meta) for position, recorded_at, meta, _ in rows] == [row[3] for row in rows]
    assert [own for receipt in receipts for own in receipt.leaves] == [row[3] for row in rows]


def test_each_command_of_many_has_an_answer_of_its_own(ledger: Ledger) -> None:
    team = uuid4()
    known = command(team, 1)
    append(ledger, known)
    sent = [
        command(team, 2),
        known,
        command(team, 3, 4),  # builds on the first
        command(team, 4),
        msgspec.structs.replace(known, request_hash=OTHER_REQUEST),
        command(uuid4(), 1),
    ]
    found = ledger.append_many(sent)
    assert [type(answer) for answer in found] == [Receipt, Receipt, Receipt, VersionConflict, CommandReused, Receipt]
    assert [(a.first_position, a.repeated) for a in found if isinstance(a, Receipt)] == [
        (2, False),
        (1, True),
        (3, False),
        (5, False),
    ]
    assert positions(ledger.read(0, 10)) == [1, 2, 3, 4, 5]


def test_a_command_twice_in_one_batch_is_recorded_once(ledger: Ledger) -> None:
    sent = command(uuid4(), 1)
    first, second = ledger.append_many([sent, sent])
    assert isinstance(first, Receipt)
    assert second == msgspec.structs.replace(first, repeated=True)


def test_a_story_told_in_one_batch_may_not_go_back_within_it(story: Ledger) -> None:
    told = [command(uuid4(), 1, at=MONDAY + days(day)) for day in (0, 2, 1, 3)]
    found = story.append_many(told)
    assert [type(answer) for answer in found] == [Receipt, Receipt, StoryRanBackwards, Receipt]
    assert [event.recorded_at for event in story.read(0, 10)] == [MONDAY + days(day) for day in (0, 2, 3)]


def test_thousands_of_commands_append_in_order(ledger: Ledger) -> None:
    team = uuid4()
    found = ledger.append_many([command(team, version) for version in range(1, 3001)])
    assert [a.first_position for a in found if isinstance(a, Receipt)] == list(range(1, 3001))
    assert [event.version for event in ledger.read(0, 5000)] == list(range(1, 3001))


def test_tasks_append_without_a_thread_each(ledger: Ledger) -> None:
    team = uuid4()
    known = command(team, 1)
    append(ledger, known)

    async def send(sent: CommandEvents) -> Receipt:
        return await ledger.append_async(
            sent.events, command_id=sent.command_id, request_hash=sent.request_hash, at=sent.at
        )

    async def all_at_once() -> list[Receipt | BaseException]:
        sent = [known, *(command(uuid4(), 1) for _ in range(40)), command(team, 9)]
        return await asyncio.gather(*map(send, sent), return_exceptions=True)

    first, *others, last = asyncio.run(all_at_once())
    assert isinstance(first, Receipt)
    assert (first.first_position, first.repeated) == (1, True)
    assert isinstance(last, VersionConflict)
    assert sorted(own.first_position for own in others if isinstance(own, Receipt)) == list(range(2, 42))


def test_the_library_s_save_records_a_command_too(ledger: Ledger) -> None:
    sent = command(uuid4(), 1, 2)
    recordings = ledger.save(*sent.events)
    assert [recording.notification.id for recording in recordings] == [1, 2]
    assert [recording.notification.id for recording in ledger.save(*sent.events)] == [1, 2]
    assert ledger.read(0, 10)[0].command_id == sent.command_id


@pytest.mark.parametrize(
    "misuse",
    [
        lambda ledger: append(ledger, command(uuid4())),
        lambda ledger: append(ledger, command(uuid4(), 0)),
        lambda ledger: append(ledger, command(uuid4(), 1, at=datetime(2026, 3, 2))),  # noqa: DTZ001
        lambda ledger: append(ledger, msgspec.structs.replace(command(uuid4(), 1), command_id=uuid4())),
    ],
    ids=["no events", "version 0", "a time without a zone", "another command's events"],
)
def test_misuse_is_refused_before_anything_is_sent(ledger: Ledger, misuse: Callable[[Ledger], object]) -> None:
    with pytest.raises(ValueError, match=r"event|version|zone|command"):
        misuse(ledger)
    assert ledger.head() == 0
