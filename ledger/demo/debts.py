"""The story's debts as `debts.toml` tells them."""

from decimal import Decimal
from importlib.resources import files

import msgspec
from msgspec import Struct

from ledger.values import AppealGrounds, BenefitCode, Disposition, EstimateBasis, EstimateCause


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the product manager says, where capacity alone does not."""

    verdict: Disposition
    code: str
    text: str
    companion: str | None = None
    reconsider_if: str | None = None
    final: bool = False
    chosen_instead: tuple[str, ...] = ()
    revisit_days: int | None = None
    revisit_estimate_below: Decimal | None = None
    revisit_drag_above: Decimal | None = None
    revisit_delivered: str | None = None


class Concern(Struct, frozen=True, forbid_unknown_fields=True):
    """A colleague's worry, its answer and its end."""

    by: str
    text: str
    blocking: bool
    #: None: nobody has answered yet.
    answer: str | None = None
    resolved: bool = False
    #: Why the product manager goes on in spite of it.
    overruled: str | None = None


class ReEstimate(Struct, frozen=True, forbid_unknown_fields=True):
    """A later estimate, and why."""

    day: int
    estimate: tuple[Decimal, Decimal, Decimal]
    cause: EstimateCause
    basis: EstimateBasis
    note: str


class Appeal(Struct, frozen=True, forbid_unknown_fields=True):
    """An appeal against the first NO, and how it ends."""

    grounds: AppealGrounds
    text: str
    upheld: bool
    reason: str


class Playback(Struct, frozen=True, forbid_unknown_fields=True):
    """The decider restates the concern, is corrected, and restates it again."""

    text: str
    correction: str
    second: str


class Revised(Struct, frozen=True, forbid_unknown_fields=True):
    """A declined debt comes back with a better case, so many days after its NO."""

    days: int
    change: str
    problem: str
    estimate: tuple[Decimal, Decimal, Decimal]
    note: str


class Withdrawal(Struct, frozen=True, forbid_unknown_fields=True):
    """The proposer takes the debt back, so many days after proposing it."""

    days: int
    reason: str


class Split(Struct, frozen=True, forbid_unknown_fields=True):
    """The debt goes on as smaller ones, so many days after it was proposed."""

    days: int
    into: tuple[str, ...]
    note: str


class Abandonment(Struct, frozen=True, forbid_unknown_fields=True):
    """Work ends without the debt being paid, so many days after it began."""

    days: int
    spent: Decimal
    reason: str


class Unasked(Struct, frozen=True, forbid_unknown_fields=True):
    """Work begins without a YES, so many days after the debt was proposed."""

    days: int
    note: str


class Loss(Struct, frozen=True, forbid_unknown_fields=True):
    """A risk that came true, so many days after the NO."""

    days: int
    hours: Decimal
    incident: str
    text: str


class Debt(Struct, frozen=True, forbid_unknown_fields=True):
    """One debt with all that happens to it."""

    key: str
    team: str
    proposer: str
    day: int
    area: str
    kind: str
    title: str
    problem: str
    benefits: tuple[tuple[BenefitCode, str], ...]
    risks: tuple[tuple[str, float, Decimal, int], ...]
    risk_of_fixing: str | None = None
    no_risk_of_fixing: str | None = None
    benefit_of_ignoring: str | None = None
    no_benefit_of_ignoring: str | None = None
    estimate: tuple[Decimal, Decimal, Decimal] | None = None
    drag: Decimal | None = None
    growth: Decimal = Decimal(0)
    critical: bool = False
    answers: tuple[Answer, ...] = ()
    concern: Concern | None = None
    re_estimate: ReEstimate | None = None
    appeal: Appeal | None = None
    acknowledge: str | None = None
    playback: Playback | None = None
    merge_into: str | None = None
    revised: Revised | None = None
    withdrawn: Withdrawal | None = None
    split: Split | None = None
    abandoned: Abandonment | None = None
    unasked: Unasked | None = None
    told_late: bool = False
    untold: bool = False
    actual: Decimal | None = None
    #: What was measured 90 days after the work: name, realised, promised, unit.
    benefit: tuple[str, Decimal, Decimal, str] | None = None
    loss: Loss | None = None


class _Debts(Struct, frozen=True):
    debt: tuple[Debt, ...]


def debts() -> tuple[Debt, ...]:
    """This will read the story's debts, in the order of their teams."""
    text = files(__package__).joinpath("debts.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Debts).debt
