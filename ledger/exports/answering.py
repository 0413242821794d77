"""The chapter of one decision."""

from collections.abc import Container, Iterator

from ledger.exports.material import VERDICTS, Told, begun, case_parts, dated, ended, when, word
from ledger.exports.page import Heading, Items, Pairs, Paragraph, Part, Quote
from ledger.values import Acknowledgement, Channel, Reason, Verdict
from projections.audit.following_structs import Playback, PlaybackState
from projections.audit.story import DecisionStory
from projections.audit.structs import AppealRecord, AuditedDecision
from projections.audit.version_structs import VersionKind
from projections.audit.versions import Comparison

_CHANNELS = {
    Channel.PLANNING_MEETING: "in a planning meeting",
    Channel.DOCUMENT: "in a document",
    Channel.EMAIL: "by email",
    Channel.CHAT: "in a chat",
    Channel.PORTAL: "on the portal",
}
_ANSWERS = {
    Acknowledgement.AGREE: "agreed",
    Acknowledgement.DISAGREE_BUT_UNDERSTAND: "disagreed, but understood it",
    Acknowledgement.NOT_UNDERSTOOD: "answered that it was not understood",
}


def answer_parts(m: Told, story: DecisionStory, told_in_full: Container[int]) -> Iterator[Part]:
    """This will tell one decision: what it rested on, why, how it was told, and what would undo it.

    `told_in_full`: the versions of the case that stand further up.
    """
    d = story.decision
    of = f" on {d.scope}" if d.scope else ""
    yield Heading(2, f"Answer {d.number}{of}: {VERDICTS[d.disposition]}")
    yield Paragraph(_taken(m, story))
    if story.case is not None:
        yield Heading(3, "The case as it read then")
        if story.case.version in told_in_full:
            yield Paragraph(f"It read as in version {story.case.version}, above.")
        else:
            yield from case_parts(m, story.case)
    yield from _figures(story)
    yield Heading(3, "The reasons")
    yield from _reasons(m, d)
    yield from _chosen(m, story)
    yield from _telling(m, d)
    for appeal in story.appeals:
        yield from _appeal(m, appeal)
    if story.basis_diff:
        yield Heading(3, "What has changed since")
        yield Items(tuple(line for comparison in story.basis_diff for line in _changes(comparison)))
    yield from _returning(m, story)
    if story.source_notes:
        yield Heading(3, "What the source says besides")
        for note in story.source_notes:
            yield Quote(note.text, f"{word(note.kind)}, {when(note.at)}")


def _taken(m: Told, story: DecisionStory) -> str:
    d, review = story.decision, story.review
    said = [f"{m.who(d.decider)} decided it {dated(d.decided_at, d.provenance)} (position {d.position})"]
    if d.verdict_raw:
        said.append(f"The source calls it “{d.verdict_raw}”")
    if review is not None:
        known = (
            f", which knew the ledger up to position {review.knowledge_position}" if review.knowledge_position else ""
        )
        said.append(f"It was taken in the {word(review.kind)} review of {when(review.starts_at)}{known}")
    if d.self_decided:
        said.append("Whoever asked decided it")
    if story.is_basis_inferred:
        said.append("It does not say itself which versions it was taken on; those recorded by then are shown")
    if d.provenance is not None and d.provenance.url:
        said.append(f"Source: {d.provenance.url}")
    return " ".join(ended(begun(each)) for each in said)


def _figures(story: DecisionStory) -> Iterator[Part]:
    d, figures = story.decision, []
    if story.estimate is not None and story.estimate.estimate is not None:
        e = story.estimate.estimate
        if e.likely is not None:
            days = f"{e.optimistic} – {e.likely} – {e.pessimistic} engineer-days"
        else:
            days = f"{e.value} ({word(e.unit)})" if e.value else "not said"
        figures.append((f"Estimate (version {story.estimate.version})", days))
    if story.impact is not None and story.impact.impact is not None:
        i = story.impact.impact
        hours = f"{i.drag} engineer-hours a week" if i.drag is not None else "hours not known"
        figures.append((f"Impact (version {story.impact.version})", f"level {i.level}, {hours}, {word(i.method)}"))
    if story.policy is not None:
        terms = ", ".join(f"{term.name} {term.value:g} gives {term.contribution:g}" for term in story.score.terms)
        figures.append(
            ("Policy", f"{story.policy.name}, version {story.policy.version}, by {word(story.policy.method)}")
        )
        figures.append(("Score", f"{story.score.total:g}{f' ({terms})' if terms else ''}"))
    for name, value in (
        ("Rank", d.rank),
        ("Lowest score that got in", d.cut_score),
        ("Engineer-days left", d.capacity_left),
        ("Engineer-days reserved", d.days_reserved),
        ("Over capacity because", d.over_capacity_reason),
    ):
        if value is not None:
            figures.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
    if figures:
        yield Heading(3, "What it was weighed by")
        yield Pairs(tuple(figures))


