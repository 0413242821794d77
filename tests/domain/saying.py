"""given(...).when(...).then(...) for streams whose decide functions take a state and a command."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from msgspec import Struct

from ledger.commands import Issued
from ledger.domain.rejected import Code, Rejected
from ledger.events import Event
from ledger.values import Actor, MemberId, Role

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOMEBODY = MemberId(UUID(int=1))


def event(stream_id: UUID, version: int, fact: Struct, at: datetime = MONDAY) -> Event:
    """This will put a fact into an envelope; its position is its version."""
    actor = Actor(SOMEBODY, Role.STEWARD)
    return Event(UUID(int=version), stream_id, version, at, actor, SOMEBODY, SOMEBODY, fact, position=version)


def folded(evolve: Callable[[Any, Event], Any], stream_id: UUID, facts: Sequence[Struct]) -> Any:
    """This will fold facts into a state; None for no facts."""
    state = None
    for version, fact in enumerate(facts, 1):
        state = evolve(state, event(stream_id, version, fact))
    return state


def issued(command: Struct, at: datetime = MONDAY) -> Issued[Any]:
    """This will issue a command."""
    return Issued(command, UUID(int=7), SOMEBODY, at)


class Stream:
    """One kind of stream, of which tests say what was given."""

    def __init__(self, evolve: Callable[[Any, Event], Any], stream_id: UUID) -> None:
        self.evolve = evolve
        self.stream_id = stream_id

    def given(self, *facts: Struct) -> "Given":
        return Given(folded(self.evolve, self.stream_id, facts))


class Given:
    """A state that something may be asked of."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def when(self, decide: Callable[..., list[Struct]], command: Struct, *context: Any) -> "When":
        return When(lambda: decide(self.state, issued(command), *context))


class When:
    """Something that was asked."""

    def __init__(self, decide: Callable[[], list[Struct]]) -> None:
        self._decide = decide

    def then(self, *facts: Struct) -> None:
        assert self._decide() == list(facts)

    def refused(self, code: Code, *path: str, saying: str | None = None) -> None:
        with pytest.raises(Rejected, match=saying) as found:
            self._decide()
        assert (found.value.code, found.value.path) == (code, path)
