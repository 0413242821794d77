"""The state of one team's proposals, moved along its reviews. Nothing later than a review's cut is read for it."""

from dataclasses import dataclass

import numpy as np

from ledger.replay.candidates import COLUMNS
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


class TeamFold:
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
        new = TeamFold(self.team, history, self.areas)
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
        mine = np.flatnonzero(of_proposal)
        mine = mine[self.own[subjects[mine]]]
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
