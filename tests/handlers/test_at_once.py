"""Commands that a task handles without a thread: the same outcomes, and nothing believed that has changed since."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import Issued, derived_id
from ledger.commands import proposal as proposals
from ledger.commands import team as teams
from ledger.domain.rejected import Code, Rejected
from ledger.events import Event
from ledger.events.proposal import ConcernRaised
from ledger.handlers import Handlers, Outcome, remembering
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.handlers.remembering import Memory
from ledger.handlers.seen import Known
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.store.streams import NOTHING, StreamReader
from ledger.values import Actor, ConcernId, MemberId, ProposalId, Role
from tests.handlers.world import CASE, ENGINEER, LEAD, PRODUCT, STEWARD, TEAM, LogLookups, World, no

PLAIN = Event(
    CONCERN := uuid4(),
    CONCERN,
    1,
    datetime.now(UTC),
    Actor(ENGINEER, Role.ENGINEER),
    CONCERN,
    CONCERN,
    ConcernRaised(ConcernId(CONCERN), ENGINEER, "Who will test it?"),
)


class Tasks(World):
    """The same world, whose commands are handled by tasks of one event loop."""

    def __init__(self, ledger: Ledger, url: str, runner: asyncio.Runner) -> None:
        self.runner, self.reader = runner, StreamReader(url)
        self.in_threads = 0
        super().__init__(ledger)

    def issue(self, by: MemberId, command: Struct, **envelope: Any) -> Issued[Any]:
        """With the ids of new things made from the command's, as where a client leaves them out: those need no looking up."""
        issued = super().issue(by, command, **envelope)
        fields = [name for name in ("concern_id", "decision_id") if name in command.__struct_fields__]
        new = {name: derived_id(issued.command_id, name.removesuffix("_id")) for name in fields}
        return replace(issued, command=replace(command, **new))

    def do(self, by: MemberId, command: Struct, **envelope: object) -> Outcome:
        issued = self.issue(by, command, **envelope)
        outcome = self.runner.run(self.handlers.handle_at_once(issued, self.reader, self.ledger.head()))
        self.in_threads += outcome is None
        return outcome or self.handlers.handle(issued)


@contextmanager
def tasks(url: str) -> Iterator[Tasks]:
    with Ledger(url) as ledger, asyncio.Runner() as runner:
        made = Tasks(ledger, url, runner)
        yield made
        runner.run(made.reader.close())


@pytest.fixture
def world(database_url: str) -> Iterator[Tasks]:
    with tasks(database_url) as made:
        made.staffed()
        yield made


def concern(proposal_id: ProposalId) -> proposals.RaiseConcern:
    return proposals.RaiseConcern(proposal_id, ConcernId(uuid4()), "Who will test it?")


def elsewhere(world: Tasks) -> World:
    """What another process of the same ledger does: it remembers nothing of what this one does, nor this one of it."""
    other = World.__new__(World)
    other.__dict__ |= world.__dict__ | {"handlers": Handlers(world.ledger, LogLookups(world.ledger))}
    return other


def story(world: World) -> list[tuple[str, int, Role, int]]:
    declined, kept = world.propose(), world.propose(days=8)
    world.do(ENGINEER, concern(kept))
    review_id = world.open()
    world.do(PRODUCT, no(review_id, declined))
    world.carry_over(review_id, kept)
    world.close(review_id)
    world.do(ENGINEER, concern(kept))
    return [(type(e.fact).__name__, e.version, e.actor.role, e.position) for e in world.ledger.read(0, 10_000)]


def test_a_story_is_the_same_either_way(world: Tasks, empty_database_url: str) -> None:
    migrate(empty_database_url)
    with Ledger(empty_database_url) as ledger:
        assert story(world) == story(World(ledger).staffed())
    # The agenda, and opening a review at the ledger's head, need more than streams.
    assert world.in_threads == 2


def test_an_outcome_is_as_it_was_recorded(world: Tasks) -> None:
    proposal_id = world.propose()
    outcome = world.do(ENGINEER, concern(proposal_id))
    assert outcome.facts == tuple(world.ledger.events(proposal_id)[-1:])
    first = world.ledger.read(outcome.position - 1, 1)
    assert outcome.facts == tuple(first)
    assert (outcome.stream_id, outcome.version, outcome.repeated) == (proposal_id, first[0].version, False)


def test_what_others_recorded_is_seen_before_deciding(world: Tasks) -> None:
    proposal_id = world.propose()
    world.do(ENGINEER, concern(proposal_id))
    other = elsewhere(world)
    other.do(ENGINEER, concern(proposal_id))
    before = world.in_threads
    assert world.do(ENGINEER, concern(proposal_id)).version == world.ledger.events(proposal_id)[-1].version
    assert world.in_threads == before
    # A role that was taken away by another process is not believed for a moment longer.
    world.do(LEAD, concern(proposal_id))
    other.do(STEWARD, teams.RevokeRole(TEAM, LEAD, Role.ENGINEERING_LEAD))
    with pytest.raises(Rejected) as refused:
        world.do(LEAD, concern(proposal_id))
    assert refused.value.code is Code.NOT_FOUND  # without any role they may not see it either


