"""Folds the history once along the reviews of a scenario: what each of them could see. Nothing later than a review's cut is read for it."""

from dataclasses import dataclass
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
_ENDS = (Kind.WITHDRAWN, Kind.MERGED, Kind.SUPERSEDED, Kind.SPLIT)
_ENDOGENOUS = np.array(sorted(int(kind) for kind in ENDOGENOUS))


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
    #: Completed items with both figures: row of the completion, proposal, team, actual days, expected days as last known before it.
    completed: Floats


def visible(history: History, reviews: tuple[Review, ...], owed: Ints | None = None) -> Visible:
    """This will fold the history along the reviews. `owed`: proposals to show in any case, as a replay still has them."""
    folds = {team: _TeamFold(history, team, owed) for team in sorted({review.team for review in reviews})}
    sights = tuple(folds[review.team].look(review) for review in reviews)
    figures = _figures([chunk for fold in folds.values() for chunk in fold.chunks])
    offsets: dict[int, int] = {}
    total = 0
    for team, fold in folds.items():
        offsets[team] = total
        total += fold.count
    sights = tuple(
        Sight(s.rows + offsets[r.team], s.alive, s.pending, s.answered, s.blocked, s.needs, s.settled)
        for s, r in zip(sights, reviews, strict=True)
    )
    hours = np.full((2, len(history.names.teams)), np.nan)
    for row in history.of(Kind.TEAM_FORMED):
        hours[:, history.subject[row]] = history.figures[row, :2]
    return Visible(history, reviews, figures, sights, hours[0], hours[1], completed_items(history))


def _figures(chunks: list[dict[str, Floats]]) -> Figures:
    whole: dict[str, Any] = {
        name: np.concatenate([c[name] for c in chunks]) if chunks else np.empty(0) for name in COLUMNS
    }
    for name in ("item", "position", "submitted_us"):
        whole[name] = whole[name].astype(np.int64)
    return Figures(**whole)


class _TeamFold:
    """The state of one team's proposals, moved along its reviews."""

    def __init__(self, history: History, team: int, owed: Ints | None) -> None:
        self.history = history
        count = len(history.names.proposals)
        submitted = history.of(Kind.SUBMITTED)
        own = submitted[history.figures[submitted, 0] == team]
        is_own = np.zeros(count, dtype=bool)
        is_own[history.subject[own]] = True
        of_proposal = history.kind <= LAST_OF_PROPOSAL
        self.facts = np.flatnonzero(of_proposal & is_own[np.where(of_proposal, history.subject, 0)])
        self.is_endogenous = np.isin(history.kind[self.facts], _ENDOGENOUS)
        self.columns = {name: np.full(count, np.nan) for name in COLUMNS}
        self.columns["item"] = np.arange(count, dtype=np.float64)
        self.columns["confidence"] = np.ones(count)
        self.columns["growth"] = np.zeros(count)
        for name in ("risk", "benefits", "case_version", "estimate_version", "impact_version"):
            self.columns[name] = np.zeros(count)
        self.is_submitted = np.zeros(count, dtype=bool)
        self.critical = np.zeros(count, dtype=bool)
        self.status = np.zeros(count, dtype=np.int8)
        self.status_at = np.full(count, -1, dtype=np.int64)
        self.ended_at = np.full(count, -1, dtype=np.int64)
        self.revived_at = np.full(count, -1, dtype=np.int64)
        self.concerns = np.zeros(count, dtype=np.int64)
        self.row = np.full(count, -1, dtype=np.int64)
        self.shown = np.zeros(count, dtype=bool)
        if owed is not None:
            self.shown[owed] = True
        self.needs: dict[tuple[int, int], bool] = {}
        self.chunks: list[dict[str, Floats]] = []
        self.count = 0
        self._exogenous_to = self._endogenous_to = 0

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
        places = np.searchsorted(self.facts, [review.cut, review.decided_cut])
        upto, decided_upto = int(places[0]), int(places[1])
        new = np.zeros(len(self.facts), dtype=bool)
        new[self._exogenous_to : upto] |= ~self.is_endogenous[self._exogenous_to : upto]
        new[self._endogenous_to : decided_upto] |= self.is_endogenous[self._endogenous_to : decided_upto]
        self._exogenous_to, self._endogenous_to = max(upto, self._exogenous_to), max(decided_upto, self._endogenous_to)
        rows = self.facts[new]
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
