"""What may follow a decision, and where an imported one comes from."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from ledger.events.envelope import Event
from ledger.values import DATED, Acknowledgement, Channel, Dating, MemberId, Reason, ReopenCause

#: What an imported NO without any reason has as its code; it is what "unexplained" means.
NOT_RECORDED = "NOT_RECORDED"


class Provenance(Struct, frozen=True, omit_defaults=True):
    """Where an imported fact comes from, when its source knew it, and how far it vouches for the fact's date."""

    system: str
    external_id: str
    url: str | None = None
    known_at: datetime | None = None
    dating: Dating | None = None

    @property
    def is_dated(self) -> bool:
        """This will say whether ages and delays may be reckoned from the fact's date."""
        return self.dating in DATED


def provenance(event: Event) -> Provenance | None:
    """This will say where an imported event comes from; None for a live one."""
    source = event.source
    if source is None:
        return None
    return Provenance(source.system, source.external_id, source.url, source.known_at, source.dating)


def recorded_at(event: Event) -> datetime:
    """This will give when the ledger stored the event. Raises ValueError for one that it has not."""
    if event.recorded_at is None:
        raise ValueError(f"event {event.event_id} is not recorded")
    return event.recorded_at


class PlaybackState(StrEnum):
    """Did the proposer find what the decider restated right?"""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    CORRECTED = "CORRECTED"


class Communication(Struct, frozen=True, omit_defaults=True):
    """One telling of a decision. It counts as told only where the audience names the proposer."""

    channel: Channel
    audience: tuple[MemberId, ...]
    at: datetime
    position: int
    by: MemberId
    names_proposer: bool = False
    reference: str | None = None


class AcknowledgementGiven(Struct, frozen=True, omit_defaults=True):
    """A recipient's answer to a told decision."""

    by: MemberId
    answer: Acknowledgement
    at: datetime
    position: int
    note: str | None = None


class Playback(Struct, frozen=True, omit_defaults=True):
    """The proposer's concern in the decider's words, and whether the proposer found it right."""

    by: MemberId
    text: str
    at: datetime
    position: int
    state: PlaybackState = PlaybackState.OPEN
    answered_by: MemberId | None = None
    answered_at: datetime | None = None
    #: What the proposer meant instead.
    correction: str | None = None


class Explanation(Struct, frozen=True, omit_defaults=True):
    """A reason given after the decision, with how long that took; None: a source does not say when either was."""

    reasons: tuple[Reason, ...]
    at: datetime
    position: int
    delay_days: float | None
    by: MemberId
    provenance: Provenance | None = None


class Waiver(Struct, frozen=True):
    """The conditions that would bring it back were given up."""

    reason: str
    at: datetime
    position: int
    by: MemberId


class Reopening(Struct, frozen=True, omit_defaults=True):
    """The decision stopped to rule its proposal, which became pending again."""

    because: ReopenCause
    at: datetime
    position: int
    note: str | None = None
