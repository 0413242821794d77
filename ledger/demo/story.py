"""The whole story: its people are appointed, its policies defined, and then each debt and each review has its days."""

from collections.abc import Callable
from uuid import uuid5

from ledger.commands.policy import ActivatePolicy, DefinePolicy
from ledger.commands.review import ScheduleReview
from ledger.commands.team import AddMember, FormTeam, GrantRole, SetCadence, SetCapacity, SetServiceLevel
from ledger.demo.cast import (
    AUDITOR,
    HEAD_OF_PRODUCT,
    INTEGRATOR,
    OBSERVER,
    STEWARD,
    TEAMS,
    Cast,
    everybody,
    member,
    team,
)
from ledger.demo.debt_story import DebtStory
from ledger.demo.debts import debts
from ledger.demo.engineering_story import EngineeringStory
from ledger.demo.review_story import HOLIDAYS, ReviewStory
from ledger.demo.teller import LAST_DAY, Teller, day, name
from ledger.ranking import Formula
from ledger.values import NAMESPACE, ORGANISATION, SYSTEM, PolicyId, PolicyMethod, ReviewId, ReviewKind, Role

MOMENTUM = PolicyId(name("policy", "momentum"))
COST_OF_DELAY = PolicyId(name("policy", "cost-of-delay"))
#: A product review every four weeks, each team in a week of its own.
CYCLE_DAYS = 28
FIRST_REVIEW_DAY = 15
#: The engineers look at the list on the Thursday of the week before.
PREPARED_DAYS = -5
#: The command by which a ledger knows that it has heard the whole story.
THE_END = uuid5(NAMESPACE, "demo/command/end")

__all__ = ["THE_END", "everybody", "tell"]


def tell(teller: Teller, progress: Callable[[int, int], None]) -> None:
    """This will tell the whole story, from the teams' first day to the last."""
    appoint(teller)
    define_policies(teller)
    stories = {debt.key: DebtStory(teller, debt) for debt in debts()}
    for week, cast in enumerate(TEAMS):
        first = FIRST_REVIEW_DAY + 7 * week
        for number, on in enumerate(range(first, LAST_DAY, CYCLE_DAYS)):
            ReviewStory(teller, cast, stories, number, on)
        for number, on in enumerate(range(first + PREPARED_DAYS, LAST_DAY, CYCLE_DAYS)):
            if on not in HOLIDAYS:
                EngineeringStory(teller, cast, number, on)
    teller.play(progress)
    look_ahead(teller)


def appoint(teller: Teller) -> None:
    """This will form the teams and give everybody a role."""
    for who, role in ((STEWARD, Role.STEWARD), (AUDITOR, Role.AUDITOR), (INTEGRATOR, Role.INTEGRATOR)):
        teller.tell_as(SYSTEM, AddMember(ORGANISATION, member(who)))
        teller.tell_as(SYSTEM, GrantRole(ORGANISATION, member(who), role))
    for cast in TEAMS:
        form(teller, cast)


def form(teller: Teller, cast: Cast) -> None:
    """This will form one team."""
    team_id = team(cast.name)
    teller.tell(STEWARD, FormTeam(team_id, cast.name, weekly_hours=cast.weekly_hours))
    roles = {
        cast.lead: Role.ENGINEERING_LEAD,
        cast.product_manager: Role.PRODUCT_MANAGER,
        HEAD_OF_PRODUCT: Role.PRODUCT_MANAGER,
        OBSERVER: Role.OBSERVER,
    }
    for who, role in (roles | dict.fromkeys(cast.engineers, Role.ENGINEER)).items():
        teller.tell(STEWARD, AddMember(team_id, member(who)))
        teller.tell(STEWARD, GrantRole(team_id, member(who), role))
    if cast.manager_builds:
        teller.tell(STEWARD, GrantRole(team_id, member(cast.product_manager), Role.ENGINEER))
    teller.tell(STEWARD, SetCapacity(team_id, cast.capacity))
    teller.tell(STEWARD, SetCadence(team_id, CYCLE_DAYS, CYCLE_DAYS))
    teller.tell(STEWARD, SetServiceLevel(team_id, 45, 48))


def define_policies(teller: Teller) -> None:
    """This will rank all teams by momentum, and plan Checkout's change to the cost of delay."""
    teller.tell(
        STEWARD,
        DefinePolicy(
            MOMENTUM, "Momentum per day", Formula(PolicyMethod.MOMENTUM), "Drag recovered per week, per day of effort."
        ),
    )
    teller.tell(
        STEWARD,
        DefinePolicy(
            COST_OF_DELAY, "Cost of delay by duration", Formula(PolicyMethod.CD3), "Counts the risks of waiting too."
        ),
    )
    for cast in TEAMS:
        teller.tell(STEWARD, ActivatePolicy(MOMENTUM, team(cast.name)))
    change = ActivatePolicy(COST_OF_DELAY, team("Checkout"))
    teller.plan(day(280, 9), lambda: teller.tell(STEWARD, change))


def look_ahead(teller: Teller) -> None:
    """This will plan each team's next review. The last of these commands marks the story as told."""
    teller.now = max(teller.now, day(LAST_DAY))
    for week, cast in enumerate(TEAMS):
        review_id = ReviewId(name("review", f"{cast.name}/next"))
        held = (LAST_DAY - FIRST_REVIEW_DAY - 7 * week) // CYCLE_DAYS + 1
        on = FIRST_REVIEW_DAY + 7 * week + held * CYCLE_DAYS
        plan = ScheduleReview(review_id, team(cast.name), ReviewKind.PRODUCT, day(on, 13))
        teller.tell_as(member(cast.product_manager), plan, THE_END if cast is TEAMS[-1] else None)
