"""The ledger's log as the views read it: whole commands, in order of position."""

from typing import Any, Protocol

from ledger.events.envelope import Event


class Log(Protocol):
    """What a follower needs of the ledger."""

    def placed(self, after: int, limit: int) -> list[Any]:
        """This will give up to `limit` facts after a position, in order, each with what projectors read of an Event."""

    def head(self) -> int:
        """This will give the last position."""

    def wait_past(self, position: int, timeout_s: float) -> bool:
        """This will wait for word that there is more; False if none came."""


def commands(log: Log, after: int, limit: int) -> list[Event]:
    """This will read whole commands after a position: about `limit` events, more where one command has more."""
    while True:
        events: list[Event] = log.placed(after, limit)
        if len(events) < limit:
            return events
        last = events[-1].command_id
        whole = len(events)
        while whole and events[whole - 1].command_id == last:
            whole -= 1
        if whole:
            return events[:whole]
        limit *= 2
