"""What a report is made of, and the words that all its chapters use."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from ledger.exports.page import Pairs, Part, Quote
from ledger.values import SYSTEM, Dating, Disposition, MemberId, Risk
from projections.audit.following_structs import Provenance
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


def dated(at: datetime, provenance: Provenance | None) -> str:
    """This will say when something was, as far as the source of an imported one knows it."""
    match provenance.dating if provenance else None:
        case Dating.NOT_AFTER:
            return f"by {when(at)} at the latest"
        case Dating.NOT_BEFORE:
            return f"on {when(at)} at the earliest"
        case Dating.UNDATED:
            return "on a day that its source does not say"
        case _:
            return f"on {when(at)}"


def word(value: str) -> str:
    """This will give a code as words."""
    return value.lower().replace("_", " ")


def begun(sentence: str) -> str:
    """This will begin a sentence as one begins."""
    return sentence[:1].upper() + sentence[1:]


def ended(sentence: str) -> str:
    """This will end a sentence, once."""
    return sentence if sentence.endswith((".", "!", "?", "…", ".”", "!”", "?”", "…”")) else f"{sentence}."


def case_parts(m: Told, version: Version) -> Iterator[Part]:
    """This will tell a business case in full."""
    case = version.case
    assert case is not None  # noqa: S101 - the caller asks for cases only
    note = f": “{case.change_note}”" if case.change_note else ""
    yield Quote(case.problem, f"{m.who(version.by)}, {when(version.at)}; version {version.version}{note}")
    quadrants = (
        ("Benefits of fixing", [f"{benefit.text} ({word(benefit.code)})" for benefit in case.benefits_of_fixing]),
        ("Risks of fixing", [*case.risks_of_fixing, *filter(None, [case.no_risks_of_fixing])]),
        ("Benefits of leaving it", [*case.benefits_of_ignoring, *filter(None, [case.no_benefits_of_ignoring])]),
        ("Risks of leaving it", [f"{risk.text}{_chance(risk)}" for risk in case.risks_of_ignoring]),
        ("Evidence", [" ".join(filter(None, [e.url, e.note])) for e in case.evidence]),
    )
    if any(items for _, items in quadrants):
        yield Pairs(tuple((title, tuple(items)) for title, items in quadrants if items))


def _chance(risk: Risk) -> str:
    if risk.probability is None:
        return ""
    loss = f" of losing {risk.loss_hours} engineer-hours" if risk.loss_hours is not None else ""
    within = f" within {risk.window_weeks} weeks" if risk.window_weeks is not None else ""
    return f" (a chance of {risk.probability * 100:.3g} %{loss}{within})"
