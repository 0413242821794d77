"""How a team's engineers look at their own list, a week before it is answered."""

from datetime import timedelta

from ledger.commands.review import CloseReview, FreezeAgenda, OpenReview, ScheduleReview
from ledger.demo.cast import Cast, member, team
from ledger.demo.teller import Teller, day, name
from ledger.values import ReviewId, ReviewKind


class EngineeringStory:
    """One engineering review of one team: it orders the list and answers nothing."""

    def __init__(self, teller: Teller, cast: Cast, number: int, on: int) -> None:
        self.teller = teller
        self.cast = cast
        self.on = on
        self.id = ReviewId(name("engineering-review", f"{cast.name}/{number}"))
        teller.plan(day(on - 4), self.schedule)

    def schedule(self) -> None:
        """This will plan the review some days ahead."""
        starts_at = day(self.on, 15)
        schedule = ScheduleReview(self.id, team(self.cast.name), ReviewKind.ENGINEERING, starts_at)
        self.teller.tell(self.cast.lead, schedule)
        self.teller.plan(starts_at - timedelta(minutes=15), self.hold)

    def hold(self) -> None:
        """This will go through the list with all engineers."""
        lead = self.cast.lead
        self.teller.tell(lead, FreezeAgenda(self.id))
        self.teller.tell(lead, OpenReview(self.id, tuple(map(member, (lead, *self.cast.engineers)))))
        self.teller.plan(day(self.on, 16), lambda: self.teller.tell(lead, CloseReview(self.id)))
