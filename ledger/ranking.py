"""How a backlog is ranked: each formula as a pure function of one item's own figures, so that a rank never depends on who else is there.

The live backlog, a decision's basis and a replay use this same code: the arithmetic of each formula stands once, in functions that take
one item's figures or whole columns of them (`Figure`), so that a replay ranks many items by the very operations that rank one here.
Ties: score descending, then earlier position, then id.
"""

from collections.abc import Callable
from decimal import Decimal
from math import inf, log1p
from typing import Any, TypeAlias

from msgspec import Struct

from ledger.values import MomentumLevel, PolicyMethod, Risk

#: Relative sizes for WSJF, by index; ordinal, as its source says.
FIBONACCI = (1, 2, 3, 5, 8, 13, 20)
FEATURES = ("drag", "growth", "risk", "level", "benefits", "smallness", "confidence")
#: Where a Fibonacci step ends: percent a month, engineer-hours a week, engineer-days.
URGENCY_STEPS = (1, 2, 5, 10, 20, 40)
RISK_STEPS = (0.25, 0.5, 1, 2, 4, 8)
SIZE_STEPS = (1, 2, 5, 10, 20, 40)
#: Up to here a quotient by 6 of 28 digits and the exact one are the same float: no half-way point between two floats is near enough.
EXACT_ABOVE, EXACT_BELOW = 2**53, 10**9
#: A float, or an array of them. Days that are not estimated are infinite, and drag that is not assessed is 0: then a score says nothing.
Figure: TypeAlias = Any


class Formula(Struct, frozen=True, omit_defaults=True):
    """A policy's method with its parameters.

    `weights` and `scale` are for WEIGHTED: weight ≥ 0 by feature, and the value of the feature that counts as 1 (its full scale).
    `engineers` is the divisor of CD3: how many work on an item at once.
    """

    method: PolicyMethod
    weights: dict[str, float] = {}
    scale: dict[str, float] = {}
    engineers: float = 1.0


class Item(Struct, frozen=True, omit_defaults=True):
    """The figures of one proposal that a formula may read. None: not estimated, not assessed."""

    optimistic: Decimal | None = None
    likely: Decimal | None = None
    pessimistic: Decimal | None = None
    drag: Decimal | None = None
    growth: Decimal = Decimal(0)
    level: MomentumLevel | None = None
    confidence: float = 1.0
    risks: tuple[Risk, ...] = ()
    benefit_count: int = 0


class Term(Struct, frozen=True):
    """One term of a score: its name, the figure it rests on, and what it adds to or multiplies into the whole."""

    name: str
    value: float
    contribution: float


class Score(Struct, frozen=True):
    """A score with the terms that make it, and what was missing. Higher is earlier; 0 where nothing can be said."""

    total: float
    terms: tuple[Term, ...] = ()
    missing: tuple[str, ...] = ()


def expected_days(item: Item) -> float | None:
    """This will give the PERT mean (O + 4M + P) / 6 in engineer-days, or None without an estimate (Malcolm et al., 1959)."""
    if item.likely is None:
        return None
    low = item.optimistic if item.optimistic is not None else item.likely
    high = item.pessimistic if item.pessimistic is not None else item.likely
    total = low + 4 * item.likely + high
    above, below = total.as_integer_ratio()
    if -EXACT_ABOVE < above < EXACT_ABOVE and below < EXACT_BELOW:
        return above / (6 * below)  # the same float in a third of the time, since its text need not be read
    return float(total / 6)


def weekly_risk(item: Item) -> float:
    """This will give the engineer-hours per week that the risks of ignoring are expected to cost: Σ probability × loss / window."""
    return sum(
        [
            r.probability * float(r.loss_hours) / r.window_weeks
            for r in item.risks
            if r.probability and r.loss_hours and r.window_weeks
        ]
    )


def drag_per_day(confidence: Figure, drag: Figure, days: Figure) -> Figure:
    """This will give MOMENTUM: engineer-hours a week recovered, per day of effort."""
    return confidence * drag / days


def delay_per_duration(confidence: Figure, drag: Figure, risk: Figure, days: Figure, engineers: float) -> Figure:
    """This will give CD3: engineer-hours lost a week of waiting, per day that the work takes (Reinertsen, 2009)."""
    return (confidence * drag + risk) / (days / engineers)


def job_first(value: Figure, urgency: Figure, risk: Figure, size: Figure) -> Figure:
    """This will give WSJF: the sum of three relative values by relative size (SAFe)."""
    return (value + urgency + risk) / size


def fibonacci(figure: Figure, bounds: tuple[float, ...]) -> Figure:
    """This will give the relative size: 1 below the first bound, 2 from it on, then 3, 5, 8, 13, 20."""
    steps = zip(bounds, FIBONACCI, FIBONACCI[1:], strict=False)
    return 1 + sum((figure >= bound) * (above - below) for bound, below, above in steps)


def weighed(
    weight: float, figure: Figure, scale: float, whole: float, least: Callable[[Figure, float], Figure] = min
) -> Figure:
    """This will give what one feature adds in WEIGHTED; `least` is the smaller of two, for arrays element by element."""
    return weight * least(figure / scale, 1.0) / whole if whole else figure * 0.0


