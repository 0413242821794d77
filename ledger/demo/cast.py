"""Who is in the story."""

from decimal import Decimal
from uuid import uuid5

from msgspec import Struct

from ledger.values import NAMESPACE, MemberId, TeamId


class Cast(Struct, frozen=True):
    """One team: its people, and how it works."""

    name: str
    lead: str
    product_manager: str
    engineers: tuple[str, ...]
    capacity: Decimal
    weekly_hours: Decimal
    #: The product manager still writes code, and so may propose too.
    manager_builds: bool = False


#: Product manager of all three teams; hears the appeals.
HEAD_OF_PRODUCT = "Maya"
STEWARD = "Robin"
AUDITOR = "Alex"
OBSERVER = "Olu"
INTEGRATOR = "Build robot"

TEAMS = (
    Cast("Checkout", "Lena", "Paula", ("Noor", "Tomás", "Ines"), Decimal(16), Decimal(150)),
    Cast("Search", "Hugo", "Dev", ("Kofi", "Mei", "Ravi"), Decimal(14), Decimal(150)),
    Cast("Platform", "Yara", "Greta", ("Sam", "Ada", "Lin"), Decimal(16), Decimal(140), manager_builds=True),
)


def member(name: str) -> MemberId:
    """This will name a person of the story."""
    return MemberId(uuid5(NAMESPACE, f"demo/member/{name}"))


def team(name: str) -> TeamId:
    """This will name a team of the story."""
    return TeamId(uuid5(NAMESPACE, f"demo/team/{name}"))


def everybody() -> tuple[str, ...]:
    """This will list everybody's name once."""
    names = [STEWARD, AUDITOR, INTEGRATOR, OBSERVER, HEAD_OF_PRODUCT]
    for cast in TEAMS:
        names += [cast.lead, cast.product_manager, *cast.engineers]
    return tuple(names)
