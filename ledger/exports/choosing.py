"""Which part of the ledger is exported: one team's, a period's, or all of it."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.events import TOPICS
from ledger.events.policy import PolicyActivated
from ledger.events.proposal import ProposalSubmitted
from ledger.events.redaction import FactRedacted
from ledger.events.review import ReviewScheduled
from ledger.events.team import TeamFormed
from ledger.store.codec import PAYLOAD
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.export import Part
from ledger.store.integrity.rows import Row
from ledger.values import ORGANISATION

_TEAMS = f"SELECT stream_id, convert_from({PAYLOAD}, 'UTF8')::json ->> 'name' FROM ledger.events WHERE topic = %s"  # noqa: S608
#: Most teams that an error names.
NAMED_MAX = 20
#: The streams that say themselves whose they are.
_STREAMS = (
    f"SELECT DISTINCT stream_id::text FROM ledger.events WHERE topic = ANY(%s)"  # noqa: S608
    f" AND convert_from({PAYLOAD}, 'UTF8')::json ->> 'team_id' = %s"
)
_SUBMITTED, _ACTIVATED, _REDACTED = TOPICS[ProposalSubmitted], TOPICS[PolicyActivated], TOPICS[FactRedacted]


class NoSuchTeam(Exception):  # noqa: N818 - named for what it is
    """No team, or more than one, is called so."""


class Chosen(Struct, frozen=True):
    """What is to be exported; None: no limit. `since` is inclusive, `until` is not, and both are about when things were true."""

    team_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_all(self) -> bool:
        """This will say whether nothing is left out."""
        return self == Chosen()

    def __str__(self) -> str:
        if self.is_all:
            return "all there are"
        of = [f"team {self.team_id}"] if self.team_id else ["all teams"]
        of += [f"from {self.since:%Y-%m-%d %H:%M}Z"] if self.since else []
        of += [f"to before {self.until:%Y-%m-%d %H:%M}Z"] if self.until else []
        return " ".join(of)

    def part(self, connection: Connection) -> Part:
        """This will give what a partial export says of itself."""
        return Part(reading.ledger_id(connection), reading.head(connection), self.team_id, self.since, self.until)


def team_called(connection: Connection, who: str) -> UUID:
    """This will find the team of a name, whatever its case, or an id. Raises NoSuchTeam."""
    found: list[tuple[UUID, str]] = connection.execute(_TEAMS, [TOPICS[TeamFormed]]).fetchall()
    named = [team_id for team_id, name in found if who in (name, str(team_id))]
    named = named or [team_id for team_id, name in found if who.casefold() == name.casefold()]
    if not named:
        there_are = sorted(name for team_id, name in found if team_id != ORGANISATION)
        told = f"There are: {', '.join(there_are[:NAMED_MAX])}{', …' if there_are[NAMED_MAX:] else ''}"
        raise NoSuchTeam(f"No team is called {who}. {told if there_are else 'There are none yet'}")
    if len(named) > 1:
        raise NoSuchTeam(f"Several teams are called {who}; give a team's id")
    return named[0]


def sifting(connection: Connection, chosen: Chosen) -> Callable[[Row], bool] | None:
    """This will give the function that keeps what was chosen; None: all is.

    A team's are the facts of its own stream, of its proposals and reviews, the policies that it took, and the redactions of all these.
    """
    if chosen.is_all:
        return None
    team = None if chosen.team_id is None else str(chosen.team_id)
    streams = set() if team is None else {team, *_streams(connection, team)}

    def keeps(row: Row) -> bool:
        if chosen.since is not None and row.occurred_at < chosen.since:
            return False
        if chosen.until is not None and row.occurred_at >= chosen.until:
            return False
        return team is None or _concerns(row, team, streams)

    return keeps


def _streams(connection: Connection, team: str) -> list[str]:
    topics = [_SUBMITTED, TOPICS[ReviewScheduled]]
    return [row[0] for row in connection.execute(_STREAMS, [topics, team])]


def _concerns(row: Row, team: str, streams: set[str]) -> bool:
    if row.stream_id in streams:
        return True
    if row.topic == _ACTIVATED:
        return bool(msgspec.json.decode(row.payload)["team_id"] == team)
    return row.topic == _REDACTED and msgspec.json.decode(row.payload)["stream_id"] in streams