def _reasons(m: Told, d: AuditedDecision) -> Iterator[Part]:
    if not d.reasons:
        yield Paragraph("None was given." if d.verdict is Verdict.NO else "A YES needs none.")
    for reason in d.reasons:
        yield _reason(reason)
    for later in d.explanations:
        delay = "later" if later.delay_days is None else f"{later.delay_days:.0f} days later"
        yield Paragraph(f"Explained {delay}, {dated(later.at, later.provenance)}, by {m.who(later.by)}:")
        for reason in later.reasons:
            yield _reason(reason)
    if d.redirect is not None:
        yield Paragraph(f"It was sent to: {word(d.redirect)} {d.redirect_url or ''}".strip())


def _reason(reason: Reason) -> Part:
    companion = f" — {reason.companion}" if reason.companion else ""
    if not reason.text:
        return Paragraph(f"No reason is recorded ({word(reason.code)}){companion}.")
    return Quote(reason.text, f"{begun(word(reason.code))}{companion}")


def _chosen(m: Told, story: DecisionStory) -> Iterator[Part]:
    if story.chosen_instead:
        yield Heading(3, "Chosen instead")
        yield Items(tuple(f"{other.title} (now {word(other.status)})" for other in story.chosen_instead))


def _telling(m: Told, d: AuditedDecision) -> Iterator[Part]:
    yield Heading(3, "How it was told")
    lines = [
        f"{when(c.at)}: {m.who(c.by)} told {m.all(c.audience) or 'nobody by name'} {_CHANNELS[c.channel]}"
        f"{f' ({c.reference})' if c.reference else ''}"
        f"{'' if c.names_proposer else '; whoever asked is not among them'}."
        for c in d.communications
    ]
    lines += [
        ended(f"{when(a.at)}: {m.who(a.by)} {_ANSWERS[a.answer]}{f': “{a.note}”' if a.note else ''}")
        for a in d.acknowledgements
    ]
    lines += [_played(m, playback) for playback in d.playbacks]
    if d.tell_by is not None and d.told_at is None:
        lines.append(f"It should have been told by {when(d.tell_by)}.")
    yield Items(tuple(lines)) if lines else Paragraph("Nothing is recorded of its being told.")


def _played(m: Told, playback: Playback) -> str:
    said = ended(f"{when(playback.at)}: {m.who(playback.by)} restated the concern: “{playback.text}”")
    match playback.state:
        case PlaybackState.CONFIRMED:
            return f"{said} {m.who(playback.answered_by)} confirmed that this was meant."
        case PlaybackState.CORRECTED:
            return ended(f"{said} {m.who(playback.answered_by)} had meant something else: “{playback.correction}”")
        case PlaybackState.OPEN:
            return f"{said} Whether that was meant is not recorded."


def _appeal(m: Told, appeal: AppealRecord) -> Iterator[Part]:
    yield Heading(3, f"Appeal, {word(appeal.state)}")
    yield Quote(appeal.text, f"{m.who(appeal.by)}, {when(appeal.lodged_at)}, for {word(appeal.grounds)}")
    if appeal.heard_at is not None:
        yield Quote(appeal.outcome or "", f"{m.who(appeal.heard_by)}, {when(appeal.heard_at)}")


def _changes(comparison: Comparison) -> Iterator[str]:
    kind = comparison.kind.lower() if comparison.kind is not VersionKind.CASE else "case"
    for change in comparison.changes:
        before, after = (text or "nothing" for text in (change.before, change.after))
        yield f"{kind}, {word(change.field)}: “{before}” became “{after}”"


def _returning(m: Told, story: DecisionStory) -> Iterator[Part]:
    d = story.decision
    if d.verdict is not Verdict.NO:
        return
    yield Heading(3, "What would bring it back")
    lines = [f"{condition.summary}{' It holds.' if condition.holds else ''}" for condition in story.conditions]
    if d.reconsider_if:
        lines.append(ended(f"In the decider's words: “{d.reconsider_if}”"))
    if d.waiver is not None:
        lines.append(
            ended(f"The conditions were given up on {when(d.waiver.at)} by {m.who(d.waiver.by)}: “{d.waiver.reason}”")
        )
    if d.reopened is not None:
        note = f": “{d.reopened.note}”" if d.reopened.note else ""
        lines.append(ended(f"It came back on {when(d.reopened.at)} ({word(d.reopened.because)}){note}"))
    if d.final:
        lines.append("It was called final: an appeal is what is left.")
    yield Items(tuple(lines)) if lines else Paragraph("Nothing was said of it.")
