"""The words that facts, commands and views share: ids, roles, codes, and the small structs that facts carry.

One file, long as it is: a word of the domain is looked up here and nowhere else.
"""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha1
from typing import NewType
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from msgspec import Struct

ProposalId = NewType("ProposalId", UUID)
ReviewId = NewType("ReviewId", UUID)
TeamId = NewType("TeamId", UUID)
PolicyId = NewType("PolicyId", UUID)
SimulationId = NewType("SimulationId", UUID)
MemberId = NewType("MemberId", UUID)
DecisionId = NewType("DecisionId", UUID)
ConcernId = NewType("ConcernId", UUID)
AppealId = NewType("AppealId", UUID)

NAMESPACE = uuid5(NAMESPACE_URL, "decision-ledger")

#: The stream that holds the roles across teams; it is formed like a team and decides nothing.
ORGANISATION = TeamId(uuid5(NAMESPACE, "organisation"))
#: The stream of the reason catalogue: one for the whole ledger.
CATALOGUE = uuid5(NAMESPACE, "reason-catalogue")
#: Who acts when no person does: migrations, the first steward's appointment, the demo's set-up.
SYSTEM = MemberId(uuid5(NAMESPACE, "system"))

#: The bytes of a UUID that say its version and variant, by the byte that a digest has there.
_VERSION_5 = [bytes([byte & 0x0F | 0x50]) for byte in range(256)]
_VARIANT = [bytes([byte & 0x3F | 0x80]) for byte in range(256)]
#: What MessagePack puts before 16 bytes.
_SIXTEEN_BYTES = b"\xc4\x10"
_uuid = msgspec.msgpack.Decoder(UUID).decode


def named(space: bytes, name: str) -> UUID:
    """This will give `uuid.uuid5(UUID(bytes=space), name)`, at a third of its time: an import needs three for each fact."""
    digest = sha1(space + name.encode(), usedforsecurity=False).digest()
    return _uuid(_SIXTEEN_BYTES + digest[:6] + _VERSION_5[digest[6]] + digest[7:8] + _VARIANT[digest[8]] + digest[9:16])


class Role(StrEnum):
    """What a member may do: the first four per team, the other three across teams."""

    ENGINEER = "ENGINEER"
    ENGINEERING_LEAD = "ENGINEERING_LEAD"
    PRODUCT_MANAGER = "PRODUCT_MANAGER"
    OBSERVER = "OBSERVER"
    AUDITOR = "AUDITOR"
    STEWARD = "STEWARD"
    INTEGRATOR = "INTEGRATOR"


TEAM_ROLES = frozenset({Role.ENGINEER, Role.ENGINEERING_LEAD, Role.PRODUCT_MANAGER, Role.OBSERVER})
GLOBAL_ROLES = frozenset(Role) - TEAM_ROLES


class Actor(Struct, frozen=True):
    """Who acts, and in which role. A fact names ids only; the person's name is in the directory."""

    member_id: MemberId
    role: Role


class Dating(StrEnum):
    """How far a source vouches for the date of what it tells. Without a mark it gives the instant itself."""

    #: The source names a day; it stands at that day's 00:00 UTC.
    DAY = "DAY"
    #: It was so by then at the latest; when it came about, the source does not say.
    NOT_AFTER = "NOT_AFTER"
    #: It cannot have been earlier.
    NOT_BEFORE = "NOT_BEFORE"
    #: The source has no date at all: `occurred_at` is its place in the order, and nothing more.
    UNDATED = "UNDATED"


#: With these marks `occurred_at` is the day itself, so that ages and delays may be reckoned from it.
DATED = (None, Dating.DAY)


class Source(Struct, frozen=True, omit_defaults=True):
    """Where an imported fact comes from. None means that the source does not say."""

    system: str
    external_id: str
    url: str | None = None
    #: SHA-256, hexadecimal, of the source's own words for this fact.
    content_hash: str | None = None
    #: When the source itself recorded it; None where it does not say.
    known_at: datetime | None = None
    #: How far `occurred_at` may be trusted; None: it is the instant that the source gives.
    dating: Dating | None = None
    #: What the source's date rests on, in its own words.
    dated_by: str | None = None
    #: The version of the source that says so: a commit, say.
    revision: str | None = None
    #: Who put it into the source.
    recorded_by: MemberId | None = None

    @property
    def is_dated(self) -> bool:
        """This will say whether ages and delays may be reckoned from `occurred_at`."""
        return self.dating in DATED


class Verdict(StrEnum):
    """The answer to a proposal."""

    YES = "YES"
    NO = "NO"


