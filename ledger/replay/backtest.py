"""Runs history again under a policy, review by review, with only what was known at each."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from ledger.replay.candidates import COLUMNS, NEVER, Candidates, Figures, effort_days, quarters, reserved
from ledger.replay.filling import Offer, fill
from ledger.replay.folding import Sight
from ledger.replay.history import Bools, Floats, History, Ints
from ledger.replay.policies import Policy, check_answer, make
from ledger.replay.reviews import Review, calendar
from ledger.replay.scenario import Effort, Method, PolicyChoice, Scenario
from ledger.replay.visible import Visible, visible
from ledger.values import Verdict

#: Completed items that a calibration needs.
CALIBRATED_BY_MIN = 3

#: What ORACLE follows: proposals by the number of a review.
Plan = Mapping[int, Set[int]]


@dataclass
class World:
    """What a replay has done so far, by proposal number.

    `missed`: the log said yes where the replay did not; it is still to be answered. `early`: the replay said yes where the log did not, and
    it is done with. Of both, the later endogenous facts of the log are no longer believed.
    """

    missed: Bools
    early: Bools
    #: Number of the review at which the replay said yes for good; −1: it did not, or the log said the same.
    taken_at: Ints
    #: Quarter days by which each team went over, to be paid back from its next reviews.
    debt: dict[int, int] = field(default_factory=dict)
    #: All false; `move` marks proposals in it for a moment.
    marks: Bools = field(default_factory=lambda: np.empty(0, dtype=bool))

    def __post_init__(self) -> None:
        self.marks = np.zeros(len(self.missed), dtype=bool)

    @classmethod
    def new(cls, proposals: int) -> "World":
        """This will begin with nothing done."""
        none = np.zeros(proposals, dtype=bool)
        return cls(none, none.copy(), np.full(proposals, -1, dtype=np.int64))

    @property
    def dropped(self) -> Bools:
        """This will mark the proposals whose endogenous facts are no longer believed."""
        return self.missed | self.early

    def renumbered(self, kept: Ints) -> "World":
        """This will give the same for some of the proposals, under new numbers."""
        return World(self.missed[kept], self.early[kept], self.taken_at[kept], dict(self.debt))


@dataclass(frozen=True)
class Step:
    """One review of a replay: `items` with their scores and costs, and what was `chosen`, in order.

    Proposals by number, costs in quarter days.
    """

    review: Review
    items: Ints
    scores: Floats
    can: Bools
    costs: Ints
    chosen: Ints
    cost: Ints
    free: int
    #: SHA-256 of what the policy saw, and of what it chose.
    state: bytes
    selection: bytes
    #: Quarter days that the team still had to pay back when it began.
    debt: int = 0


@dataclass(frozen=True)
class Run:
    """A replay under one policy."""

    choice: PolicyChoice
    steps: tuple[Step, ...]
    world: World
    #: Number of a review, number of a proposal, verdict.
    forced: tuple[tuple[int, int, Verdict], ...] = ()


def lay_out(history: History, scenario: Scenario) -> Visible:
    """This will lay a history out along the reviews of a scenario. Raises ScenarioError for what this log can't give."""
    seen = visible(history, calendar(history, scenario), scenario.areas)
    reviews = tuple(
        replace(review, capacity=_taken_there(seen, review, sight, scenario)) if np.isnan(review.capacity) else review
        for review, sight in zip(seen.reviews, seen.sights, strict=True)
    )
    return replace(seen, reviews=reviews)


def _taken_there(seen: Visible, review: Review, sight: Sight, scenario: Scenario) -> float:
    """This will give the engineer-days that the decisions of a review's days took, by the estimates of that day."""
    rows = sight.rows[np.isin(seen.figures.item[sight.rows], review.yes)]
    figures = Figures(**{name: getattr(seen.figures, name)[rows] for name in COLUMNS})
    cost = reserved(effort_days(figures, Effort.MEAN, scenario.imputation, 1.0))
    return float(cost[cost < NEVER].sum()) / 4 * scenario.capacity_share


