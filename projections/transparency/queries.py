"""The counts, each group of them one aggregate over an index, and all that are asked for in one statement."""

from collections.abc import Callable, Collection
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.conditions import Conditions, Connection, Teams, rows
from projections.transparency.counts import (
    Appeals,
    AreaCount,
    Bucket,
    Concerns,
    Noes,
    ReasonCount,
    ReviewsHeld,
    Transparency,
    Waiting,
)
from projections.transparency.structs import MarkKind, Said

#: Most reasons, areas and teams that are listed, the most frequent first; months, the latest first.
LIST_MAX = 100
MONTHS_MAX = 240


class Part(StrEnum):
    """A group of counts that one aggregate answers; what is not asked for is not counted."""

    PROPOSALS = "proposals"
    DECISIONS = "decisions"
    HAPPENINGS = "happenings"
    MATTERS = "matters"
    CADENCE = "cadence"
    REASONS = "reasons"
    AREAS = "areas"
    TEAMS = "teams"
    MONTHS = "months"


class Period(Struct, frozen=True):
    """What is counted: from `since` up to before `until` (None: without an end), of some teams, one area, one source system."""

    since: datetime | None = None
    until: datetime | None = None
    team_ids: tuple[UUID, ...] | None = None
    area: str | None = None
    system: str | None = None


def _bits(*flags: Said) -> str:
    return " AND ".join(f"said & {int(flag)} <> 0" for flag in flags)


_WHOLE = f"said & {int(Said.SCOPED)} = 0"
_SILENT = f"said & {int(Said.REASONED)} = 0"
_COUNTED = {
    "count": "true",
    "proposals": _bits(Said.FIRST_OF_ITS_KIND),
    "reasoned_when_decided": _bits(Said.REASONED),
    "unexplained_when_decided": _SILENT,
    "explained_later": f"{_SILENT} AND {_bits(Said.EXPLAINED)}",
    "unexplained": f"{_SILENT} AND said & {int(Said.EXPLAINED)} = 0",
    "told": _bits(Said.TOLD),
    "told_in_time": _bits(Said.TOLD_IN_TIME),
    "promised": _bits(Said.PROMISED),
    "acknowledged": _bits(Said.ACKNOWLEDGED),
    "understood": _bits(Said.UNDERSTOOD),
    "imported": _bits(Said.IMPORTED),
}
_NOES = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in _COUNTED.items())


class _DecisionCounts(Struct, frozen=True):
    """One row of the decisions' aggregate: a disposition, of the whole or of a part; NULL: all NOs on the whole."""

    disposition: str | None
    scoped: bool
    noes: Noes
    self_decided: int


class _Decisions(Struct, frozen=True):
    by_disposition: tuple[_DecisionCounts, ...]
    waiting: Waiting


class _Proposals(Struct, frozen=True):
    proposed: int
    imported: int
    unseen: int


class _Happening(Struct, frozen=True):
    kind: str
    count: int
    proposals: int


class _Matter(Struct, frozen=True):
    kind: str
    state: str
    count: int


class _Cadence(Struct, frozen=True):
    product: int | None
    engineering: int | None


def _proposals(w: Conditions) -> str:
    return (
        "SELECT json_build_object('proposed', count(*), 'imported', count(system), 'unseen', count(*) FILTER (WHERE unseen))"
        f" FROM views.transparency_proposals AS x WHERE {_in(w, 'submitted_at')}"
    )


