"""What can go wrong between the domain and the database, each with a type of its own."""

from datetime import datetime
from uuid import UUID

from eventsourcing.persistence import IntegrityError

from ledger.values import instant_text


class StoreFault(Exception):  # noqa: N818  # named for what happened
    """Something about keeping facts that a caller may want to tell apart."""


class AppendFault(StoreFault):
    """A command that was not recorded, for a reason that its sender can know."""


class VersionConflict(AppendFault, IntegrityError):  # noqa: N818
    """An event does not follow the last one of its stream: someone was faster. Load again and decide again.

    `version` is the stream's last version, 0 if there is no such stream.
    """

    def __init__(self, stream_id: UUID, version: int) -> None:
        super().__init__(f"stream {stream_id} is at version {version}")
        self.stream_id = stream_id
        self.version = version


class CommandReused(AppendFault):
    """The command id is known, but with another request. Nothing was recorded; use a new id."""

    def __init__(self, command_id: UUID) -> None:
        super().__init__(f"command {command_id} was recorded with another request")
        self.command_id = command_id


class StoryRanBackwards(AppendFault):
    """In a story ledger the command's time lies before the last recorded one."""

    def __init__(self, at: datetime, recorded_at: datetime) -> None:
        super().__init__(f"the story is at {instant_text(recorded_at)} and cannot go back to {instant_text(at)}")
        self.at = at
        self.recorded_at = recorded_at


class LedgerBusy(AppendFault):
    """Nothing was recorded because too much else was going on. Trying again with the same command id is safe."""


class LedgerUnavailable(AppendFault):
    """Nothing was recorded because the database could not be reached. Trying again with the same command id is safe."""


class LedgerFull(LedgerUnavailable):
    """Nothing was recorded because the disk is nearly full; what is there can be read."""

    def __init__(self, percent: float, percent_max: int) -> None:
        super().__init__(
            f"The ledger's disk is {percent:.0f} % full, and from {percent_max} % on it takes nothing new, so that it can still be read."
            " Nothing was done. Tell its operator to make room, then try again."
        )


class OutcomeUnknown(StoreFault):
    """The command may or may not be recorded. Sending it again with the same id and request tells, and records it at most once."""

    def __init__(self, command_id: UUID) -> None:
        super().__init__(f"whether command {command_id} was recorded could not be found out")
        self.command_id = command_id


class NotReconciled(StoreFault):
    """The ledger is not the one that was signed or seen: an older state was restored, or somebody rewrote what is kept of it."""


class UnknownTopic(StoreFault):
    """A stored fact has a topic, or a version of it, that this program does not know: it was written by a newer one."""

    def __init__(self, topic: str, version: int | None = None) -> None:
        super().__init__(f"no fact is registered as {topic}" + ("" if version is None else f" version {version}"))
        self.topic = topic
        self.version = version


class PayloadMissing(StoreFault):
    """A stored fact was emptied, and no redaction accounts for it: somebody went round the ledger. `verify` tells more."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the fact at position {position} was emptied without a redaction; run: decision-ledger verify"
        )
        self.position = position


class NotARecordedFact(StoreFault):
    """A stored event has no envelope of ours, so there is no fact in it."""


class MigrationFailed(StoreFault):
    """A migration ran but did not do what its check asks for."""


class MigrationChanged(StoreFault):
    """An applied migration is not the one that this program knows."""


class ClockIsFixed(StoreFault):
    """A ledger keeps the clock that it was made with."""
