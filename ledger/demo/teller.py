"""Tells a story through the commands: a calendar of acts, each of which issues commands and may plan later acts."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from uuid import UUID, uuid5

from msgspec import Struct

from ledger.commands import Issued
from ledger.demo.cast import member
from ledger.handlers import Handlers, Outcome
from ledger.values import NAMESPACE, MemberId

#: The story's first day, a Monday. It ends before the day this was written, so that live commands come after it.
FIRST_DAY = datetime(2025, 4, 7, 9, 0, tzinfo=UTC)
LAST_DAY = 546
SATURDAY = 5
CHRISTMAS = (12, 24)
NEW_YEAR = (1, 1)


#: What somebody does; what it returns is not looked at.
Act = Callable[[], object]


class Teller:
    """Keeps the story's calendar and clock. Equal seeds tell equal stories, with equal command ids: an interrupted one goes on."""

    def __init__(self, handlers: Handlers, seed: int = 7) -> None:
        self._handlers = handlers
        self._calendar: list[tuple[datetime, int, Act]] = []
        self._order = count()
        self._told = count()
        self.chance = Random(seed)  # noqa: S311 - a story, not a secret
        self.now = FIRST_DAY

    def plan(self, at: datetime, act: Act) -> None:
        """This will have the act played at its time, or now where that has passed; acts after the last day are left out."""
        heapq.heappush(self._calendar, (max(at, self.now), next(self._order), act))

    def after(self, act: Act, *, days: float = 0, hours: float = 0) -> None:
        """This will have the act played that much later, on a working day."""
        self.plan(workday(self.now + timedelta(days=days, hours=hours)), act)

    def tell(self, who: str, command: Struct) -> Outcome:
        """This will issue the command as this person now."""
        return self.tell_as(member(who), command)

    def tell_as(self, who: MemberId, command: Struct, command_id: UUID | None = None) -> Outcome:
        """This will issue the command as this member now; a minute goes by. Its id follows from its place in the story."""
        command_id = command_id or uuid5(NAMESPACE, f"demo/command/{next(self._told)}")
        outcome = self._handlers.handle(Issued(command, command_id, who, self.now))
        self.now += timedelta(minutes=1)
        return outcome

    def play(self, progress: Callable[[int, int], None]) -> None:
        """This will play the calendar to its end, telling the day and the last day as it goes."""
        end = FIRST_DAY + timedelta(days=LAST_DAY)
        while self._calendar and self._calendar[0][0] < end:
            at, _, act = heapq.heappop(self._calendar)
            self.now = max(self.now, at)
            progress((self.now - FIRST_DAY).days, LAST_DAY)
            act()
        progress(LAST_DAY, LAST_DAY)


def day(number: float, hour: float = 9) -> datetime:
    """This will give an hour (UTC) of a day of the story, counted from 0."""
    return FIRST_DAY + timedelta(days=number, hours=hour - 9)


def workday(at: datetime) -> datetime:
    """This will give the same hour of that day, or of the first after it that is no weekend and not between the years."""
    while at.weekday() >= SATURDAY or (at.month, at.day) >= CHRISTMAS or (at.month, at.day) == NEW_YEAR:
        at += timedelta(days=1)
    return at


def name(kind: str, key: str) -> UUID:
    """This will name a thing of the story."""
    return uuid5(NAMESPACE, f"demo/{kind}/{key}")
