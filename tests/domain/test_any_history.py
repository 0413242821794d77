"""Whatever is recorded can be folded, whatever is asked is answered with facts or a sentence, and always with the same."""

import inspect
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as whenever
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.commands import review as ask_review
from ledger.domain import proposal
from ledger.domain.codes import IMPORT_ONLY, REASON_CODES, initial_catalogue
from ledger.domain.proposal import ProposalFact, evolve
from ledger.domain.proposal.state import NOBODY_ASKED
from ledger.events import proposal as facts
from ledger.values import (
    Acknowledgement,
    AgendaCause,
    Disposition,
    MomentumLevel,
    PlaybackStage,
    ProposalStatus,
    ReopenCause,
    Verdict,
)
from tests.domain.scenario import (
    APPEAL,
    CASE,
    COLLEAGUE,
    CONCERN,
    DEBT,
    DECISION,
    DECLINE,
    DECLINED,
    ENGINEER,
    LATER_DECISION,
    MANAGER,
    NOW,
    ON_A_DAY,
    READY,
    REASON,
    REVIEW,
    SECOND_MANAGER,
    SUBMITTED,
    Scenario,
    decide_name,
    decided,
    event,
    given,
)

COMMANDS: list[Any] = [
    found for _, found in inspect.getmembers(ask, inspect.isclass) if found.__module__ == ask.__name__
]
COMMANDS.remove(ask.BusinessCase)

# A fact's instants name a time zone and its figures are finite: the rules and the import let nothing else through.
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))

#: The few things that a small history is about, so that its commands meet each other.
FEW: dict[Any, st.SearchStrategy[Any]] = {
    "proposal_id": st.just(DEBT),
    "decision_id": st.sampled_from([DECISION, LATER_DECISION]),
    "concern_id": st.just(CONCERN),
    "appeal_id": st.just(APPEAL),
    "review_id": st.just(REVIEW),
    "case_version": st.integers(0, 3),
    "estimate_version": st.integers(0, 2),
    "impact_version": st.integers(0, 2),
    "business_case": st.just(CASE),
    "reasons": st.sampled_from([(), (REASON,)]),
    "text": st.sampled_from(["A worry.", " "]),
    "reason": st.sampled_from(["Because it is so.", ""]),
}


def command(kind: type[Struct]) -> st.SearchStrategy[Struct]:
    return st.builds(kind, **{name: few for name, few in FEW.items() if name in kind.__struct_fields__})


def decision() -> st.SearchStrategy[Struct]:
    seen = {name: FEW[name] for name in ("decision_id", "case_version", "estimate_version", "impact_version")}
    yes = replace(DECLINE, verdict=Verdict.YES, disposition=Disposition.SCHEDULE, reasons=(), reconsider_if=None)
    postpone = replace(DECLINE, disposition=Disposition.POSTPONE, reconsider_if=None, revisit=(ON_A_DAY,))
    answers = st.sampled_from([DECLINE, yes, postpone, replace(DECLINE, over_capacity_reason="So be it.")])
    return st.builds(lambda answer, versions: replace(answer, **versions), answers, st.fixed_dictionaries(seen))


ANY_COMMAND = st.one_of([*(command(kind) for kind in COMMANDS), decision(), command(ask_review.CarryOverItem)])
ANY_MEMBER = st.sampled_from([ENGINEER, COLLEAGUE, MANAGER, SECOND_MANAGER])


def test_each_command_has_its_decide_function() -> None:
    assert len(COMMANDS) == 34
    assert [name for name in map(decide_name, COMMANDS) if not callable(getattr(proposal, name, None))] == []


