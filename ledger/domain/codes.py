"""The reason codes that a ledger begins with, what each asks for besides its text, and the two that only imports may use."""

from enum import StrEnum

from msgspec import Struct

from ledger.events.catalogue import ReasonCodeAdded

#: A source gave a reason in words but no code.
NOT_CLASSIFIED = "NOT_CLASSIFIED"
#: A source gave no reason at all: the views count it as an unexplained NO.
NOT_RECORDED = "NOT_RECORDED"
#: Rule 17: no live command may use these, and the catalogue never lists them.
IMPORT_ONLY = frozenset({NOT_CLASSIFIED, NOT_RECORDED})

OTHER = "OTHER"


class Shape(StrEnum):
    """What can be checked of a companion by looking at it."""

    NONE = "NONE"
    TEXT = "TEXT"
    LINK = "LINK"
    FIGURE = "FIGURE"
    TWO_FIGURES = "TWO_FIGURES"
    DATE = "DATE"
    LINK_AND_REVISIT = "LINK_AND_REVISIT"
    CHOSEN_INSTEAD = "CHOSEN_INSTEAD"


class InitialCode(Struct, frozen=True):
    """A code that each ledger has from the start: its meaning, the companion it asks for (None: none), and the companion's shape."""

    code: str
    meaning: str
    companion: str | None
    shape: Shape


REASON_CODES = (
    InitialCode("BETTER_ALTERNATIVE", "Something else does it better.", "link", Shape.LINK),
    InitialCode("INSUFFICIENT_SUPPORT", "Too few of those concerned want it.", "who was consulted", Shape.TEXT),
    InitialCode("NO_COMPELLING_CASE", "The case does not convince.", "the evidence that is missing", Shape.TEXT),
    InitialCode("ALREADY_ADDRESSED", "It has been dealt with already.", "link", Shape.LINK),
    InitialCode("CHANGE_TOO_RISKY", "The change endangers more than it saves.", "what would break", Shape.TEXT),
    InitialCode("AGAINST_DIRECTION", "It goes against where we go.", "the principle or decision record", Shape.TEXT),
    InitialCode("COST_EXCEEDS_BENEFIT", "It costs more than it brings.", "both figures", Shape.TWO_FIGURES),
    InitialCode("EVIDENCE_NEGATIVE", "It was tried or measured, and does not help.", "the measurement", Shape.FIGURE),
    InitialCode("NO_OWNER", "Nobody would do and keep it.", "the owner needed", Shape.TEXT),
    InitialCode(
        "PREREQUISITE_MISSING", "Something else must come first.", "link and revisit condition", Shape.LINK_AND_REVISIT
    ),
    InitialCode("WRONG_FORM", "The debt is real, the proposal is cut wrongly.", "the scope wanted instead", Shape.TEXT),
    InitialCode("OUT_OF_SCOPE", "It is another team's.", "owning team", Shape.TEXT),
    InitialCode("BAD_TIMING", "It is right, but not now.", "until when", Shape.TEXT),
    InitialCode("DUPLICATE", "Another proposal asks the same.", "link", Shape.LINK),
    InitialCode("PROBLEM_GONE", "What it would fix does not hurt any more.", "the observation", Shape.TEXT),
    InitialCode(
        "OPPORTUNITY_COST",
        "The same effort pays more elsewhere.",
        "at least one `chosen_instead`",
        Shape.CHOSEN_INSTEAD,
    ),
    InitialCode("CAPACITY_EXHAUSTED", "There is no capacity left.", "capacity and demand", Shape.TWO_FIGURES),
    InitialCode("AREA_SUNSET", "What it would fix will be retired.", "retirement date", Shape.DATE),
    InitialCode("ESTIMATE_TOO_UNCERTAIN", "Nobody can say yet what it takes.", "the spike asked for", Shape.TEXT),
    InitialCode("COSMETIC_ONLY", "It would look better and change nothing else.", None, Shape.NONE),
    InitialCode(OTHER, "None of the others says it; never alone.", None, Shape.NONE),
)

#: The shapes of the codes that the ledger knows from the start; one that a steward added is TEXT or NONE by its companion.
SHAPES = {reason.code: reason.shape for reason in REASON_CODES}


def initial_catalogue() -> list[ReasonCodeAdded]:
    """This will give the facts that fill a new ledger's catalogue."""
    return [ReasonCodeAdded(reason.code, reason.meaning, reason.companion) for reason in REASON_CODES]
