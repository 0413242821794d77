"""How good the reasons of the NOs are, of all, by team and by decider: their mix, and what became of the NOs that gave them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.values import MemberId, TeamId
from projections.audit.decisions import within
from projections.conditions import Conditions, Connection, Teams, rows

#: Most teams, and most deciders, that are listed: those with the most NOs.
LIST_MAX = 100


class ReasonShare(Struct, frozen=True):
    """How many NOs gave a reason, and what share of all NOs that is."""

    code: str
    count: int
    share: float


class ReasonQuality(Struct, frozen=True):
    """What can be counted of a group's NOs on whole proposals; a share is 0 to 1, and None where there is nothing to share.

    What was told and acknowledged is counted of the live ones alone: a source does not say it of an imported one.
    """

    team_id: TeamId | None
    team_name: str | None
    decider: MemberId | None
    noes: int
    #: Of these: taken here and not imported.
    live: int
    #: Gave OTHER, beside whatever else.
    other: int
    #: Gave no reason, and have none by now.
    unexplained: int
    #: An appeal against it was upheld.
    overturned: int
    appealed: int
    #: The same proposal had been answered NO before.
    repeated: int
    told: int
    never_acknowledged: int
    median_hours_to_tell: float | None
    p90_hours_to_tell: float | None
    reasons: tuple[ReasonShare, ...] = ()

    @property
    def share_other(self) -> float | None:
        """This will give the share of NOs that gave OTHER."""
        return self.other / self.noes if self.noes else None

    @property
    def share_overturned(self) -> float | None:
        """This will give the share of NOs that an appeal turned over."""
        return self.overturned / self.noes if self.noes else None

    @property
    def share_repeated(self) -> float | None:
        """This will give the share of NOs that answered the same thing again."""
        return self.repeated / self.noes if self.noes else None

    @property
    def share_never_acknowledged(self) -> float | None:
        """This will give the share of live NOs that nobody has acknowledged."""
        return self.never_acknowledged / self.live if self.live else None


class ReasonQualities(Struct, frozen=True):
    """All NOs together, by team and by decider, the most NOs first. `deciders_hidden`: how many more there are."""

    overall: ReasonQuality
    teams: tuple[ReasonQuality, ...]
    deciders: tuple[ReasonQuality, ...]
    deciders_hidden: int = 0


class Asked(Struct, frozen=True):
    """Which NOs are meant, by when they were taken, and by whom. None: any."""

    team_ids: tuple[UUID, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: The only decider who may be named; None: all of them may.
    only: MemberId | None = None


class _Group(Struct, frozen=True):
    """One row of the counts: of all (0 is not grouped, 1 is), of a team, or of a decider."""

    by_team: bool
    by_decider: bool
    counted: ReasonQuality


_GROUPS = "GROUPING SETS ((), (team_id), (decider))"


async def reason_quality(
    connection: Connection, visible: Teams, asked: Asked, *, as_of: int | None = None
) -> ReasonQualities:
    """This will count in one statement. A decider who may not be named is in no row of their own, and counted as hidden."""
    where = Conditions(as_of).readable("d", visible, asked.team_ids)
    where.add("d.disposition <> 'SCHEDULE' AND NOT d.scoped")
    within(where, asked.since, asked.until)
    found = await rows(
        connection,
        "WITH noes AS MATERIALIZED (SELECT team_id, decider, codes, system IS NULL AS live, unexplained, overturned, earlier_noes,"
        f" told_hours, acknowledged_at, appealed FROM views.audit_decisions AS d WHERE {where}),"
        " counted AS (SELECT grouping(team_id) = 0 AS by_team, grouping(decider) = 0 AS by_decider, team_id, decider,"
        " count(*) AS noes, count(*) FILTER (WHERE live) AS live, count(*) FILTER (WHERE codes @> ARRAY['OTHER']) AS other,"
        " count(*) FILTER (WHERE unexplained) AS unexplained, count(*) FILTER (WHERE overturned) AS overturned,"
        " count(*) FILTER (WHERE appealed) AS appealed, count(*) FILTER (WHERE earlier_noes > 0) AS repeated,"
        " count(told_hours) FILTER (WHERE live) AS told,"
        " count(*) FILTER (WHERE live AND acknowledged_at IS NULL) AS never_acknowledged,"
        " percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY told_hours) FILTER (WHERE live) AS hours"
        f" FROM noes GROUP BY {_GROUPS}),"
        " given AS (SELECT grouping(team_id) = 0 AS by_team, grouping(decider) = 0 AS by_decider, team_id, decider, code,"
        " count(*) AS n FROM noes CROSS JOIN LATERAL unnest(codes) AS code"
        " GROUP BY GROUPING SETS ((code), (team_id, code), (decider, code))),"
        " mixed AS (SELECT by_team, by_decider, team_id, decider,"
        " json_agg(json_build_object('code', code, 'count', n) ORDER BY n DESC, code) AS reasons FROM given GROUP BY 1, 2, 3, 4)"
        " SELECT c.by_team, c.by_decider, c.team_id, t.name, c.decider, c.noes, c.live, c.other, c.unexplained, c.overturned,"
        " c.appealed, c.repeated, c.told, c.never_acknowledged, c.hours[1], c.hours[2], m.reasons"
        " FROM counted AS c LEFT JOIN mixed AS m ON m.by_team = c.by_team AND m.by_decider = c.by_decider"
        " AND m.team_id IS NOT DISTINCT FROM c.team_id AND m.decider IS NOT DISTINCT FROM c.decider"
        f" LEFT JOIN views.audit_teams AS t ON t.team_id = c.team_id AND {where.stands('t')}"
        " ORDER BY c.noes DESC, c.team_id, c.decider",
        where.values,
    )
    groups = [_group(*row) for row in found]
    overall = next(group.counted for group in groups if not group.by_team and not group.by_decider)
    named = [group.counted for group in groups if group.by_decider and group.counted.decider is not None]
    shown = [one for one in named if asked.only is None or one.decider == asked.only]
    return ReasonQualities(
        overall,
        tuple(group.counted for group in groups if group.by_team)[:LIST_MAX],
        tuple(shown[:LIST_MAX]),
        len(named) - len(shown[:LIST_MAX]),
    )


def _group(by_team: bool, by_decider: bool, *counted: Any) -> _Group:
    *figures, given = counted
    found = ReasonQuality(*figures)
    shares = (ReasonShare(one["code"], one["count"], one["count"] / found.noes) for one in given or ())
    return _Group(by_team, by_decider, replace(found, reasons=tuple(shares)))