def _decisions(w: Conditions) -> str:
    return (
        "WITH d AS (SELECT disposition, said, waited_days FROM views.transparency_decisions AS x"
        f" WHERE {_in(w, 'decided_at')}), counted AS (SELECT disposition, said & {int(Said.SCOPED)} <> 0 AS scoped, {_NOES},"
        f" count(*) FILTER (WHERE {_bits(Said.SELF_DECIDED)}) AS self_decided FROM d GROUP BY 1, 2)"
        " SELECT json_build_object('by_disposition', COALESCE((SELECT json_agg(json_build_object("
        "'disposition', disposition, 'scoped', scoped, 'noes', to_json(counted), 'self_decided', self_decided)) FROM counted),"
        " '[]'), 'waiting', (SELECT json_build_object('count', count(waited_days),"
        " 'median_days', percentile_cont(0.5) WITHIN GROUP (ORDER BY waited_days),"
        " 'p90_days', percentile_cont(0.9) WITHIN GROUP (ORDER BY waited_days)) FROM d WHERE waited_days IS NOT NULL))"
    )


def _happenings(w: Conditions) -> str:
    return _list(
        # In two steps: a hash of the pairs is faster than the sort that count(DISTINCT …) takes.
        "SELECT kind, sum(n)::bigint AS count, count(*) AS proposals FROM (SELECT kind, proposal_id, count(*) AS n"
        f" FROM views.transparency_marks AS x WHERE {_in(w, 'at')} GROUP BY 1, 2) AS pairs GROUP BY kind"
    )


def _matters(w: Conditions) -> str:
    return _list(
        f"SELECT kind, state, count(*) AS count FROM views.transparency_matters AS x WHERE {_in(w, 'at')} GROUP BY kind, state"
    )


def _cadence(w: Conditions) -> str:
    begins = "GREATEST(%(since)s::timestamptz, x.formed_at)"
    span = f"GREATEST(0, extract(epoch FROM COALESCE(%(until)s::timestamptz, %(now)s) - {begins}) / 86400)"
    return (
        f"SELECT json_build_object('product', sum(floor({span} / NULLIF(product_days, 0)))::bigint,"
        f" 'engineering', sum(floor({span} / NULLIF(engineering_days, 0)))::bigint)"
        f" FROM views.transparency_teams AS x WHERE {_of_teams(w)}"
    )


def _reasons(w: Conditions) -> str:
    return _list(
        "SELECT code, count(*) AS count FROM views.transparency_decisions AS x CROSS JOIN LATERAL unnest(codes) AS code"
        f" WHERE {_in(w, 'decided_at')} AND disposition <> 'SCHEDULE' AND {_WHOLE} GROUP BY code ORDER BY 2 DESC, 1 LIMIT {LIST_MAX}"
    )


def _areas(w: Conditions) -> str:
    return _list(
        f"SELECT area, count(*) AS count FROM views.transparency_decisions AS x WHERE {_in(w, 'decided_at')}"
        f" AND disposition = 'DECLINE' AND {_WHOLE} GROUP BY area ORDER BY 2 DESC, 1 LIMIT {LIST_MAX}"
    )


def _buckets(w: Conditions, key: Callable[[str], str], name: str, order: str) -> str:
    """This will count the main things by team or by month, in one pass over each of the three tables."""
    kinds = ("accepted", "declined", "postponed", "unexplained", "redirected", "withdrawn", "completed", "proposed")
    answers = {
        "accepted": "disposition = 'SCHEDULE'",
        "declined": "disposition = 'DECLINE'",
        "postponed": "disposition = 'POSTPONE'",
        "unexplained": f"disposition <> 'SCHEDULE' AND {_COUNTED['unexplained']}",
    }
    marks = {kind: f"kind = '{kind.upper()}'" for kind in ("redirected", "withdrawn", "completed")}

    def counts(known: dict[str, str]) -> str:
        return ", ".join(
            f"{f'count(*) FILTER (WHERE {known[kind]})' if kind in known else '0'} AS {kind}" for kind in kinds
        )

    return _list(
        f"SELECT {name}, {', '.join(f'sum({kind})::bigint AS {kind}' for kind in kinds)} FROM ("
        f"SELECT {key('decided_at')} AS {name}, {counts(answers)} FROM views.transparency_decisions AS x"
        f" WHERE {_in(w, 'decided_at')} AND {_WHOLE} GROUP BY 1 UNION ALL "
        f"SELECT {key('at')}, {counts(marks)} FROM views.transparency_marks AS x WHERE {_in(w, 'at')} GROUP BY 1 UNION ALL "
        f"SELECT {key('submitted_at')}, {counts({'proposed': 'true'})} FROM views.transparency_proposals AS x"
        f" WHERE {_in(w, 'submitted_at')} GROUP BY 1) AS found GROUP BY 1 ORDER BY {order}"
    )


