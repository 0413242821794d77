"""Rule 5: what a reason for a NO must be, and what each code asks for besides its text."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from ledger.domain.codes import IMPORT_ONLY, OTHER, SHAPES, Shape
from ledger.domain.proposal.standing import seen
from ledger.domain.rejected import Code, Rejected
from ledger.values import Reason, numbered

TEXT_MIN = 40
LINK = re.compile(r"\b(https?://|urn:|mailto:)\S")
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
YEAR = re.compile(r"\b(19|20)\d\d\b")


class Beside(Struct, frozen=True):
    """What the decision itself says that can serve as a companion."""

    has_chosen_instead: bool = False
    has_revisit: bool = False


def check_reasons(reasons: Sequence[Reason], codes: Mapping[str, str | None], beside: Beside) -> None:
    """This will check the reasons of a NO. `codes` holds the active codes with the companion that each asks for (None: none).

    Raises REASON_MISSING, IMPORT_ONLY, REASON_UNKNOWN, REASON_TOO_SHORT, COMPANION_MISSING, OTHER_ALONE.
    """
    if not reasons:
        raise Rejected(
            Code.REASON_MISSING, "A NO needs a reason. Give at least one reason code with a text.", "reasons"
        )
    for index, reason in enumerate(reasons):
        _check(reason, codes, beside, ("reasons", str(index)))
    if all(reason.code == OTHER for reason in reasons):
        raise Rejected(
            Code.OTHER_ALONE, "OTHER never stands alone. Give the code that comes nearest besides.", "reasons"
        )


def _check(reason: Reason, codes: Mapping[str, str | None], beside: Beside, path: tuple[str, ...]) -> None:
    code = reason.code
    if code in IMPORT_ONLY:
        raise Rejected(
            Code.IMPORT_ONLY, f"{code} is for imported history only. Give the reason by its code.", *path, "code"
        )
    if code not in codes:
        raise Rejected(
            Code.REASON_UNKNOWN,
            f"{code} is no active reason code. Use one of {', '.join(sorted(codes))}.",
            *path,
            "code",
        )
    length = len(seen(reason.text))
    if length < TEXT_MIN:
        raise Rejected(
            Code.REASON_TOO_SHORT,
            f"The text for {code} has {numbered(length, 'character')}; at least {TEXT_MIN} are needed. "
            "Say it so that those who asked understand it.",
            *path,
            "text",
        )
    asked_for = codes[code]
    if asked_for is not None:
        lacking = _lacking(SHAPES.get(code, Shape.TEXT), seen(reason.companion), beside)
        if lacking is not None:
            raise Rejected(
                Code.COMPANION_MISSING, f"{code} asks for its companion: {asked_for}. {lacking}", *path, "companion"
            )


def _lacking(shape: Shape, companion: str, beside: Beside) -> str | None:
    """This will say what to do about a companion that is not what its code asks for; None: it is."""
    if shape is Shape.CHOSEN_INSTEAD:
        return None if beside.has_chosen_instead else "Name what was chosen in `chosen_instead`."
    if not companion:
        return "Add it."
    if shape in {Shape.LINK, Shape.LINK_AND_REVISIT} and not LINK.search(companion):
        return f"{companion!r} holds no link; give one that begins with https, urn or mailto."
    if shape is Shape.LINK_AND_REVISIT and not beside.has_revisit:
        return "Add the revisit condition that brings the item back, such as ITEM_DELIVERED."
    if shape is Shape.TWO_FIGURES and len(FIGURE.findall(companion)) < 2:  # noqa: PLR2004 - "both figures"
        return f"{companion!r} does not hold two figures; give both."
    if shape is Shape.FIGURE and not FIGURE.search(companion):
        return f"{companion!r} holds no figure; give what was measured."
    if shape is Shape.DATE and not YEAR.search(companion):
        return f"{companion!r} names no year; give the date."
    return None
