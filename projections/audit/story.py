"""Why not: the whole story of a proposal's decisions, each with what was known when it was taken and what has changed since."""

from datetime import datetime
from itertools import starmap
from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.ranking import DEFAULT_FORMULA, Item, Score, readable, score
from ledger.values import Disposition, PolicyId, ProposalId, ReviewId
from projections.audit.returning import ConditionStanding, Known, standings
from projections.audit.structs import (
    AppealRecord,
    AuditedDecision,
    AuditedProposal,
    AuditedReview,
    AuditedTeam,
    ConcernRecord,
    PolicyVersion,
)
from projections.audit.tables import (
    APPEALS,
    CONCERNS,
    DECISIONS,
    POLICIES,
    PROPOSALS,
    REVIEWS,
    TEAMS,
)
from projections.audit.version_structs import (
    KINDS,
    NOTED,
    RECORDED,
    SourceNote,
    Version,
    VersionKind,
    note_of,
    version_of,
)
from projections.audit.versions import Comparison, compare
from projections.conditions import Conditions, Connection, Teams, rows
from projections.table import R, Table


class DecisionStory(Struct, frozen=True):
    """One decision with what it rested on, as that read then, and what has become of it since."""

    decision: AuditedDecision
    review: AuditedReview | None
    policy: PolicyVersion | None
    case: Version | None
    estimate: Version | None
    impact: Version | None
    #: Does the decision itself not say which versions it was taken on, so that those recorded by then are shown?
    is_basis_inferred: bool
    #: The score of those versions under that policy, term by term.
    score: Score
    #: What has changed since, for each part that has.
    basis_diff: tuple[Comparison, ...]
    chosen_instead: tuple[AuditedProposal, ...]
    conditions: tuple[ConditionStanding, ...]
    appeals: tuple[AppealRecord, ...]
    #: Of an imported one: what its source says besides in the same place.
    source_notes: tuple[SourceNote, ...] = ()


class ProposalStory(Struct, frozen=True):
    """A proposal with all its decisions, the earliest first, and the concerns about it."""

    proposal: AuditedProposal
    team: AuditedTeam | None
    decisions: tuple[DecisionStory, ...]
    concerns: tuple[ConcernRecord, ...]

    @property
    def latest_no(self) -> DecisionStory | None:
        """This will give the last NO on the whole proposal; None: there was none."""
        noes = (s for s in reversed(self.decisions) if s.decision.disposition is not Disposition.SCHEDULE)
        return next((story for story in noes if not story.decision.scoped), None)

    def of(self, decision_id: UUID) -> DecisionStory | None:
        """This will find one decision."""
        return next((story for story in self.decisions if story.decision.decision_id == decision_id), None)


class _Material(Struct, frozen=True):
    """What was read for a story, by what the decisions call it."""

    known: Known
    versions: dict[tuple[VersionKind, int], Version]
    reviews: dict[ReviewId, AuditedReview]
    policies: dict[tuple[PolicyId, int], PolicyVersion]
    appeals: tuple[AppealRecord, ...]
    notes: tuple[SourceNote, ...]


async def proposal_story(
    connection: Connection, teams: Teams, proposal_id: UUID, now: datetime, *, as_of: int | None = None
) -> ProposalStory | None:
    """This will tell a proposal's story in one statement; None: it is not there or may not be seen."""
    return await _story(connection, teams, "p.proposal_id = %(id)s", proposal_id, now=now, as_of=as_of)


async def decision_story(
    connection: Connection, teams: Teams, decision_id: UUID, now: datetime, *, as_of: int | None = None
) -> ProposalStory | None:
    """This will tell the story of the proposal that a decision answered, in one statement."""
    by_decision = (
        "p.proposal_id = (SELECT d.proposal_id FROM views.audit_decisions AS d"
        f" WHERE d.decision_id = %(id)s AND {Conditions(as_of).stands('d')})"
    )
    return await _story(connection, teams, by_decision, decision_id, now=now, as_of=as_of)


