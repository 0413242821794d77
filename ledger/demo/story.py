"""The whole story: its people are appointed, its policies defined, and then each debt and each review has its days."""

from collections.abc import Callable
from datetime import timedelta

from ledger.commands.policy import ActivatePolicy, DefinePolicy
from ledger.commands.team import AddMember, FormTeam, GrantRole, SetCadence, SetCapacity, SetServiceLevel
from ledger.demo.cast import AUDITOR, HEAD_OF_PRODUCT, OBSERVER, STEWARD, TEAMS, Cast, member, team
from ledger.demo.debt_story import DebtStory
from ledger.demo.debts import debts
from ledger.demo.review_story import ReviewStory
from ledger.demo.teller import FIRST_DAY, LAST_DAY, Teller, day, name
from ledger.ranking import Formula
from ledger.values import ORGANISATION, SYSTEM, PolicyId, PolicyMethod, Role

MOMENTUM = PolicyId(name("policy", "momentum"))
COST_OF_DELAY = PolicyId(name("policy", "cost-of-delay"))
#: A product review every four weeks, each team in a week of its own.
CYCLE_DAYS = 28


def tell(teller: Teller, progress: Callable[[int, int], None]) -> None:
    """This will tell the whole story, from the teams' first day to the last."""
    appoint(teller)
    define_policies(teller)
    stories = {debt.key: DebtStory(teller, debt) for debt in debts()}
    for week, cast in enumerate(TEAMS):
        for number, on in enumerate(range(15 + 7 * week, LAST_DAY, CYCLE_DAYS)):
            ReviewStory(teller, cast, stories, number, on)
    teller.play(progress)


def appoint(teller: Teller) -> None:
    """This will form the teams and give everybody a role."""
    for who, role in ((STEWARD, Role.STEWARD), (AUDITOR, Role.AUDITOR)):
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
    teller.tell(STEWARD, SetCapacity(team_id, cast.capacity))
    teller.tell(STEWARD, SetCadence(team_id, 14, CYCLE_DAYS))
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
    teller.plan(day(280, 9), lambda: teller.tell(STEWARD, change) and None)


def ends_at() -> str:
    """This will give the story's last day."""
    return (FIRST_DAY + timedelta(days=LAST_DAY)).date().isoformat()
