"""Small histories told in days: a row per fact, as the loader would read them."""

from uuid import UUID

import numpy as np

from ledger.ranking import Formula
from ledger.replay.history import DAY_US, History, Names, ordered
from ledger.replay.kinds import DISPOSITIONS, WIDTH, Kind
from ledger.values import Disposition

START_US = 1_700_000_000_000_000
LEDGER = UUID(int=7)


def proposal_id(number: int) -> UUID:
    return UUID(int=0x1000 + number)


class Tale:
    """One team's history (more are possible): facts at days, native unless said otherwise."""

    def __init__(self, teams: int = 1, weekly_hours: float = 100.0) -> None:
        self.rows: list[tuple[int, int, int, int, bool, list[float]]] = []
        self.formulas: list[Formula] = []
        self.reviews = 0
        for team in range(teams):
            self.tell(0, Kind.TEAM_FORMED, team, 8, weekly_hours)

    def tell(
        self,
        day: float,
        kind: Kind,
        subject: int,
        *figures: float,
        occurred: float | None = None,
        imported: bool = False,
    ) -> int:
        at = START_US + int(day * DAY_US)
        true_at = at if occurred is None else START_US + int(occurred * DAY_US)
        filled = [*map(float, figures), *[np.nan] * (WIDTH - len(figures))]
        self.rows.append((int(kind), subject, at, true_at, imported, filled))
        return len(self.rows)

    def submit(
        self, day: float, item: int, *, days: float | None = None, drag: float | None = None, team: int = 0
    ) -> None:
        self.tell(day, Kind.SUBMITTED, item, team, 1)
        if days is not None:
            self.estimate(day, item, days)
        if drag is not None:
            self.tell(day, Kind.IMPACT, item, 1, drag, 0, 3, 1.0, 0)

    def estimate(self, day: float, item: int, days: float, version: int = 1, occurred: float | None = None) -> None:
        self.tell(day, Kind.ESTIMATED, item, version, days, days, days, days, occurred=occurred)

    def review(
        self,
        day: float,
        *,
        capacity: float = 10,
        yes: tuple[int, ...] = (),
        declined: tuple[int, ...] = (),
        team: int = 0,
        days: float = 2,
    ) -> None:
        number = self.reviews
        self.reviews += 1
        self.tell(day - 1, Kind.REVIEW_SCHEDULED, number, team, 1)
        self.tell(day, Kind.REVIEW_OPENED, number, 0, capacity, -1, 0)
        for item in yes:
            self.tell(day, Kind.DECIDED, item, 1, DISPOSITIONS.index(Disposition.SCHEDULE), number, days)
        for item in declined:
            self.tell(day, Kind.DECIDED, item, 0, DISPOSITIONS.index(Disposition.DECLINE), number)
        self.tell(day, Kind.REVIEW_CLOSED, number)

    def done(self, day: float, item: int, actual: float, started: float | None = None) -> None:
        if started is not None:
            self.tell(started, Kind.STARTED, item, 0)
        self.tell(day, Kind.COMPLETED, item, actual)

    def history(self) -> History:
        self.rows.sort(key=lambda row: row[2])  # in the order of recording
        for position, row in enumerate(self.rows):
            if row[0] == Kind.REVIEW_OPENED:
                row[5][0] = position  # it knows all that was recorded before it
        count = 1 + max([row[1] for row in self.rows if row[0] <= Kind.LOSS], default=-1)
        for row in self.rows:
            if row[0] in (Kind.NEEDS, Kind.NEEDS_NOT, Kind.MERGED):
                count = max(count, int(row[5][0]) + 1)
        teams = 1 + max(row[1] for row in self.rows if row[0] == Kind.TEAM_FORMED)
        columns = list(zip(*self.rows, strict=True))
        ids = np.frombuffer(b"".join(proposal_id(n).bytes for n in range(count)), np.uint8).reshape(-1, 16)
        team_ids = np.frombuffer(b"".join(UUID(int=0x2000 + n).bytes for n in range(teams)), np.uint8).reshape(-1, 16)
        review_ids = np.frombuffer(b"".join(UUID(int=0x3000 + n).bytes for n in range(self.reviews)), np.uint8).reshape(
            -1, 16
        )
        names = Names(
            ids,
            tuple(f"Item {n}" for n in range(count)),
            team_ids,
            tuple(f"Team {n}" for n in range(teams)),
            review_ids,
            np.empty((0, 16), np.uint8),
            tuple(self.formulas),
        )
        return ordered(
            LEDGER,
            len(self.rows),
            np.array(columns[0], np.uint8),
            np.array(columns[1], np.int32),
            np.arange(1, len(self.rows) + 1),
            np.array(columns[2], np.int64),
            np.array(columns[3], np.int64),
            np.array(columns[4], np.bool_),
            np.array(columns[5], np.float64),
            names,
        )
