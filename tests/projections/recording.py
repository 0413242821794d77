"""Facts through the real store, without the rules: the views follow whatever was recorded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from msgspec import Struct

from ledger.events import Event, event_id
from ledger.store.application import Ledger
from ledger.store.receipt import CommandEvents, Receipt
from ledger.values import SYSTEM, Actor, Role
from projections.projector import View

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BY_SYSTEM = Actor(SYSTEM, Role.STEWARD)


class Recorder:
    """Appends facts as commands, and counts each stream's version."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.versions: dict[UUID, int] = {}
        self.at = NOON

    def record(self, *facts: tuple[UUID, Struct], by: Actor = BY_SYSTEM, source: Any = None) -> int:
        """This will append one command and give its last position."""
        command = uuid4()
        self.at += timedelta(minutes=1)
        events = []
        for index, (stream, fact) in enumerate(facts):
            version = self.versions[stream] = self.versions.get(stream, 0) + 1
            events.append(
                Event(event_id(command, index), stream, version, self.at, by, command, command, fact, source=source)
            )
        return self.ledger.append(events, command_id=command, request_hash=b"r", at=self.at).last_position


def append_all(ledger: Ledger, events: Sequence[Event]) -> None:
    """This will append a generated history as it is, command by command."""
    grouped: list[list[Event]] = []
    for event in events:
        if grouped and grouped[-1][0].command_id == event.command_id:
            grouped[-1].append(event)
        else:
            grouped.append([event])
    outcomes = ledger.append_many(
        [CommandEvents(group, group[0].command_id, b"r", group[0].occurred_at) for group in grouped]
    )
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)


def contents(url: str, views: Sequence[View], as_of: int | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """This will read all rows of the views' live tables; `as_of`: only those that stood then, without their ranges."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with psycopg.connect(url) as connection:
        for table in (table for view in views for table in view.tables):
            columns = ", ".join(column.name for column in table.columns)
            order = ", ".join(table.key)
            if as_of is None:
                query = (
                    f"SELECT {columns}, valid_from, valid_to, doc FROM views.{table.name} ORDER BY {order}, valid_from"
                )
            else:
                query = (
                    f"SELECT {columns}, doc FROM views.{table.name} WHERE valid_from <= {as_of} "
                    f"AND (valid_to IS NULL OR valid_to > {as_of}) ORDER BY {order}"
                )
            found[table.name] = connection.execute(query).fetchall()
    return found


def position_of(url: str, view: str) -> tuple[int, str | None]:
    """This will give how far a view has got, and why it has stopped."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT position, fault FROM views.positions WHERE view = %s", [view]).fetchone()
        assert row is not None
        return row


@contextmanager
def ledger_of(url: str) -> Iterator[Ledger]:
    """This will open a ledger for the block."""
    ledger = Ledger(url)
    try:
        yield ledger
    finally:
        ledger.close()
