"""When rows may be chosen, and how one review after the other goes down them in the order of their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.replay.backtest import World
from ledger.replay.filling import greedy
from ledger.replay.history import Bools, Floats, Ints

#: Rows that a review looks at together, from the best one down.
BLOCK = 4_096
#: Rows that fit what is left: so few are looked through one by one.
FEW = 1_024
#: After so many reviews what can't be chosen any more is left out of what is gone down.
SWEPT_EVERY = 8


@dataclass(frozen=True)
class Spans:
    """When each row may be chosen: reviews (by the team's own count, from 0) from `since` to before `until`.

    `pending`: by the log; otherwise the row is there only while the replay still owes it a yes. In the order of submission.
    """

    row: Ints
    item: Ints
    position: Ints
    cost: Ints
    since: Ints
    until: Ints
    pending: Bools


class Descent:
    """Goes down a team's spans in the order of their scores, at one review after the other."""

    def __init__(self, spans: Spans, scores: Floats, best: Ints, world: World) -> None:
        self.spans, self.scores, self.world = spans, scores, world
        self.best = best
        self.item, self.cost = spans.item[best], spans.cost[best]
        self.since, self.until, self.pending = spans.since[best], spans.until[best], spans.pending[best]
        #: Places in `best` that may still be chosen, and marks for the spans that a review has taken.
        self.places = np.arange(len(best))
        self.marks = np.zeros(len(scores), dtype=bool)

    def fill(self, number: int, left: int, whole: int, by_cost: tuple[Ints, Ints], without: int, first: bool) -> Ints:
        """This will give the spans that a review takes, in order. `without`: an item that it may not take; `first`: is the first
        one allowed to be larger than the whole?
        """
        if left <= 0:
            return np.empty(0, dtype=np.int64)
        cheapest, costs = by_cost
        parts: list[Sequence[int] | Ints] = []
        if number % SWEPT_EVERY == 0:
            self.places = self.places[(number < self.until[self.places]) & ~self.world.early[self.item[self.places]]]
        for start in range(0, len(self.places), BLOCK):
            if not first and _fitting(costs, left) <= FEW:
                break
            order = self._there(self.places[start : start + BLOCK], number, without)
            picked, left = greedy(order, self.cost[order], left, first, whole)
            first = first and not len(order)
            parts.append(self.best[picked])
            if left <= 0:
                break
        if left > 0:
            # Whatever was passed over does not fit what is left, and what was not looked at comes in the order of its score.
            taken = np.concatenate([np.empty(0, dtype=np.int64), *parts])
            rest = cheapest[: len(cheapest) if first else _fitting(costs, left)]
            rest = self._others(rest, without)
            self.marks[taken] = True
            rest = rest[~self.marks[rest]]
            self.marks[taken] = False
            parts.append(self._few(rest, left) if not first else self._all(rest, left, whole))
        found: Ints = np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)
        return found

    def _there(self, places: Ints, number: int, without: int) -> Ints:
        items = self.item[places]
        is_there = (self.since[places] <= number) & (number < self.until[places])
        is_there &= (self.pending[places] | self.world.missed[items]) & ~self.world.early[items]
        if without >= 0:
            is_there &= items != without
        return places[is_there]

    def _others(self, rows: Ints, without: int) -> Ints:
        """This will keep the spans that may be chosen, by their own order: that of submission."""
        rows = rows[self.scores[rows] > -np.inf]
        items = self.spans.item[rows]
        is_there = ~self.world.early[items] & (self.spans.pending[rows] | self.world.missed[items])
        if without >= 0:
            is_there &= items != without
        kept: Ints = rows[is_there]
        return kept

    def _few(self, rows: Ints, left: int) -> Ints:
        """This will take the best that fits, again and again. Equal scores go to the earlier submission."""
        picked: list[int] = []
        scores, costs = self.scores[rows], self.spans.cost[rows]
        while len(rows):
            top = scores == scores.max()
            row = int(rows[top].min())
            picked.append(row)
            left -= int(self.spans.cost[row])
            fits = (costs <= left) & (rows != row)
            rows, scores, costs = rows[fits], scores[fits], costs[fits]
        return np.array(picked, dtype=np.int64)

    def _all(self, rows: Ints, left: int, whole: int) -> Ints:
        rows = rows[np.lexsort((rows, -self.scores[rows]))]
        picked, _ = greedy(rows, self.spans.cost[rows], left, True, whole)
        return np.array(picked, dtype=np.int64)


def _fitting(costs: Ints, left: int) -> int:
    """This will count the costs, which rise, that are at most what is left; of another type NumPy would copy them all."""
    return int(costs.searchsorted(costs.dtype.type(min(left, np.iinfo(costs.dtype).max)), side="right"))


def foremost(scores: Floats, possible: Ints, size: int) -> Ints:
    """This will give at least `size` of the possible spans: all above a score, in order, ties by submission."""
    if len(possible) <= size:
        whole: Ints = possible[np.argsort(-scores[possible], kind="stable")]
        return whole
    own = scores[possible]
    limit = np.partition(own, len(own) - size)[len(own) - size]
    rows: Ints = possible[own >= limit]
    return rows[np.argsort(-scores[rows], kind="stable")]