async def _story(
    connection: Connection, teams: Teams, which: str, key: UUID, *, now: datetime, as_of: int | None
) -> ProposalStory | None:
    where = Conditions(as_of).readable("p", teams).add(which, id=key)

    def docs(table: str, condition: str, order: str) -> str:
        return (
            f"(SELECT array_agg(x.doc ORDER BY {order}) FROM views.{table} AS x"
            f" WHERE {condition} AND {where.stands('x')})"
        )

    where.values["topics"] = [*KINDS, NOTED]
    known = "" if as_of is None else " AND e.position <= %(as_of)s"
    seen = "" if teams is None else " AND x.team_id = ANY(%(visible)s)"
    found = await rows(
        connection,
        f"WITH p AS MATERIALIZED (SELECT * FROM views.audit_proposals AS p WHERE {where}),"
        " d AS MATERIALIZED (SELECT d.* FROM views.audit_decisions AS d JOIN p USING (proposal_id)"
        f" WHERE {where.stands('d')})"
        " SELECT p.doc, (SELECT array_agg(d.doc ORDER BY d.position) FROM d),"
        f" {docs('audit_teams', 'x.team_id = p.team_id', 'x.team_id')},"
        f" (SELECT array_agg(ROW({RECORDED}) ORDER BY e.version) FROM ledger.events AS e"
        f" WHERE e.stream_id = p.proposal_id AND e.topic = ANY(%(topics)s){known}),"
        f" {docs('audit_concerns', 'x.proposal_id = p.proposal_id', 'x.raised_at, x.concern_id')},"
        f" {docs('audit_appeals', 'x.decision_id IN (SELECT decision_id FROM d)', 'x.lodged_at, x.appeal_id')},"
        f" {docs('audit_reviews', 'x.review_id IN (SELECT review_id FROM d)', 'x.review_id')},"
        " "
        + docs(
            "audit_policies",
            "(x.policy_id, x.version) IN (SELECT policy_id, policy_version FROM d)",
            "x.policy_id, x.version",
        )
        + f", {docs('audit_proposals', f'x.proposal_id IN (SELECT unnest(mentions) FROM d){seen}', 'x.proposal_id')}"
        " FROM p",
        where.values,
    )
    return _told(now, *found[0]) if found else None


def _all(table: Table[R], docs: list[bytes] | None) -> tuple[R, ...]:
    return tuple(map(table.decode, docs or ()))


def _told(now: datetime, proposal_doc: bytes, *docs: list[bytes] | None) -> ProposalStory:
    proposal = PROPOSALS.decode(proposal_doc)
    decisions, teams = _all(DECISIONS, docs[0]), _all(TEAMS, docs[1])
    team = teams[0] if teams else None
    recorded: Any = docs[2] or ()
    versions = [row for row in recorded if row[2] != NOTED]
    material = _Material(
        Known(now, team, {other.proposal_id: other for other in _all(PROPOSALS, docs[7])}),
        {(version.kind, version.version): version for version in starmap(version_of, versions)},
        {review.review_id: review for review in _all(REVIEWS, docs[5])},
        {(policy.policy_id, policy.version): policy for policy in _all(POLICIES, docs[6])},
        _all(APPEALS, docs[4]),
        tuple(note_of(*row) for row in recorded if row[2] == NOTED),
    )
    stories = tuple(_decision(decision, proposal, material) for decision in decisions)
    return ProposalStory(proposal, team, stories, _all(CONCERNS, docs[3]))


def _decision(decision: AuditedDecision, proposal: AuditedProposal, material: _Material) -> DecisionStory:
    basis, versions = decision.basis, material.versions
    then = {
        VersionKind.CASE: basis.case_version if basis else decision.case_version,
        VersionKind.ESTIMATE: basis.estimate_version if basis else decision.estimate_version,
        VersionKind.IMPACT: basis.impact_version if basis else decision.impact_version,
    }
    now = {
        VersionKind.CASE: proposal.case_version,
        VersionKind.ESTIMATE: proposal.estimate_version,
        VersionKind.IMPACT: proposal.impact_version,
    }
    case, estimate, impact = (versions.get((kind, number)) for kind, number in then.items())
    policy = material.policies.get((decision.policy_id, decision.policy_version)) if decision.policy_id else None
    return DecisionStory(
        decision,
        material.reviews.get(decision.review_id) if decision.review_id else None,
        policy,
        case,
        estimate,
        impact,
        basis is None,
        readable(score(policy.formula if policy else DEFAULT_FORMULA, item(case, estimate, impact))),
        tuple(
            compare(kind, versions.get((kind, then[kind])), versions.get((kind, now[kind])))
            for kind in VersionKind
            if then[kind] != now[kind]
        ),
        tuple(_mentioned(decision.chosen_instead, material.known.others)),
        standings(decision, proposal, material.known),
        tuple(appeal for appeal in material.appeals if appeal.decision_id == decision.decision_id),
        tuple(
            note
            for note in material.notes
            if decision.provenance and note.external_id == decision.provenance.external_id
        ),
    )


def _mentioned(ids: tuple[ProposalId, ...], others: dict[ProposalId, AuditedProposal]) -> list[AuditedProposal]:
    return [others[proposal_id] for proposal_id in ids if proposal_id in others]


def item(case: Version | None, estimate: Version | None, impact: Version | None) -> Item:
    """This will give the figures that a policy ranks by, from versions as they read then."""
    text, days, drag = (case and case.case), (estimate and estimate.estimate), (impact and impact.impact)
    found = Item(
        risks=text.risks_of_ignoring if text else (), benefit_count=len(text.benefits_of_fixing) if text else 0
    )
    return Item(
        optimistic=days.optimistic if days else None,
        likely=days.likely if days else None,
        pessimistic=days.pessimistic if days else None,
        drag=drag.drag if drag else None,
        growth=drag.growth if drag else found.growth,
        level=drag.level if drag else None,
        confidence=drag.confidence if drag else found.confidence,
        risks=found.risks,
        benefit_count=found.benefit_count,
    )
