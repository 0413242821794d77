"""Commands that a task handles without a thread: the same outcomes, and nothing believed that has changed since."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from time import monotonic
from uuid import uuid4

import psycopg
import pytest
from msgspec import Struct

from ledger.commands import proposal as proposals
from ledger.commands import team as teams
from ledger.domain.rejected import Code, Rejected
from ledger.handlers import Handlers, Outcome, remembering
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.store.streams import NOTHING, StreamReader
from ledger.values import ConcernId, MemberId, ProposalId, Role
from tests.handlers.world import CASE, ENGINEER, LEAD, PRODUCT, STEWARD, TEAM, LogLookups, World, no


class Tasks(World):
    """The same world, whose commands are handled by tasks of one event loop."""

    def __init__(self, ledger: Ledger, url: str, runner: asyncio.Runner) -> None:
        self.runner, self.reader = runner, StreamReader(url)
        self.in_threads = 0
        super().__init__(ledger)

    def do(self, by: MemberId, command: Struct, **envelope: object) -> Outcome:
        issued = self.issue(by, command, **envelope)
        outcome = self.runner.run(self.handlers.handle_at_once(issued, self.reader))
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
            found = await world.handlers.handle_at_once(issued[index], world.reader)
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
        outcome = await world.handlers.handle_at_once(world.issue(ENGINEER, command), world.reader)
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
