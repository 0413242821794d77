"""What a report is made of, and the words that all its chapters use."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from ledger.exports.page import Items, Paragraph, Part, Quote
from ledger.values import SYSTEM, Disposition, MemberId
from projections.audit.story import ProposalStory
from projections.audit.timeline import TimelineEntry
from projections.audit.version_structs import Version

VERDICTS = {
    Disposition.SCHEDULE: "YES",
    Disposition.DECLINE: "NO, declined",
    Disposition.POSTPONE: "NO, not now",
    Disposition.REDIRECT: "NO, it belongs elsewhere",
}


class Told(Struct, frozen=True):
    """All that is told: the story, its facts with their leaves, what members are called, and in which state of the ledger."""

    story: ProposalStory
    facts: tuple[TimelineEntry, ...]
    versions: tuple[Version, ...]
    leaves: dict[int, bytes]
    names: dict[MemberId, str]
    position: int
    ledger_id: str
    at: datetime
    is_past: bool
    checkpoint: str | None

    def who(self, member_id: MemberId | None) -> str:
        """This will call a member by name, or by id where the directory knows none."""
        if member_id is None:
            return "somebody whom the source does not name"
        if member_id == SYSTEM:
            return "the ledger's operator"
        return self.names.get(member_id, f"member {member_id}")

    def all(self, members: Iterable[MemberId]) -> str:
        """This will call several."""
        return ", ".join(map(self.who, members))


def when(at: datetime) -> str:
    """This will give an instant as text, in UTC."""
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%Y-%m-%d %H:%M} UTC"


def word(value: str) -> str:
    """This will give a code as words."""
    return value.lower().replace("_", " ")


def begun(sentence: str) -> str:
    """This will begin a sentence as one begins."""
    return sentence[:1].upper() + sentence[1:]


def case_parts(m: Told, version: Version) -> Iterator[Part]:
    """This will tell a business case in full."""
    case = version.case
    assert case is not None  # noqa: S101 - the caller asks for cases only
    yield Quote(case.problem, f"version {version.version}, {m.who(version.by)}, {when(version.at)}")
    quadrants = (
        ("Benefits of fixing", [f"{word(benefit.code)}: {benefit.text}" for benefit in case.benefits_of_fixing]),
        ("Risks of fixing", [*case.risks_of_fixing, *filter(None, [case.no_risks_of_fixing])]),
        ("Benefits of leaving it", [*case.benefits_of_ignoring, *filter(None, [case.no_benefits_of_ignoring])]),
        (
            "Risks of leaving it",
            [
                risk.text
                + (f" ({risk.probability:.0%} to lose" if risk.probability is not None else "")
                + (
                    f" {risk.loss_hours} engineer-hours in {risk.window_weeks} weeks)"
                    if risk.probability is not None
                    else ""
                )
                for risk in case.risks_of_ignoring
            ],
        ),
        ("Evidence", [" ".join(filter(None, [e.url, e.note])) for e in case.evidence]),
    )
    for title, items in quadrants:
        if items:
            yield Paragraph(f"{title}:")
            yield Items(tuple(items))
