"""From facts to the backlog view: each proposal's card, scored by the policy in force in its team while it is pending."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ledger.events.envelope import Event
from ledger.events.policy import PolicyActivated, PolicyDefined, PolicyRevised
from ledger.events.proposal import (
    BusinessCaseRevised,
    CriticalityScreened,
    DependencyAdded,
    DependencyRemoved,
    EstimateChanged,
    EstimateGiven,
    ImpactAssessed,
    ProposalReopened,
    ProposalSubmitted,
)
from ledger.ranking import Item, expected_days
from ledger.values import PolicyId, ProposalId, ProposalStatus, Risk, TeamId
from projections.backlog.answers import ANSWERS
from projections.backlog.cards import card_of, origin_of
from projections.backlog.ranking import POLICIES, RANKINGS
from projections.backlog.structs import PROBLEM_LENGTH, Card, CaseShort, EstimateShort, ImpactShort, Policy, Ranking
from projections.backlog.tables import CARDS, TABLES
from projections.projector import Projector, View
from projections.rows import Rows


def submitted(rows: Rows, event: Event, fact: ProposalSubmitted) -> None:
    """This will put the proposal on the list."""
    known = rows.get(CARDS, event.stream_id)
    asked: dict[str, Any] = {
        "team_id": fact.team_id,
        "title": fact.title,
        "area": fact.area,
        "kind": fact.kind,
        "proposer": fact.proposer,
        "co_proposers": fact.co_proposers,
        "submitted_at": event.occurred_at,
        "submitted_position": event.position,
        "origin": origin_of(event),
        "touched_at": event.occurred_at,
    }
    if known is None:
        rows.put(CARDS, Card(ProposalId(event.stream_id), ranked_in=fact.team_id, **asked))
    else:
        rows.change(CARDS, known, ranked_in=fact.team_id if known.status is ProposalStatus.PENDING else None, **asked)


def screened(rows: Rows, event: Event, fact: CriticalityScreened) -> None:
    """This will note whether it is a critical bug."""
    card = card_of(rows, event)
    if fact.critical != card.critical:
        rows.change(CARDS, card, critical=fact.critical, touched_at=event.occurred_at)


def case_revised(rows: Rows, event: Event, fact: BusinessCaseRevised) -> None:
    """This will show the beginning of the problem, and weigh the case's benefits and risks."""
    case = CaseShort(
        fact.case_version,
        fact.problem[:PROBLEM_LENGTH],
        len(fact.problem) > PROBLEM_LENGTH,
        tuple([benefit.code for benefit in fact.benefits_of_fixing]),
        tuple([_bare(risk) for risk in fact.risks_of_ignoring if risk.probability and risk.loss_hours]),
    )
    rows.change(CARDS, card_of(rows, event), case=case, touched_at=event.occurred_at)


def _bare(risk: Risk) -> Risk:
    return Risk("", risk.probability, risk.loss_hours, risk.window_weeks)


def estimated(rows: Rows, event: Event, fact: EstimateGiven | EstimateChanged) -> None:
    """This will show the latest estimate; one that the source took away leaves none."""
    estimate = None
    if not (type(fact) is EstimateChanged and fact.removed):
        days = expected_days(Item(fact.optimistic, fact.likely, fact.pessimistic))
        estimate = EstimateShort(
            fact.estimate_version,
            fact.optimistic,
            fact.likely,
            fact.pessimistic,
            fact.unit,
            fact.value,
            fact.basis,
            fact.confidence,
            days,
        )
    rows.change(CARDS, card_of(rows, event), estimate=estimate, touched_at=event.occurred_at)


def assessed(rows: Rows, event: Event, fact: ImpactAssessed) -> None:
    """This will show the latest impact."""
    impact = ImpactShort(
        fact.impact_version,
        fact.level,
        fact.method,
        fact.confidence,
        fact.drag,
        fact.growth,
        fact.judged_level,
        fact.blocks_committed_feature,
    )
    rows.change(CARDS, card_of(rows, event), impact=impact, touched_at=event.occurred_at)


def dependency_added(rows: Rows, event: Event, fact: DependencyAdded) -> None:
    """This will note what has to be done first."""
    card = card_of(rows, event)
    rows.change(CARDS, card, needs=(*card.needs, fact.needs), touched_at=event.occurred_at)


def dependency_removed(rows: Rows, event: Event, fact: DependencyRemoved) -> None:
    """This will note that the other one is not needed first any more."""
    card = card_of(rows, event)
    left = tuple([other for other in card.needs if other != fact.needs])
    rows.change(CARDS, card, needs=left, touched_at=event.occurred_at)


def policy_defined(rows: Rows, event: Event, fact: PolicyDefined) -> None:
    """This will keep a policy's formula."""
    rows.put(POLICIES, Policy(PolicyId(event.stream_id), 1, fact.name, fact.formula))


def policy_revised(rows: Rows, event: Event, fact: PolicyRevised) -> None:
    """This will rank the teams anew for which the policy is active."""
    policy = replace(rows.need(POLICIES, event.stream_id), version=fact.policy_version, formula=fact.formula)
    rows.put(POLICIES, policy)
    for ranking in rows.where(RANKINGS, "policy_id", policy.policy_id):
        _rank_team(rows, event, ranking.team_id, policy)


def policy_activated(rows: Rows, event: Event, fact: PolicyActivated) -> None:
    """This will rank the team anew."""
    _rank_team(rows, event, fact.team_id, rows.need(POLICIES, event.stream_id))


def _rank_team(rows: Rows, event: Event, team_id: TeamId, policy: Policy) -> None:
    ranking = Ranking(team_id, policy.policy_id, policy.version, policy.name, policy.formula, event.position)
    rows.put(RANKINGS, ranking)
    for card in rows.where(CARDS, "ranked_in", team_id):
        rows.put(CARDS, card)  # scored when the command ends


def reopened(rows: Rows, event: Event, fact: ProposalReopened) -> None:
    """This will put a decided proposal on the list again, under the policy that is in force now."""
    card = card_of(rows, event)
    rows.change(
        CARDS,
        card,
        status=ProposalStatus.PENDING,
        ranked_in=card.team_id,
        reopened=fact.because,
        paused=False,
        successors=(),
        redirect_url=None,
        touched_at=event.occurred_at,
    )


ON: dict[type[Struct], Projector] = {
    ProposalSubmitted: submitted,
    CriticalityScreened: screened,
    BusinessCaseRevised: case_revised,
    EstimateGiven: estimated,
    EstimateChanged: estimated,
    ImpactAssessed: assessed,
    DependencyAdded: dependency_added,
    DependencyRemoved: dependency_removed,
    PolicyDefined: policy_defined,
    PolicyRevised: policy_revised,
    PolicyActivated: policy_activated,
    ProposalReopened: reopened,
}

VIEW = View("backlog", TABLES, ON | ANSWERS, version=2, weight=19)
