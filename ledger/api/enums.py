"""The enums of `ledger.values` with a description for each value, as the schema shows them."""

from enum import Enum, StrEnum

import strawberry

from ledger import values
from ledger.domain.rejected import Code
from ledger.ranking import FEATURES
from ledger.store.integrity.checking import Kind

ROLES = {
    "ENGINEER": "Proposes, estimates, raises concerns, acknowledges and appeals.",
    "ENGINEERING_LEAD": "An engineer who also schedules and runs engineering reviews.",
    "PRODUCT_MANAGER": "Runs product reviews, takes decisions and tells them, answers concerns and appeals.",
    "OBSERVER": "Reads.",
    "AUDITOR": "Across teams: reads everything, verifies, exports.",
    "STEWARD": "Across teams: keeps teams, members, reason codes and policies.",
    "INTEGRATOR": "Across teams: a machine that imports and reports outcomes, and never decides.",
}
STATUSES = {
    "PENDING": "Submitted or reopened, and not yet answered: the backlog.",
    "ACCEPTED": "Answered YES; work has not begun.",
    "DECLINED": "Answered NO.",
    "POSTPONED": "Answered NO for now, with conditions that bring it back.",
    "REDIRECTED": "Sent to another list.",
    "IN_PROGRESS": "Work has begun.",
    "COMPLETED": "The debt is paid.",
    "ABANDONED": "Work ended without the debt being paid.",
    "WITHDRAWN": "Taken back by those who asked.",
    "MERGED": "Goes on as part of another proposal.",
    "SUPERSEDED": "A later proposal took its place.",
    "SPLIT": "Goes on as several smaller proposals.",
}
BENEFITS = {
    "EASES_CHANGE": "Changes become easier.",
    "SPEEDS_DELIVERY": "Delivery becomes faster.",
    "UNLOCKS_FEATURE": "A feature becomes possible.",
    "AVOIDS_SCALING_TROUBLE": "Growth will not break it.",
    "SPEEDS_ONBOARDING": "Newcomers are productive sooner.",
    "REDUCES_INCIDENTS": "Fewer things go wrong.",
    "REDUCES_SECURITY_RISK": "Fewer ways in for an attacker.",
    "CUTS_RUN_COST": "Running it costs less.",
    "RESTORES_KNOWLEDGE": "Somebody understands it again.",
    "ENABLES_RETIREMENT": "Something old can be switched off.",
    "COSMETIC": "It looks better; allowed, never sufficient.",
}
CODES = {
    "BAD_USER_INPUT": "A field is missing or out of its bounds.",
    "FORBIDDEN": "Your roles do not allow it.",
    "NOT_FOUND": "There is no such thing, or you may not see it.",
    "CONFLICT": "Somebody was faster: look again and decide again.",
    "STALE_BASIS": "What the decision names has moved on since.",
    "COMMAND_REUSED": "This commandId was used with another input.",
    "CRITICAL_BUG": "A critical bug goes to the severity track, not here.",
    "CASE_INCOMPLETE": "The business case lacks something.",
    "CASE_TOO_LONG": "The business case has more than 600 words.",
    "ESTIMATE_INVALID": "The three points are not 0 < optimistic ≤ likely ≤ pessimistic.",
    "REASON_MISSING": "A NO needs a reason code.",
    "REASON_TOO_SHORT": "A reason's text needs at least 40 characters.",
    "REASON_UNKNOWN": "The catalogue has no such active reason code.",
    "COMPANION_MISSING": "The reason code asks for something besides its text.",
    "OTHER_ALONE": "OTHER never stands alone.",
    "REVISIT_MISSING": "POSTPONE needs a condition that brings it back, one of them a date.",
    "RECONSIDER_MISSING": "DECLINE says what would make you think again, or that it is final.",
    "REVIEW_NOT_OPEN": "Decisions are taken inside an open product review.",
    "NOT_ON_AGENDA": "The item is not on this review's agenda.",
    "CONCERN_OPEN": "A blocking concern is open.",
    "ITEMS_UNDECIDED": "Some items are neither decided nor carried over.",
    "CARRIED_OVER_TOO_OFTEN": "It was carried over twice already: decide it.",
    "NOT_TOLD": "The decision has not been told to its recipient.",
    "NOT_RECIPIENT": "Only the recipient may.",
    "PLAYBACK_OPEN": "A playback is still open.",
    "APPEAL_OPEN": "One appeal at a time: another is open.",
    "OWN_APPEAL": "Whoever took the decision does not hear its appeal.",
    "OVER_CAPACITY": "It goes over the review's capacity, and no reason is given.",
    "IMPORT_ONLY": "Only imported history may say this.",
    "WRONG_STATE": "It does not fit where the thing stands.",
}
DESCRIBED: dict[type[StrEnum], dict[str, str]] = {
    values.Role: ROLES,
    values.ProposalStatus: STATUSES,
    values.BenefitCode: BENEFITS,
    Code: CODES,
    values.Verdict: {"YES": "It will be done.", "NO": "It will not, or not now, or not here."},
    values.Disposition: {
        "SCHEDULE": "Of a YES: capacity is reserved.",
        "DECLINE": "Of a NO: it will not be done.",
        "POSTPONE": "Of a NO: not now; conditions bring it back.",
        "REDIRECT": "Of a NO: it belongs on another list.",
    },
    values.EffortUnit: {
        "DAYS": "Engineer-days.",
        "HOURS": "Engineer-hours.",
        "POINTS": "Points of an imported source; days only by a recorded calibration.",
        "TARGET": "A release or date named by an imported source.",
    },
    values.EstimateBasis: {
        "GUESS": "A guess.",
        "ANALOGY": "Something like it was done before.",
        "BREAKDOWN": "The work was broken down.",
        "SPIKE": "It was tried out.",
    },
    values.EstimateCause: {
        "NEW_INFORMATION": "Something new came to light.",
        "SCOPE": "More or less is to be done.",
        "SPIKE_DONE": "It was tried out.",
        "ERROR": "The earlier one was wrong.",
        "RECALIBRATION": "The scale itself was corrected.",
    },
    values.MomentumLevel: {
        "M0": "Less than 0.5 % of the team's weekly hours.",
        "M1": "Less than 2 %.",
        "M2": "Less than 5 %.",
        "M3": "Less than 10 %.",
        "M4": "Less than 25 %.",
        "M5": "25 % and more, or a committed feature is blocked.",
    },
    values.ImpactMethod: {
        "MEASURED": "From measurements.",
        "SURVEYED": "By asking those who feel it.",
        "JUDGED": "By one person's judgement.",
    },
    values.Dating: {
        "DAY": "It names a day; the instant is that day's beginning in UTC.",
        "NOT_AFTER": "It was so by then at the latest; since when, the source does not say.",
        "NOT_BEFORE": "It cannot have been earlier.",
        "UNDATED": "It has no date; the instant is a place in the order, and nothing more.",
    },
    values.Channel: {
        "PLANNING_MEETING": "In a planning meeting.",
        "DOCUMENT": "In a document.",
        "EMAIL": "By mail.",
        "CHAT": "In a chat.",
        "PORTAL": "On an internal portal.",
    },
    values.Acknowledgement: {
        "AGREE": "Understood and agreed.",
        "DISAGREE_BUT_UNDERSTAND": "Understood, not agreed.",
        "NOT_UNDERSTOOD": "Not understood: a playback is asked for.",
    },
    values.AppealGrounds: {
        "NEW_INFORMATION": "Something was not known then.",
        "INFORMATION_NOT_CONSIDERED": "Something was known and not considered.",
        "CHANGED_CIRCUMSTANCES": "Things have changed.",
        "PROCEDURE": "The rules were not kept.",
    },
    values.ReopenCause: {
        "APPEAL_UPHELD": "An appeal was upheld.",
        "REVISIT_DUE": "A revisit condition held.",
        "CASE_REVISED": "The business case was rewritten.",
        "REPROPOSED": "It was proposed again.",
    },
    values.RedirectTarget: {
        "SEVERITY_TRACK": "The list of critical bugs.",
        "TEAM": "Another team.",
        "TRACKER": "Another tracker.",
    },
    values.ReviewKind: {
        "ENGINEERING": "Engineers prepare the list.",
        "PRODUCT": "Product managers answer it.",
    },
    values.AgendaCause: {
        "NEW": "Not looked at before.",
        "REVISIT_DUE": "A revisit condition holds.",
        "CARRIED_OVER": "Left by an earlier review.",
        "APPEALED": "An appeal was upheld.",
        "REVISED": "Its case changed.",
        "STALE": "Nobody has looked at it for long.",
    },
    values.RevisitKind: {
        "DATE": "From a day on.",
        "AFTER_REVIEWS": "After so many product reviews.",
        "ITEM_DELIVERED": "When another proposal is completed.",
        "DRAG_ABOVE": "When it costs more engineer-hours a week than this.",
        "ESTIMATE_BELOW": "When its likely days fall below this.",
        "INCIDENTS_AT_LEAST": "When so many incidents were reported.",
        "CASE_REVISED": "When its case is rewritten.",
    },
    values.PolicyMethod: {
        "MOMENTUM": "Confidence × drag ÷ expected days.",
        "CD3": "Cost of delay ÷ duration.",
        "WSJF": "(Value + criticality + risk) ÷ size, on Fibonacci steps.",
        "WEIGHTED": "A weighted mean of scaled features.",
        "FIFO": "First come, first served.",
    },
    Kind: {
        "MISSING": "A fact, or several, are not there.",
        "COLUMN": "A column says something else than the fact's envelope.",
        "META": "An envelope can't be read.",
        "PAYLOAD": "A payload is not the one that its envelope commits to.",
        "LEAF": "A leaf is not the hash of its fact's position, time and envelope.",
        "TIME": "A fact was recorded before the one that it follows.",
        "VERSION": "A version does not follow the last of its stream.",
        "REDACTION": "Words are gone, and no redaction was recorded.",
        "COMMAND": "The list of commands says something else than the facts.",
        "HEAD": "There are facts after the ledger's end.",
        "TAIL": "The ledger ends before a checkpoint does.",
        "REWRITTEN": "A fact is another one than a checkpoint was signed over.",
        "CHECKPOINT": "A checkpoint or its tiles are not as they were signed.",
        "GUARD": "A trigger, a function, an owner or a grant is not as it should be.",
    },
}
_NAMES: dict[type[StrEnum], str] = {Code: "UserErrorCode", Kind: "FaultKind"}
_FEATURES = {
    "drag": "Engineer-hours per week lost.",
    "growth": "Percent per month by which the drag grows.",
    "risk": "Engineer-hours per week that the risks of ignoring are expected to cost.",
    "level": "The momentum level, 0 to 5.",
    "benefits": "The logarithm of 1 + the number of benefits.",
    "smallness": "1 ÷ (1 + expected days); 0 without an estimate.",
    "confidence": "The confidence in the drag, 0 to 1.",
}

#: What a WEIGHTED policy may weigh.
RankingFeature = Enum("RankingFeature", {name.upper(): name for name in FEATURES})  # type: ignore[misc]


def describe(enum: type[Enum], values_described: dict[str, str], *, name: str | None = None, about: str = "") -> None:
    """This will register an enum with the schema, with a description of it (its docstring's first paragraph) and of each value."""
    text = about or (enum.__doc__ or "").split("\n\n")[0].strip()
    strawberry.enum(enum, name=name, description=text)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values_described.get(value.name)


for _enum, _described in DESCRIBED.items():
    describe(_enum, _described, name=_NAMES.get(_enum))
describe(
    RankingFeature,
    {name.upper(): text for name, text in _FEATURES.items()},
    about="A figure of a proposal that a WEIGHTED policy may weigh.",
)
