"""Hypothetical facts: the history as it would stand if an estimate or an impact had been another from the start."""

from dataclasses import replace
from typing import Any

import numpy as np

from ledger.replay.history import COLUMNS, History
from ledger.replay.kinds import WIDTH, Kind
from ledger.replay.scenario import Hypothetical, Scenario, ScenarioError


def supposed(history: History, scenario: Scenario) -> History:
    """This will give the history with the scenario's hypothetical facts in place of the recorded ones. Raises ScenarioError."""
    for index, had in enumerate(scenario.hypothetical):
        history = _with(history, had, index)
    return history


def _with(history: History, had: Hypothetical, index: int) -> History:
    item = history.names.number_of(had.proposal)
    submitted = [] if item is None else history.submission_of(item).tolist()
    if item is None or not submitted:
        raise ScenarioError(f"There is no proposal {had.proposal}.", "hypothetical", str(index), "proposal")
    at = submitted[0]
    if had.days is not None:
        figures = {1: had.days, 2: had.days, 3: had.days, 4: had.days}
        history = _put(history, item, at, Kind.ESTIMATED, figures, {0: 0.0})
    impact = {1: had.drag, 2: had.growth, 4: had.confidence}
    given = {column: value for column, value in impact.items() if value is not None}
    if given:
        history = _put(history, item, at, Kind.IMPACT, given, {0: 0.0, 2: 0.0, 4: 1.0, 5: 2.0})
    return history


def _put(
    history: History, item: int, at: int, kind: Kind, figures: dict[int, float], defaults: dict[int, float]
) -> History:
    """This will change the figures of all such facts about the item, or put one beside its submission where there is none."""
    rows = np.flatnonzero((history.kind == kind) & (history.subject == item))
    if len(rows):
        changed = history.figures.copy()
        for column, value in figures.items():
            changed[rows, column] = value
        return replace(history, figures=changed)
    row = np.full(WIDTH, np.nan)
    for column, value in (defaults | figures).items():
        row[column] = value
    values: dict[str, Any] = {"kind": np.uint8(kind), "subject": item, "figures": row}
    columns = {
        name: np.insert(getattr(history, name), at + 1, values.get(name, getattr(history, name)[at]), axis=0)
        for name in COLUMNS
    }
    return replace(history, **columns)
