"""A scenario: the small file that says what to replay. The same scenario on the same log gives the same bytes."""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.ranking import FEATURES
from ledger.values import Verdict

RUNS_MAX = 10_000
POLICIES_MAX = 100
LIST_MAX = 250
DAYS_MAX = 10_000.0
EVERY_DAYS_MAX = 3_650
#: How far the weights of one policy may be from 1 in sum.
SUM_SLACK = 1e-6


class ScenarioError(ValueError):
    """The scenario can't be run; nothing was started. `path` leads to what is wrong."""

    def __init__(self, message: str, *path: str) -> None:
        self.path = path
        super().__init__(f"{'.'.join(path)}: {message}" if path else message)


class Effort(StrEnum):
    """Which figure of an estimate counts. PERT: E = (O + 4M + P) / 6, σ = (P − O) / 6 (Malcolm et al., 1959)."""

    #: E.
    MEAN = "MEAN"
    #: M.
    LIKELY = "LIKELY"
    #: E + 0.8416 σ, at most P.
    P80 = "P80"
    #: E × median(actual ÷ E) over what the team had completed before that review; E while that is fewer than three.
    CALIBRATED = "CALIBRATED"


class Imputation(StrEnum):
    """What an item without an estimate is taken to cost."""

    #: Nothing is made up: it can't be chosen.
    NONE = "NONE"
    #: The median of the team's estimates that were known at that review.
    MEDIAN = "MEDIAN"


class Scaling(StrEnum):
    """How WEIGHTED brings features to 0 … 1."""

    #: By the scale that the policy gives, as the live backlog does.
    SCALE = "SCALE"
    #: Min–max over the candidates of that review, and never over the whole history.
    CANDIDATES = "CANDIDATES"


class Method(StrEnum):
    """The policies that are here; a policy of one's own is named `module:function`."""

    MOMENTUM = "MOMENTUM"
    CD3 = "CD3"
    WSJF = "WSJF"
    RICE = "RICE"
    ICE = "ICE"
    WEIGHTED = "WEIGHTED"
    KNAPSACK = "KNAPSACK"
    AS_DECIDED = "AS_DECIDED"
    FIFO = "FIFO"
    RANDOM = "RANDOM"
    NOTHING = "NOTHING"
    ORACLE = "ORACLE"


class PolicyChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """One policy to try. `method` is one of Method, or `module:function`, or the name of an installed entry point."""

    method: str
    #: What it is called in the report; by default its method.
    label: str = ""
    #: WEIGHTED: the share of each feature; they sum to 1.
    weights: dict[str, float] = {}
    #: WEIGHTED: the figure of a feature that counts as 1.
    scale: dict[str, float] = {}
    scaling: Scaling = Scaling.SCALE
    #: CD3: how many work on an item at once.
    engineers: float = 1.0
    #: RICE: working days in a person-month.
    days_a_month: float = 20.0
    #: Let drag grow from its assessment to the review; the live backlog does not.
    grow: bool = False

    @property
    def name(self) -> str:
        """This will give what it is called."""
        return self.label or str(self.method)


