"""Replays many policies over one history, exactly, without sorting what could never be chosen.

A policy that scores a row by its own figures gives that row the same score at every review. So the rows are scored once, the best of them
are put in order once, and each review goes down that order. Only where it leaves room are the others looked at, and of these only what is
small enough for that room. The answer is always that of `ledger.replay.backtest.run`.
"""

from collections.abc import Mapping

import numpy as np

from ledger.ranking import weighed
from ledger.replay.backtest import Run, Step, Stepper, World, move
from ledger.replay.candidates import NEVER, Candidates, quarters
from ledger.replay.folding import Sight
from ledger.replay.history import Bools, Floats, Ints
from ledger.replay.kinds import Kind
from ledger.replay.policies import feature_columns, make
from ledger.replay.reviews import Review
from ledger.replay.scenario import Effort, Imputation, Method, PolicyChoice, Scaling, Scenario
from ledger.replay.spans import Descent, Spans, foremost
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

#: By the number of a review: a proposal whose verdict is given there.
Given = Mapping[int, tuple[int, Verdict]]


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
        down = Descent(spans, own, foremost(own, np.flatnonzero(own > -np.inf), self.enough[team]), world)
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


def _step(review: Review, items: Ints, costs: Ints, free: int) -> Step:
    none = np.empty(0, dtype=np.int64)
    return Step(review, none, np.empty(0), np.empty(0, dtype=bool), none, items, costs, free, b"", b"")


def _none(table: Candidates) -> Floats:
    raise NotImplementedError("only lays out tables")
