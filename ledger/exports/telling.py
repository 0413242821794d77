"""A proposal's story in parts of a document, in the order in which a person asks."""

from collections.abc import Iterator

from ledger.domain.codes import NOT_CLASSIFIED
from ledger.exports.answering import answer_parts
from ledger.exports.material import VERDICTS, Told, begun, case_parts, dated, ended, when, word
from ledger.exports.page import Grid, Heading, Items, Lead, Pairs, Paragraph, Part, Quote, Verbatim
from projections.audit.structs import AuditedDecision, ConcernRecord
from projections.audit.timeline import TimelineEntry

#: What is told elsewhere in the story; the rest of the facts is what happened besides.
_TOLD = frozenset(
    {
        "ProposalSubmitted", "BusinessCaseRevised", "EstimateGiven", "EstimateChanged", "ImpactAssessed", "ConcernRaised",
        "ConcernAnswered", "ConcernResolved", "ConcernOverruled", "DecisionTaken", "DecisionExplained", "DecisionCommunicated",
        "DecisionAcknowledged", "ConcernPlayedBack", "PlaybackConfirmed", "PlaybackCorrected", "AppealLodged", "AppealUpheld",
        "AppealDismissed", "RevisitWaived", "SourceNoted",
    }
)  # fmt: skip

_INCLUSION = 'query { inclusionProof(position: "…") { leaf treeSize root hashes } }'


def told(material: Told) -> list[Part]:
    """This will tell the story from top to bottom."""
    return [
        *_opening(material),
        *_asked(material),
        *_figures(material),
        *_concerns(material),
        *_answers(material),
        *_besides(material),
        *_proof(material),
    ]


def _opening(m: Told) -> Iterator[Part]:
    p, team = m.story.proposal, m.story.team
    yield Heading(1, p.title)
    pairs: list[tuple[str, str]] = [
        ("Team", team.name if team else str(p.team_id)),
        (
            "Proposed",
            f"{dated(p.submitted_at, p.provenance).removeprefix('on ')} by {m.all(p.proposers) or m.who(None)}",
        ),
        ("Status", word(p.status)),
        *([("Area", p.area)] if p.area else []),
        *([("Kind", p.kind)] if p.kind else []),
    ]
    if p.provenance:
        pairs.append(("Source", f"{p.provenance.system} {p.provenance.external_id} {p.provenance.url or ''}".strip()))
    of = "As it was at" if m.is_past else "As it is at"
    pairs.append((of, f"position {m.position} of ledger {m.ledger_id}, {when(m.at)}"))
    yield _in_short(m)
    yield Pairs(tuple(pairs))


def _in_short(m: Told) -> Lead:
    """This will give the last answer on the whole of it."""
    answers = [each.decision for each in m.story.decisions if not each.decision.scoped]
    if not answers:
        return Lead("No answer yet.", "Nobody has said yes or no to it.")
    last = answers[-1]
    said = [
        f"{begun(m.who(last.decider))} said so {dated(last.decided_at, last.provenance)}{_because(last)}.",
        f"Whoever asked was told on {when(last.told_at)}."
        if last.told_at is not None
        else "Nothing is recorded of whoever asked being told.",
    ]
    if last.reopened is not None:
        said.append(f"It came back on {when(last.reopened.at)} ({word(last.reopened.because)}).")
    return Lead(f"{VERDICTS[last.disposition]}.", " ".join(said))


def _because(decision: AuditedDecision) -> str:
    if decision.unexplained_when_decided:
        return ", without a recorded reason"
    codes = [word(code) for code in decision.codes if code != NOT_CLASSIFIED]
    return f", for {' and '.join(codes)}" if codes else ""


def _asked(m: Told) -> Iterator[Part]:
    """This will tell the first case in full."""
    first = next((version for version in m.versions if version.case is not None), None)
    if first is not None:
        yield Heading(2, "What was asked")
        yield from case_parts(m, first)


def _figures(m: Told) -> Iterator[Part]:
    """This will tell how the figures came to be."""
    for kind, title in (("Estimate", "The estimates"), ("Impact", "The impact")):
        entries = [fact for fact in m.facts if fact.kind.startswith(kind)]
        if entries:
            yield Heading(2, title)
            yield Items(tuple(_entry(m, fact) for fact in entries))


def _entry(m: Told, fact: TimelineEntry) -> str:
    return f"{when(fact.occurred_at)}, {m.who(fact.actor.member_id)}: {fact.summary}"


def _answers(m: Told) -> Iterator[Part]:
    """This will tell the answers in their order, and each version of the case once."""
    told_in_full = {next((version.version for version in m.versions if version.case is not None), 0)}
    for story in m.story.decisions:
        yield from answer_parts(m, story, told_in_full)
        if story.case is not None:
            told_in_full.add(story.case.version)


def _concerns(m: Told) -> Iterator[Part]:
    if m.story.concerns:
        yield Heading(2, "Concerns, and how they were met")
    for concern in m.story.concerns:
        blocking = ", blocking" if concern.blocking else ""
        yield Quote(concern.text, f"{m.who(concern.raised_by)}, {when(concern.raised_at)}{blocking}")
        yield Paragraph(_met(m, concern))


def _met(m: Told, concern: ConcernRecord) -> str:
    said = []
    if concern.answer is not None and concern.answered_at is not None:
        said.append(f"{m.who(concern.answered_by)} answered on {when(concern.answered_at)}: “{concern.answer}”")
    if concern.resolved_at is not None:
        note = f": “{concern.resolution}”" if concern.resolution else ""
        said.append(f"Whoever raised it held it settled on {when(concern.resolved_at)}{note}")
    if concern.overruled_at is not None:
        said.append(
            f"{m.who(concern.overruled_by)} overruled it on {when(concern.overruled_at)}: “{concern.overruled_because}”"
        )
    return " ".join(ended(begun(each)) for each in said) or "Nobody has answered it."


def _besides(m: Told) -> Iterator[Part]:
    told_at = {each.decision.reopened.position for each in m.story.decisions if each.decision.reopened is not None}
    others = [fact for fact in m.facts if fact.kind not in _TOLD and fact.position not in told_at]
    if others:
        yield Heading(2, "What else happened")
        yield Items(tuple(_entry(m, fact) for fact in others))


def _proof(m: Told) -> Iterator[Part]:
    yield Heading(2, "The proof")
    yield Paragraph(
        f"All of this is made of the {len(m.facts)} facts below, of ledger {m.ledger_id} up to position {m.position}. A leaf is SHA-256 "
        "over what is stored of who, when, where and a commitment to the words; it stands in a Merkle tree whose root is signed outside."
    )
    yield Grid(
        ("Position", "Fact", "True at", "Recorded at", "Leaf"),
        tuple(
            (str(f.position), f.kind, when(f.occurred_at), when(f.recorded_at), m.leaves[f.position].hex())
            for f in m.facts
        ),
        code=(4,),
        caption=f"The {len(m.facts)} facts, in their order",
    )
    if m.checkpoint is None:
        yield Paragraph(
            "No signed checkpoint was at hand when this was written. A later one covers it too. To check it:"
        )
        yield Verbatim(f"decision-ledger verify\n{_INCLUSION}")
    else:
        yield Paragraph(
            "The checkpoint that was kept outside when this was written; its second line is how many positions it covers:"
        )
        yield Verbatim(m.checkpoint)
        yield Paragraph(
            "To check it, recompute the ledger against that checkpoint, and ask for the proof of any position above:"
        )
        yield Verbatim(f"decision-ledger verify --checkpoint checkpoint --key log.key\n{_INCLUSION}")
