"""The small structs that facts carry, as the schema shows them."""

from ledger.api.enums import describe
from ledger.api.shown import shown
from ledger.ranking import Score, Term
from ledger.values import Actor, Basis, Benefit, Evidence, Reason, RevisitCondition, Risk, Source
from projections.audit.following_structs import PlaybackState, Provenance
from projections.audit.structs import AppealState, ConcernState
from projections.audit.version_structs import VersionKind
from projections.audit.versions import WordChange
from projections.outcomes.queries import Grouping
from projections.reviews.structs import ItemState, ReviewState

describe(
    ConcernState,
    {
        "OPEN": "Nobody has answered it.",
        "ANSWERED": "Answered; its raiser has not said whether that settles it.",
        "RESOLVED": "Settled, its raiser says.",
        "OVERRULED": "The decider went on in spite of it.",
    },
)
describe(
    AppealState,
    {
        "OPEN": "Not heard yet.",
        "UPHELD": "Found right: the proposal is pending again.",
        "DISMISSED": "The decision stands.",
    },
)
describe(
    PlaybackState,
    {
        "OPEN": "The proposer has not answered.",
        "CONFIRMED": "That was meant.",
        "CORRECTED": "Something else was meant.",
    },
)
describe(
    VersionKind,
    {"CASE": "The business case.", "ESTIMATE": "The estimate.", "IMPACT": "The impact on momentum."},
)
describe(WordChange, {"KEPT": "In both.", "REMOVED": "Only in the earlier one.", "ADDED": "Only in the later one."})
describe(
    ReviewState,
    {
        "SCHEDULED": "Planned.",
        "AGENDA_FROZEN": "Its list is fixed.",
        "OPEN": "Under way.",
        "CLOSED": "Held.",
        "SKIPPED": "Not held.",
    },
)
describe(
    ItemState,
    {"WAITING": "Not looked at yet.", "DECIDED": "Answered.", "CARRIED_OVER": "Left for the next review."},
)
describe(
    Grouping,
    {
        "TEAM": "By team id.",
        "AREA": "By area.",
        "BASIS": "By what the estimate rests on.",
        "SOURCE": "By the system that it was imported from.",
    },
)

ACTOR = shown(Actor, "Who acted, and in which role.", member_id="The member.", role="The role used.")
SOURCE = shown(
    Source,
    "Where an imported fact comes from.",
    system="The source system.",
    external_id="The source's own id.",
    url="Where it can be read there.",
    content_hash="SHA-256, hexadecimal, of the source's bytes.",
    known_at="When the source itself recorded it; null: it does not say.",
    dating="How far it vouches for the date; null: it gives the instant itself.",
    dated_by="What its date rests on, in its own words.",
)
PROVENANCE = shown(
    Provenance,
    "Where an imported item comes from, in short.",
    system="The source system.",
    external_id="The source's own id.",
    url="Where it can be read there.",
    known_at="When the source itself recorded it; null: it does not say.",
    dating="How far it vouches for the date; null: it gives the instant itself.",
)
REASON = shown(
    Reason,
    "Why the answer is NO.",
    code="A code of the reason catalogue; NOT_CLASSIFIED and NOT_RECORDED come from imports only.",
    text="The reason in words; empty: none was recorded.",
    companion="What the code asks for besides its text.",
)
CONDITION = shown(
    RevisitCondition,
    "What brings an item back.",
    kind="The kind of condition; exactly the one field that it needs is set.",
    on="DATE: the first day on which it is due.",
    count="AFTER_REVIEWS and INCIDENTS_AT_LEAST: how many.",
    proposal_id="ITEM_DELIVERED: the proposal that is waited for.",
    hours="DRAG_ABOVE: engineer-hours per week.",
    days="ESTIMATE_BELOW: likely engineer-days.",
)
BASIS = shown(
    Basis,
    "The exact versions that a decision was taken on; 0: there was none.",
    type_name="DecisionBasis",
    case_version="Of the business case.",
    estimate_version="Of the estimate.",
    impact_version="Of the impact.",
    policy_id="The policy in force; null: the default.",
    policy_version="Its version; 0: the default.",
)
BENEFIT = shown(Benefit, "One benefit of fixing.", code="What it would bring.", text="The same in words.")
RISK = shown(
    Risk,
    "One risk of ignoring.",
    text="What may happen.",
    probability="0 to 1 within the window; null: not judged.",
    loss_hours="Engineer-hours lost if it happens; null: not judged.",
    window_weeks="The window in weeks; null: not judged.",
)
EVIDENCE = shown(
    Evidence,
    "A link that supports a case.",
    url="Where it can be seen.",
    sha256="SHA-256, hexadecimal, of what it showed; null: not taken.",
    note="What it shows.",
)
TERM = shown(
    Term,
    "One term of a score.",
    type_name="ScoreTerm",
    name="What it is.",
    value="The figure that it rests on.",
    contribution="What it adds to the score.",
)
SCORE = shown(
    Score,
    "A score with the terms that make it.",
    total="The score; higher is earlier, 0 where nothing can be said.",
    terms="Its terms.",
    missing="What was missing to say more, such as an estimate.",
)
