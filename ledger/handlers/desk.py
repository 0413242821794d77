"""Where every command arrives: look, decide, append; again if somebody was faster; and the first outcome for a repeated one."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from random import uniform
from threading import Lock
from time import sleep
from typing import Any
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg_pool import PoolTimeout

from ledger.commands.issued import Issued
from ledger.domain.rejected import Code, Rejected
from ledger.events import Event, event_id
from ledger.handlers import catalogue, member, policy, proposal, review, simulation, team
from ledger.handlers.checking import check
from ledger.handlers.lookups import Lookups
from ledger.handlers.outcome import Outcome, outcome, stored
from ledger.handlers.remembering import InThread, Memory, Remembering, Unseen
from ledger.handlers.seen import Change, Handler, Seen
from ledger.handlers.subjects import streams, subject
from ledger.store.application import Ledger
from ledger.store.faults import CommandReused, OutcomeUnknown, StoryRanBackwards, VersionConflict
from ledger.store.receipt import Receipt
from ledger.store.streams import StreamReader
from ledger.values import Actor, instant_text, utc

#: The function of every command.
HANDLERS: dict[type[Struct], Handler] = {
    **proposal.HANDLERS,
    **review.HANDLERS,
    **team.HANDLERS,
    **member.HANDLERS,
    **policy.HANDLERS,
    **catalogue.HANDLERS,
    **simulation.HANDLERS,
}

#: How often a command is tried while others change the same streams.
ATTEMPTS_MAX = 10
#: Locks that those share who try again, so that they go one after the other instead of losing to each other.
TURNS = 64
#: The longest pause before the n-th new try, in seconds for n = 1: it doubles each time, so that processes get out of step.
PAUSE_S = 0.001
PAUSE_S_MAX = 0.05


class Handlers:
    """The one way for a command into the ledger. Safe for many threads."""

    def __init__(self, ledger: Ledger, lookups: Lookups) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._turns = tuple(Lock() for _ in range(TURNS))
        self._memory = Memory()

    def handle(self, issued: Issued[Any]) -> Outcome:
        """This will do what was asked and give what was recorded; a known command id gives its first outcome (rule 16).

        Raises Rejected for every no, CONFLICT and COMMAND_REUSED among them. LedgerBusy, LedgerUnavailable (nothing was recorded) and
        OutcomeUnknown (it may be; send the same again) pass through from the store.
        """
        request_hash = check(issued)
        try:
            return self._handle(issued, request_hash)
        except Rejected:
            # It may be refused only because it was done before: then that is the answer.
            first = self._first_outcome(issued, request_hash)
            if first is None:
                raise
            return first

    def forgetting(self, reader: StreamReader) -> AbstractAsyncContextManager[None]:
        """This will keep what is remembered for tasks free of redacted words inside the block. To be entered before the first of them."""
        return self._memory.forgetting(reader)

    async def handle_at_once(self, issued: Issued[Any], reader: StreamReader, head: int) -> Outcome | None:
        """This will do the same for a task, without a thread; None, and nothing done, for what must go through `handle` all the same.

        That is what was refused or overtaken, and what needs more than streams. `head` is where the ledger ended at some moment after
        the command came in. To be called from one event loop only.
        """
        try:
            request_hash = check(issued)
            handler, about = HANDLERS[type(issued.command)], subject(issued.command)
            wanted = self._memory.beside(about).union(streams(issued.command))
            seen = Remembering(self._ledger, self._memory, head)
            while True:
                await seen.read(reader, wanted)
                try:
                    events = _events(issued, handler(seen, issued), seen)
                    break
                except Unseen as unseen:
                    wanted = unseen.stream_ids
                    self._memory.looked(about, seen.streams | wanted)
            receipt = await self._ledger.append_async(
                events, command_id=issued.command_id, request_hash=request_hash, at=utc(issued.at)
            )
        except (Rejected, InThread, VersionConflict, CommandReused, StoryRanBackwards, psycopg.OperationalError):
            return None
        if receipt.repeated:
            return None
        recorded = stored(receipt, events)
        self._memory.appended(recorded)
        return outcome(receipt, about, recorded)

    def _handle(self, issued: Issued[Any], request_hash: bytes) -> Outcome:
        handler = HANDLERS[type(issued.command)]
        turn: AbstractContextManager[object] = nullcontext()
        for attempt in range(ATTEMPTS_MAX):
            with turn:
                if attempt:
                    sleep(uniform(0, min(PAUSE_S * 2 ** (attempt - 1), PAUSE_S_MAX)))  # noqa: S311 - no secret
                try:
                    return self._attempt(handler, issued, request_hash)
                except VersionConflict as conflict:
                    turn = self._turns[conflict.stream_id.int % TURNS]
        raise Rejected(
            Code.CONFLICT,
            f"Somebody else changed the same thing each of the {ATTEMPTS_MAX} times that this was tried. "
            "Load it again and repeat.",
        )

    def _attempt(self, handler: Handler, issued: Issued[Any], request_hash: bytes) -> Outcome:
        seen = Seen(self._ledger, self._lookups)
        with seen.turns:
            seen.look(streams(issued.command))
            about = subject(issued.command)
            events = _events(issued, handler(seen, issued), seen)
            try:
                receipt = self._ledger.append(
                    events, command_id=issued.command_id, request_hash=request_hash, at=utc(issued.at)
                )
            except CommandReused as fault:
                raise _reused(fault) from fault
            except StoryRanBackwards as fault:
                raise Rejected(
                    Code.BAD_USER_INPUT,
                    f"The story has reached {instant_text(fault.recorded_at)} and cannot go back to {instant_text(fault.at)}. "
                    "Give a later time.",
                    "at",
                ) from fault
        if receipt.repeated:
            return outcome(receipt, about, self._recorded(receipt, issued.command_id))
        return outcome(receipt, about, stored(receipt, events))

    def _first_outcome(self, issued: Issued[Any], request_hash: bytes) -> Outcome | None:
        try:
            receipt = self._ledger.outcome(issued.command_id, request_hash)
        except CommandReused as fault:
            raise _reused(fault) from fault
        if receipt is None:
            return None
        return outcome(receipt, subject(issued.command), self._recorded(receipt, issued.command_id))

    def _recorded(self, receipt: Receipt, command_id: UUID) -> list[Event]:
        """This will read what was recorded before. Raises OutcomeUnknown where it can't be had: to say that nothing was done were false."""
        first, last = receipt.first_position, receipt.last_position
        try:
            return self._ledger.read(first - 1, last - first + 1)
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise OutcomeUnknown(command_id) from error


def _events(issued: Issued[Any], change: Change, seen: Seen) -> list[Event]:
    """This will put the facts into their envelopes, each with the next version of its stream."""
    actor = Actor(issued.member_id, change.role)
    occurred_at = utc(issued.occurred_at or issued.at)
    versions: dict[UUID, int] = {}
    events: list[Event] = []
    for stream_id, facts in change.facts:
        version = versions[stream_id] if stream_id in versions else seen.version(stream_id)
        for fact in facts:
            version += 1
            events.append(
                Event(
                    event_id=event_id(issued.command_id, len(events)),
                    stream_id=stream_id,
                    version=version,
                    occurred_at=occurred_at,
                    actor=actor,
                    command_id=issued.command_id,
                    correlation_id=issued.correlation_id or issued.command_id,
                    fact=fact,
                    causation_id=issued.causation_id,
                )
            )
        versions[stream_id] = version
    return events


def _reused(fault: CommandReused) -> Rejected:
    return Rejected(
        Code.COMMAND_REUSED,
        f"The command id {fault.command_id} was used for another request. Use a new id for a new request.",
        "command_id",
    )