class Forced(Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict that is given, whatever the policy says: `review` counts the team's reviews in the period from 1, or is a review's id."""

    proposal: UUID
    review: int | UUID
    verdict: Verdict


class Hypothetical(Struct, frozen=True, forbid_unknown_fields=True):
    """A fact that is taken to have been otherwise, from the item's submission on. None: as it was."""

    proposal: UUID
    #: Engineer-days: the estimate had been this, without a spread.
    days: float | None = None
    #: Engineer-hours a week.
    drag: float | None = None
    #: Percent a month.
    growth: float | None = None
    confidence: float | None = None


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """What the user varies. Left out: as it was."""

    policies: tuple[PolicyChoice, ...]
    name: str = ""
    #: Names or ids of teams; empty: all that held reviews in the period.
    teams: tuple[str, ...] = ()
    #: Only proposals of these areas are replayed: the others get what they got, and what is left of a review's capacity is for these.
    areas: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    #: A review every so many days, instead of those that were.
    every_days: int | None = None
    #: Engineer-days at each review, instead of what it had.
    capacity_days: float | None = None
    #: Or a share of what it had.
    capacity_share: float = 1.0
    effort: Effort = Effort.MEAN
    imputation: Imputation = Imputation.NONE
    #: Multiply drag by the confidence in it.
    confidence: bool = True
    dependencies: bool = True
    #: How far ahead KNAPSACK looks.
    horizon_weeks: int = 26
    forced: tuple[Forced, ...] = ()
    hypothetical: tuple[Hypothetical, ...] = ()
    seed: int = 1
    #: Draws for the sensitivity; 0: none.
    runs: int = 0
    #: Compare with ORACLE.
    regret: bool = True

    def digest(self) -> str:
        """This will name the configuration: SHA-256, hexadecimal, of its canonical bytes."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def read(path: Path) -> Scenario:
    """This will read a scenario from a TOML or JSON file and check it. Raises ScenarioError, and OSError."""
    return parse(path.read_bytes(), is_json=path.suffix.lower() == ".json")


def parse(text: bytes, *, is_json: bool = False) -> Scenario:
    """This will read a scenario from its text and check it. Raises ScenarioError."""
    decode: Any = msgspec.json.decode if is_json else msgspec.toml.decode
    try:
        scenario: Scenario = decode(text, type=Scenario)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at ")
        raise ScenarioError(sentence, place.strip("`").removeprefix("$.") or "scenario") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ScenarioError(f"It is no {'JSON' if is_json else 'TOML'}: {error}") from None
    return checked(scenario)


def checked(scenario: Scenario) -> Scenario:
    """This will give the scenario back if it can be run on some log, and raise ScenarioError otherwise."""
    if not scenario.policies:
        raise ScenarioError("It names no policy. Name at least one.", "policies")
    _bound(len(scenario.policies), "policies", POLICIES_MAX)
    names = [choice.name for choice in scenario.policies]
    for index, choice in enumerate(scenario.policies):
        if choice.name in names[:index]:
            raise ScenarioError(f"{choice.name} is there twice. Give one of them a label.", "policies", str(index))
        _policy(choice, ("policies", str(index)))
    for name in ("forced", "hypothetical", "teams", "areas"):
        _bound(len(getattr(scenario, name)), name, LIST_MAX)
    for name in ("since", "until"):
        at = getattr(scenario, name)
        if at is not None and at.tzinfo is None:
            raise ScenarioError(
                "It names no time zone. Add one, such as Z for UTC.", "from" if name == "since" else "to"
            )
    if scenario.since is not None and scenario.until is not None and scenario.since >= scenario.until:
        raise ScenarioError("The period is empty: it begins when it ends, or later.", "to")
    _number(scenario.every_days, "every_days", least=1, most=EVERY_DAYS_MAX)
    _number(scenario.capacity_days, "capacity_days", least=0, most=DAYS_MAX)
    _number(scenario.capacity_share, "capacity_share", least=0, most=100)
    if scenario.capacity_days is not None and scenario.capacity_share != 1.0:
        raise ScenarioError("It gives both days and a share. Give one of them.", "capacity_share")
    _number(scenario.horizon_weeks, "horizon_weeks", least=1, most=520)
    _number(scenario.runs, "runs", least=0, most=RUNS_MAX)
    _number(scenario.seed, "seed", least=0, most=2**63 - 1)
    for index, had in enumerate(scenario.hypothetical):
        for name, most in (("days", DAYS_MAX), ("drag", 1e6), ("growth", 1_000.0), ("confidence", 1.0)):
            _number(getattr(had, name), "hypothetical", str(index), name, least=0, most=most)
        if had.days == 0:
            raise ScenarioError("0 days cannot be. Give more.", "hypothetical", str(index), "days")
    return scenario


def _policy(choice: PolicyChoice, path: tuple[str, ...]) -> None:
    if choice.method == Method.WEIGHTED:
        _weights(choice, path)
    elif choice.weights or choice.scale:
        raise ScenarioError(f"{choice.method} weighs nothing. Leave weights and scale out.", *path, "weights")
    _number(choice.engineers, *path, "engineers", least=0.01, most=1_000)
    _number(choice.days_a_month, *path, "days_a_month", least=0.01, most=31)


def _weights(choice: PolicyChoice, path: tuple[str, ...]) -> None:
    for where, figures in (("weights", choice.weights), ("scale", choice.scale)):
        for feature, figure in figures.items():
            if feature not in FEATURES:
                raise ScenarioError(f"There is no feature {feature[:40]}. Use {', '.join(FEATURES)}.", *path, where)
            _number(figure, *path, where, feature, least=0, most=1e9)
            if where == "scale" and figure == 0:
                raise ScenarioError("A full scale of 0 cannot be. Give more.", *path, where, feature)
    whole = sum(choice.weights.values())
    if abs(whole - 1) > SUM_SLACK:
        raise ScenarioError(f"The weights sum to {whole:g}. Make them sum to 1.", *path, "weights")


def _bound(count: int, name: str, most: int) -> None:
    if count > most:
        raise ScenarioError(f"It lists {count}; at most {most} are allowed.", name)


def _number(value: float | None, *path: str, least: float, most: float) -> None:
    if value is not None and not (isfinite(value) and least <= value <= most):
        raise ScenarioError(f"{value} cannot be. Give {least:g} to {most:g}.", *path)
