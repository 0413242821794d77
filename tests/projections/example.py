"""A whole view, as small as they come: the titles of proposals, and how many each team has open."""

from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.events import Event
from ledger.events.proposal import ProposalSubmitted, ProposalWithdrawn, SourceNoted
from projections.projector import View
from projections.rows import Rows
from projections.table import Column, Table


class Title(Struct, frozen=True, array_like=True, gc=False):
    """One proposal's title."""

    id: UUID
    team_id: UUID
    title: str
    notes: int = 0


class Note(Struct, frozen=True, array_like=True, gc=False):
    """One note of a source; it never changes."""

    position: int
    proposal_id: UUID
    text: str


TITLES = Table(
    "titles",
    Title,
    key=("id",),
    columns=(Column("id", "uuid"), Column("team_id", "uuid"), Column("length", "bigint", lambda row: len(row.title))),
    lookups=("team_id",),
    by_stream=True,
)
NOTES = Table(
    "title_notes",
    Note,
    key=("position",),
    columns=(Column("position", "bigint"), Column("text", "text")),
    grows_only=True,
)


def submitted(rows: Rows, event: Event, fact: ProposalSubmitted) -> None:
    others = len(rows.where(TITLES, "team_id", fact.team_id))
    rows.put(TITLES, Title(event.stream_id, fact.team_id, f"{others + 1}. {fact.title}"))


def withdrawn(rows: Rows, event: Event, fact: ProposalWithdrawn) -> None:
    rows.remove(TITLES, event.stream_id)


def noted(rows: Rows, event: Event, fact: SourceNoted) -> None:
    row = rows.need(TITLES, event.stream_id)
    rows.put(TITLES, replace(row, notes=row.notes + 1))
    rows.put(NOTES, Note(event.position, event.stream_id, fact.text))


def titles(on: dict[type[Struct], Any] | None = None) -> View:
    return View(
        "titles",
        (TITLES, NOTES),
        {ProposalSubmitted: submitted, ProposalWithdrawn: withdrawn, SourceNoted: noted} | (on or {}),
    )