def _teams(w: Conditions) -> str:
    return _buckets(w, lambda _: "team_id", "team_id", f"proposed DESC, team_id LIMIT {LIST_MAX}")


def _months(w: Conditions) -> str:
    def month(column: str) -> str:
        return f"date_trunc('month', {column} AT TIME ZONE 'UTC')::date"

    return _buckets(w, month, "month", f"month DESC LIMIT {MONTHS_MAX}")


def _of_teams(w: Conditions) -> str:
    return f"{w.stands('x')} AND {w}"


def _in(w: Conditions, at: str) -> str:
    found = [_of_teams(w)]
    found += [
        f"x.{column} {operator} %({name})s"
        for column, operator, name in (
            (at, ">=", "since"),
            (at, "<", "until"),
            ("area", "=", "area"),
            ("system", "=", "system"),
        )
        if w.values[name] is not None
    ]
    return " AND ".join(found)


def _list(select: str) -> str:
    return f"SELECT COALESCE(json_agg(found), '[]') FROM ({select}) AS found"


_SELECTS: dict[Part, tuple[Callable[[Conditions], str], Any]] = {
    Part.PROPOSALS: (_proposals, _Proposals),
    Part.DECISIONS: (_decisions, _Decisions),
    Part.HAPPENINGS: (_happenings, tuple[_Happening, ...]),
    Part.MATTERS: (_matters, tuple[_Matter, ...]),
    Part.CADENCE: (_cadence, _Cadence),
    Part.REASONS: (_reasons, tuple[ReasonCount, ...]),
    Part.AREAS: (_areas, tuple[AreaCount, ...]),
    Part.TEAMS: (_teams, tuple[Bucket, ...]),
    Part.MONTHS: (_months, tuple[Bucket, ...]),
}
_DECODERS = {part: msgspec.json.Decoder(kind).decode for part, (_, kind) in _SELECTS.items()}


async def transparency(
    connection: Connection,
    visible: Teams,
    period: Period,
    now: datetime,
    *,
    parts: Collection[Part] = tuple(Part),
    as_of: int | None = None,
) -> Transparency:
    """This will count what the parts ask for, in one statement. `now` ends a period without an end, for the cadence alone."""
    where = Conditions(as_of)
    where.among("x.team_id", "visible", visible).among("x.team_id", "teams", period.team_ids)
    where.values |= {
        "since": period.since,
        "until": period.until,
        "area": period.area,
        "system": period.system,
        "now": now,
    }
    asked = [part for part in Part if part in parts]
    selects = ", ".join(f"convert_to(({_SELECTS[part][0](where)})::text, 'UTF8')" for part in asked)
    ((*found,),) = await rows(connection, f"SELECT {selects or 'NULL'}", where.values)
    told: dict[Part, Any] = {part: _DECODERS[part](text) for part, text in zip(asked, found, strict=False)}
    return _assembled(told)