class Disposition(StrEnum):
    """What follows from the answer: SCHEDULE from a yes, the others from a no."""

    SCHEDULE = "SCHEDULE"
    DECLINE = "DECLINE"
    POSTPONE = "POSTPONE"
    REDIRECT = "REDIRECT"


class EffortUnit(StrEnum):
    """The unit of an estimate as it was given. Live estimates are in DAYS; imported ones keep their own."""

    DAYS = "DAYS"
    HOURS = "HOURS"
    POINTS = "POINTS"
    TARGET = "TARGET"


class EstimateBasis(StrEnum):
    """What an estimate rests on, from the weakest ground to the strongest."""

    GUESS = "GUESS"
    ANALOGY = "ANALOGY"
    BREAKDOWN = "BREAKDOWN"
    SPIKE = "SPIKE"


class EstimateCause(StrEnum):
    """Why an estimate changed."""

    NEW_INFORMATION = "NEW_INFORMATION"
    SCOPE = "SCOPE"
    SPIKE_DONE = "SPIKE_DONE"
    ERROR = "ERROR"
    RECALIBRATION = "RECALIBRATION"


class MomentumLevel(StrEnum):
    """Share of the team's weekly hours lost: M0 < 0.5 %, M1 < 2 %, M2 < 5 %, M3 < 10 %, M4 < 25 %, M5 beyond or blocked."""

    M0 = "M0"
    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4 = "M4"
    M5 = "M5"


class ImpactMethod(StrEnum):
    """How drag was found."""

    MEASURED = "MEASURED"
    SURVEYED = "SURVEYED"
    JUDGED = "JUDGED"


class BenefitCode(StrEnum):
    """What fixing would bring. COSMETIC is allowed and never sufficient."""

    EASES_CHANGE = "EASES_CHANGE"
    SPEEDS_DELIVERY = "SPEEDS_DELIVERY"
    UNLOCKS_FEATURE = "UNLOCKS_FEATURE"
    AVOIDS_SCALING_TROUBLE = "AVOIDS_SCALING_TROUBLE"
    SPEEDS_ONBOARDING = "SPEEDS_ONBOARDING"
    REDUCES_INCIDENTS = "REDUCES_INCIDENTS"
    REDUCES_SECURITY_RISK = "REDUCES_SECURITY_RISK"
    CUTS_RUN_COST = "CUTS_RUN_COST"
    RESTORES_KNOWLEDGE = "RESTORES_KNOWLEDGE"
    ENABLES_RETIREMENT = "ENABLES_RETIREMENT"
    COSMETIC = "COSMETIC"


class Channel(StrEnum):
    """How a decision was told."""

    PLANNING_MEETING = "PLANNING_MEETING"
    DOCUMENT = "DOCUMENT"
    EMAIL = "EMAIL"
    CHAT = "CHAT"
    PORTAL = "PORTAL"


class Acknowledgement(StrEnum):
    """The recipient's answer to a told decision."""

    AGREE = "AGREE"
    DISAGREE_BUT_UNDERSTAND = "DISAGREE_BUT_UNDERSTAND"
    NOT_UNDERSTOOD = "NOT_UNDERSTOOD"


class PlaybackStage(StrEnum):
    """Where the clearing up of a misunderstanding stands."""

    NONE = "NONE"
    ASKED = "ASKED"
    PLAYED_BACK = "PLAYED_BACK"
    CONFIRMED = "CONFIRMED"


class AppealGrounds(StrEnum):
    """Why a decision should be looked at again."""

    NEW_INFORMATION = "NEW_INFORMATION"
    INFORMATION_NOT_CONSIDERED = "INFORMATION_NOT_CONSIDERED"
    CHANGED_CIRCUMSTANCES = "CHANGED_CIRCUMSTANCES"
    PROCEDURE = "PROCEDURE"


class ReopenCause(StrEnum):
    """Why a decided proposal is open again."""

    APPEAL_UPHELD = "APPEAL_UPHELD"
    REVISIT_DUE = "REVISIT_DUE"
    CASE_REVISED = "CASE_REVISED"
    REPROPOSED = "REPROPOSED"


class RedirectTarget(StrEnum):
    """Where a redirected proposal goes."""

    SEVERITY_TRACK = "SEVERITY_TRACK"
    TEAM = "TEAM"
    TRACKER = "TRACKER"


class ReviewKind(StrEnum):
    """Engineers prepare the list (ENGINEERING); product managers answer it (PRODUCT)."""

    ENGINEERING = "ENGINEERING"
    PRODUCT = "PRODUCT"


