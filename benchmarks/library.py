"""The eventsourcing library as it comes, as the other side of a measurement: its default recorder and its default mapper."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent

PAGE = 5_000
#: Events of one insert: the recorder sends them in one pipeline without reading, which blocks for good with thousands.
INSERT = 100


@dataclass(frozen=True)
class Estimated(DomainEvent):
    """An event of about 400 stored bytes with the sorts of values that a fact has."""

    team_id: UUID
    title: str
    area: str
    likely: Decimal
    at: datetime
    note: str


@dataclass(frozen=True)
class Noted(DomainEvent):
    """An event of about 400 stored bytes, of strings only: the least that the library has to decode."""

    team_id: str
    title: str
    area: str
    likely: str
    at: str
    note: str


@contextmanager
def library(url: str) -> Iterator[Application[UUID]]:
    """This will open the library's application on a database, with its defaults."""
    parts = urlsplit(url)
    found = {name: values[0] for name, values in parse_qs(parts.query).items()}
    app: Application[UUID] = Application(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": found.get("host") or parts.hostname or "",
            "POSTGRES_PORT": str(found.get("port") or parts.port or 5432),
            "POSTGRES_USER": parts.username or found.get("user", ""),
            "POSTGRES_PASSWORD": parts.password or "none",
        }
    )
    try:
        yield app
    finally:
        app.close()


def fill(app: Application[UUID], count: int, event_type: type[Estimated] | type[Noted] = Estimated) -> None:
    """This will record `count` events by the library's own recorder, in batches."""
    for start in range(0, count, INSERT):
        stream = uuid4()
        events = [_event(stream, n + 1, event_type) for n in range(min(INSERT, count - start))]
        app.recorder.insert_events([app.mapper.to_stored_event(event) for event in events])


def read(app: Application[UUID]) -> tuple[int, float]:
    """This will read the whole log and decode every event, as a projection would; gives how many, and the seconds."""
    began, count, after = perf_counter(), 0, 0
    while True:
        found: Any = app.recorder.select_notifications(start=after + 1, limit=PAGE)
        if not found:
            return count, perf_counter() - began
        for notification in found:
            app.mapper.to_domain_event(notification)
        count, after = count + len(found), found[-1].id


def _event(stream: UUID, version: int, event_type: type[Estimated] | type[Noted]) -> DomainEvent:
    team_id, likely, at = stream, Decimal("2.5"), datetime(2026, 1, 2, tzinfo=UTC)
    plain = event_type is Noted
    return event_type(
        originator_id=stream,
        originator_version=version,
        timestamp=datetime.now(UTC),
        team_id=str(team_id) if plain else team_id,  # type: ignore[arg-type]
        title=f"Pay the debt {version} in checkout",
        area="component:default/checkout",
        likely=str(likely) if plain else likely,  # type: ignore[arg-type]
        at=at.isoformat() if plain else at,  # type: ignore[arg-type]
        note="Each change needs edits in four places, and one of them is forgotten every other time.",
    )
