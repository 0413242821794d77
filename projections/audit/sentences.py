"""Each type of fact as one plain sentence, for a timeline that a person reads from top to bottom.

Members and other proposals are told by the API, which knows their names; a sentence names none.
"""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ledger.events import catalogue, member, policy, proposal, redaction, review, simulation, team
from ledger.values import Acknowledgement, Disposition, EffortUnit, Reason, Verdict, numbered

#: The full stop of a sentence whose quotation has ended it.
_ENDED_TWICE = re.compile(r"(?<=[.!?…]”)\.$")
#: Longest part of a text that a sentence quotes.
QUOTE_MAX = 160


def sentence(fact: Struct) -> str:
    """This will say in one sentence what happened."""
    return _ENDED_TWICE.sub("", _SENTENCES[type(fact)](fact))


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line if len(line) <= QUOTE_MAX else line[: QUOTE_MAX - 1].rstrip() + '…'}”"


def _said(text: str | None, before: str = ": ") -> str:
    return f"{before}{_quoted(text)}" if text else ""


def _reasons(reasons: tuple[Reason, ...]) -> str:
    return "; ".join(f"{reason.code}{_said(reason.text)}" for reason in reasons)


def _estimate(fact: proposal.EstimateGiven | proposal.EstimateChanged) -> str:
    if fact.unit is EffortUnit.DAYS and fact.likely is not None:
        figure = f"{fact.optimistic} – {fact.likely} – {fact.pessimistic} engineer-days"
    else:
        figure = f"{fact.value or 'no value'} ({fact.unit.lower()})"
    return f"{fact.subject}: {figure}" if fact.subject else figure


def _estimate_changed(fact: proposal.EstimateChanged) -> str:
    if fact.removed:
        return f"The estimate was taken away{_said(fact.previous_value, '; it had been ')}."
    before = f" from {fact.previous_value}" if fact.previous_value else ""
    cause = f", because of {fact.cause.lower().replace('_', ' ')}" if fact.cause else ""
    return f"The estimate was changed{before} to {_estimate(fact)}{cause}{_said(fact.note)}."


def _impact(fact: proposal.ImpactAssessed) -> str:
    hours = f"{fact.drag} engineer-hours a week" if fact.drag is not None else "hours not known"
    return f"Its impact was {fact.method.lower()}: level {fact.level}, {hours}, growing {fact.growth} % a month."


_VERDICTS = {
    Disposition.SCHEDULE: "YES, it will be done",
    Disposition.DECLINE: "NO, it will not be done",
    Disposition.POSTPONE: "NO, not now",
    Disposition.REDIRECT: "NO, it belongs elsewhere",
}


def _decision(fact: proposal.DecisionTaken) -> str:
    of = f" on {fact.scope}" if fact.scope else ""
    raw = f" ({fact.verdict_raw})" if fact.verdict_raw else ""
    why = (
        f" {_reasons(fact.reasons)}."
        if fact.reasons
        else (" No reason was given." if fact.verdict is Verdict.NO else "")
    )
    return f"The answer{of} was {_VERDICTS[fact.disposition]}{raw}.{why}"


_ANSWERS = {
    Acknowledgement.AGREE: "agrees",
    Acknowledgement.DISAGREE_BUT_UNDERSTAND: "disagrees but understands",
    Acknowledgement.NOT_UNDERSTOOD: "did not understand it",
}


def _completed(fact: proposal.WorkCompleted) -> str:
    took = f" It took {numbered(fact.actual_days, 'engineer-day')}." if fact.actual_days is not None else ""
    return f"The work was completed.{took}{_said(fact.note, ' ')}"


def _days(days: int) -> str:
    return "day" if days == 1 else f"{days} days"


def _capacity(fact: review.ReviewOpened) -> str:
    return (
        f"The review was opened with {numbered(fact.capacity, 'engineer-day')} to give, knowing the ledger up to position "
        f"{fact.knowledge_position}."
    )


