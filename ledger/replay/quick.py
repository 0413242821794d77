"""Replays many policies over one history, exactly, without sorting what could never be chosen.

A policy that scores a row by its own figures gives that row the same score at every review. So the rows are scored once, the best of them
are put in order once, and each review goes down that order. Only where it leaves room are the others looked at, and of these only what is
small enough for that room. The answer is always that of `ledger.replay.backtest.run`.
"""

from dataclasses import dataclass

import numpy as np

from ledger.replay.backtest import Run, Step, Stepper, World, move
from ledger.replay.candidates import NEVER, Candidates, quarters
from ledger.replay.filling import greedy
from ledger.replay.history import Bools, Floats, Ints
from ledger.replay.kinds import Kind
from ledger.replay.policies import make
from ledger.replay.reviews import Review
from ledger.replay.scenario import Effort, Imputation, Method, PolicyChoice, Scaling, Scenario
from ledger.replay.visible import Sight, Visible

#: Policies that score a row by its own figures alone.
BY_ROW = frozenset({Method.MOMENTUM, Method.CD3, Method.WSJF, Method.RICE, Method.ICE, Method.WEIGHTED, Method.RANDOM})
#: Rows that each review goes down in order; what is chosen does not depend on how many these are.
BEST_ROWS = 4_096
#: And for each row that the last policy chose.
SPARE = 4


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

    def run(self, choice: PolicyChoice) -> Run:
        """This will replay a policy; steps have no digests and list no candidates, only what was chosen."""
        return self.replay(choice, self.scores(choice))

    def scores(self, choice: PolicyChoice) -> Floats:
        """This will let a policy score all rows of the figures at once."""
        return make(choice)(self.whole).astype(np.float64, copy=False)

    def replay(self, choice: PolicyChoice, scores: Floats) -> Run:
        """This will replay given scores, one for each row of the figures."""
        world = World.new(len(self.seen.history.names.proposals))
        steps = [step for team in self.teams for step in self._team(team, scores, world)]
        steps.sort(key=lambda step: step.review.number)
        return Run(choice, tuple(steps), world)

    def _team(self, team: int, scores: Floats, world: World) -> list[Step]:
        """This will go through a team's reviews: down the best spans first, then, where there is room left, to whatever else fits it."""
        spans = self.spans[team]
        own = scores[spans.row]
        best = _best(own, np.flatnonzero(own > -np.inf), self.enough[team])
        item, cost, since, until = spans.item[best], spans.cost[best], spans.since[best], spans.until[best]
        pending = spans.pending[best]
        is_other = own > -np.inf
        is_other[best] = False
        steps = []
        for number, review in enumerate(self.reviews[team]):
            is_there = (since <= number) & (number < until) & ~world.early[item] & (pending | world.missed[item])
            order = np.flatnonzero(is_there)
            debt, whole = world.debt.get(team, 0), quarters(review.capacity)
            free = max(0, whole - debt)
            picked, left = greedy(order, cost[order], free, True, whole)
            chosen = best[picked]
            if left > 0:
                # Whatever is not among the best comes after all of them: it matters only where it fits what they left.
                rest = self._others(team, number, left if len(order) else int(NEVER), world, is_other)
                rest = rest[np.lexsort((rest, -own[rest]))]
                more, left = greedy(rest, spans.cost[rest], left, not len(order), whole)
                chosen = np.concatenate([chosen, np.array(more, dtype=np.int64)])
            items, costs = spans.item[chosen], spans.cost[chosen]
            world.debt[team] = max(0, int(costs.sum()) - free) + max(0, debt - whole)
            move(world, review, items)
            steps.append(_step(review, items, costs, free))
        self.enough[team] = max(BEST_ROWS, SPARE * sum(len(step.chosen) for step in steps))
        return steps

    def _others(self, team: int, number: int, left: int, world: World, is_other: Bools) -> Ints:
        """This will give the spans of a review that are not among the best and cost at most what is left."""
        spans, (by_cost, costs) = self.spans[team], self.by_cost[team][number]
        found = by_cost[: np.searchsorted(costs, left, side="right")]
        found = found[is_other[found]]
        items = spans.item[found]
        there: Ints = found[~world.early[items] & (spans.pending[found] | world.missed[items])]
        return there


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
