"""Reviews as lists, one review with its agenda, and how many a team has held."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.values import ReviewKind
from projections.audit.structs import AuditedProposal
from projections.audit.tables import PROPOSALS
from projections.conditions import Conditions, Connection, Teams, page, rows, total
from projections.reviews.structs import AgendaEntry, ReviewRecord, ReviewState
from projections.reviews.tables import ITEMS, REVIEWS


class AgendaLine(Struct, frozen=True):
    """One item of an agenda with its proposal; None: the audit view, which keeps titles, has not got to it yet."""

    item: AgendaEntry
    proposal: AuditedProposal | None


class Agenda(Struct, frozen=True):
    """A review with its agenda in order."""

    review: ReviewRecord
    lines: tuple[AgendaLine, ...] = ()


async def review(
    connection: Connection, teams: Teams, review_id: UUID, *, agenda: bool = True, as_of: int | None = None
) -> Agenda | None:
    """This will give a review, with its agenda if asked for; None: it is not there or may not be seen."""
    where = Conditions(as_of).readable("r", teams).add("r.review_id = %(id)s", id=review_id)
    return await _agenda(connection, f"SELECT r.review_id, r.doc FROM views.reviews AS r WHERE {where}", where, agenda)


async def next_agenda(
    connection: Connection, teams: Teams, team_id: UUID, kind: ReviewKind, *, as_of: int | None = None
) -> Agenda | None:
    """This will give the team's review that is looked at now, with its agenda: the open one, else the next whose agenda is fixed."""
    where = Conditions(as_of).readable("r", teams)
    where.add("r.team_id = %(team)s AND r.kind = %(kind)s", team=team_id, kind=kind.value)
    where.add("r.state IN ('OPEN', 'AGENDA_FROZEN')")
    which = (
        f"SELECT r.review_id, r.doc FROM views.reviews AS r WHERE {where}"
        " ORDER BY r.state = 'OPEN' DESC, r.starts_at, r.review_id LIMIT 1"
    )
    return await _agenda(connection, which, where, True)


async def _agenda(connection: Connection, which: str, where: Conditions, agenda: bool) -> Agenda | None:
    joined = (
        f" LEFT JOIN views.review_items AS i ON i.review_id = r.review_id AND {where.stands('i')}"
        f" LEFT JOIN views.audit_proposals AS p ON p.proposal_id = i.proposal_id AND {where.stands('p')}"
        " ORDER BY i.place"
    )
    found = await rows(
        connection,
        f"WITH r AS ({which}) SELECT r.doc, {'i.doc, p.doc' if agenda else 'NULL, NULL'} FROM r{joined if agenda else ''}",
        where.values,
    )
    if not found:
        return None
    lines = tuple(AgendaLine(ITEMS.decode(i), None if p is None else PROPOSALS.decode(p)) for _, i, p in found if i)
    return Agenda(REVIEWS.decode(found[0][0]), lines)


async def reviews(
    connection: Connection,
    teams: Teams,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    team_ids: Sequence[UUID] | None = None,
    kind: ReviewKind | None = None,
    states: Sequence[ReviewState] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    as_of: int | None = None,
) -> list[ReviewRecord]:
    """This will give reviews by their planned start, the latest first. For the next ones: SCHEDULED and AGENDA_FROZEN, from now on."""
    where = _reviews(teams, team_ids=team_ids, kind=kind, states=states, since=since, until=until, as_of=as_of)
    order = ("starts_at", "review_id")
    return await page(connection, REVIEWS, "r", where, order, limit=limit, after=after, descending=True)


async def reviews_total(connection: Connection, teams: Teams, **chosen: Any) -> int:
    """This will count the reviews that `reviews` gives on all pages."""
    return await total(connection, "views.reviews AS r", _reviews(teams, **chosen))


def _reviews(
    teams: Teams,
    *,
    team_ids: Sequence[UUID] | None,
    kind: ReviewKind | None,
    states: Sequence[ReviewState] | None,
    since: datetime | None,
    until: datetime | None,
    as_of: int | None,
) -> Conditions:
    where = Conditions(as_of).readable("r", teams, team_ids)
    where.given("r.kind = %(kind)s", kind=kind.value if kind else None).within("r.starts_at", since, until)
    return where.among("r.state", "states", None if states is None else [state.value for state in states])


async def reviews_held(connection: Connection, team_id: UUID, *, as_of: int | None = None) -> int:
    """This will count the product reviews that a team has held."""
    where = Conditions(as_of)
    where.add(where.stands("r"))
    where.add("r.team_id = %(team)s AND r.kind = 'PRODUCT' AND r.state = 'CLOSED'", team=team_id)
    ((count,),) = await rows(connection, f"SELECT count(*) FROM views.reviews AS r WHERE {where}", where.values)
    held: int = count
    return held
