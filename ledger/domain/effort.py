"""Effort and other figures that people give: what counts as one, and the sentence for what does not."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from ledger.domain.rejected import Code, Rejected
from ledger.values import numbered

#: The finest step of engineer-days.
STEP = Decimal("0.25")
EFFORT_DAYS_MAX = Decimal(10_000)
CAPACITY_DAYS_MAX = 100_000
#: The largest figure of any other kind: hours, percent, or what a benefit is counted in.
FIGURE_MAX = Decimal(10) ** 12


def effort(days: Decimal, *path: str, code: Code = Code.BAD_USER_INPUT) -> Decimal:
    """This will accept engineer-days above 0 and at most 10,000, in steps of 0.25; anything else is rejected with `code`."""
    if not days.is_finite() or not 0 < days <= EFFORT_DAYS_MAX:
        raise Rejected(code, f"{days} engineer-days cannot be; give more than 0 and at most {EFFORT_DAYS_MAX}.", *path)
    if days % STEP:
        raise Rejected(code, f"{days} engineer-days is too fine; use steps of {STEP}, such as {stepped(days)}.", *path)
    return days


def capacity(days: Decimal, path: str) -> Decimal:
    """This will accept engineer-days from 0 to 100,000, in steps of 0.25."""
    if not days.is_finite() or not 0 <= days <= CAPACITY_DAYS_MAX or days % STEP:
        raise Rejected(
            Code.BAD_USER_INPUT, f"{days} engineer-days: give 0 to {CAPACITY_DAYS_MAX:,} in steps of {STEP}.", path
        )
    return days


def three_points(optimistic: Decimal, likely: Decimal, pessimistic: Decimal) -> None:
    """This will check rule 3: 0 < optimistic ≤ likely ≤ pessimistic, each in steps of 0.25. Raises ESTIMATE_INVALID."""
    for name, days in (("optimistic", optimistic), ("likely", likely), ("pessimistic", pessimistic)):
        effort(days, name, code=Code.ESTIMATE_INVALID)
    if optimistic > likely:
        raise Rejected(
            Code.ESTIMATE_INVALID,
            f"The optimistic {_days(optimistic)} more than the likely {likely}. Lower the one or raise the other.",
            "optimistic",
        )
    if likely > pessimistic:
        raise Rejected(
            Code.ESTIMATE_INVALID,
            f"The likely {_days(likely)} more than the pessimistic {pessimistic}. Lower the one or raise the other.",
            "likely",
        )


def _days(days: Decimal) -> str:
    return f"{numbered(days, 'day')} {'is' if days == 1 else 'are'}"


def stepped(days: Decimal | float) -> Decimal:
    """This will round engineer-days up to a whole step of 0.25."""
    return (Decimal(str(days)) / STEP).to_integral_value(rounding=ROUND_CEILING) * STEP


def plain(days: Decimal) -> str:
    """This will write a figure as people do, without the zeros that reckoning leaves: 5 and not 5.00, 4.5 and not 4.50."""
    return f"{days.normalize():f}"


def figure(value: Decimal, what: str, path: Sequence[str], *, least: Decimal = Decimal(0)) -> Decimal:
    """This will accept a finite figure from `least` to 10^12; `what` names it, with its unit, in the rejection."""
    if not value.is_finite() or not least <= value <= FIGURE_MAX:
        raise Rejected(Code.BAD_USER_INPUT, f"{value} {what} cannot be; give {least} or more.", *path)
    return value


def share(value: float, what: str, path: Sequence[str]) -> float:
    """This will accept a share from 0 to 1 (confidence, probability)."""
    if not 0 <= value <= 1:
        raise Rejected(Code.BAD_USER_INPUT, f"A {what} of {value} cannot be; give 0 to 1.", *path)
    return value
