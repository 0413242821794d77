"""When a number of items will be done: Monte Carlo over the weekly throughput that was (Vacanti, Actionable Agile Metrics, 2015)."""

from datetime import datetime, timedelta

import numpy as np
from msgspec import Struct

from ledger.replay.history import WEEK_US, History, instant, micros
from ledger.replay.kinds import Kind

DRAWS = 10_000
#: Beyond it nothing is forecast: as good as never.
WEEKS_MAX = 1_040


class Forecast(Struct, frozen=True):
    """When so many items are done with 50, 85 and 95 % of the draws; None: not within 20 years, or there was nothing to draw from."""

    team: str
    items: int
    as_of: datetime
    #: Weeks of throughput that were drawn from: not those before the team's first proposal was known.
    weeks: int
    #: Items that were done in them. A forecast rests on these: of few it is worth little, of none there is none.
    done: int
    p50: datetime | None
    p85: datetime | None
    p95: datetime | None


def forecast(
    history: History, team: str, items: int, *, as_of: datetime | None = None, weeks: int = 26, seed: int = 1
) -> Forecast:
    """This will forecast when a team has done so many more items, by the completions that were known at an instant (None: the end).

    Each draw goes on week by week with the throughput of a random one of the last `weeks`, as far as the team was there by then. Raises
    ValueError for a team that is not there, and for numbers below 1.
    """
    if items < 1 or weeks < 1:
        raise ValueError("A forecast needs at least one item and one week.")
    names = history.names
    if team not in names.team_names:
        raise ValueError(f"There is no team {team[:60]}.")
    end = int(history.known[-1]) if as_of is None else micros(as_of)
    history = history.cut(history.known_by(end))
    number = history.names.team_names.index(team)
    submitted = history.of(Kind.SUBMITTED)
    submitted = submitted[history.figures[submitted, 0] == number]
    own = history.subject[submitted]
    if len(own):
        weeks = int(np.clip((end - history.known[submitted].min()) // WEEK_US, 1, weeks))
    done = history.of(Kind.COMPLETED)
    done = done[np.isin(history.subject[done], own)]
    back = (end - history.occurred[done]) // WEEK_US
    counts = np.bincount(back[(back >= 0) & (back < weeks)].astype(np.int64), minlength=weeks)
    answer = [None, None, None] if not counts.any() else _drawn(counts, items, np.random.default_rng(seed))
    at = [None if week is None else instant(end) + timedelta(weeks=week) for week in answer]
    return Forecast(team, items, instant(end), weeks, int(counts.sum()), *at)


def _drawn(
    counts: "np.ndarray[tuple[int], np.dtype[np.int64]]", items: int, random: np.random.Generator
) -> list[int | None]:
    left = np.full(DRAWS, items)
    weeks = np.full(DRAWS, WEEKS_MAX + 1)
    for week in range(1, WEEKS_MAX + 1):
        left -= random.choice(counts, DRAWS)
        weeks[(left <= 0) & (weeks > WEEKS_MAX)] = week
        if (weeks <= WEEKS_MAX).all():
            break
    found = np.quantile(weeks, [0.5, 0.85, 0.95], method="inverted_cdf").astype(np.int64).tolist()
    return [None if week > WEEKS_MAX else int(week) for week in found]
