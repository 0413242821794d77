"""Recorded facts as they are stored: one, and many of them column by column."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Row(NamedTuple):
    """A recorded fact as it is stored; ids as text."""

    position: int
    recorded_at: datetime
    stream_id: str
    version: int
    topic: str
    occurred_at: datetime
    command_id: str
    salt: bytes
    meta: bytes
    payload: bytes
    leaf: bytes


class Page(NamedTuple):
    """Facts in order, column by column: nearly all hold, and whole columns are compared faster than one fact after another."""

    position: Sequence[int]
    #: In microseconds since the Unix epoch.
    recorded: Sequence[int]
    stream_id: Sequence[str]
    version: Sequence[int]
    topic: Sequence[str]
    occurred_at: Sequence[datetime]
    command_id: Sequence[str]
    salt: Sequence[bytes]
    meta: Sequence[bytes]
    payload: Sequence[bytes]
    leaf: Sequence[bytes]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Page":
        """This will take rows apart."""
        position, recorded_at, *others = zip(*rows, strict=True) if rows else [()] * len(Row._fields)
        return cls(position, [(at - _EPOCH) // _MICROSECOND for at in recorded_at], *others)

    def rows(self) -> list[Row]:
        """This will put the facts together again."""
        return [Row(position, instant(at), *others) for position, at, *others in zip(*self, strict=True)]

    def one_by_one(self) -> list["Page"]:
        """This will give a page for each fact."""
        return [Page.of([row]) for row in self.rows()]


def instant(recorded: int) -> datetime:
    """This will give a time as it is shown; one that no calendar has was not recorded by the ledger, and is shown as the last there is."""
    with suppress(OverflowError):
        return _EPOCH + recorded * _MICROSECOND
    return datetime.max.replace(tzinfo=UTC)