def run(
    seen: Visible,
    scenario: Scenario,
    choice: PolicyChoice,
    *,
    policy: Policy | None = None,
    plan: Plan | None = None,
    forced: Sequence[tuple[int, int, Verdict]] = (),
    digests: bool = True,
) -> Run:
    """This will replay all reviews under a policy. `forced`: number of a review, number of a proposal, verdict."""
    world = World.new(len(seen.history.names.proposals))
    stepper = Stepper(seen, scenario, choice, policy or make(choice), plan, digests=digests)
    steps = [
        stepper.step(world, review, sight, given_at(forced, review))
        for review, sight in zip(seen.reviews, seen.sights, strict=True)
    ]
    return Run(choice, tuple(steps), world, tuple(forced))


def again(seen: Visible, scenario: Scenario, replayed: Run, step: int, item: int, verdict: Verdict) -> Run:
    """This will replay a run again from one of its steps on, where one item's verdict is given; what came before it is taken over."""
    world = World.new(len(seen.history.names.proposals))
    for before in replayed.steps[:step]:
        move(world, before.review, before.chosen)
    for before in reversed(replayed.steps[step:]):  # what each team owed at its first review from there on
        world.debt[before.review.team] = before.debt
    number = replayed.steps[step].review.number
    others = [given for given in replayed.forced if given[:2] != (number, item)]  # what was forced there gives way
    forced = (*others, (number, item, verdict))
    stepper = Stepper(seen, scenario, replayed.choice, make(replayed.choice), None, digests=False)
    later = [
        stepper.step(world, before.review, seen.sights[before.review.number], given_at(forced, before.review))
        for before in replayed.steps[step:]
    ]
    return Run(replayed.choice, (*replayed.steps[:step], *later), world, forced)


def given_at(forced: Sequence[tuple[int, int, Verdict]], review: Review) -> list[tuple[int, Verdict]]:
    """This will give the forced verdicts of one review."""
    return [(item, verdict) for number, item, verdict in forced if number == review.number]


