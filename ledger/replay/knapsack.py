"""Choosing the best set under a capacity, exactly (HiGHS, by SciPy's `milp`)."""

import numpy as np

from ledger.replay.history import Bools, Floats, Ints


def best(value: Floats, cost: Ints, free: int, can: Bools, needs: Ints) -> Bools:
    """This will give the rows of highest value in sum whose costs fit into `free`, each with all that it needs.

    `needs` are pairs of rows: the first only with the second. Rows of no value are taken only where another needs them. Raises
    RuntimeError if the solver can't prove that there is no better set.
    """
    chosen = np.zeros(len(value), dtype=bool)
    possible = can & (cost <= free) & np.isfinite(value)
    possible &= (value > 0) | np.isin(np.arange(len(value)), needs[:, 1])
    if free <= 0 or not (possible & (value > 0)).any():
        return chosen
    rows = np.flatnonzero(possible)
    if cost[rows].sum() <= free and not len(needs):
        chosen[rows] = True
        return chosen
    chosen[rows] = _solved(value[rows], cost[rows], free, _inner(needs, possible, rows))
    return chosen


def _inner(needs: Ints, possible: Bools, rows: Ints) -> Ints:
    """This will renumber the pairs; what needs an impossible row is paired with −1."""
    at = np.full(len(possible), -1, dtype=np.int64)
    at[rows] = np.arange(len(rows))
    inner = at[needs.reshape(-1, 2)]
    return inner[inner[:, 0] >= 0]


def _solved(value: Floats, cost: Ints, free: int, needs: Ints) -> Bools:
    # SciPy takes half a second to come up: only a run that solves something pays for it.
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415
    from scipy.sparse import csr_array  # noqa: PLC0415

    count = len(value)
    upper = np.ones(count)
    upper[needs[needs[:, 1] < 0, 0]] = 0
    pairs = needs[needs[:, 1] >= 0]
    constraints = [LinearConstraint(cost[None, :].astype(np.float64), ub=float(free))]
    if len(pairs):
        index = np.arange(len(pairs))
        matrix = csr_array(
            (np.r_[np.ones(len(pairs)), -np.ones(len(pairs))], (np.r_[index, index], np.r_[pairs[:, 0], pairs[:, 1]])),
            shape=(len(pairs), count),
        )
        constraints.append(LinearConstraint(matrix, ub=0.0))
    found = milp(
        -np.maximum(value, 0.0),
        integrality=np.ones(count),
        bounds=Bounds(0, upper),
        constraints=constraints,
        options={"mip_rel_gap": 0.0},
    )
    if found.status != 0 or found.x is None:
        raise RuntimeError(f"the solver found no proven optimum: {found.message}")
    taken = np.asarray(found.x) > 0.5  # noqa: PLR2004 - 0 or 1, to the solver's tolerance
    if int(cost[taken].sum()) > free:
        raise RuntimeError("the solver's answer does not fit the capacity")
    return taken
