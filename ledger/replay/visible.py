"""Folds the history once along the reviews of a scenario: what each of them could see. Nothing later than a review's cut is read for it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ledger.replay.candidates import COLUMNS, Figures
from ledger.replay.history import Bools, Floats, History, Ints
from ledger.replay.kinds import CAUSES, ENDOGENOUS, LAST_OF_PROPOSAL, Kind
from ledger.replay.reviews import STATUS_KINDS, Review
from ledger.values import ReopenCause

PENDING, ACCEPTED, GONE = 0, 1, 2
REPROPOSED = CAUSES.index(ReopenCause.REPROPOSED)
#: Figures of facts and the columns that they fill.
_FILLS: dict[Kind, tuple[tuple[str, int], ...]] = {
    Kind.CASE: (("case_version", 0), ("risk", 1), ("benefits", 2)),
    Kind.ESTIMATED: (
        ("estimate_version", 0),
        ("expected", 1),
        ("optimistic", 2),
        ("likely", 3),
        ("pessimistic", 4),
    ),
    Kind.IMPACT: (("impact_version", 0), ("drag", 1), ("growth", 2), ("level", 3), ("confidence", 4)),
}
#: What is so of a proposal of which nothing is known yet, where it is not NaN.
_AT_FIRST = {
    "confidence": 1.0,
    "growth": 0.0,
    "risk": 0.0,
    "benefits": 0.0,
    "case_version": 0.0,
    "estimate_version": 0.0,
    "impact_version": 0.0,
}
#: A fold's state by proposal, besides the columns.
_STATES = (
    "own",
    "is_submitted",
    "critical",
    "status",
    "status_at",
    "ended_at",
    "revived_at",
    "concerns",
    "shown",
)
_ENDS = (Kind.WITHDRAWN, Kind.MERGED, Kind.SUPERSEDED, Kind.SPLIT)
_ENDOGENOUS = np.array(sorted(int(kind) for kind in ENDOGENOUS), dtype=np.uint8)


@dataclass(frozen=True)
class Sight:
    """What one review sees: its rows in `Visible.figures`, which of them the log has pending, which it answered there, and which a
    blocking concern holds up. What a policy sees is chosen by `alive`, `pending` and what the replay still owes, never by `answered`.
    """

    rows: Ints
    #: Submitted, not critical, and not ended by itself.
    alive: Bools
    pending: Bools
    answered: Bools
    blocked: Bools
    #: (who needs, what) by proposal number.
    needs: Ints
    #: Of the proposals that somebody needs: is it done with (answered with a yes, or gone)?
    settled: dict[int, bool]


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
    folds = {team: _TeamFold(team, history, areas) for team in sorted({review.team for review in reviews})}
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
        self._folds: dict[int, _TeamFold] = {}
        self._kept: dict[int, Ints] = {}

    def look(self, cut: History, kept: Ints, review: Review, owed: Ints) -> Visible:
        """This will lay out one review on a cut that begins with the one before it.

        `kept` are the whole history's numbers of the proposals that the cut names; `owed`: proposals, by the cut's own numbers, to show
        in any case, as a replay still has them.
        """
        team = review.team
        if team not in self._folds:
            self._folds[team] = _TeamFold(team, cut, self._areas)
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


class _TeamFold:
    """The state of one team's proposals, moved along its reviews."""

    def __init__(self, team: int, history: History, areas: tuple[str, ...]) -> None:
        self.team, self.history, self.areas = team, history, areas
        self.in_area = history.names.in_areas(areas)
        count = len(history.names.proposals)
        self.columns = {name: np.full(count, np.nan) for name in COLUMNS}
        self.columns["item"] = np.arange(count, dtype=np.float64)
        for name, most in _AT_FIRST.items():
            self.columns[name] = np.full(count, most)
        self.own = np.zeros(count, dtype=bool)
        self.is_submitted = np.zeros(count, dtype=bool)
        self.critical = np.zeros(count, dtype=bool)
        self.status = np.zeros(count, dtype=np.int8)
        self.status_at = np.full(count, -1, dtype=np.int64)
        self.ended_at = np.full(count, -1, dtype=np.int64)
        self.revived_at = np.full(count, -1, dtype=np.int64)
        self.concerns = np.zeros(count, dtype=np.int64)
        self.row = np.full(count, -1, dtype=np.int64)
        self.shown = np.zeros(count, dtype=bool)
        self.needs: dict[tuple[int, int], bool] = {}
        self.chunks: list[dict[str, Floats]] = []
        self.count = 0
        self._exogenous_to = self._endogenous_to = 0

    def go_on(self, history: History, places: Ints) -> None:
        """This will take a history that begins with the one so far. `places`: the new number of each proposal."""
        new = _TeamFold(self.team, history, self.areas)
        for name in _STATES:
            getattr(new, name)[places] = getattr(self, name)
        for name in COLUMNS:
            if name != "item":
                new.columns[name][places] = self.columns[name]
        new.needs = {(int(places[who]), int(places[what])): holds for (who, what), holds in self.needs.items()}
        new._exogenous_to, new._endogenous_to = self._exogenous_to, self._endogenous_to
        vars(self).update(vars(new))

    def look(self, review: Review) -> Sight:
        """This will move on to a review, and give what it sees."""
        self._advance(review)
        self.shown[review.yes] = True
        answered = np.zeros(len(self.status), dtype=bool)
        answered[review.yes] = answered[review.no] = True
        alive = self.is_submitted & ~self.critical & (self.ended_at <= self.revived_at)
        pending = self.status == PENDING
        items = np.flatnonzero((alive & (pending | self.shown)) | (answered & self.is_submitted))
        items = items[np.argsort(self.columns["position"][items], kind="stable")]
        self._rows(items[self.row[items] < 0])
        pairs = np.array([pair for pair, holds in self.needs.items() if holds], dtype=np.int64).reshape(-1, 2)
        return Sight(
            self.row[items].copy(),
            alive[items],
            pending[items],
            answered[items],
            self.concerns[items] > 0,
            pairs,
            {int(need): self._settled(int(need), review) for need in np.unique(pairs[:, 1])},
        )

    def _advance(self, review: Review) -> None:
        start = min(self._exogenous_to, self._endogenous_to)
        kinds, subjects = self.history.kind[start : review.cut], self.history.subject[start : review.cut]
        begun = np.flatnonzero(kinds == Kind.SUBMITTED)  # nothing about a proposal is known before it
        self.own[subjects[begun[self.history.figures[start : review.cut][begun, 0] == self.team]]] = True
        of_proposal = kinds <= LAST_OF_PROPOSAL
        self.own &= self.in_area
        mine = np.flatnonzero(of_proposal & self.own[np.where(of_proposal, subjects, 0)])
        is_endogenous, rows = np.isin(kinds[mine], _ENDOGENOUS), mine + start
        new = np.where(
            is_endogenous, (rows >= self._endogenous_to) & (rows < review.decided_cut), rows >= self._exogenous_to
        )
        self._exogenous_to = max(review.cut, self._exogenous_to)
        self._endogenous_to = max(review.decided_cut, self._endogenous_to)
        rows = rows[new]
        kinds, items = self.history.kind[rows], self.history.subject[rows]
        self._take_figures(rows, kinds, items)
        self._take_standing(rows, kinds, items)

    def _take_figures(self, rows: Ints, kinds: Ints, items: Ints) -> None:
        history = self.history
        is_new = kinds == Kind.SUBMITTED
        self.is_submitted[items[is_new]] = True
        self.columns["position"][items[is_new]] = history.positions[rows[is_new]]
        self.columns["submitted_us"][items[is_new]] = history.occurred[rows[is_new]]
        self.columns["reach"][items[is_new]] = np.maximum(history.figures[rows[is_new], 1], 1)
        touched = is_new.copy()
        # Of several facts about one item the last one counts: numpy assigns in order.
        for kind, fills in _FILLS.items():
            chosen = kinds == kind
            touched |= chosen
            for name, index in fills:
                self.columns[name][items[chosen]] = history.figures[rows[chosen], index]
        assessed = kinds == Kind.IMPACT
        self.columns["assessed_us"][items[assessed]] = history.occurred[rows[assessed]]
        screened = kinds == Kind.SCREENED
        self.critical[items[screened]] = history.figures[rows[screened], 0] == 1
        self.row[items[touched]] = -1

    def _take_standing(self, rows: Ints, kinds: Ints, items: Ints) -> None:
        history = self.history
        for kind in (Kind.CONCERN, Kind.CONCERN_RESOLVED, Kind.CONCERN_OVERRULED):
            chosen = kinds == kind
            np.add.at(self.concerns, items[chosen], history.figures[rows[chosen], 0].astype(np.int64))
        chosen = np.isin(kinds, _ENDS)
        np.maximum.at(self.ended_at, items[chosen], rows[chosen])
        chosen = (kinds == Kind.REOPENED) & (history.figures[rows, 0] == REPROPOSED)
        np.maximum.at(self.revived_at, items[chosen], rows[chosen])
        chosen = np.isin(kinds, STATUS_KINDS)
        chosen[chosen] = rows[chosen] > self.status_at[items[chosen]]
        self.status[items[chosen]] = standing(history, rows[chosen])
        self.status_at[items[chosen]] = rows[chosen]
        for row in rows[np.isin(kinds, [Kind.NEEDS, Kind.NEEDS_NOT])]:
            pair = (int(history.subject[row]), int(history.figures[row, 0]))
            self.needs[pair] = history.kind[row] == Kind.NEEDS

    def _rows(self, items: Ints) -> None:
        if len(items):
            self.chunks.append({name: column[items] for name, column in self.columns.items()})
            self.row[items] = np.arange(self.count, self.count + len(items))
            self.count += len(items)

    def _settled(self, need: int, review: Review) -> bool:
        """This will say whether what is needed is done with, by the log; an item of another team is looked up there."""
        if self.is_submitted[need]:
            return bool(self.status[need] != PENDING or self.ended_at[need] > self.revived_at[need])
        rows = np.flatnonzero(
            (self.history.subject[: review.cut] == need) & (self.history.kind[: review.cut] <= LAST_OF_PROPOSAL)
        )
        telling = rows[np.isin(self.history.kind[rows], STATUS_KINDS)]
        return not len(rows) or bool(len(telling) and standing(self.history, telling[-1:])[0] != PENDING)


def standing(history: History, rows: Ints) -> Ints:
    """This will say where a fact that tells it puts its proposal: PENDING, ACCEPTED, or GONE from the backlog."""
    kinds = history.kind[rows]
    accepted = np.isin(kinds, [Kind.STARTED, Kind.COMPLETED]) | (
        (kinds == Kind.DECIDED) & (history.figures[rows, 0] == 1)
    )
    return np.where(kinds == Kind.REOPENED, PENDING, np.where(accepted, ACCEPTED, GONE)).astype(np.int64)


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
