"""What would bring a proposal back, and how near each condition is."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.values import ProposalId, ProposalStatus, RevisitCondition, RevisitKind, numbered
from projections.audit.structs import AuditedDecision, AuditedProposal, AuditedTeam
from projections.audit.tables import DECISIONS, PROPOSALS, TEAMS
from projections.conditions import Conditions, Connection, Teams, rows, total

DAY = timedelta(days=1)


class ConditionStanding(Struct, frozen=True):
    """One condition and how near it is. `missing` counts down to 0 in `unit` (days, reviews, …); None: it can't be said in figures."""

    condition: RevisitCondition
    holds: bool
    missing: float | None
    unit: str
    #: The same in words.
    summary: str


class Revisit(Struct, frozen=True):
    """A NO that may come back: its decision, its proposal, and its conditions."""

    decision: AuditedDecision
    proposal: AuditedProposal
    conditions: tuple[ConditionStanding, ...]

    @property
    def due(self) -> bool:
        """This will say whether any of the conditions holds: one is enough."""
        return any(condition.holds for condition in self.conditions)


class Known(Struct, frozen=True):
    """What conditions are held against: the time, the team, and the proposals that are waited for."""

    now: datetime
    team: AuditedTeam | None = None
    others: dict[ProposalId, AuditedProposal] = {}


def standings(decision: AuditedDecision, proposal: AuditedProposal, known: Known) -> tuple[ConditionStanding, ...]:
    """This will say of each condition of a decision whether it holds and, if not, what is missing. One that was given up holds no more."""
    found = tuple(_standing(condition, decision, proposal, known) for condition in decision.revisit)
    return found if decision.waiver is None else tuple(map(_given_up, found))


def _given_up(standing: ConditionStanding) -> ConditionStanding:
    what = standing.summary.rpartition(": ")[0]
    return replace(standing, holds=False, missing=None, summary=f"{what}: given up.")


def _standing(
    c: RevisitCondition, decision: AuditedDecision, proposal: AuditedProposal, known: Known
) -> ConditionStanding:
    match c.kind:
        case RevisitKind.DATE:
            left = max(0.0, (c.on - known.now) / DAY) if c.on else 0.0
            day = f"{c.on:%Y-%m-%d}" if c.on else "no day"
            return _counted(c, left, "days", f"from {day} on", _to_go(left))
        case RevisitKind.AFTER_REVIEWS:
            held = max(0, (known.team.reviews_held if known.team else 0) - decision.reviews_before)
            return _number(c, held, c.count or 0, "reviews", "held")
        case RevisitKind.INCIDENTS_AT_LEAST:
            return _number(c, proposal.incidents - decision.incidents_before, c.count or 0, "incidents", "reported")
        case RevisitKind.ITEM_DELIVERED:
            other = known.others.get(c.proposal_id) if c.proposal_id else None
            done = other is not None and other.status is ProposalStatus.COMPLETED
            title = f"“{other.title}”" if other else f"proposal {c.proposal_id}"
            now = "completed" if done else f"now {other.status if other else 'unknown'}"
            return ConditionStanding(c, done, None, "", f"When {title} is delivered: {now}.")
        case RevisitKind.DRAG_ABOVE:
            short = None if proposal.drag is None or c.hours is None else float(c.hours - proposal.drag)
            return _figure(c, short, "hours/week", f"drag above {c.hours} h/week", proposal.drag)
        case RevisitKind.ESTIMATE_BELOW:
            over = None if proposal.likely_days is None or c.days is None else float(proposal.likely_days - c.days)
            return _figure(
                c,
                over,
                "days",
                f"estimate below {'no days' if c.days is None else numbered(c.days, 'day')}",
                proposal.likely_days,
            )
        case RevisitKind.CASE_REVISED:
            holds = proposal.case_version > decision.case_version
            now = f"version {proposal.case_version} is the latest, {decision.case_version} was decided on"
            return ConditionStanding(c, holds, None, "", f"When the case is rewritten: {now}.")
        case _:
            assert_never(c.kind)


