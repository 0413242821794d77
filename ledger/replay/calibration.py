"""How estimates compared with what the work took: the ratio actual ÷ expected, by team, by area and by what the estimate rested on."""

from datetime import datetime

import numpy as np
from msgspec import Struct

from ledger.replay.history import Floats, History, micros
from ledger.replay.kinds import BASES
from ledger.replay.report import rounded
from ledger.replay.visible import completed_items


class Calibrated(Struct, frozen=True):
    """A group of completed items. Ratios are actual ÷ expected days: 1.5 means half as much again as was said."""

    team: str
    #: None: all of the team's areas.
    area: str | None
    #: What the estimates rested on; None: all of them, or not said.
    basis: str | None
    items: int
    median: float
    p10: float
    p90: float
    #: Share of the items whose actual lay between optimistic and pessimistic; None: none of them had both.
    coverage: float | None
    #: How many had both.
    intervals: int


def calibration(history: History, known_by: datetime | None = None) -> tuple[Calibrated, ...]:
    """This will compare estimates with actuals, by what was known at an instant (None: all of it): teams, then their areas and bases.

    The estimate is the last one known before the completion. Groups of fewer than three items are left out.
    """
    count = len(history) if known_by is None else history.known_by(micros(known_by))
    done = completed_items(history)
    done = done[done[:, 0] < count]
    found = []
    for team in np.unique(done[:, 2]):
        own = done[done[:, 2] == team]
        name = history.names.team_names[int(team)]
        found.append(_group(history, (name, None, None), own))
        areas = np.array([history.names.areas[int(item)] if history.names.areas else "" for item in own[:, 1]])
        found += [_group(history, (name, str(area), None), own[areas == area]) for area in np.unique(areas) if area]
        bases = np.unique(own[np.isfinite(own[:, 5]), 5])
        found += [_group(history, (name, None, BASES[int(basis)].value), own[own[:, 5] == basis]) for basis in bases]
    return tuple(group for group in found if group.items >= 3)  # noqa: PLR2004 - below it a median says little


def _group(history: History, of: tuple[str, str | None, str | None], done: Floats) -> Calibrated:
    ratio = done[:, 3] / done[:, 4]
    estimates = history.figures[done[:, 6].astype(np.int64)]
    low, high = estimates[:, 2], estimates[:, 4]
    has = np.isfinite(low) & np.isfinite(high)
    inside = (done[has, 3] >= low[has]) & (done[has, 3] <= high[has])
    p10, median, p90 = np.quantile(ratio, [0.1, 0.5, 0.9], method="median_unbiased")
    return Calibrated(
        *of,
        len(done),
        rounded(median),
        rounded(p10),
        rounded(p90),
        rounded(inside.mean()) if has.any() else None,
        int(has.sum()),
    )
