"""Reports side by side: how far their policies take things on in the same order, what they all decided otherwise, and their curves."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from uuid import UUID

import numpy as np
from msgspec import Struct

from ledger.replay.agreement import kendall
from ledger.replay.report import Report, Result, rounded
from ledger.values import Verdict

#: Proposals of two orders that are compared.
COMPARED_MAX = 1_000


class Side(Struct, frozen=True):
    """One policy of one report, with its curves on the weeks of the comparison. None: before its first review."""

    #: Which report, from 0.
    report: int
    policy: str
    net_hours: float
    gain_hours: float
    longest_wait_days: float | None
    net: tuple[float | None, ...]
    momentum: tuple[float | None, ...]


class Agreement(Struct, frozen=True):
    """Kendall's τ-b of the orders in which two sides take things on: 1 the same, −1 reversed; what one never takes comes last there."""

    one: int
    other: int
    tau: float | None


class CommonFlip(Struct, frozen=True):
    """A decision that several sides take otherwise than it was taken."""

    proposal_id: UUID
    simulated: Verdict
    sides: tuple[int, ...]
    title: str = ""


class Comparison(Struct, frozen=True):
    """Sides in the order of the reports and of the policies in each; sides are named by their number, from 0."""

    weeks: tuple[datetime, ...]
    sides: tuple[Side, ...]
    agreement: tuple[Agreement, ...]
    flips: tuple[CommonFlip, ...]


def compare(reports: Sequence[Report]) -> Comparison:
    """This will lay reports side by side, those of one ledger. Raises ValueError for others."""
    if len({report.ledger_id for report in reports}) > 1:
        raise ValueError("These reports are of different ledgers.")
    results = [(number, report, result) for number, report in enumerate(reports) for result in report.results]
    weeks = tuple(sorted({week for report in reports for week in report.weeks}))
    sides = tuple(_side(number, report, result, weeks) for number, report, result in results)
    agreement = tuple(
        Agreement(one, other, alike(results[one][2].order, results[other][2].order))
        for one, other in combinations(range(len(results)), 2)
    )
    flipped: dict[tuple[UUID, Verdict], list[int]] = {}
    titles: dict[UUID, str] = {}
    for side, (_, _, result) in enumerate(results):
        for flip in result.flips:
            flipped.setdefault((flip.proposal, flip.simulated), []).append(side)
            titles[flip.proposal] = flip.title
    common = [
        CommonFlip(proposal, verdict, tuple(by), titles[proposal])
        for (proposal, verdict), by in flipped.items()
        if len(by) > 1
    ]
    return Comparison(
        weeks, sides, agreement, tuple(sorted(common, key=lambda flip: (-len(flip.sides), flip.proposal_id)))
    )


def _side(number: int, report: Report, result: Result, weeks: Sequence[datetime]) -> Side:
    at = [bisect_right(report.weeks, week) - 1 for week in weeks]

    def laid(curve: Sequence[float]) -> tuple[float | None, ...]:
        return tuple(curve[index] if index >= 0 else None for index in at) if curve else ()

    return Side(
        number,
        result.policy.name,
        result.net_hours.likely,
        result.gain_hours,
        result.waits.longest,
        laid(result.net),
        laid(result.momentum),
    )


def alike(one: Sequence[UUID], other: Sequence[UUID]) -> float | None:
    """This will give the τ-b of two orders over all that either has, the first 1,000 of them; None where nothing can be compared."""
    every = list(dict.fromkeys([*one, *other]))[:COMPARED_MAX]
    places = [
        np.array([float(-index.get(item, len(every))) for item in every])
        for index in ({item: place for place, item in enumerate(order)} for order in (one, other))
    ]
    tau = kendall(*places) if len(every) > 1 else None
    return None if tau is None else rounded(tau)