@pytest.fixture
def reads(world: Tasks, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[UUID, int]]:
    """What is read of streams from now on."""
    found: list[Mapping[UUID, int]] = []
    after = world.reader.after

    async def noted(known: Mapping[UUID, int]) -> dict[UUID, list[Event]]:
        found.append(known)
        return await after(known)

    monkeypatch.setattr(world.reader, "after", noted)
    return found


def test_what_only_this_process_added_to_is_not_read_again(world: Tasks, reads: list[Mapping[UUID, int]]) -> None:
    proposal_id, other = world.propose(), world.propose()
    for one in (proposal_id, other):
        world.do(ENGINEER, concern(one))
    reads.clear()
    for one in (proposal_id, other, proposal_id):
        assert world.do(ENGINEER, concern(one)).version == len(world.ledger.events(one))
    assert reads == []
    elsewhere(world).do(ENGINEER, concern(other))
    assert world.do(ENGINEER, concern(proposal_id)).version == len(world.ledger.events(proposal_id))
    assert proposal_id in reads.pop()  # the other's may have been about this one, for all that is known
    assert world.do(ENGINEER, concern(other)).version == len(world.ledger.events(other))


def test_a_state_that_somebody_else_added_to_is_read_whatever_this_process_added_since(world: Tasks) -> None:
    asked, other = world.propose(), world.propose()
    for one in (asked, other):
        world.do(LEAD, concern(one))
    elsewhere(world).do(STEWARD, teams.RevokeRole(TEAM, LEAD, Role.ENGINEERING_LEAD))
    for _ in range(3):
        world.do(ENGINEER, concern(other))
        with pytest.raises(Rejected):
            world.do(LEAD, concern(asked))


def test_a_state_that_is_taken_for_whole_and_is_not_can_record_nothing(world: Tasks) -> None:
    proposal_id, seen = world.propose(), world.ledger.head()
    world.do(ENGINEER, concern(proposal_id))
    elsewhere(world).do(ENGINEER, concern(proposal_id))
    head = world.ledger.head()
    late = world.issue(ENGINEER, concern(proposal_id))  # as if it had come before the other's, which it had not
    assert world.runner.run(world.handlers.handle_at_once(late, world.reader, seen)) is None
    assert world.ledger.head() == head
    assert world.handlers.handle(late).version == len(world.ledger.events(proposal_id))


def evolved(_: object, event: Event) -> object:
    return event.version


def known(version: int) -> Known:
    return Known(version, version, (), evolved)


def fact(stream_id: UUID, version: int, position: int) -> Event:
    return replace(PLAIN, stream_id=stream_id, version=version, position=position)


def test_a_state_is_whole_as_far_as_all_facts_are_known() -> None:
    memory, one, other = Memory(), uuid4(), uuid4()
    memory.keep(one, known(3), 10)
    memory.keep(other, known(1), 10)
    assert memory.whole(one, 10) is not None
    assert memory.whole(one, 11) is None
    memory.appended([fact(one, 4, 11), fact(one, 5, 12)])
    assert (memory.whole(one, 12), memory.of(one)) == (known(5), known(5))
    assert memory.whole(other, 12) == known(1)
    memory.appended([fact(one, 6, 14)])  # somebody else recorded 13
    assert memory.whole(one, 14) == known(6)
    assert memory.whole(other, 14) is None
    assert memory.whole(other, 10) == known(1)
    memory.appended([fact(one, 8, 15)])  # which was to version 7
    assert memory.of(one) is None


@pytest.mark.parametrize("how", ["newer", "dropped", "unknown", "redacted"])
def test_whoever_comes_late_with_a_former_state_makes_nobody_believe_it(how: str) -> None:
    memory, one, other = Memory(), uuid4(), uuid4()
    memory.keep(other, known(1), 10)
    memory.appended([fact(other, 2, 11)])
    if how in ("newer", "dropped"):
        memory.keep(one, known(3), 11)
    memory.appended([fact(one, 4, 12)])
    memory.appended([fact(other, 3, 13)])
    if how == "dropped":
        memory._drop(one)
    if how == "redacted":
        memory.forget([one])
    memory.keep(one, known(3), 11)  # read before the fourth was recorded
    found = memory.whole(one, 13)
    assert found == (known(4) if how == "newer" else None)


def test_a_version_that_somebody_had_not_seen_is_a_conflict(world: Tasks) -> None:
    proposal_id = world.propose()
    with pytest.raises(Rejected) as refused:
        world.do(ENGINEER, concern(proposal_id), expected_version=1)
    assert refused.value.code is Code.CONFLICT


def test_a_known_command_gives_its_first_outcome(world: Tasks) -> None:
    command, command_id, at = concern(world.propose()), uuid4(), world.now
    first = world.do(ENGINEER, command, command_id=command_id, at=at)
    again = world.do(ENGINEER, command, command_id=command_id, at=at)
    assert again.repeated
    assert (again.position, again.facts) == (first.position, first.facts)


