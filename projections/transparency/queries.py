"""The counts, each group of them one aggregate over an index, and all that are asked for in one statement."""

from collections.abc import Callable, Collection
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from projections.conditions import Conditions, Connection, Teams, rows
from projections.transparency import selects
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
from projections.transparency.structs import MarkKind


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


class _DecisionCounts(Struct, frozen=True):
    """One row of the decisions' aggregate: a disposition, of the whole or of a part; NULL: all NOs on the whole."""

    disposition: str | None
    scoped: bool
    noes: Noes
    self_decided: int


class _Decisions(Struct, frozen=True):
    by_disposition: tuple[_DecisionCounts, ...]
    still_in_time: dict[str, int]
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


_SELECTS: dict[Part, tuple[Callable[[Conditions], str], Any]] = {
    Part.PROPOSALS: (selects.proposals, _Proposals),
    Part.DECISIONS: (selects.decisions, _Decisions),
    Part.HAPPENINGS: (selects.happenings, tuple[_Happening, ...]),
    Part.MATTERS: (selects.matters, tuple[_Matter, ...]),
    Part.CADENCE: (selects.cadence, _Cadence),
    Part.REASONS: (selects.reasons, tuple[ReasonCount, ...]),
    Part.AREAS: (selects.areas, tuple[AreaCount, ...]),
    Part.TEAMS: (selects.teams, tuple[Bucket, ...]),
    Part.MONTHS: (selects.months, tuple[Bucket, ...]),
}
#: What the parts are counted by, besides what they say.
_GROUPED = {Part.TEAMS: "team_id", Part.MONTHS: "month"}
#: The counts that each part is made of.
_NEEDS = {
    Part.PROPOSALS: "p",
    Part.DECISIONS: "d",
    Part.HAPPENINGS: "m",
    Part.TEAMS: "pdm",
    Part.MONTHS: "pdm",
}
#: All that is counted is in indexes, a third as large as their tables. Unless told, PostgreSQL supposes them scattered on a slow disk.
_FROM_INDEXES = b"SET LOCAL random_page_cost = 1.1"
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
    """This will count what the parts ask for, in one statement. `now` ends a period without an end, for cadence and time to tell."""
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
    texts = ", ".join(f"convert_to(({_SELECTS[part][0](where)})::text, 'UTF8')" for part in asked)
    needed = {base for part in asked for base in _NEEDS.get(part, "")}
    by = [column for part, column in _GROUPED.items() if part in asked]
    statement = f"{selects.bases(where, needed, by)}SELECT {texts or 'NULL'}"
    async with connection.transaction():
        await connection.execute(_FROM_INDEXES)
        ((*found,),) = await rows(connection, statement, where.values)
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
    kinds = {
        name: replace(whole.get(name.upper(), Noes()), still_in_time=decisions.still_in_time.get(name.upper(), 0))
        for name in ("decline", "postpone", "redirect")
    }
    noes = Noes(*(sum(getattr(kind, name) for kind in kinds.values()) for name in Noes.__struct_fields__))
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
