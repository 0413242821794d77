"""Policies that look where they must not: through the columns of the past, at the arrays that these are a part of."""

from typing import Any

import numpy as np

from ledger.replay.candidates import Candidates
from ledger.replay.history import Floats
from ledger.replay.kinds import Kind


def _whole(column: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return column if column.base is None else column.base


def _told(table: Candidates, kind: Kind, figure: int) -> dict[bytes, float]:
    """What all facts of a kind say, whether they are known yet or not, by the proposal's id."""
    past = table.past
    rows = np.flatnonzero(_whole(past.kind) == kind)
    items = _whole(past.subject)[rows]
    figures = _whole(past.figures)[rows, figure]
    return {past.names.proposals[item].tobytes(): float(value) for item, value in zip(items, figures, strict=True)}


def _scores(table: Candidates, told: dict[bytes, float]) -> Floats:
    found = np.array([told.get(one.tobytes(), 0.0) for one in table.ids])
    return np.where(table.can, 1000 - found, -np.inf)


def actuals(table: Candidates) -> Floats:
    """Prefers what turned out to take little."""
    return _scores(table, _told(table, Kind.COMPLETED, 0))


def reasons(table: Candidates) -> Floats:
    """Puts off what was explained afterwards."""
    return _scores(table, _told(table, Kind.EXPLAINED, 0))


def backdated(table: Candidates) -> Floats:
    """Takes the estimate that was true by now, though it was recorded later."""
    past = table.past
    kinds, occurred = _whole(past.kind), _whole(past.occurred)
    rows = np.flatnonzero((kinds == Kind.ESTIMATED) & (occurred <= table.at_us))
    rows = rows[np.argsort(occurred[rows], kind="stable")]
    items, days = _whole(past.subject)[rows], _whole(past.figures)[rows, 1]
    told = {past.names.proposals[i].tobytes(): float(d) for i, d in zip(items, days, strict=True)}
    return _scores(table, told)


def honest(table: Candidates) -> Floats:
    """Reads the past too, but only what it holds."""
    known = table.past.kind == Kind.COMPLETED
    done = set(table.past.subject[known].tolist())
    return np.where(table.can, float(len(done)) - np.arange(len(table)), -np.inf)