def test_each_fact_of_a_proposal_is_folded() -> None:
    registered = {
        found for _, found in inspect.getmembers(facts, inspect.isclass) if found.__module__ == facts.__name__
    }
    assert set(get_args(ProposalFact)) == registered


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@whenever(st.lists(st.tuples(ANY_COMMAND, ANY_MEMBER), max_size=12), st.booleans())
def test_any_sequence_of_commands_is_answered_with_facts_or_a_sentence(
    asked: list[tuple[Struct, Any]], begins_ready: bool
) -> None:
    story = Scenario(READY if begins_ready else ())
    for each, by in asked:
        outcome = story.when(each, by=by)
        again = story.when(each, by=by)
        assert (outcome.no is None) == (again.no is None)
        if outcome.no is not None:
            assert (outcome.no.code, outcome.no.message) == (again.no.code, again.no.message)  # type: ignore[union-attr]
            assert outcome.no.message.endswith(".")
            continue
        assert outcome.facts == again.facts != []
        story = outcome.recorded
        assert story.state.carried_over <= 2
        assert sum(a.status == "OPEN" for a in story.state.appeals) <= 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@whenever(st.lists(st.one_of([st.from_type(fact) for fact in get_args(ProposalFact)]), min_size=1, max_size=8))
def test_any_sequence_of_facts_is_folded_as_an_import_may_bring_it(recorded: list[Struct]) -> None:
    state = Scenario(tuple(recorded)).state
    assert state == Scenario(tuple(recorded)).state
    assert state.agenda_cause in AgendaCause
    assert proposal.due(state, proposal.Circumstances(NOW)) is not None
    assert state.to_item().confidence is not None


def test_a_fact_of_another_stream_is_not_folded() -> None:
    stray = event(initial_catalogue()[0], 1)
    with pytest.raises(AssertionError):
        evolve(None, stray)


def test_an_imported_history_may_begin_before_its_submission_and_leave_things_out() -> None:
    posted = facts.SourceNoted("posted", "A thread.")
    estimated = facts.EstimateGiven(1, None, None, None, value="3.7")
    early = given(posted, estimated).state
    assert (early.team_id, early.is_submitted, early.estimate_version) == (NOBODY_ASKED, False, 1)
    bare = facts.DecisionTaken(DECISION, Verdict.NO, Disposition.DECLINE)
    state = given(posted, estimated, replace(SUBMITTED, proposer=None), bare).state
    assert (state.status, state.submitted_position, state.proposers) == (ProposalStatus.DECLINED, 3, frozenset())


def test_a_decision_on_a_part_leaves_the_whole_where_it_stands() -> None:
    part = decided(Disposition.SCHEDULE, LATER_DECISION, scope="production readiness, alpha")
    state = given(*DECLINED, part).state
    assert (state.status, len(state.decisions)) == (ProposalStatus.DECLINED, 2)
    last = state.last_decision
    assert last is not None
    assert last.decision_id == DECISION


def test_facts_about_decisions_that_nobody_knows_change_nothing() -> None:
    before = given(*READY).state
    for stray in (
        facts.DecisionAcknowledged(DECISION, ENGINEER, Acknowledgement.AGREE),
        facts.PlaybackConfirmed(DECISION, ENGINEER),
        facts.ConcernResolved(CONCERN),
        facts.AppealDismissed(APPEAL, MANAGER, "It stands."),
    ):
        assert given(*READY, stray).state == before
    one_of_two = given(
        *DECLINED,
        facts.ProposalReopened(ReopenCause.REPROPOSED),
        decided(Disposition.DECLINE, LATER_DECISION),
        facts.DecisionAcknowledged(DECISION, ENGINEER, Acknowledgement.NOT_UNDERSTOOD),
    ).state
    assert [d.playback for d in one_of_two.decisions] == [PlaybackStage.ASKED, PlaybackStage.NONE]


def test_what_ranks_is_read_off_the_state() -> None:
    figures = given(*READY).state.to_item()
    assert (figures.likely, figures.drag, figures.level, figures.benefit_count) == (
        Decimal(4),
        Decimal(8),
        MomentumLevel.M2,
        1,
    )
    assert given(READY[0]).state.to_item().likely is None


def test_a_carried_over_item_is_on_the_next_agenda_for_that() -> None:
    state = given(*READY, facts.DecisionCarriedOver(REVIEW, "No time.", 1)).state
    assert state.agenda_cause is AgendaCause.CARRIED_OVER


def test_the_catalogue_begins_with_each_code_and_without_those_of_imports() -> None:
    added = initial_catalogue()
    assert len({fact.code for fact in added}) == len(added) == len(REASON_CODES) == 21
    assert not IMPORT_ONLY & {fact.code for fact in added}
