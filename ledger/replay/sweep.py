"""Tries many policies: tuned on an earlier window, scored on a later one, with how many were tried."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from ledger.ranking import FEATURES
from ledger.replay.backtest import Run, lay_out, run
from ledger.replay.history import History, micros
from ledger.replay.kinds import Kind
from ledger.replay.outcomes import Outcomes
from ledger.replay.quick import Quick
from ledger.replay.report import rounded
from ledger.replay.reviews import calendar
from ledger.replay.scenario import Method, PolicyChoice, Scenario, ScenarioError, checked
from ledger.replay.scoring import still_waiting, waits
from ledger.values import MomentumLevel

TRIED_MAX = 100_000
#: Policies that one task takes: the same split on any number of processes, so that the answer is too.
CHUNK = 50


class Tried(Struct, frozen=True):
    """One policy on one window: net hours by its end against what was done, and days that items waited for their yes.

    The longest wait is also that of an item which could have had its yes at the last review and still waits there.
    """

    policy: PolicyChoice
    net_hours: float
    gain_hours: float
    longest_wait: float | None
    median_wait: float | None


class Swept(Struct, frozen=True):
    """A sweep: the `best` on the window that it was tuned on, the same policies on the `later` one, and of these the Pareto front."""

    tried: int
    tuned_until: datetime
    best: tuple[Tried, ...]
    later: tuple[Tried, ...]
    front: tuple[Tried, ...]

    def encoded(self) -> bytes:
        """This will give the canonical bytes: the same inputs give the same."""
        return msgspec.json.encode(self, order="deterministic")


def weights(
    count: int, seed: int, features: Sequence[str] = FEATURES, scale: dict[str, float] | None = None
) -> tuple[PolicyChoice, ...]:
    """This will draw policies of weights that sum to 1, evenly over all such weights (Dirichlet)."""
    drawn = np.random.default_rng(seed).dirichlet(np.ones(len(features)), count)
    found = []
    for number, row in enumerate(drawn, 1):
        shares = [round(float(share), 6) for share in row]
        shares[-1] = round(1 - sum(shares[:-1]), 6)
        shares[-1] = max(shares[-1], 0.0)
        found.append(
            PolicyChoice(
                Method.WEIGHTED,
                f"weights {number}",
                weights=dict(zip(features, shares, strict=True)),
                scale=scale or {},
            )
        )
    return tuple(found)


def scales(history: History, known_by: datetime) -> dict[str, float]:
    """This will give a full scale for each feature of WEIGHTED: the 95th percentile of what was known at an instant."""
    known = history.until(history.known_by(micros(known_by)))
    figures = {"drag": (Kind.IMPACT, 1), "growth": (Kind.IMPACT, 2), "risk": (Kind.CASE, 1), "benefits": (Kind.CASE, 2)}
    found = {"level": float(len(MomentumLevel) - 1), "smallness": 1.0, "confidence": 1.0}
    for name, (kind, column) in figures.items():
        values = known.figures[known.of(kind), column]
        values = values[np.isfinite(values) & (values > 0)]
        found[name] = rounded(np.quantile(values, 0.95, method="inverted_cdf")) if len(values) else 1.0
    return found


def sweep(
    history: History,
    scenario: Scenario,
    policies: Sequence[PolicyChoice],
    tuned_until: datetime,
    *,
    kept: int = 10,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Swept:
    """This will try policies on the reviews up to an instant, keep the best, and score those on the reviews after it.

    The tuning sees the log cut at that instant: nothing that became known later helps to choose. The same inputs give the same bytes
    on any number of processes and on any executor. Raises ScenarioError.
    """
    if not 1 <= len(policies) <= TRIED_MAX:
        raise ScenarioError(f"A sweep tries 1 to {TRIED_MAX} policies, and these are {len(policies)}.", "policies")
    earlier = history.cut(history.known_by(micros(tuned_until)))
    first = checked(replace(scenario, policies=(policies[0],), until=tuned_until))
    # A review at that very instant was tuned on.
    second = checked(replace(scenario, policies=(policies[0],), since=tuned_until + timedelta(microseconds=1)))
    for log, window, side in ((earlier, first, "up to"), (history, second, "after")):
        _refuse_empty(log, window, f"{side} {tuned_until:%Y-%m-%d}")
    tuned = _each(earlier, first, policies, executor, progress)
    order = sorted(range(len(tuned)), key=lambda index: (-tuned[index].net_hours, index))[:kept]
    best = [tuned[index] for index in order]
    later = _each(history, second, [one.policy for one in best], executor, lambda done, total: None)
    return Swept(len(policies), tuned_until, tuple(best), tuple(later), pareto(later))


def _refuse_empty(history: History, window: Scenario, when: str) -> None:
    try:
        calendar(history, window)
    except ScenarioError as error:
        if error.path != ("from",):
            raise
        raise ScenarioError(f"No review was held {when}. Tune until another day.", "until") from error


def pareto(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """This will keep what no other one beats in net hours without a longer worst wait, the most hours first; equals stay."""

    def wait(one: Tried) -> float:
        return np.inf if one.longest_wait is None else one.longest_wait

    def beaten(one: Tried) -> bool:
        return any(
            other.net_hours >= one.net_hours
            and wait(other) <= wait(one)
            and (other.net_hours > one.net_hours or wait(other) < wait(one))
            for other in tried
        )

    return tuple(sorted((one for one in tried if not beaten(one)), key=lambda one: (-one.net_hours, one.policy.name)))


def _each(
    history: History,
    scenario: Scenario,
    policies: Sequence[PolicyChoice],
    executor: Executor | None,
    progress: Callable[[int, int], None],
) -> list[Tried]:
    chunks = [tuple(policies[start : start + CHUNK]) for start in range(0, len(policies), CHUNK)]
    found: list[Tried] = []
    if executor is None:
        trial = _Trial(history, scenario)
        parts = (trial.tried(chunk) for chunk in chunks)
    else:
        key = uuid4().hex
        jobs = [executor.submit(_tried, key, history, scenario, chunk) for chunk in chunks]
        parts = (job.result() for job in jobs)
    for part in parts:
        found += part
        progress(len(found), len(policies))
    return found


def _tried(key: str, history: History, scenario: Scenario, policies: Sequence[PolicyChoice]) -> list[Tried]:
    """This will try some policies, in whatever process it is asked to; what it laid out for the same key serves again."""
    if key not in _LAID_OUT:
        _LAID_OUT.clear()
        _LAID_OUT[key] = _Trial(history, scenario)
    return _LAID_OUT[key].tried(policies)


#: In each process, the last history that it laid out.
_LAID_OUT: "dict[str, _Trial]" = {}


class _Trial:
    """A history laid out once, for all policies that this process tries."""

    def __init__(self, history: History, scenario: Scenario) -> None:
        self._scenario = scenario
        self._seen = lay_out(history, scenario)
        self._outcomes = Outcomes(self._seen)
        self._actual = self._outcomes.net_at_end(self._outcomes.deliveries(None))
        self._quick: Quick | None = None

    def tried(self, policies: Sequence[PolicyChoice]) -> list[Tried]:
        """This will replay and score policies, one after the other."""
        return [self._one(choice) for choice in policies]

    def _one(self, choice: PolicyChoice) -> Tried:
        replayed = self._replayed(choice)
        net = self._outcomes.net_at_end(self._outcomes.deliveries(replayed))
        waited = waits(self._outcomes, replayed)
        every = [
            days
            for days in (waited.longest, still_waiting(self._outcomes, self._scenario, replayed))
            if days is not None
        ]
        return Tried(choice, rounded(net), rounded(net - self._actual), max(every, default=None), waited.median)

    def _replayed(self, choice: PolicyChoice) -> Run:
        if not Quick.fits(self._seen, self._scenario, choice):
            return run(self._seen, self._scenario, choice, digests=False)
        if self._quick is None:
            self._quick = Quick(self._seen, self._scenario)
        return self._quick.run(choice)