def test_tasks_that_meet_on_one_proposal_are_each_recorded_once(world: Tasks) -> None:
    proposal_id, head = world.propose(), world.ledger.head()
    issued = [world.issue(ENGINEER, concern(proposal_id)) for _ in range(16)]

    async def all_at_once() -> list[Outcome]:
        async def one(index: int) -> Outcome:
            found = await world.handlers.handle_at_once(issued[index], world.reader, head)
            return await asyncio.to_thread(world.handlers.handle, issued[index]) if found is None else found

        return await asyncio.gather(*map(one, range(16)))

    found = world.runner.run(all_at_once())
    assert sorted(outcome.position for outcome in found) == list(range(head + 1, head + 17))
    assert [event.version for event in world.ledger.events(proposal_id)][-16:] == sorted(o.version for o in found)


def test_a_state_is_forgotten_after_its_time(world: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal_id = world.propose()
    world.do(ENGINEER, concern(proposal_id))
    assert world.handlers._memory.of(proposal_id) is not None
    late = monotonic() + remembering.KEPT_S + 1
    monkeypatch.setattr(remembering, "monotonic", lambda: late)
    assert world.handlers._memory.of(proposal_id) is None
    world.handlers._memory.forget([])
    assert not world.handlers._memory._known
    assert world.do(ENGINEER, concern(proposal_id)).version == len(world.ledger.events(proposal_id))


def test_a_state_with_redacted_words_is_forgotten_within_a_second_and_for_good(world: Tasks, database_url: str) -> None:
    secret, other = world.propose(), world.propose()
    told = proposals.RaiseConcern(secret, ConcernId(uuid4()), "Ask Mrs Example, 030 1234567.")
    why = "a customer's name and number were in it"

    async def redacting() -> None:
        async with world.handlers.forgetting(world.reader):
            position = (await at_once(told)).position
            await at_once(concern(other))
            assert all(world.handlers._memory.of(one) for one in (secret, other))
            with Ledger(database_url) as elsewhere:  # as the operator's own process does it
                asked = RedactionAsked(position, STEWARD, why, "GDPR Article 17(1)(d)")
                await asyncio.to_thread(redact, elsewhere, database_url, asked, command_id=uuid4(), at=world.now)
            async with asyncio.timeout(5 * remembering.FORGOTTEN_EVERY_S):
                while world.handlers._memory.of(secret) is not None:  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0.02)
            await at_once(concern(secret))  # reads it whole again
            assert world.handlers._memory.of(secret) is None
            assert world.handlers._memory.of(other) is not None

    async def at_once(command: Struct) -> Outcome:
        outcome = await world.handlers.handle_at_once(world.issue(ENGINEER, command), world.reader, world.ledger.head())
        assert outcome is not None
        return outcome

    world.runner.run(redacting())


def test_no_more_is_remembered_than_there_is_room_for(world: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "STREAMS_MAX", 3)
    for _ in range(4):
        world.do(ENGINEER, proposals.SubmitProposal(ProposalId(uuid4()), TEAM, "Totals", CASE))
        world.do(STEWARD, teams.SetCapacity(TEAM, Decimal(20)))
    assert len(world.handlers._memory._known) <= 3
    assert len(world.handlers._memory._beside) <= 3


def test_looking_for_redactions_does_not_disturb_those_who_read(world: Tasks) -> None:
    proposal_id = world.propose()
    length = len(world.ledger.events(proposal_id))

    async def ask(index: int) -> int:
        if index % 3 == 0:
            assert await world.reader.redacted(0) == (world.ledger.head(), [])
        return len((await world.reader.after({proposal_id: NOTHING}))[proposal_id])

    async def many() -> list[int]:
        return await asyncio.gather(*map(ask, range(30)))

    assert world.runner.run(many()) == [length] * 30


def test_readers_who_ask_together_share_a_statement_and_a_lost_connection_is_opened_again(
    world: Tasks, database_url: str
) -> None:
    first, second = world.propose(), world.propose()

    async def ask() -> list[int]:
        found = await asyncio.gather(
            world.reader.after({first: NOTHING}),
            world.reader.after({first: 2, second: NOTHING}),
            world.reader.after({uuid4(): NOTHING}),
        )
        return [len(events) for answer in found for events in answer.values()]

    length = len(world.ledger.events(first))
    assert world.runner.run(ask()) == [length, length - 2, len(world.ledger.events(second)), 0]
    with psycopg.connect(database_url, autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%unnest%' AND pid <> pg_backend_pid()"
        )
    world.runner.run(asyncio.sleep(0.2))
    assert world.runner.run(ask())[0] == length


def test_an_id_that_the_client_made_is_looked_up_in_a_thread(world: Tasks) -> None:
    proposal_id, before = world.propose(), world.in_threads
    issued = World.issue(world, ENGINEER, concern(proposal_id))
    assert world.runner.run(world.handlers.handle_at_once(issued, world.reader, world.ledger.head())) is None
    world.do(ENGINEER, concern(proposal_id))
    assert world.in_threads == before