class Stepper:
    """Takes one review at a time."""

    def __init__(
        self,
        seen: Visible,
        scenario: Scenario,
        choice: PolicyChoice,
        policy: Policy,
        plan: Plan | None,
        *,
        digests: bool,
    ) -> None:
        self.seen = seen
        self.scenario = scenario
        self.choice = choice
        self.policy = policy
        self.plan = plan
        self.digests = digests
        self.is_history = choice.method == Method.AS_DECIDED

    def step(self, world: World, review: Review, sight: Sight, forced: Sequence[tuple[int, Verdict]] = ()) -> Step:
        """This will let the policy choose at a review, and move the world on."""
        table, debt = self.table(world, review, sight), world.debt.get(review.team, 0)
        answer = check_answer(self.policy(table), table, self.choice.name)
        yes = {item for item, verdict in forced if verdict is Verdict.YES}
        no = {item for item, verdict in forced if verdict is Verdict.NO}
        if self.is_history:
            rows = [int(row) for row in np.flatnonzero(answer) if int(table.item[row]) not in no]
            rows += [int(row) for row in np.flatnonzero(np.isin(table.item, list(yes))) if row not in rows]
            chosen, cost = table.item[rows], self._history_cost(table, review, rows)
        elif self.plan is not None:
            rows = np.flatnonzero(answer).tolist()
            chosen, cost = table.item[rows], table.cost[rows]
        else:
            rows = fill(Offer(table, answer, yes, no, limited=answer.dtype != np.bool_))
            chosen, cost = table.item[rows], table.cost[rows]
            cost = np.where(cost < NEVER, cost, 0)  # a forced yes to what has no estimate reserves nothing
            world.debt[review.team] = max(0, int(cost.sum()) - table.free) + max(0, debt - quarters(review.capacity))
        scores = answer.astype(np.float64)
        state = _digest_of_state(table) if self.digests else b""
        selection = _digest_of_selection(table, rows) if self.digests else b""
        move(world, review, chosen)
        return Step(review, table.item, scores, table.can, table.cost, chosen, cost, table.free, state, selection, debt)

    def table(self, world: World, review: Review, sight: Sight) -> Candidates:
        """This will lay out what the policy sees: pending by the log and not done with here, or still owed."""
        scenario, every = self.scenario, self.seen.figures
        items = every.item[sight.rows]
        is_there = sight.alive & ~world.early[items] & (sight.pending | world.missed[items])
        if self.is_history:
            is_there |= sight.answered
        rows, items = sight.rows[is_there], items[is_there]
        columns = {name: getattr(every, name)[rows] for name in COLUMNS}
        if not scenario.confidence:
            columns["confidence"] = np.ones(len(rows))
        days = effort_days(Figures(**columns), scenario.effort, scenario.imputation, self._calibration(world, review))
        cost = reserved(days)
        needs, lacking = self._needs(world, sight, items)
        history = self.seen.history
        return Candidates(
            **columns,
            ids=history.names.proposals[items],
            at_us=review.at_us,
            team=review.team,
            capacity=review.capacity,
            free=max(0, quarters(review.capacity) - world.debt.get(review.team, 0)),
            weekly_hours=float(self.seen.weekly_hours[review.team]),
            days=np.where(np.isnan(days), np.inf, days),
            cost=cost,
            can=(cost < NEVER) & ~sight.blocked[is_there],
            needs=needs,
            lacking=lacking,
            horizon_weeks=scenario.horizon_weeks,
            seed=scenario.seed,
            past=history.until(review.cut),
            dropped=world.dropped,
            decided=np.isin(items, review.yes) if self.is_history else None,
            planned=None if self.plan is None else np.isin(items, list(self.plan.get(review.number, ()))),
        )

    def _calibration(self, world: World, review: Review) -> float:
        if self.scenario.effort is not Effort.CALIBRATED:
            return 1.0
        done = self.seen.completed
        done = done[(done[:, 0] < review.decided_cut) & (done[:, 2] == review.team)]
        done = done[~world.dropped[done[:, 1].astype(np.int64)]]
        return float(np.median(done[:, 3] / done[:, 4])) if len(done) >= CALIBRATED_BY_MIN else 1.0

    def _needs(self, world: World, sight: Sight, items: Ints) -> tuple[Ints, Bools]:
        lacking = np.zeros(len(items), dtype=bool)
        if not self.scenario.dependencies or not len(sight.needs):
            return np.empty((0, 2), dtype=np.int64), lacking
        at = {int(item): row for row, item in enumerate(items)}
        pairs = []
        for who, what in sight.needs.tolist():
            done = world.early[what] or (sight.settled[what] and not world.missed[what])
            if who not in at or done:
                continue
            if what in at:
                pairs.append((at[who], at[what]))
            else:
                lacking[at[who]] = True
        return np.array(pairs, dtype=np.int64).reshape(-1, 2), lacking

    def _history_cost(self, table: Candidates, review: Review, rows: list[int]) -> Ints:
        said = dict(zip(review.yes.tolist(), review.yes_days.tolist(), strict=True))
        given = np.array([said.get(int(table.item[row]), np.nan) for row in rows])
        estimated = np.where(table.cost[rows] < NEVER, table.cost[rows], 0)
        return np.where(np.isnan(given), estimated, np.round(np.nan_to_num(given) * 4)).astype(np.int64)


def move(world: World, review: Review, chosen: Ints) -> None:
    """This will note where the replay and the log part: what only one of them took on."""
    theirs, marks = review.yes, world.marks
    marks[theirs] = True
    early = chosen[world.missed[chosen] | ~marks[chosen]]
    marks[theirs] = False
    world.taken_at[early] = review.number
    world.early[early] = True
    world.missed[early] = False
    if len(theirs):
        marks[chosen] = True
        missed = theirs[~marks[theirs]]
        marks[chosen] = False
        world.missed[missed[~world.early[missed]]] = True


def _digest_of_state(table: Candidates) -> bytes:
    digest = sha256(table.ids.tobytes())
    for name in COLUMNS:
        if name != "item":
            digest.update(np.ascontiguousarray(getattr(table, name)).tobytes())
    digest.update(table.cost.tobytes() + table.can.tobytes() + table.needs.tobytes() + table.lacking.tobytes())
    digest.update(f"{table.at_us} {table.free} {table.horizon_weeks} {table.seed}".encode())
    return digest.digest()


def _digest_of_selection(table: Candidates, rows: Sequence[int]) -> bytes:
    return sha256(table.ids[list(rows)].tobytes()).digest()
