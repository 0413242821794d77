"""A history folded once along the reviews of a scenario: what each of them could see."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ledger.replay.candidates import COLUMNS, Figures
from ledger.replay.folding import Sight, TeamFold
from ledger.replay.history import Floats, History, Ints
from ledger.replay.kinds import Kind
from ledger.replay.reviews import Review


@dataclass(frozen=True)
class Visible:
    """A history folded along reviews."""

    history: History
    reviews: tuple[Review, ...]
    figures: Figures
    sights: tuple[Sight, ...]
    #: Engineer-hours a day and a week, by team; NaN: not said.
    hours_per_day: Floats
    weekly_hours: Floats
    #: Only proposals of these areas are there; empty: all.
    areas: tuple[str, ...] = ()

    @cached_property
    def completed(self) -> Floats:
        """This will give the completed items with both figures, as `completed_items` does."""
        return completed_items(self.history)


def visible(history: History, reviews: tuple[Review, ...], areas: tuple[str, ...] = ()) -> Visible:
    """This will fold the history along the reviews."""
    folds = {team: TeamFold(team, history, areas) for team in sorted({review.team for review in reviews})}
    sights = tuple(folds[review.team].look(review) for review in reviews)
    figures = _figures([chunk for fold in folds.values() for chunk in fold.chunks])
    offsets: dict[int, int] = {}
    total = 0
    for team, fold in folds.items():
        offsets[team] = total
        total += fold.count
    sights = tuple(replace(s, rows=s.rows + offsets[r.team]) for s, r in zip(sights, reviews, strict=True))
    return Visible(history, reviews, figures, sights, *_hours(history), areas)


class Following:
    """Folds a history as it is told on: it is given one cut of it after the other, and has nothing but them."""

    def __init__(self, areas: tuple[str, ...]) -> None:
        self._areas = areas
        self._folds: dict[int, TeamFold] = {}
        self._kept: dict[int, Ints] = {}

    def look(self, cut: History, kept: Ints, review: Review, owed: Ints) -> Visible:
        """This will lay out one review on a cut that begins with the one before it.

        `kept` are the whole history's numbers of the proposals that the cut names; `owed`: proposals, by the cut's own numbers, to show
        in any case, as a replay still has them.
        """
        team = review.team
        if team not in self._folds:
            self._folds[team] = TeamFold(team, cut, self._areas)
        else:
            self._folds[team].go_on(cut, np.searchsorted(kept, self._kept[team]))
        self._kept[team] = kept
        fold = self._folds[team]
        fold.shown[owed] = True
        sight = fold.look(review)
        return Visible(cut, (review,), _figures(fold.chunks), (sight,), *_hours(cut), self._areas)


def _hours(history: History) -> tuple[Floats, Floats]:
    """This will give the engineer-hours a day and a week, by team."""
    hours = np.full((2, len(history.names.teams)), np.nan)
    for row in history.of(Kind.TEAM_FORMED):
        hours[:, history.subject[row]] = history.figures[row, :2]
    return hours[0], hours[1]


def _figures(chunks: list[dict[str, Floats]]) -> Figures:
    whole: dict[str, Any] = {
        name: np.concatenate([c[name] for c in chunks]) if chunks else np.empty(0) for name in COLUMNS
    }
    for name in ("item", "position", "submitted_us"):
        whole[name] = whole[name].astype(np.int64)
    return Figures(**whole)


def completed_items(history: History) -> Floats:
    """This will list completed items with an actual figure and an expected one: row, proposal, team, actual, expected, basis."""
    team = np.full(len(history.names.proposals), -1.0)
    submitted = history.of(Kind.SUBMITTED)
    team[history.subject[submitted]] = history.figures[submitted, 0]
    rows = history.of(Kind.ESTIMATED, Kind.COMPLETED)
    rows = rows[np.lexsort((rows, history.subject[rows]))]
    items, is_estimate = history.subject[rows], history.kind[rows] == Kind.ESTIMATED
    last = np.maximum.accumulate(np.where(is_estimate, np.arange(len(rows)), -1))
    done = ~is_estimate & (last >= 0)
    done[done] = items[last[done]] == items[done]
    actual, estimate = history.figures[rows[done], 0], rows[last[done]]
    expected = history.figures[estimate, 1]
    found: Floats = np.column_stack(
        [rows[done], items[done], team[items[done]], actual, expected, history.figures[estimate, 5], estimate]
    )
    found = found[(actual > 0) & (expected > 0)]
    return found[np.argsort(found[:, 0], kind="stable")]
