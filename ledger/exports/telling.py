"""A proposal's story in parts of a document, in the order in which a person asks."""

from collections.abc import Iterator

from ledger.exports.answering import answer_parts
from ledger.exports.material import VERDICTS, Told, begun, case_parts, when, word
from ledger.exports.page import Grid, Heading, Items, Pairs, Paragraph, Part, Quote, Verbatim
from projections.audit.structs import AuditedDecision, ConcernRecord

#: What is told elsewhere in the story; the rest of the facts is what happened besides.
_TOLD = frozenset(
    {
        "ProposalSubmitted", "BusinessCaseRevised", "EstimateGiven", "EstimateChanged", "ImpactAssessed", "ConcernRaised",
        "ConcernAnswered", "ConcernResolved", "ConcernOverruled", "DecisionTaken", "DecisionExplained", "DecisionCommunicated",
        "DecisionAcknowledged", "ConcernPlayedBack", "PlaybackConfirmed", "PlaybackCorrected", "AppealLodged", "AppealUpheld",
        "AppealDismissed", "RevisitWaived", "SourceNoted",
    }
)  # fmt: skip


def told(material: Told) -> list[Part]:
    """This will tell the story from top to bottom."""
    return [
        *_opening(material),
        *_versions(material),
        *_concerns(material),
        *(part for story in material.story.decisions for part in answer_parts(material, story)),
        *_besides(material),
        *_proof(material),
    ]


def _opening(m: Told) -> Iterator[Part]:
    p, team = m.story.proposal, m.story.team
    yield Heading(1, p.title)
    pairs = [
        ("Team", team.name if team else str(p.team_id)),
        ("Proposed", f"{when(p.submitted_at)} by {m.all(p.proposers) or m.who(None)}"),
        ("Status", word(p.status)),
        *([("Area", p.area)] if p.area else []),
        *([("Kind", p.kind)] if p.kind else []),
    ]
    if p.provenance:
        pairs.append(("Source", f"{p.provenance.system} {p.provenance.external_id} {p.provenance.url or ''}".strip()))
    of = "As it was at" if m.is_past else "As it is at"
    pairs.append((of, f"position {m.position} of ledger {m.ledger_id}, {when(m.at)}"))
    yield Pairs(tuple(pairs))
    answered = [each.decision for each in m.story.decisions if not each.decision.scoped]
    if not answered:
        yield Paragraph("It has had no answer yet.")
    for decision in answered[-1:]:
        reasons = "; ".join(reason.code for reason in decision.reasons)
        yield Paragraph(
            f"The last answer was {VERDICTS[decision.disposition]}, on {when(decision.decided_at)}"
            f"{f' ({reasons})' if reasons else ''}; {_told_in_short(decision)}."
        )


def _told_in_short(decision: AuditedDecision) -> str:
    if decision.told_at is not None:
        return f"whoever asked was told on {when(decision.told_at)}"
    return "nothing is recorded of whoever asked being told"


def _versions(m: Told) -> Iterator[Part]:
    """This will tell the latest case in full, and how the figures came to be."""
    cases = [version for version in m.versions if version.case is not None]
    if not m.story.decisions and cases:
        yield Heading(2, "The case")
        yield from case_parts(m, cases[-1])
    for kind, title in (("Estimate", "The estimates"), ("Impact", "The impact")):
        entries = [fact for fact in m.facts if fact.kind.startswith(kind)]
        if entries:
            yield Heading(2, title)
            yield Items(
                tuple(f"{when(fact.occurred_at)}, {m.who(fact.actor.member_id)}: {fact.summary}" for fact in entries)
            )


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
    return " ".join(f"{begun(each)}." for each in said) or "Nobody has answered it."


def _besides(m: Told) -> Iterator[Part]:
    others = [fact for fact in m.facts if fact.kind not in _TOLD]
    if others:
        yield Heading(2, "What else happened")
        yield Items(
            tuple(f"{when(fact.occurred_at)}, {m.who(fact.actor.member_id)}: {fact.summary}" for fact in others)
        )


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
        code=(0, 4),
    )
    if m.checkpoint is None:
        yield Paragraph("No signed checkpoint was at hand when this was written.")
    else:
        yield Paragraph("The checkpoint that was kept outside when this was written:")
        yield Verbatim(m.checkpoint)
    yield Paragraph(
        "To check it: recompute the ledger against that checkpoint, and ask for the proof of any position above."
    )
    yield Verbatim(
        "decision-ledger verify --checkpoint checkpoint --key log.key\n"
        'query { inclusionProof(position: "…") { leaf treeSize root hashes } }'
    )