def _missing(item: Item, days: float | None) -> tuple[str, ...]:
    lacking = []
    if not days:
        lacking.append("estimate")
    if item.drag is None:
        lacking.append("drag")
    return tuple(lacking)


def _momentum(formula: Formula, item: Item, days: float | None) -> Score:
    drag = float(item.drag or 0)
    total = float(drag_per_day(item.confidence, drag, days or inf))
    terms = (Term("drag × confidence", item.confidence * drag, total), Term("expected days", days or 0.0, 0.0))
    return Score(total, terms, _missing(item, days))


def _cd3(formula: Formula, item: Item, days: float | None) -> Score:
    drag, risk = item.confidence * float(item.drag or 0), weekly_risk(item)
    duration = days / formula.engineers if days else inf
    terms = (
        Term("drag × confidence", drag, drag / duration),
        Term("weekly risk", risk, risk / duration),
        Term("duration in days", duration if days else 0.0, 0.0),
    )
    total = delay_per_duration(item.confidence, float(item.drag or 0), risk, days or inf, formula.engineers)
    return Score(float(total), terms, _missing(item, days))


def _wsjf(formula: Formula, item: Item, days: float | None) -> Score:
    value = FIBONACCI[int(item.level[1])] if item.level is not None else 0
    urgency = fibonacci(float(item.growth), URGENCY_STEPS)
    risk = fibonacci(weekly_risk(item), RISK_STEPS)
    size = fibonacci(days, SIZE_STEPS) if days else None
    total = float(job_first(value, urgency, risk, size)) if size and item.level is not None else 0.0
    parts = (("business value", value), ("time criticality", urgency), ("risk reduction", risk))
    terms = tuple(Term(name, part, part / size if size and total else 0.0) for name, part in parts)
    missing = (() if days else ("estimate",)) + (() if item.level is not None else ("impact",))
    return Score(total, (*terms, Term("job size", size or 0, 0.0)), missing)


def features(item: Item, days: float | None) -> dict[str, float]:
    """This will give the figures that WEIGHTED may weigh; smallness is 1 / (1 + days), 0 where not estimated.

    So is confidence where no impact was assessed, of which there is always a level: nobody has said how sure they are.
    """
    return {
        "drag": float(item.drag or 0),
        "growth": float(item.growth),
        "risk": weekly_risk(item),
        "level": float(item.level[1]) if item.level is not None else 0.0,
        "benefits": log1p(item.benefit_count),
        "smallness": 1 / (1 + days) if days else 0.0,
        "confidence": item.confidence if item.level is not None else 0.0,
    }


def _weighted(formula: Formula, item: Item, days: float | None) -> Score:
    values = features(item, days)
    whole = sum(formula.weights.values())
    terms = []
    for name, weight in sorted(formula.weights.items()):
        terms.append(
            Term(name, values[name], float(weighed(weight, values[name], formula.scale.get(name, 1.0), whole)))
        )
    return Score(sum(t.contribution for t in terms), tuple(terms), _missing(item, days))


def _fifo(formula: Formula, item: Item, days: float | None) -> Score:
    return Score(0.0)


_FORMULAS = {
    PolicyMethod.MOMENTUM: _momentum,
    PolicyMethod.CD3: _cd3,
    PolicyMethod.WSJF: _wsjf,
    PolicyMethod.WEIGHTED: _weighted,
    PolicyMethod.FIFO: _fifo,
}

#: What ranks a team that has activated no policy.
DEFAULT_FORMULA = Formula(PolicyMethod.MOMENTUM)


def score(formula: Formula, item: Item) -> Score:
    """This will score one item by one formula; equal inputs give equal bytes.

    MOMENTUM: confidence × drag ÷ expected days. CD3 (Reinertsen, 2009): cost of delay ÷ duration. WSJF (SAFe): (value + criticality +
    risk) ÷ size on Fibonacci steps. WEIGHTED: Σ w·min(x ÷ scale, 1) ÷ Σ w. FIFO: 0 for all, so that the tie rule decides.
    """
    return _FORMULAS[formula.method](formula, item, expected_days(item))


def score_total(formula: Formula, item: Item, days: float | None) -> float:
    """This will give the total of the item's score, without its terms; `days` are the item's expected ones."""
    method = formula.method
    if method is PolicyMethod.MOMENTUM:
        return float(drag_per_day(item.confidence, float(item.drag or 0), days or inf))
    if method is PolicyMethod.CD3:
        drag, risk = float(item.drag or 0), weekly_risk(item)
        return float(delay_per_duration(item.confidence, drag, risk, days or inf, formula.engineers))
    return _FORMULAS[method](formula, item, days).total


def readable(score: Score) -> Score:
    """This will give a score as it is shown: each figure to 12 significant digits, since sums of floats carry noise behind those."""
    terms = (Term(term.name, _readable(term.value), _readable(term.contribution)) for term in score.terms)
    return Score(_readable(score.total), tuple(terms), score.missing)


def _readable(figure: float) -> float:
    return float(f"{figure:.12g}")