def _assembled(told: dict[Part, Any]) -> Transparency:
    fields: dict[str, Any] = {}
    if (proposals := told.get(Part.PROPOSALS)) is not None:
        fields |= {
            "proposed": proposals.proposed,
            "imported_proposals": proposals.imported,
            "nobody_looked": proposals.unseen,
        }
    if (decisions := told.get(Part.DECISIONS)) is not None:
        fields |= _answers(decisions)
    if (happened := told.get(Part.HAPPENINGS)) is not None:
        fields |= _happened(happened)
    if (matters := told.get(Part.MATTERS)) is not None:
        fields |= _stood({(m.kind, m.state): m.count for m in matters}, told.get(Part.CADENCE))
    return Transparency(
        **fields,
        reasons=told.get(Part.REASONS, ()),
        declines_by_area=told.get(Part.AREAS, ()),
        teams=told.get(Part.TEAMS, ()),
        months=told.get(Part.MONTHS, ()),
    )


def _answers(decisions: _Decisions) -> dict[str, Any]:
    whole = {found.disposition: found.noes for found in decisions.by_disposition if not found.scoped}
    parts = {found.disposition: found.noes.count for found in decisions.by_disposition if found.scoped}
    kinds = {name: whole.get(name.upper(), Noes()) for name in ("decline", "postpone", "redirect")}
    noes = Noes(*(sum(getattr(kind, name) for kind in kinds.values()) for name in _COUNTED))
    scheduled = whole.get("SCHEDULE", Noes())
    return {
        "accepted": scheduled.count,
        "declined": kinds["decline"].count,
        "postponed": kinds["postpone"].count,
        "scoped_accepted": parts.pop("SCHEDULE", 0),
        "scoped_other": sum(parts.values()),
        "imported_decisions": noes.imported + scheduled.imported,
        "self_decided": sum(found.self_decided for found in decisions.by_disposition),
        "noes": noes,
        "declines": kinds["decline"],
        "postponements": kinds["postpone"],
        "redirections": kinds["redirect"],
        "time_to_decision": decisions.waiting,
    }


_NAMED = (
    MarkKind.REDIRECTED,
    MarkKind.WITHDRAWN,
    MarkKind.CARRIED_OVER,
    MarkKind.REOPENED,
    MarkKind.MERGED,
    MarkKind.SUPERSEDED,
    MarkKind.SPLIT,
    MarkKind.STARTED_WITHOUT_YES,
    MarkKind.COMPLETED,
    MarkKind.ABANDONED,
    MarkKind.ESTIMATED,
)


def _happened(happened: tuple[_Happening, ...]) -> dict[str, Any]:
    """This will name the counts of marks: each kind by its own name, and some in how many proposals."""
    counts = {found.kind: found for found in happened}
    none = _Happening("", 0, 0)
    named = {kind.lower(): counts.get(kind, none).count for kind in _NAMED}
    changed = counts.get("ESTIMATE_CHANGED", none)
    return named | {
        "started": counts.get("STARTED", none).count + named["started_without_yes"],
        "proposals_reopened": counts.get("REOPENED", none).proposals,
        "proposals_estimated": counts.get("ESTIMATED", none).proposals,
        "estimate_changes": changed.count,
        "proposals_with_estimate_changes": changed.proposals,
        "estimates_removed": counts.get("ESTIMATE_REMOVED", none).count,
    }


def _stood(counts: dict[tuple[str, str], int], cadence: _Cadence | None) -> dict[str, Any]:
    def stood(kind: str) -> dict[str, int]:
        return {state.lower(): count for (k, state), count in counts.items() if k == kind}

    concerns, appeals = stood("CONCERN"), stood("APPEAL")
    unanswered = concerns.pop("open", 0)
    product, engineering = stood("PRODUCT_REVIEW"), stood("ENGINEERING_REVIEW")
    return {
        "concerns": Concerns(raised=unanswered + sum(concerns.values()), unanswered=unanswered, **concerns),
        "appeals": Appeals(lodged=sum(appeals.values()), **appeals),
        "product_reviews": ReviewsHeld(
            product.get("held", 0), product.get("skipped", 0), cadence.product if cadence else None
        ),
        "engineering_reviews": ReviewsHeld(
            engineering.get("held", 0), engineering.get("skipped", 0), cadence.engineering if cadence else None
        ),
    }
