"""Reason quality: how good the reasons of the NOs are, by team and by decider, and who may see a decider's name beside them."""

from typing import Any

import strawberry

from ledger.api.asking import SinceArgument, TeamsArgument, UntilArgument, field, forwards, one, tuple_of
from ledger.api.asof import AsOfArgument, AtLeastArgument
from ledger.api.context import Context, Info
from ledger.api.shown import shown
from ledger.values import ORGANISATION, Role
from projections.audit import quality

#: Who may see how each decider by name gives reasons. Everybody else sees their own and the teams'.
NAMES_ARE_FOR = frozenset({Role.AUDITOR, Role.STEWARD})

REASON_SHARE = shown(
    quality.ReasonShare,
    "How many NOs gave a reason.",
    code="The reason's code.",
    count="How many; a NO with two reasons counts under both.",
    share="Of all NOs, 0 to 1.",
)
REASON_QUALITY = shown(
    quality.ReasonQuality,
    "The reasons of a group's NOs, and what became of those NOs. Of a share, null means that there is nothing to share.",
    team_id="Of which team; null: not grouped by team.",
    team_name="Its name.",
    decider="Of which decider; null: not grouped by decider.",
    noes="NOs on whole proposals.",
    live="Of these: taken here and not imported. What was told and acknowledged is counted of these alone.",
    reasons="The mix of reasons, the most frequent first.",
    other="Gave OTHER, beside whatever else.",
    share_other="The share that gave OTHER, 0 to 1.",
    unexplained="Gave no reason, and have none by now.",
    appealed="Were appealed.",
    overturned="An appeal was upheld.",
    share_overturned="The share that an appeal turned over, 0 to 1.",
    repeated="Answered a proposal that had been answered NO before.",
    share_repeated="The share of those, 0 to 1.",
    told="Told to the proposer.",
    median_hours_to_tell="Hours from the decision to its being told, the median of those told; null: none was.",
    p90_hours_to_tell="The 90th percentile of the same.",
    never_acknowledged="Not acknowledged by a recipient so far, told or not.",
    share_never_acknowledged="The share of those in the live ones, 0 to 1.",
)
REASON_QUALITIES = shown(
    quality.ReasonQualities,
    "How good the reasons of the NOs are.",
    type_name="ReasonQualityReport",
    overall="All NOs together.",
    teams="By team, the most NOs first, at most 100.",
    deciders="By decider, the most NOs first, at most 100, where you may see names: an AUDITOR or a STEWARD all, others their own.",
    deciders_hidden="How many deciders there are besides, whose names you may not see.",
)


def may_name(context: Context) -> bool:
    """This will say whether the viewer may see every decider's figures by name."""
    return not NAMES_ARE_FOR.isdisjoint(context.viewer.roles.get(ORGANISATION, ()))


async def reason_quality(
    info: Info,
    team_ids: TeamsArgument = None,
    since: SinceArgument = None,
    until: UntilArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will count the NOs taken in a period, in the state shown."""
    forwards(since, until)
    context = info.context
    at = await context.position("audit", as_of, at_least)
    only = None if may_name(context) else context.viewer.member_id
    asked = quality.Asked(tuple_of(team_ids), since, until, only)
    async with context.read() as connection:
        found = await quality.reason_quality(connection, context.visible_teams(), asked, as_of=at)
        return await one(info, REASON_QUALITIES, found, connection)


@strawberry.type
class ReasonQualityQuery:
    """The root field that looks at reasons."""

    reason_quality: Any = field(
        REASON_QUALITIES.type,
        "How good the reasons of the NOs are, by team and by decider: the mix of reasons, OTHER, overturned and repeated NOs, the time "
        "to tell, and NOs never acknowledged. Nobody's figures are shown by name but to an AUDITOR, a STEWARD, and themselves.",
        reason_quality,
    )
