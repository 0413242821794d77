"""How sure a replay is of its flips: figures drawn again from what people said they might be."""

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from ledger.replay.backtest import lay_out, run
from ledger.replay.flips import turned
from ledger.replay.forcing import forced_in
from ledger.replay.history import Floats, History
from ledger.replay.kinds import Kind
from ledger.replay.outcomes import IMPACT_SLACK
from ledger.replay.scenario import PolicyChoice, Scenario
from ledger.replay.visible import visible
from ledger.values import Verdict

#: Draws that one task takes: the same split on any number of processes, so that the answer is too.
CHUNK = 25

#: A flip: proposal by number, and what the replay said.
Key = tuple[int, Verdict]


def drawn_history(history: History, seed: int, draw: int) -> History:
    """This will draw each estimate from its beta-PERT distribution, and each drag within ±25 %, evenly; the same for all facts of an item.

    An item's draw depends on the seed, the number of the draw and the item only. Estimates without a spread stay as they are.
    """
    count = len(history.names.proposals)
    random = np.random.default_rng([seed, draw])
    shape, slack = random.random((2, count)), random.uniform(1 - IMPACT_SLACK, 1 + IMPACT_SLACK, count)
    figures = history.figures.copy()
    rows = history.of(Kind.ESTIMATED)
    figures[rows] = _estimates(figures[rows], shape[:, history.subject[rows]])
    rows = history.of(Kind.IMPACT)
    figures[rows, 1] *= slack[history.subject[rows]]
    return replace(history, figures=figures)


def _estimates(figures: Floats, even: Floats) -> Floats:
    """This will put one draw of beta-PERT (Clark, 1962) in the place of expected, optimistic, likely and pessimistic."""
    from scipy.stats import beta  # noqa: PLC0415 - half a second, for those who draw

    low, likely, high = figures[:, 2], figures[:, 3], figures[:, 4]
    wide = np.isfinite(low) & np.isfinite(high) & (high > low)
    width = high[wide] - low[wide]
    above, below = 1 + 4 * (likely[wide] - low[wide]) / width, 1 + 4 * (high[wide] - likely[wide]) / width
    days = low[wide] + width * beta.ppf(even[0][wide], above, below)
    result = figures.copy()
    result[wide, 1:5] = days[:, None]
    return result


def survival(
    history: History, scenario: Scenario, choice: PolicyChoice, executor: Executor | None = None
) -> dict[Key, float]:
    """This will give, for each flip of any draw, the share of the scenario's draws in which it was one.

    Reviews, capacities and answers stay as they were. The same seed gives the same shares on any number of processes.
    """
    chunks = [(start, min(start + CHUNK, scenario.runs)) for start in range(0, scenario.runs, CHUNK)]
    if executor is None:
        counted = [_counted(history, scenario, choice, start, end) for start, end in chunks]
    else:
        jobs = [executor.submit(_counted, history, scenario, choice, start, end) for start, end in chunks]
        counted = [job.result() for job in jobs]
    total: dict[Key, int] = {}
    for counts in counted:
        for key, count in counts.items():
            total[key] = total.get(key, 0) + count
    return {key: count / scenario.runs for key, count in sorted(total.items())}


def _counted(history: History, scenario: Scenario, choice: PolicyChoice, start: int, end: int) -> dict[Key, int]:
    counts: dict[Key, int] = {}
    reviews = lay_out(history, scenario).reviews
    for draw in range(start, end):
        seen = visible(drawn_history(history, scenario.seed, draw), reviews, scenario.areas)
        for flip in turned(run(seen, scenario, choice, forced=forced_in(seen, scenario), digests=False)):
            key = (flip.item, flip.verdict)
            counts[key] = counts.get(key, 0) + 1
    return counts
