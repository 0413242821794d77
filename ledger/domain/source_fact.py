"""A fact as its source has it, before the domain says it in its own words."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from ledger.values import DecisionId, MemberId, ProposalId, TeamId

#: The name under which a business case comes: it has a date of its own, but no fact in the source.
BUSINESS_CASE = "business_case"


class SourceAmount(Struct, frozen=True, gc=False, omit_defaults=True):
    """An estimate or an actual figure in the source's own unit. None: the source does not say."""

    value: str | None = None
    unit: str | None = None
    previous: str | None = None
    stage: str | None = None


class SourceSubmission(Struct, frozen=True, gc=False):
    """What a source says of the proposal as a whole."""

    title: str
    proposers: tuple[MemberId, ...] = ()
    area: str | None = None
    kind: str | None = None


class SourceFact(Struct, frozen=True, gc=False):
    """One fact of a source: its own name for it, and its words. People are ids of the directory already."""

    type: str
    #: All that the source says in this fact, by its own keys, but for what the envelope holds: the number, the times and who recorded it.
    words: Mapping[str, object]
    by: tuple[MemberId, ...] = ()
    verdict: str | None = None
    reason: str | None = None
    scope: str | None = None
    amount: SourceAmount | None = None
    submission: SourceSubmission | None = None
    #: The decision that this fact takes, or that this reason is for.
    decision_id: DecisionId | None = None
    successor: ProposalId | None = None
    #: A date that the source gives without saying that it is this fact's time.
    dated: datetime | None = None


class ImportingTeam(Struct, frozen=True):
    """The team that holds a source's history, and how many engineer-hours make its day."""

    team_id: TeamId
    hours_per_day: Decimal
