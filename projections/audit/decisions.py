"""Decisions as lists: what was declined, by what ground, and which NOs wait to be told or answered."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.values import Disposition
from projections.audit.structs import AuditedDecision
from projections.audit.tables import DECISIONS
from projections.audit.texts import QUESTION
from projections.conditions import Conditions, Connection, Teams, page, rows, total

#: Most values that one facet lists.
FACET_MAX = 100
HOUR = timedelta(hours=1)


class NoFilter(Struct, frozen=True):
    """Which NOs are meant. None: any. `since` up to before `until` is when they were taken; what is undated is in no such period."""

    dispositions: tuple[Disposition, ...] = (Disposition.DECLINE,)
    teams: tuple[UUID, ...] | None = None
    reasons: tuple[str, ...] | None = None
    areas: tuple[str, ...] | None = None
    deciders: tuple[UUID, ...] | None = None
    systems: tuple[str, ...] | None = None
    told: bool | None = None
    acknowledged: bool | None = None
    #: Had it a reason on its day, or has it got one since?
    explained: bool | None = None
    #: Had it a reason on its own day?
    explained_when_decided: bool | None = None
    imported: bool | None = None
    #: Words in the title, the reasons or the case, as a search engine takes them.
    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Notice(Struct, frozen=True):
    """A NO that waits to be told, or to be answered by the one it was told to; ages in hours since it was taken."""

    decision: AuditedDecision
    age_hours: float
    #: Hours past the time that the team promised; None: it promised none, or it was told, or there is time left.
    hours_overdue: float | None

    @classmethod
    def of(cls, decision: AuditedDecision, now: datetime) -> "Notice":
        """This will reckon a notice's age at an instant."""
        late = (now - decision.tell_by) / HOUR if decision.tell_by and decision.told_at is None else 0.0
        return cls(decision, (now - decision.decided_at) / HOUR, late if late > 0 else None)


class FacetCount(Struct, frozen=True):
    """How many NOs share one value; `value` None: those that name none. `label`: the value's name; None: it reads as it is."""

    value: str | None
    count: int
    label: str | None = None


class Facets(Struct, frozen=True, kw_only=True):
    """The NOs that a filter leaves, counted by each of their sides, the most frequent value first."""

    total: int
    reason: tuple[FacetCount, ...] = ()
    team: tuple[FacetCount, ...] = ()
    area: tuple[FacetCount, ...] = ()
    decider: tuple[FacetCount, ...] = ()
    period: tuple[FacetCount, ...] = ()
    told: tuple[FacetCount, ...] = ()
    explained: tuple[FacetCount, ...] = ()
    source: tuple[FacetCount, ...] = ()


_FACETS = {
    "reason": "code",
    "team": "team_id::text",
    "area": "area",
    "decider": "decider::text",
    "period": "CASE WHEN NOT undated THEN to_char(decided_at AT TIME ZONE 'UTC', 'YYYY-MM') END",
    "told": "told::text",
    "explained": "(NOT unexplained)::text",
    "source": "system",
}
#: In which order a facet comes, where that is not the most frequent first; what is undated before all months, whatever the limit.
_ORDERS = {"period": "v DESC NULLS FIRST"}
_facet_counts = msgspec.json.Decoder(tuple[FacetCount, ...]).decode


def _noes(teams: Teams, wanted: NoFilter, as_of: int | None) -> Conditions:
    where = Conditions(as_of).readable("d", teams, wanted.teams)
    where.add("d.disposition <> 'SCHEDULE' AND NOT d.scoped")
    where.among("d.disposition", "dispositions", [d.value for d in wanted.dispositions])
    where.among("d.area", "areas", wanted.areas).among("d.decider", "deciders", wanted.deciders)
    within(where.among("d.system", "systems", wanted.systems), wanted.since, wanted.until)
    if wanted.reasons is not None:
        where.add("d.codes && %(reasons)s", reasons=list(wanted.reasons))
    where.given("d.told = %(told)s", told=wanted.told)
    where.given("(d.acknowledged_at IS NOT NULL) = %(acknowledged)s", acknowledged=wanted.acknowledged)
    where.given("d.unexplained <> %(explained)s", explained=wanted.explained)
    where.given("d.unexplained_when_decided <> %(then)s", then=wanted.explained_when_decided)
    if wanted.search is not None:
        where.add(where.stands("x")).add(f"x.words @@ {QUESTION}", search=wanted.search.replace("\0", " "))
    return where.given("(d.system IS NOT NULL) = %(imported)s", imported=wanted.imported)


def within(where: Conditions, since: datetime | None, until: datetime | None) -> Conditions:
    """This will ask for decisions of a period, in which nothing is that no source dates; without one, for all."""
    if since is not None or until is not None:
        where.add("NOT d.undated")
    return where.within("d.decided_at", since, until)