class AgendaCause(StrEnum):
    """Why an item is on an agenda."""

    NEW = "NEW"
    REVISIT_DUE = "REVISIT_DUE"
    CARRIED_OVER = "CARRIED_OVER"
    APPEALED = "APPEALED"
    REVISED = "REVISED"
    STALE = "STALE"


class RevisitKind(StrEnum):
    """What brings a postponed proposal back."""

    DATE = "DATE"
    AFTER_REVIEWS = "AFTER_REVIEWS"
    ITEM_DELIVERED = "ITEM_DELIVERED"
    DRAG_ABOVE = "DRAG_ABOVE"
    ESTIMATE_BELOW = "ESTIMATE_BELOW"
    INCIDENTS_AT_LEAST = "INCIDENTS_AT_LEAST"
    CASE_REVISED = "CASE_REVISED"


class PolicyMethod(StrEnum):
    """How a backlog is ranked; the formulas are in `ledger.ranking`."""

    MOMENTUM = "MOMENTUM"
    CD3 = "CD3"
    WSJF = "WSJF"
    WEIGHTED = "WEIGHTED"
    FIFO = "FIFO"


class ProposalStatus(StrEnum):
    """Where a proposal stands. PENDING is the backlog: submitted or reopened, and not yet answered."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    POSTPONED = "POSTPONED"
    REDIRECTED = "REDIRECTED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    ABANDONED = "ABANDONED"
    WITHDRAWN = "WITHDRAWN"
    MERGED = "MERGED"
    SUPERSEDED = "SUPERSEDED"
    SPLIT = "SPLIT"


class Benefit(Struct, frozen=True, omit_defaults=True):
    """One benefit of fixing, told as impact on momentum."""

    code: BenefitCode
    text: str


class Risk(Struct, frozen=True, omit_defaults=True):
    """One risk of ignoring. Probability 0 to 1 of losing `loss_hours` engineer-hours within `window_weeks`; None: not judged."""

    text: str
    probability: float | None = None
    loss_hours: Decimal | None = None
    window_weeks: int | None = None


class Evidence(Struct, frozen=True, omit_defaults=True):
    """A link that supports a case, with the SHA-256 (hexadecimal) of what it showed; None: not taken."""

    url: str
    sha256: str | None = None
    note: str | None = None


class Reason(Struct, frozen=True, omit_defaults=True):
    """Why the answer is NO: a code of the catalogue, a text, and what that code asks for besides (its companion)."""

    code: str
    text: str
    companion: str | None = None


class RevisitCondition(Struct, frozen=True, omit_defaults=True):
    """What brings a postponed item back. Exactly the one field that its kind needs is set; CASE_REVISED needs none."""

    kind: RevisitKind
    #: DATE: the first day on which it is due, at 00:00 UTC.
    on: datetime | None = None
    #: AFTER_REVIEWS and INCIDENTS_AT_LEAST: how many.
    count: int | None = None
    #: ITEM_DELIVERED: the proposal waited for.
    proposal_id: ProposalId | None = None
    #: DRAG_ABOVE: engineer-hours per week.
    hours: Decimal | None = None
    #: ESTIMATE_BELOW: likely engineer-days.
    days: Decimal | None = None


class Basis(Struct, frozen=True, omit_defaults=True):
    """The exact versions that a decision was taken on; 0: there was none. Absent as a whole where a source does not say."""

    case_version: int
    estimate_version: int
    impact_version: int
    policy_id: PolicyId | None = None
    policy_version: int = 0


class AgendaItem(Struct, frozen=True, omit_defaults=True):
    """One item of a frozen agenda: the versions it shows, why it is there, and where the policy in force ranked it (1 is first)."""

    proposal_id: ProposalId
    cause: AgendaCause
    case_version: int
    estimate_version: int
    impact_version: int
    score: float | None = None
    rank: int | None = None
    #: The expected engineer-days that the rank rests on, so that the cut can be told from the agenda alone; None: not estimated.
    expected_days: float | None = None


def utc(at: datetime) -> datetime:
    """This will give the instant in UTC; a naive one is refused, since it names no instant."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC)


def instant_text(at: datetime) -> str:
    """This will give an instant as RFC 3339 in UTC, ending in Z; a naive one is refused."""
    return utc(at).isoformat().replace("+00:00", "Z")


def numbered(number: int | Decimal, noun: str) -> str:
    """This will write how many there are of something: 1 day, 2 days, 0.5 days. The noun is one that takes an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
