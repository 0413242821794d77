"""Replays many policies over one history, exactly, without sorting what could never be chosen.

A policy that scores a row by its own figures gives that row the same score at every review. So the rows are scored once, the best of them
are put in order once, and each review goes down that order. Only where it leaves room are the others looked at, and of these only what is
small enough for that room. The answer is always that of `ledger.replay.backtest.run`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ledger.ranking import weighed
from ledger.replay.backtest import Run, Step, Stepper, World, move
from ledger.replay.candidates import NEVER, Candidates, quarters
from ledger.replay.filling import greedy
from ledger.replay.folding import Sight
from ledger.replay.history import Bools, Floats, Ints
from ledger.replay.kinds import Kind
from ledger.replay.policies import feature_columns, make
from ledger.replay.reviews import Review
from ledger.replay.scenario import Effort, Imputation, Method, PolicyChoice, Scaling, Scenario
from ledger.replay.visible import Visible
from ledger.values import Verdict

#: Policies that score a row by its own figures alone.
BY_ROW = frozenset(
    {
        Method.MOMENTUM,
        Method.CD3,
        Method.WSJF,
        Method.RICE,
        Method.ICE,
        Method.WEIGHTED,
        Method.RANDOM,
        Method.FIFO,
    }
)
#: Rows that are put in order; what is chosen does not depend on how many these are.
BEST_ROWS = 4_096
#: And for each row that the last policy chose.
SPARE = 4
#: Rows that a review looks at together, from the best one down.
BLOCK = 4_096
#: Rows that fit what is left: so few are looked through one by one.
FEW = 1_024
#: After so many reviews what can't be chosen any more is left out of what is gone down.
SWEPT_EVERY = 8

#: By the number of a review: a proposal whose verdict is given there.
Given = Mapping[int, tuple[int, Verdict]]


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


class Quick:
    """A laid-out history, prepared for many policies. Use it where `fits` says so."""

    def __init__(self, seen: Visible, scenario: Scenario) -> None:
        self.seen, self.scenario = seen, scenario
        self.teams = sorted({review.team for review in seen.reviews})
        self.whole = self._whole()
        self.reviews = {team: [r for r in seen.reviews if r.team == team] for team in self.teams}
        self.spans = {team: self._spans(team) for team in self.teams}
        self.enough = dict.fromkeys(self.teams, BEST_ROWS)
        self._shares: dict[tuple[str, float], Floats] = {}
        self.by_cost = {team: [self._by_cost(team, n) for n in range(len(own))] for team, own in self.reviews.items()}

    def _by_cost(self, team: int, number: int) -> tuple[Ints, Ints]:
        """This will give the spans of a review with their costs, the cheapest first."""
        spans = self.spans[team]
        there = np.flatnonzero((spans.since <= number) & (number < spans.until))
        there = there[np.argsort(spans.cost[there], kind="stable")].astype(np.int32)
        return there, spans.cost[there].astype(np.int32)

    @staticmethod
    def fits(seen: Visible, scenario: Scenario, choice: PolicyChoice) -> bool:
        """This will say whether a policy may be replayed quickly here: rows keep their scores and costs, and nothing is needed first."""
        return (
            choice.method in BY_ROW
            and choice.scaling is Scaling.SCALE
            and not choice.grow
            and scenario.effort is not Effort.CALIBRATED
            and scenario.imputation is Imputation.NONE
            and not scenario.forced
            and not (scenario.dependencies and len(seen.history.of(Kind.NEEDS)))
        )

    def _whole(self) -> Candidates:
        """This will lay out all rows as one table, for the policies to score at once."""
        count = len(self.seen.figures.item)
        every = np.ones(count, dtype=bool)
        sight = Sight(np.arange(count), every, every, ~every, ~every, np.empty((0, 2), np.int64), {})
        world = World.new(len(self.seen.history.names.proposals))
        stepper = Stepper(self.seen, self.scenario, PolicyChoice("FIFO"), _none, None, digests=False)
        return stepper.table(world, self.seen.reviews[0], sight)

    def _spans(self, team: int) -> Spans:
        """This will gather the reviews at which a row is there without a break into one span each."""
        count = len(self.seen.figures.item)
        since = np.full(count, -1, dtype=np.int64)
        was = np.zeros(count, dtype=bool)
        found: list[tuple[Ints, Ints, int, Bools]] = []
        cost, can = self.whole.cost, self.whole.can
        sights = [s for s, r in zip(self.seen.sights, self.seen.reviews, strict=True) if r.team == team]
        for number, sight in enumerate([*sights, None]):
            state = np.zeros(count, dtype=np.int8)  # 1: pending, 2: owed only
            if sight is not None:
                may = sight.alive & ~sight.blocked & can[sight.rows]
                state[sight.rows[may]] = np.where(sight.pending[may], 1, 2)
            held = np.where(since >= 0, np.where(was, 1, 2), 0)
            ending = np.flatnonzero((since >= 0) & (state != held))
            if len(ending):
                found.append((ending, since[ending].copy(), number, was[ending].copy()))
                since[ending] = -1
            beginning = np.flatnonzero((state > 0) & (since < 0))
            since[beginning] = number
            was[beginning] = state[beginning] == 1
        rows = np.concatenate([f[0] for f in found]) if found else np.empty(0, np.int64)
        begun = np.concatenate([f[1] for f in found]) if found else np.empty(0, np.int64)
        ended = np.concatenate([np.full(len(f[0]), f[2]) for f in found]) if found else np.empty(0, np.int64)
        pending = np.concatenate([f[3] for f in found]) if found else np.empty(0, bool)
        position = self.seen.figures.position[rows]
        order = np.argsort(position, kind="stable")
        rows = rows[order]
        return Spans(
            rows,
            self.seen.figures.item[rows],
            position[order],
            cost[rows],
            begun[order],
            ended[order],
            pending[order],
        )

    def run(self, choice: PolicyChoice, given: Given | None = None) -> Run:
        """This will replay a policy; steps have no digests and list no candidates, only what was chosen."""
        return self.replay(choice, self.scores(choice), given)

    def scores(self, choice: PolicyChoice) -> Floats:
        """This will let a policy score all rows of the figures at once."""
        if choice.method == Method.WEIGHTED:
            return self._weighted(choice)
        return make(choice)(self.whole).astype(np.float64, copy=False)

    def _weighted(self, choice: PolicyChoice) -> Floats:
        """This will score by weights as `policies.weighted` does, and keep each feature's share of its full scale for the next policy."""
        whole = sum(choice.weights.values())
        total = np.zeros(len(self.whole))
        for name, weight in sorted(choice.weights.items()):
            key = (name, choice.scale.get(name, 1.0))
            if key not in self._shares:
                self._shares[key] = np.minimum(feature_columns(self.whole)[name] / key[1], 1.0)
            total = total + weighed(weight, self._shares[key], 1.0, whole, lambda share, _: share)
        return np.where(np.isfinite(self.whole.days), total, -np.inf)

    def replay(self, choice: PolicyChoice, scores: Floats, given: Given | None = None) -> Run:
        """This will replay given scores, one for each row of the figures."""
        world = World.new(len(self.seen.history.names.proposals))
        steps = [step for team in self.teams for step in self._team(team, scores, world, given or {})]
        steps.sort(key=lambda step: step.review.number)
        return Run(choice, tuple(steps), world)

    def _team(self, team: int, scores: Floats, world: World, given: Given) -> list[Step]:
        """This will go through a team's reviews: down the best spans first, then, where there is room left, to whatever else fits it."""
        spans = self.spans[team]
        own = scores[spans.row]
        down = _Down(spans, own, _best(own, np.flatnonzero(own > -np.inf), self.enough[team]), world)
        steps = []
        for number, review in enumerate(self.reviews[team]):
            debt, whole = world.debt.get(team, 0), quarters(review.capacity)
            free = max(0, whole - debt)
            items, costs = self._given(review, given)
            without = given[review.number][0] if review.number in given else -1
            picked = down.fill(
                number, free - int(costs.sum()), whole, self.by_cost[team][number], without, not len(items)
            )
            items, costs = np.concatenate([items, spans.item[picked]]), np.concatenate([costs, spans.cost[picked]])
            world.debt[team] = max(0, int(costs.sum()) - free) + max(0, debt - whole)
            move(world, review, items)
            steps.append(_step(review, items, costs, free))
        self.enough[team] = max(BEST_ROWS, SPARE * sum(len(step.chosen) for step in steps))
        return steps

    def _given(self, review: Review, given: Given) -> tuple[Ints, Ints]:
        """This will give the item that gets a yes here whatever its score is, with its cost; none where none is given."""
        none = np.empty(0, dtype=np.int64)
        item, verdict = given.get(review.number, (-1, Verdict.NO))
        if verdict is Verdict.NO:
            return none, none
        rows = self.seen.sights[review.number].rows
        rows = rows[self.seen.figures.item[rows] == item]
        cost = self.whole.cost[rows]
        return np.full(len(rows), item, dtype=np.int64), np.where(cost < NEVER, cost, 0)


class _Down:
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


def _best(scores: Floats, possible: Ints, size: int) -> Ints:
    """This will give at least `size` of the possible spans: all above a score, in order, ties by submission."""
    if len(possible) <= size:
        whole: Ints = possible[np.argsort(-scores[possible], kind="stable")]
        return whole
    own = scores[possible]
    limit = np.partition(own, len(own) - size)[len(own) - size]
    rows: Ints = possible[own >= limit]
    return rows[np.argsort(-scores[rows], kind="stable")]


def _step(review: Review, items: Ints, costs: Ints, free: int) -> Step:
    none = np.empty(0, dtype=np.int64)
    return Step(review, none, np.empty(0), np.empty(0, dtype=bool), none, items, costs, free, b"", b"")


def _none(table: Candidates) -> Floats:
    raise NotImplementedError("only lays out tables")
