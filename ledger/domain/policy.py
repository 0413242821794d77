"""A prioritisation policy: a named formula with versions, put into force for a team."""

from datetime import datetime
from math import isfinite
from typing import assert_never, cast

from msgspec import Struct
from msgspec.structs import replace

from ledger.commands.issued import Issued
from ledger.commands.policy import ActivatePolicy, DefinePolicy, RevisePolicy
from ledger.domain.rejected import Code, Rejected
from ledger.domain.team import TeamState
from ledger.domain.team import known as known_team
from ledger.events.envelope import Event
from ledger.events.policy import PolicyActivated, PolicyDefined, PolicyRevised
from ledger.ranking import FEATURES, Formula
from ledger.values import ORGANISATION, PolicyId, PolicyMethod, TeamId, instant_text, utc

PolicyFact = PolicyDefined | PolicyRevised | PolicyActivated

#: Features that lie between 0 and 1 by themselves and so need no full scale.
SHARES = frozenset({"smallness", "confidence"})
ENGINEERS_MAX = 1_000
WEIGHT_MAX = 1_000_000.0


class PolicyState(Struct, frozen=True):
    """A policy as it stands. `teams` are those that it was ever activated for; another may have followed it since."""

    policy_id: PolicyId
    name: str
    #: The formula of each version, from 1.
    formulas: tuple[Formula, ...]
    teams: frozenset[TeamId] = frozenset()

    @property
    def policy_version(self) -> int:
        """This will give the latest version."""
        return len(self.formulas)

    @property
    def formula(self) -> Formula:
        """This will give the formula of the latest version."""
        return self.formulas[-1]


def evolve(state: PolicyState | None, event: Event) -> PolicyState:
    """This will fold one fact of a policy's stream into its state."""
    fact = cast("PolicyFact", event.fact)
    if isinstance(fact, PolicyDefined):
        return PolicyState(PolicyId(event.stream_id), fact.name, (fact.formula,))
    if state is None:
        raise LookupError(f"{type(fact).__name__} at position {event.position} is of a policy that was never defined")
    match fact:
        case PolicyRevised():
            return replace(state, formulas=(*state.formulas, fact.formula))
        case PolicyActivated():
            return replace(state, teams=state.teams | {fact.team_id})
        case _:
            assert_never(fact)


def decide_define_policy(state: PolicyState | None, issued: Issued[DefinePolicy]) -> list[Struct]:
    """This will define a policy, whose id nobody has yet."""
    command = issued.command
    if state is not None:
        raise Rejected(
            Code.CONFLICT,
            f"This id is the policy {state.name}'s already. Revise that one, or define yours under another id.",
            "policy_id",
        )
    check(command.formula)
    return [PolicyDefined(command.name, command.formula, command.note)]


def decide_revise_policy(state: PolicyState | None, issued: Issued[RevisePolicy]) -> list[Struct]:
    """This will give a policy its next version, with a formula that differs."""
    policy, command = known(state), issued.command
    check(command.formula)
    if command.formula == policy.formula:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"Version {policy.policy_version} of {policy.name} ranks exactly so already. Change something, or leave it.",
            "formula",
        )
    return [PolicyRevised(policy.policy_version + 1, command.formula, command.note)]


def decide_activate_policy(
    state: PolicyState | None, issued: Issued[ActivatePolicy], team: TeamState | None
) -> list[Struct]:
    """This will put a policy into force for a team, in place of whichever was. `since` may lie before now, never after."""
    known(state)
    command = issued.command
    if known_team(team).team_id == ORGANISATION:
        raise Rejected(Code.BAD_USER_INPUT, "The organisation ranks nothing. Name a team.", "team_id")
    return [PolicyActivated(command.team_id, _since(command.since, issued))]


def known(state: PolicyState | None) -> PolicyState:
    """This will give the policy, or refuse: there is none."""
    if state is None:
        raise Rejected(Code.NOT_FOUND, "There is no such policy. Look its id up, or define it first.", "policy_id")
    return state


def check(formula: Formula) -> None:
    """This will refuse a formula that could not rank, or that has parameters which its method would not look at."""
    if formula.method is PolicyMethod.WEIGHTED:
        _check_weights(formula.weights)
        _check_scale(formula.weights, formula.scale)
    elif formula.weights or formula.scale:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{formula.method} looks at no weights and no scale. Leave them out, or choose WEIGHTED.",
            "formula",
            "weights" if formula.weights else "scale",
        )
    if formula.method is not PolicyMethod.CD3 and formula.engineers != 1:
        raise Rejected(
            Code.BAD_USER_INPUT, f"{formula.method} does not divide by engineers. Leave it out.", "formula", "engineers"
        )
    if not 0 < formula.engineers <= ENGINEERS_MAX:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{formula.engineers} engineers on an item at once: give more than 0 and at most {ENGINEERS_MAX:,}.",
            "formula",
            "engineers",
        )


def _check_weights(weights: dict[str, float]) -> None:
    _check_features(weights, "weights")
    for name, weight in weights.items():
        if not isfinite(weight) or not 0 <= weight <= WEIGHT_MAX:
            raise Rejected(
                Code.BAD_USER_INPUT,
                f"The weight of {name} is {weight}: give 0 to {WEIGHT_MAX:,.0f}.",
                "formula",
                "weights",
                name,
            )
    if not sum(weights.values()):
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"WEIGHTED needs a weight above 0 for at least one of {', '.join(FEATURES)}.",
            "formula",
            "weights",
        )


def _check_scale(weights: dict[str, float], scale: dict[str, float]) -> None:
    _check_features(scale, "scale")
    for name, full in scale.items():
        if not isfinite(full) or full <= 0:
            raise Rejected(
                Code.BAD_USER_INPUT,
                f"The scale of {name} is {full}: give the value above 0 that counts as full.",
                "formula",
                "scale",
                name,
            )
    for name in sorted(weights.keys() - scale.keys() - SHARES):
        if weights[name]:
            raise Rejected(
                Code.BAD_USER_INPUT,
                f"{name} is weighed but has no scale. Say which value of it counts as full.",
                "formula",
                "scale",
                name,
            )


def _check_features(given: dict[str, float], part: str) -> None:
    unknown = sorted(given.keys() - set(FEATURES))
    if unknown:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"{unknown[0]} is no feature of an item. There are {', '.join(FEATURES)}.",
            "formula",
            part,
            unknown[0],
        )


def _since(since: datetime | None, issued: Issued[ActivatePolicy]) -> datetime:
    at = utc(issued.at)
    if since is None:
        return utc(issued.occurred_at or issued.at)
    if since.tzinfo is None:
        raise Rejected(Code.BAD_USER_INPUT, "`since` names no time zone. Add one, such as Z for UTC.", "since")
    if utc(since) > at:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"`since` is {instant_text(since)}, which is yet to come: a policy ranks from its activation on. "
            "Activate it on that day.",
            "since",
        )
    return utc(since)
