"""The best that could have been done, knowing all that came: a bound to measure regret by, and nothing that anybody could have chosen."""

from typing import Any

import numpy as np

from ledger.replay.backtest import Plan, Run
from ledger.replay.candidates import quarters
from ledger.replay.history import Floats, Ints
from ledger.replay.outcomes import Outcomes
from ledger.replay.visible import Visible

#: Most pairs of item and review that are solved for; beyond it there is no regret to report.
PAIRS_MAX = 20_000


def plan(seen: Visible, outcomes: Outcomes, nothing: Run) -> Plan | None:
    """This will give the plan of the highest net hours by the end of the log, solved as a whole (HiGHS), or None where that is too much.

    Each item is taken at most once, at a review where it could be (`nothing`: a run that chose nothing tells where), within the
    capacities; a review may go over by as much as the largest item, and the next ones pay it back, so that no policy that keeps to
    the capacities does better.
    """
    found = _pairs(outcomes, nothing)
    if found is None:
        return None
    pairs, value, cost = found
    if not len(pairs):
        return {}
    chosen = pairs[_solved(seen, pairs, value, cost)]
    return {int(number): frozenset(chosen[chosen[:, 0] == number, 1].tolist()) for number in np.unique(chosen[:, 0])}


def _pairs(outcomes: Outcomes, nothing: Run) -> tuple[Ints, Floats, Floats] | None:
    """This will list (review, item) with what a yes there is worth and what it costs, in quarter days; None: too many."""
    pairs, values, costs, count = [], [], [], 0
    for step in nothing.steps:
        items, cost = step.items[step.can], step.costs[step.can]
        value = outcomes.worth(step.review, items)
        good = value > 0
        pairs.append(np.column_stack([np.full(int(good.sum()), step.review.number), items[good]]))
        values.append(value[good])
        costs.append(cost[good])
        count += int(good.sum())
        if count > PAIRS_MAX:
            return None
    return np.concatenate(pairs), np.concatenate(values), np.concatenate(costs).astype(np.float64)


def _solved(seen: Visible, pairs: Ints, value: Floats, cost: Floats) -> Ints:
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415
    from scipy.sparse import lil_array  # noqa: PLC0415

    reviews = seen.reviews
    count, most = len(pairs), float(cost.max())
    width = count + len(reviews)
    items, at = np.unique(pairs[:, 1], return_inverse=True)
    once = lil_array((len(items), width))
    once[at, np.arange(count)] = 1
    within = lil_array((len(reviews), width))
    within[pairs[:, 0], np.arange(count)] = cost
    last: dict[int, int] = {}
    for review in reviews:  # taken + what was owed − what is owed on ≤ capacity
        within[review.number, count + review.number] = -1
        if review.team in last:
            within[review.number, count + last[review.team]] = 1
        last[review.team] = review.number
    constraints = [
        LinearConstraint(once.tocsr(), ub=1.0),
        LinearConstraint(within.tocsr(), ub=np.array([float(quarters(review.capacity)) for review in reviews])),
    ]
    rows = _dependencies(seen, pairs, width)
    if rows is not None:
        constraints.append(LinearConstraint(rows, ub=0.0))
    found = milp(
        np.r_[-value, np.zeros(len(reviews))],
        integrality=np.r_[np.ones(count), np.zeros(len(reviews))],
        bounds=Bounds(0, np.r_[np.ones(count), np.full(len(reviews), most)]),
        constraints=constraints,
        options={"mip_rel_gap": 0.0},
    )
    if found.status != 0 or found.x is None:
        raise RuntimeError(f"the solver found no proven optimum: {found.message}")
    return np.flatnonzero(np.asarray(found.x)[:count] > 0.5)  # noqa: PLR2004 - 0 or 1, to the solver's tolerance


def _dependencies(seen: Visible, pairs: Ints, width: int) -> Any:
    """This will say: an item only where what it needs is taken there or before, unless that was done with."""
    from scipy.sparse import lil_array  # noqa: PLC0415

    rows: list[dict[int, float]] = []
    for column, (number, item) in enumerate(pairs.tolist()):
        sight = seen.sights[number]
        for who, what in sight.needs.tolist():
            if who == item and not sight.settled[what]:
                before = np.flatnonzero((pairs[:, 1] == what) & (pairs[:, 0] <= number))
                rows.append({column: 1.0, **{int(index): -1.0 for index in before}})
    if not rows:
        return None
    matrix = lil_array((len(rows), width))
    for row, entries in enumerate(rows):
        for column, entry in entries.items():
            matrix[row, column] = entry
    return matrix.tocsr()