def _counted(c: RevisitCondition, left: float, unit: str, what: str, missing: str) -> ConditionStanding:
    return ConditionStanding(c, left == 0, left, unit, f"{what[:1].upper()}{what[1:]}: {missing if left else 'due'}.")


def _to_go(days: float) -> str:
    """This will say how long a day is off, in whole days; less than one is no 0, since nothing is due yet."""
    whole = int(days + 0.5)
    return "less than a day to go" if days < 1 else f"{whole} day{'s' if whole > 1 else ''} to go"


def _number(c: RevisitCondition, reached: int, wanted: int, unit: str, done: str) -> ConditionStanding:
    left = float(max(0, wanted - reached))
    what = f"after {wanted} {unit if wanted != 1 else unit.removesuffix('s')}"
    return _counted(c, left, unit, what, f"{max(0, reached)} of {wanted} {done}")


def _figure(c: RevisitCondition, missing: float | None, unit: str, what: str, now: Decimal | None) -> ConditionStanding:
    holds = missing is not None and missing < 0
    stands = "not known" if now is None else f"now {now}"
    left = None if missing is None else max(0.0, missing)
    return ConditionStanding(c, holds, left, unit, f"{what[:1].upper()}{what[1:]}: {stands}.")


_RETURNING = "views.audit_decisions AS d JOIN views.audit_proposals AS p USING (proposal_id)"


async def revisits(
    connection: Connection,
    teams: Teams,
    now: datetime,
    *,
    limit: int,
    after: tuple[datetime | None, UUID] | None = None,
    team_ids: tuple[UUID, ...] | None = None,
    until: datetime | None = None,
    as_of: int | None = None,
) -> list[Revisit]:
    """This will give the NOs that may come back, the nearest date first, those without a date last.

    `until`: only those with a date before it.
    """
    where = _revisits(teams, team_ids=team_ids, until=until, as_of=as_of)
    if after is not None:
        key = "(COALESCE(d.next_date, 'infinity'), d.decision_id)"
        where.add(f"{key} > (COALESCE(%(date)s, 'infinity'::timestamptz), %(id)s)", date=after[0], id=after[1])
    found = await rows(
        connection,
        "SELECT d.doc, p.doc, t.doc,"
        f" (SELECT array_agg(o.doc) FROM views.audit_proposals AS o"
        f" WHERE o.proposal_id = ANY(d.mentions) AND {where.stands('o')})"
        f" FROM {_RETURNING}"
        f" LEFT JOIN views.audit_teams AS t ON t.team_id = d.team_id AND {where.stands('t')}"
        f" WHERE {where} ORDER BY COALESCE(d.next_date, 'infinity'), d.decision_id LIMIT {limit:d}",
        where.values,
    )
    return [_revisit(now, *docs) for docs in found]


async def revisits_total(connection: Connection, teams: Teams, **chosen: Any) -> int:
    """This will count the NOs that `revisits` gives on all pages."""
    return await total(connection, _RETURNING, _revisits(teams, **chosen))


def _revisits(
    teams: Teams, *, team_ids: tuple[UUID, ...] | None, until: datetime | None, as_of: int | None
) -> Conditions:
    where = Conditions(as_of).readable("d", teams, team_ids).add("d.may_return")
    where.add(where.stands("p")).add("p.status IN ('DECLINED', 'POSTPONED')")
    return where.given("d.next_date < %(until)s", until=until)


def _revisit(now: datetime, d: bytes, p: bytes, t: bytes | None, others: list[bytes] | None) -> Revisit:
    decision, proposal = DECISIONS.decode(d), PROPOSALS.decode(p)
    named = {other.proposal_id: other for other in map(PROPOSALS.decode, others or ())}
    known = Known(now, None if t is None else TEAMS.decode(t), named)
    return Revisit(decision, proposal, standings(decision, proposal, known))