_SENTENCES: dict[type[Struct], Callable[[Any], str]] = {
    proposal.ProposalSubmitted: lambda f: f"{_quoted(f.title)} was proposed{f' for {f.area}' if f.area else ''}.",
    proposal.CriticalityScreened: lambda f: (
        f"It was found {'to be' if f.critical else 'not to be'} a critical bug{_said(f.note)}."
    ),
    proposal.ProposalRedirected: lambda f: f"It was sent to the {f.target.lower().replace('_', ' ')}{_said(f.reason)}.",
    proposal.BusinessCaseRevised: lambda f: (
        f"The business case was {'written' if f.case_version == 1 else f'rewritten (version {f.case_version})'}"
        f"{_said(f.change_note)}."
    ),
    proposal.EstimateGiven: lambda f: f"It was estimated: {_estimate(f)}{_said(f.note)}.",
    proposal.EstimateChanged: _estimate_changed,
    proposal.ImpactAssessed: _impact,
    proposal.DependencyAdded: lambda f: "It was found to need another proposal first.",
    proposal.DependencyRemoved: lambda f: "It does not need another proposal first any more.",
    proposal.ConcernRaised: lambda f: f"A{' blocking' if f.blocking else ''} concern was raised{_said(f.text)}.",
    proposal.ConcernAnswered: lambda f: f"A concern was answered{_said(f.text)}.",
    proposal.ConcernResolved: lambda f: f"Its raiser held a concern settled{_said(f.note)}.",
    proposal.ConcernOverruled: lambda f: f"A concern was overruled{_said(f.reason)}.",
    proposal.DecisionTaken: _decision,
    proposal.DecisionExplained: lambda f: f"A reason was given after the decision: {_reasons(f.reasons)}.",
    proposal.DecisionCarriedOver: lambda f: f"It was left for the next review, {f.count} in a row{_said(f.reason)}.",
    proposal.DecisionCommunicated: lambda f: (
        f"The answer was told by {f.channel.lower().replace('_', ' ')} to {len(f.audience)}"
        f" {'person' if len(f.audience) == 1 else 'people'}{_said(f.reference)}."
    ),
    proposal.DecisionAcknowledged: lambda f: f"The recipient {_ANSWERS[f.answer]}{_said(f.note)}.",
    proposal.ConcernPlayedBack: lambda f: f"The decider restated the concern{_said(f.text)}.",
    proposal.PlaybackConfirmed: lambda f: "The proposer confirmed that this was meant.",
    proposal.PlaybackCorrected: lambda f: f"The proposer meant something else{_said(f.text)}.",
    proposal.AppealLodged: lambda f: (
        f"The decision was appealed for {f.grounds.lower().replace('_', ' ')}{_said(f.text)}."
    ),
    proposal.AppealUpheld: lambda f: f"The appeal was upheld{_said(f.reason)}.",
    proposal.AppealDismissed: lambda f: f"The appeal was dismissed{_said(f.reason)}.",
    proposal.ProposalReopened: lambda f: (
        f"It is pending again: {f.because.lower().replace('_', ' ')}{_said(f.note, ', ')}."
    ),
    proposal.RevisitWaived: lambda f: f"The conditions that would bring it back were given up{_said(f.reason)}.",
    proposal.ProposalWithdrawn: lambda f: f"It was withdrawn{_said(f.reason)}.",
    proposal.ProposalMerged: lambda f: f"It goes on as part of another proposal{_said(f.note)}.",
    proposal.ProposalSuperseded: lambda f: f"A later proposal took its place{_said(f.reason)}.",
    proposal.ProposalSplit: lambda f: f"It goes on as {len(f.children)} smaller proposals{_said(f.note)}.",
    proposal.WorkStarted: lambda f: f"Work began{' without a YES' if f.without_yes else ''}{_said(f.note)}.",
    proposal.WorkPaused: lambda f: f"Work rests{_said(f.reason)}.",
    proposal.WorkCompleted: _completed,
    proposal.WorkAbandoned: lambda f: f"Work ended without the debt being paid{_said(f.reason)}.",
    proposal.BenefitMeasured: lambda f: (
        f"After {f.day} days {f.benefit} came to {f.realised} {f.unit}"
        f"{f' of {f.promised} promised' if f.promised is not None else ''}{_said(f.note)}."
    ),
    proposal.RiskMaterialised: lambda f: (
        f"A risk came true and cost {numbered(f.loss_hours, 'engineer-hour')}"
        f"{f' ({f.incident})' if f.incident else ''}{_said(f.text)}."
    ),
    proposal.SourceNoted: lambda f: f"The source notes {f.kind.replace('_', ' ')}{_said(f.text)}.",
    review.ReviewScheduled: lambda f: f"A{'n' if f.kind == 'ENGINEERING' else ''} {f.kind.lower()} review was planned.",
    review.AgendaFrozen: lambda f: f"The agenda was fixed with {numbered(len(f.items), 'item')}.",
    review.ReviewOpened: _capacity,
    review.ItemDecided: lambda f: (
        f"An item was answered {f.verdict}"
        + (f", reserving {numbered(f.days_reserved, 'day')}." if f.verdict == "YES" else ".")
    ),
    review.ItemCarriedOver: lambda f: f"An item was left for the next review{_said(f.reason)}.",
    review.ReviewClosed: lambda f: f"The review was closed{_said(f.minutes_url, '; minutes: ')}.",
    review.ReviewSkipped: lambda f: f"The review was not held{_said(f.reason)}.",
    team.TeamFormed: lambda f: f"The team {_quoted(f.name)} was formed.",
    team.MemberJoined: lambda f: "Somebody joined the team.",
    team.MemberLeft: lambda f: "Somebody left the team.",
    team.RoleGranted: lambda f: f"Somebody was given the role {f.role}.",
    team.RoleRevoked: lambda f: f"The role {f.role} was taken from somebody.",
    team.CapacitySet: lambda f: f"The team gives {numbered(f.days_per_cycle, 'engineer-day')} a cycle to paying debt.",
    team.CadenceSet: lambda f: (
        f"The team meets every {_days(f.engineering_days)} for engineering reviews and every {_days(f.product_days)}"
        " for product reviews."
    ),
    team.ServiceLevelSet: lambda f: (
        f"The team promises an answer within {numbered(f.days_to_decide, 'day')}, told within {numbered(f.hours_to_tell, 'hour')}."
    ),
    policy.PolicyDefined: lambda f: f"The policy {_quoted(f.name)} was defined by {f.formula.method}.",
    policy.PolicyRevised: lambda f: f"The policy became version {f.policy_version}, by {f.formula.method}.",
    policy.PolicyActivated: lambda f: "A team is ranked by this policy.",
    catalogue.ReasonCodeAdded: lambda f: f"The reason {f.code} was added{_said(f.meaning)}.",
    catalogue.ReasonCodeRetired: lambda f: f"The reason {f.code} was retired{_said(f.reason)}.",
    simulation.SimulationRequested: lambda f: (
        f"It was asked what another prioritisation would have done for {numbered(len(f.team_ids), 'team')}."
    ),
    simulation.SimulationCompleted: lambda f: (
        f"{numbered(f.reviews, 'review')} {'was' if f.reviews == 1 else 'were'} replayed under {f.policies}"
        f" {'policy' if f.policies == 1 else 'policies'}, up to position {f.last_position}."
    ),
    simulation.SimulationFailed: lambda f: f"The replay could not be run{_said(f.reason)}.",
    simulation.SimulationCancelled: lambda f: f"The replay was called off{_said(f.reason)}.",
    simulation.SimulationInterrupted: lambda f: f"The replay was broken off{_said(f.reason)}.",
    member.MemberErased: lambda f: f"Somebody's name was erased from the directory{_said(f.reason)}.",
    redaction.FactRedacted: lambda f: f"The words of position {f.position} were taken out{_said(f.reason)}.",
}
