"""Sets the demo up: the story told once, a token per role made anew, and the queries to paste."""

from collections.abc import Callable
from uuid import uuid5

from msgspec import Struct

from ledger.demo import story
from ledger.demo.cast import member
from ledger.demo.lookups import LogLookups
from ledger.demo.memory import RememberingLedger, telling_alone
from ledger.demo.teller import FIRST_DAY, Teller
from ledger.directory import members, tokens
from ledger.handlers import Handlers, bootstrap
from ledger.store.application import Ledger
from ledger.store.connections import patient_connection
from ledger.store.migrations import migrate
from ledger.values import NAMESPACE, Role
from projections.catalogue import VIEWS
from projections.follower import Follower

CLIENT = "demo"
#: Whose token stands for which role.
WHO = {
    Role.STEWARD: "Robin",
    Role.AUDITOR: "Alex",
    Role.PRODUCT_MANAGER: "Paula",
    Role.ENGINEERING_LEAD: "Lena",
    Role.ENGINEER: "Noor",
    Role.OBSERVER: "Olu",
    Role.INTEGRATOR: "Build robot",
}
#: Longest wait for the views, in seconds.
WAIT_S = 60.0


class Shown(Struct, frozen=True):
    """What the newcomer needs: a token per role, and how long the story was."""

    tokens: dict[str, str]
    facts: int
    told_now: bool


def show(url: str, pepper: bytes, progress: Callable[[int, int], None]) -> Shown:
    """This will tell the story to a ledger that has not heard it whole, bring the views up to it, and make the tokens.

    One that was interrupted goes on where it stopped. Raises TimeoutError when a view does not get there.
    """
    migrate(url, clock="story")
    with telling_alone(url):
        if told_now := not _told(url):
            _tell(url, progress)
    with Ledger(url, pool_size=2) as ledger:
        facts = ledger.head()
        _follow(url, ledger, facts)
    return Shown(_tokens(url, pepper), facts, told_now)


def _told(url: str) -> bool:
    with patient_connection(url) as connection:
        found = connection.execute("SELECT 1 FROM ledger.commands WHERE command_id = %s", [story.THE_END]).fetchone()
    return found is not None


def _tell(url: str, progress: Callable[[int, int], None]) -> None:
    with patient_connection(url) as connection:
        members.put(connection, [members.Person(member(name), name) for name in story.everybody()])
    with RememberingLedger(url) as ledger:
        bootstrap(ledger, FIRST_DAY, uuid5(NAMESPACE, "demo/bootstrap"))
        story.tell(Teller(Handlers(ledger, LogLookups(ledger))), progress)


def _follow(url: str, ledger: Ledger, position: int) -> None:
    with Follower(url, ledger, VIEWS) as follower:
        for view in VIEWS:
            if not follower.wait_for(view.name, position, WAIT_S):
                raise TimeoutError(
                    f"The view {view.name} is not at {position} after {WAIT_S:.0f} seconds; its log says why."
                )


def _tokens(url: str, pepper: bytes) -> dict[str, str]:
    """This will make a token per role; those of an earlier start end, since each is shown only once."""
    with patient_connection(url) as connection:
        for old in tokens.every(connection):
            if old.client == CLIENT and old.revoked_at is None:
                tokens.revoke(connection, old.token_id)
        return {role.value: tokens.create(connection, pepper, member(name), CLIENT)[0] for role, name in WHO.items()}
