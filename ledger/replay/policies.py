"""The policies: pure functions of a candidate table to scores (higher is earlier), or to a selection.

A score of −∞ says that there is nothing to go by: the row is not chosen, whatever capacity is left. A selection is an array of booleans.

| policy | source | unit | what is missing |
|---|---|---|---|
| MOMENTUM | this ledger's own | hours a week, per day | without drag or estimate: not chosen |
| CD3 | Reinertsen, Principles of Product Development Flow, 2009 | hours a week, per day | no drag counts as 0; no estimate: not chosen |
| WSJF | Scaled Agile Framework | ordinal: Fibonacci steps | without level or estimate: not chosen |
| RICE | McBride, Intercom, 2016 | people × impact, per person-month | reach: who asked, at least 1; without level or estimate: not chosen |
| ICE | Ellis, 2015 | ordinal: three scales from 1 to 10 | as RICE |
| WEIGHTED | weighted sum | 0 to 1 | a feature that is missing counts as 0; without estimate: not chosen, as its cost is not known |
| KNAPSACK | Dantzig, 1957; solved exactly by HiGHS | hours over the horizon | as CD3 |
| AS_DECIDED | the log | | |
| FIFO | | | nothing is read |
| RANDOM | SplitMix64 of seed and id | 0 to 1 | nothing is read |
| NOTHING | | | nothing is chosen |
| ORACLE | clairvoyant: the plan that turned out best, see `ledger.replay.oracle` | hours | serves regret only |
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from traceback import extract_tb
from typing import TypeAlias, cast

import numpy as np

from ledger.ranking import (
    FIBONACCI,
    RISK_STEPS,
    SIZE_STEPS,
    URGENCY_STEPS,
    delay_per_duration,
    drag_per_day,
    fibonacci,
    job_first,
    weighed,
)
from ledger.replay.candidates import Candidates
from ledger.replay.history import WEEK_US, Bools, Floats
from ledger.replay.knapsack import best
from ledger.replay.scenario import Method, PolicyChoice, Scaling, ScenarioError

Policy: TypeAlias = Callable[[Candidates], "Floats | Bools"]
Making: TypeAlias = Callable[[PolicyChoice], Policy]

#: Entry points of installed packages, each a function of a candidate table.
GROUP = "decision_ledger.policies"
#: Intercom's five impacts, for the levels M0 to M5.
RICE_IMPACT = np.array([0.25, 0.5, 1.0, 2.0, 3.0, 3.0])
#: ICE's 1 to 10, for the levels M0 to M5 and for Fibonacci sizes from the smallest.
ICE_IMPACT = np.array([1.0, 3.0, 5.0, 7.0, 9.0, 10.0])
ICE_EASE = dict(zip(FIBONACCI, (10.0, 9.0, 8.0, 6.0, 4.0, 2.0, 1.0), strict=True))
WEEKS_A_MONTH = 365.25 / 12 / 7


def known_drag(table: Candidates, *, grow: bool = False) -> Floats:
    """This will give drag in hours a week, 0 where not assessed; `grow`: d(t) = d0 (1 + g)^t, t in months since its assessment."""
    drag = np.where(np.isnan(table.drag), 0.0, table.drag)
    if not grow:
        return drag
    months = np.where(np.isnan(table.assessed_us), 0.0, table.at_us - table.assessed_us) / WEEK_US / WEEKS_A_MONTH
    return cast("Floats", drag * (1 + table.growth / 100) ** np.maximum(months, 0.0))


def _something(scores: Floats) -> Floats:
    return np.where(scores > 0, scores, -np.inf)


def momentum(choice: PolicyChoice) -> Policy:
    """This will make MOMENTUM: confidence × drag ÷ days."""
    return lambda t: _something(drag_per_day(t.confidence, known_drag(t, grow=choice.grow), t.days))


def cd3(choice: PolicyChoice) -> Policy:
    """This will make CD3: (confidence × drag + Σ probability × loss ÷ window) ÷ (days ÷ engineers)."""

    def score(table: Candidates) -> Floats:
        drag = known_drag(table, grow=choice.grow)
        return _something(delay_per_duration(table.confidence, drag, table.risk, table.days, choice.engineers))

    return score


def wsjf(choice: PolicyChoice) -> Policy:
    """This will make WSJF: (value + time criticality + risk reduction) ÷ job size, on Fibonacci steps."""

    def score(table: Candidates) -> Floats:
        has = np.isfinite(table.level) & np.isfinite(table.days)
        value = np.array(FIBONACCI)[np.where(has, table.level, 0).astype(np.int64)]
        urgency, risk = fibonacci(table.growth, URGENCY_STEPS), fibonacci(table.risk, RISK_STEPS)
        return np.where(has, job_first(value, urgency, risk, fibonacci(table.days, SIZE_STEPS)), -np.inf)

    return score


def rice_score(reach: Floats, impact: Floats, confidence: Floats, months: Floats) -> Floats:
    """This will give reach × impact × confidence ÷ effort in person-months."""
    return reach * impact * confidence / months


def rice(choice: PolicyChoice) -> Policy:
    """This will make RICE. Reach is how many people asked; the impact follows from the momentum level."""

    def score(table: Candidates) -> Floats:
        has = np.isfinite(table.level) & np.isfinite(table.days)
        impact = RICE_IMPACT[np.where(has, table.level, 0).astype(np.int64)]
        found = rice_score(table.reach, impact, table.confidence, table.days / choice.days_a_month)
        return np.where(has, _something(found), -np.inf)

    return score


def ice(choice: PolicyChoice) -> Policy:
    """This will make ICE: impact × confidence × ease, each from 1 to 10; ease follows from the Fibonacci size."""

    def score(table: Candidates) -> Floats:
        has = np.isfinite(table.level) & np.isfinite(table.days)
        impact = ICE_IMPACT[np.where(has, table.level, 0).astype(np.int64)]
        size = fibonacci(table.days, SIZE_STEPS)
        ease = np.array([ICE_EASE.get(int(step), 0.0) for step in size])
        return np.where(has, impact * (1 + 9 * table.confidence) * ease, -np.inf)

    return score


def feature_columns(table: Candidates) -> dict[str, Floats]:
    """This will give what WEIGHTED may weigh, as `ledger.ranking.features` does for one item."""
    return {
        "drag": known_drag(table),
        "growth": table.growth,
        "risk": table.risk,
        "level": np.where(np.isnan(table.level), 0.0, table.level),
        "benefits": table.benefits,
        "smallness": np.where(np.isfinite(table.days), 1 / (1 + table.days), 0.0),
        "confidence": np.where(np.isnan(table.level), 0.0, table.confidence),
    }


def weighted(choice: PolicyChoice) -> Policy:
    """This will make WEIGHTED: Σ w·n ÷ Σ w, with n by the policy's scale, or min–max over this review's candidates."""

    def score(table: Candidates) -> Floats:
        values = feature_columns(table)
        whole = sum(choice.weights.values())
        total = np.zeros(len(table))
        for name, weight in sorted(choice.weights.items()):
            if choice.scaling is Scaling.SCALE:
                total = total + weighed(weight, values[name], choice.scale.get(name, 1.0), whole, np.minimum)
            elif table.can.any():
                low, high = values[name][table.can].min(), values[name][table.can].max()
                share = (values[name] - low) / (high - low) if high > low else np.zeros(len(table))
                total = total + weight * share / whole
        return np.where(np.isfinite(table.days), total, -np.inf)

    return score


def horizon_value(table: Candidates) -> Floats:
    """This will give engineer-hours saved over the horizon by doing a row now: Σ over its weeks of confidence × d(t) + weekly risk."""
    weeks = np.arange(table.horizon_weeks)
    factor = (1 + table.growth[:, None] / 100) ** (weeks / WEEKS_A_MONTH)
    return cast("Floats", table.confidence * known_drag(table) * factor.sum(axis=1) + table.risk * table.horizon_weeks)


def knapsack(choice: PolicyChoice) -> Policy:
    """This will make KNAPSACK: the selection of the highest value over the horizon that fits, with what it depends on; exact."""

    def select(table: Candidates) -> Bools:
        return best(horizon_value(table), table.cost, table.free, table.can & ~table.lacking, table.needs)

    return select


def as_decided(choice: PolicyChoice) -> Policy:
    """This will make AS_DECIDED: what the review answered with a yes."""

    def select(table: Candidates) -> Bools:
        if table.decided is None:
            raise ValueError("AS_DECIDED needs the answers of the review")
        return table.decided

    return select


def fifo(choice: PolicyChoice) -> Policy:
    """This will make FIFO: the earlier submission first."""
    return lambda table: np.where(np.isfinite(table.days), 0.0, -np.inf)


def random(choice: PolicyChoice) -> Policy:
    """This will make RANDOM: a draw by seed and proposal that is the same at each review, whoever else is there."""
    return lambda table: np.where(np.isfinite(table.days), drawn(table.ids, table.seed), -np.inf)


def drawn(ids: "np.ndarray[tuple[int, int], np.dtype[np.uint8]]", seed: int) -> Floats:
    """This will draw a number from 0 to 1 for each id: SplitMix64 (Steele, Lea and Flood, 2014)."""
    words = np.ascontiguousarray(ids).view(">u8").astype(np.uint64)
    with np.errstate(over="ignore"):
        state = words[:, 0] ^ (words[:, 1] * np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(seed)
        state = state + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def nothing(choice: PolicyChoice) -> Policy:
    """This will make NOTHING: no row is chosen."""
    return lambda table: np.zeros(len(table), dtype=bool)


def oracle(choice: PolicyChoice) -> Policy:
    """This will make ORACLE: it follows a plan that was made knowing all outcomes. It sees the future, and says so."""

    def select(table: Candidates) -> Bools:
        if table.planned is None:
            raise ValueError("ORACLE needs a plan")
        return table.planned

    return select


MAKING: dict[str, Making] = {
    Method.MOMENTUM: momentum,
    Method.CD3: cd3,
    Method.WSJF: wsjf,
    Method.RICE: rice,
    Method.ICE: ice,
    Method.WEIGHTED: weighted,
    Method.KNAPSACK: knapsack,
    Method.AS_DECIDED: as_decided,
    Method.FIFO: fifo,
    Method.RANDOM: random,
    Method.NOTHING: nothing,
    Method.ORACLE: oracle,
}


def make(choice: PolicyChoice, *, own: bool = True) -> Policy:
    """This will make a policy. `own`: may it be one of the user's, which runs the user's code? Raises ScenarioError."""
    if choice.method in MAKING:
        return MAKING[choice.method](choice)
    if not own:
        raise ScenarioError(f"There is no policy {choice.method[:60]}. Use {', '.join(MAKING)}.", "policies", "method")
    return _own(choice.method)


def _own(name: str) -> Policy:
    module, _, function = name.partition(":")
    installed = {} if function else {point.name: point for point in entry_points(group=GROUP)}
    if not function and name not in installed:
        known = ", ".join([*MAKING, *sorted(installed)])
        raise ScenarioError(f"There is no policy {name[:60]}. Use {known}, or module:function.", "policies", "method")
    try:
        found = getattr(import_module(module), function) if function else installed[name].load()
    except Exception as error:  # whatever the user's module does when it is loaded
        said = f"{str(error).removesuffix('.') or type(error).__name__}. Is it on PYTHONPATH, and whole?"
        raise ScenarioError(f"The policy {name[:100]} can't be loaded: {said}", "policies", "method") from error
    if not callable(found):
        raise ScenarioError(f"The policy {name[:100]} is no function.", "policies", "method")
    return _told(cast("Policy", found), name)


def _told(policy: Policy, name: str) -> Policy:
    """This will have the user's own policy say where it failed, as the error of a scenario."""

    def asked(table: Candidates) -> "Floats | Bools":
        try:
            return policy(table)
        except Exception as error:
            own = extract_tb(error.__traceback__)[1:]  # without this very line
            where = f" in line {own[-1].lineno} of {own[-1].filename}" if own else ""
            said = f"{type(error).__name__}: {error}".removesuffix(".")
            raise ScenarioError(f"The policy {name[:100]} failed{where}: {said}.", "policies") from error

    return asked


def check_answer(answer: "Floats | Bools", table: Candidates, name: str) -> "Floats | Bools":
    """This will hold a policy to its word: an array of numbers or of booleans, one for each row. Raises ScenarioError."""
    found = np.asarray(answer)
    if found.shape != (len(table),) or found.dtype.kind not in "bfiu":
        raise ScenarioError(
            f"The policy {name} gave {found.dtype} of shape {found.shape}; "
            f"it must give a number or a boolean for each of {len(table)} rows.",
            "policies",
        )
    if found.dtype == np.bool_:
        return found.astype(np.bool_)
    scores = np.empty(len(table))
    scores[:] = np.where(np.isnan(found), -np.inf, found)
    return scores