async def is_sought(connection: Connection, search: str) -> bool:
    """This will say whether a search has any word that is looked for; one of "the" and "of" alone, sought or shut out, finds nothing."""
    ((nodes,),) = await rows(connection, f"SELECT numnode({QUESTION})", {"search": search.replace("\0", " ")})
    return bool(nodes)


def _from(wanted: NoFilter) -> str:
    """This will give the tables; the words have the order of the list too, so that a search for a frequent one can stop early."""
    decisions = "views.audit_decisions AS d"
    return decisions if wanted.search is None else f"{decisions} JOIN views.audit_texts AS x USING (decision_id)"


async def declined(
    connection: Connection,
    teams: Teams,
    wanted: NoFilter,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    as_of: int | None = None,
) -> list[AuditedDecision]:
    """This will give the NOs that a filter leaves, the latest first."""
    key = "d" if wanted.search is None else "x"
    where = _noes(teams, wanted, as_of).beyond(f"{key}.decided_at, {key}.decision_id", after, descending=True)
    found = await rows(
        connection,
        f"SELECT d.doc FROM {_from(wanted)} WHERE {where} "
        f"ORDER BY {key}.decided_at DESC, {key}.decision_id DESC LIMIT {limit:d}",
        where.values,
        keeps_plan=wanted.search is None,
    )
    return [DECISIONS.decode(doc) for (doc,) in found]


async def facets(
    connection: Connection,
    teams: Teams,
    wanted: NoFilter,
    *,
    names: tuple[str, ...] = tuple(_FACETS),
    as_of: int | None = None,
) -> Facets:
    """This will count the NOs that a filter leaves, by each named facet. A NO with two reasons counts under both."""
    where = _noes(teams, wanted, as_of)
    counts = ", ".join(
        f"(SELECT convert_to(COALESCE(json_agg(json_build_object('value', v, 'count', n, 'label', {_label(name, where)})"
        f" ORDER BY {_ORDERS.get(name, 'n DESC, v')}), '[]')::text, 'UTF8')"
        f" FROM (SELECT {_FACETS[name]} AS v, count(*) AS n FROM noes"
        f" {'LEFT JOIN LATERAL unnest(codes) AS code ON true' if name == 'reason' else ''}"
        f" GROUP BY 1 ORDER BY {_ORDERS.get(name, 'n DESC, v')} LIMIT {FACET_MAX}) AS found)"
        for name in names
    )
    ((total, *found),) = await rows(
        connection,
        "WITH noes AS MATERIALIZED (SELECT d.team_id, d.area, d.decider, d.decided_at, d.undated, d.told, d.unexplained, d.system, d.codes"
        f" FROM {_from(wanted)} WHERE {where})"
        f" SELECT (SELECT count(*) FROM noes){', ' if counts else ''}{counts}",
        where.values,
        keeps_plan=wanted.search is None,
    )
    return Facets(total=total, **dict(zip(names, map(_facet_counts, found), strict=True)))


def _label(facet: str, where: Conditions) -> str:
    if facet != "team":
        return "NULL"
    return f"(SELECT t.name FROM views.audit_teams AS t WHERE t.team_id = v::uuid AND {where.stands('t')})"


async def unanswered_notices(
    connection: Connection,
    teams: Teams,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    team_ids: tuple[UUID, ...] | None = None,
    told: bool | None = None,
    imported: bool = False,
    as_of: int | None = None,
) -> list[AuditedDecision]:
    """This will give the standing NOs that were not told, or were told and not acknowledged, the oldest first.

    Imported ones were told where they were taken, as far as anybody knows, and come only when asked for.
    """
    where = _unanswered(teams, team_ids=team_ids, told=told, imported=imported, as_of=as_of)
    return await page(connection, DECISIONS, "d", where, ("decided_at", "decision_id"), limit=limit, after=after)


async def unanswered_total(connection: Connection, teams: Teams, **chosen: Any) -> int:
    """This will count the NOs that `unanswered_notices` gives on all pages."""
    return await total(connection, "views.audit_decisions AS d", _unanswered(teams, **chosen))


def _unanswered(
    teams: Teams,
    *,
    team_ids: tuple[UUID, ...] | None = None,
    told: bool | None = None,
    imported: bool = False,
    as_of: int | None = None,
) -> Conditions:
    where = Conditions(as_of).readable("d", teams, team_ids)
    where.add("d.standing AND d.disposition <> 'SCHEDULE' AND d.acknowledged_at IS NULL")
    where.given("d.told = %(told)s", told=told)
    return where if imported else where.add("d.system IS NULL")
