"""Rules 4 to 9 and 13: what an answer rests on, what a NO must say, and what a YES takes."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.commands.review import CarryOverItem
from ledger.domain.codes import IMPORT_ONLY, REASON_CODES
from ledger.domain.proposal.grounds import cut_score
from ledger.domain.rejected import Code
from ledger.domain.review import ReviewPhase
from ledger.events import proposal as facts
from ledger.values import (
    Basis,
    Disposition,
    ProposalId,
    ProposalStatus,
    Reason,
    RedirectTarget,
    ReopenCause,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Verdict,
)
from tests.domain.scenario import (
    ACCEPTED,
    ADMITTED,
    BASIS,
    CONCERN,
    DEBT,
    DECISION,
    DECLINE,
    DECLINED,
    ENGINEER,
    ESTIMATED,
    LATER_DECISION,
    MANAGER,
    NOW,
    ON_A_DAY,
    OTHER,
    OTHER_TEAM,
    POLICY,
    POSTPONED,
    READY,
    REASON,
    REDIRECTED,
    REVIEW,
    THIRD,
    Outcome,
    case,
    given,
    item,
    named,
    review,
)

YES = replace(DECLINE, verdict=Verdict.YES, disposition=Disposition.SCHEDULE, reasons=(), reconsider_if=None)
POSTPONE = replace(DECLINE, disposition=Disposition.POSTPONE, reconsider_if=None, revisit=(ON_A_DAY,))
REDIRECT = replace(
    DECLINE,
    disposition=Disposition.REDIRECT,
    reconsider_if=None,
    redirect=RedirectTarget.TRACKER,
    redirect_url="https://tracker.example/7",
)
WHY = "The tax change comes first, and the same people do both."


def decide(command: ask.TakeDecision, *recorded: Any, **context: Any) -> Outcome:
    return given(*(recorded or READY)).when(command, by=MANAGER, **context)


def test_a_decline_is_recorded_with_all_that_it_rested_on() -> None:
    fits, too_large = replace(item(OTHER, 1.8, 1), expected_days=20.0), replace(item(THIRD, 0.9, 3), expected_days=1.0)
    seen = review(items=(fits, item(rank=2), too_large), reserved=Decimal(5), policy_id=POLICY, policy_version=2)
    after = decide(replace(DECLINE, policy_id=POLICY, policy_version=2), review=seen).then(
        facts.DecisionTaken(
            DECISION,
            Verdict.NO,
            Disposition.DECLINE,
            review_id=REVIEW,
            basis=Basis(1, 1, 1, POLICY, 2),
            score=1.5,
            rank=2,
            cut_score=1.8,
            capacity_left=Decimal(15),
            reasons=(REASON,),
            reconsider_if="A second team wants to compute prices.",
            decider=MANAGER,
        )
    )
    assert after.state.status is ProposalStatus.DECLINED


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (YES, ProposalStatus.ACCEPTED),
        (POSTPONE, ProposalStatus.POSTPONED),
        (REDIRECT, ProposalStatus.REDIRECTED),
        (replace(DECLINE, reconsider_if=None, final=True), ProposalStatus.DECLINED),
    ],
)
def test_the_status_follows_from_the_disposition(command: ask.TakeDecision, status: ProposalStatus) -> None:
    assert decide(command).recorded.state.status is status


@pytest.mark.parametrize("recorded", [ACCEPTED, DECLINED, POSTPONED, REDIRECTED, (*ACCEPTED, facts.WorkStarted())])
def test_what_is_not_pending_is_not_decided(recorded: tuple[Any, ...]) -> None:
    decide(replace(DECLINE, decision_id=LATER_DECISION), *recorded).refused(Code.WRONG_STATE, "proposal_id")


def test_what_to_do_instead_of_deciding_again_is_said() -> None:
    decide(DECLINE, *DECLINED).refused(
        Code.WRONG_STATE,
        "proposal_id",
        saying="The proposal is DECLINED, so it cannot be decided. Reopen it, or appeal the decision.",
    )


def test_a_decision_id_is_used_once() -> None:
    reopened = (*DECLINED, facts.ProposalReopened(ReopenCause.REPROPOSED))
    decide(DECLINE, *reopened).refused(Code.CONFLICT, "decision_id")
    assert decide(replace(DECLINE, decision_id=LATER_DECISION), *reopened).facts


# Rule 4


def test_rule_4_a_stale_basis_names_what_changed() -> None:
    moved = (*READY, case(2), replace(ESTIMATED, estimate_version=2))
    decide(DECLINE, *moved, review=review(policy_id=POLICY, policy_version=3), policies={POLICY: "CD3"}).refused(
        Code.STALE_BASIS,
        "case_version",
        saying="What you looked at has changed: the case 1 → 2, the estimate 1 → 2, "
        "the policy default → “CD3” version 3. Look at the new versions, then decide on those.",
    )


@pytest.mark.parametrize("name", ["case_version", "estimate_version", "impact_version", "policy_version"])
def test_rule_4_each_version_of_the_basis_counts(name: str) -> None:
    seen = replace(DECLINE, policy_id=POLICY, **{"policy_version": 1} | {name: 9})
    decide(seen, review=review(policy_id=POLICY, policy_version=1)).refused(Code.STALE_BASIS, name)


def test_rule_4_an_item_that_moved_on_since_the_agenda_is_ranked_anew() -> None:
    agenda = (item(OTHER, 9.0, 1), item(THIRD, 1.4, 2), item(ProposalId(named("fourth")), None, None), item(rank=4))
    found = decide(replace(DECLINE, case_version=2), *READY, case(2), review=review(items=agenda)).facts[0]
    assert (found.score, found.rank) == (pytest.approx(6.4 * 6 / 26.5), 2)


def test_rule_4_equal_scores_rank_by_their_place_on_the_agenda() -> None:
    revised = replace(DECLINE, case_version=2)
    score = decide(revised, *READY, case(2)).facts[0].score
    before, own, after = item(OTHER, score, 1), item(), item(THIRD, score, 3)
    for agenda, rank in (((before, own, after), 2), ((own, after), 1), ((before, after, own), 3)):
        assert decide(revised, *READY, case(2), review=review(items=agenda)).facts[0].rank == rank


def test_an_agenda_without_ranks_gets_them_when_it_is_decided() -> None:
    agenda = (item(OTHER, 9.0, None), item(rank=None))
    assert decide(DECLINE, review=review(items=agenda)).facts[0].rank == 2
    assert decide(DECLINE, review=review(items=(item(score=None, rank=None),))).facts[0].rank == 1


@pytest.mark.parametrize(
    ("capacity", "cut"), [("4.75", None), ("5", 3.0), ("8.75", 3.0), ("9", 1.0), ("100", 1.0), ("0", None)]
)
def test_the_cut_is_the_last_score_whose_days_fit(capacity: str, cut: float | None) -> None:
    days = ((3.0, 5.0), (2.0, None), (1.0, 4.0))
    items = tuple(replace(item(score=score), expected_days=expected) for score, expected in days)

    assert cut_score(review(items=items, capacity=Decimal(capacity))) == cut


# Rule 5


@pytest.mark.parametrize("code", sorted(IMPORT_ONLY))
def test_rule_17_no_live_decision_uses_an_import_code(code: str) -> None:
    decide(replace(DECLINE, reasons=(Reason(code, WHY),))).refused(Code.IMPORT_ONLY, "reasons", "0", "code")


def test_rule_5_a_no_needs_a_reason() -> None:
    decide(replace(DECLINE, reasons=())).refused(
        Code.REASON_MISSING, "reasons", saying="A NO needs a reason. Give at least one reason code with a text."
    )


def test_rule_5_a_reason_has_an_active_code() -> None:
    decide(replace(DECLINE, reasons=(REASON, Reason("NO_FUN", WHY)))).refused(
        Code.REASON_UNKNOWN, "reasons", "1", "code"
    )
    decide(DECLINE, codes={"DUPLICATE": "link"}).refused(
        Code.REASON_UNKNOWN,
        "reasons",
        "0",
        "code",
        saying="BAD_TIMING is no active reason code. Use one of DUPLICATE.",
    )


def test_rule_5_a_reason_is_told_in_at_least_40_characters() -> None:
    assert decide(replace(DECLINE, reasons=(replace(REASON, text="x" * 40),))).facts
    unseen = "Not now." + "\u200b" * 40
    decide(replace(DECLINE, reasons=(replace(REASON, text=unseen),))).refused(
        Code.REASON_TOO_SHORT, "reasons", "0", "text"
    )
    decide(replace(DECLINE, reasons=(replace(REASON, text=" " * 9 + "Not now."),))).refused(
        Code.REASON_TOO_SHORT,
        "reasons",
        "0",
        "text",
        saying="The text for BAD_TIMING has 8 characters; at least 40 are needed. "
        "Say it so that those who asked understand it.",
    )


def test_rule_5_other_never_stands_alone() -> None:
    other = Reason("OTHER", WHY)
    decide(replace(DECLINE, reasons=(other,))).refused(Code.OTHER_ALONE, "reasons")
    assert decide(replace(DECLINE, reasons=(other, REASON))).facts


COMPANIONS = {
    "BETTER_ALTERNATIVE": "See https://wiki.example/better",
    "ALREADY_ADDRESSED": "urn:uuid:6c84fb90-12c4-11e1-840d-7b25c5ee775a",
    "DUPLICATE": "mailto:list@example.org",
    "PREREQUISITE_MISSING": "https://wiki.example/first",
    "COST_EXCEEDS_BENEFIT": "30 days against 2,5 hours a month",
    "CAPACITY_EXHAUSTED": "20 days, and 34.5 were asked for",
    "EVIDENCE_NEGATIVE": "latency rose by 12 %",
    "AREA_SUNSET": "retired on 2027-03-31",
    "OPPORTUNITY_COST": None,
    "COSMETIC_ONLY": None,
    "OTHER": None,
}


@pytest.mark.parametrize("code", [reason.code for reason in REASON_CODES])
def test_rule_5_each_code_is_accepted_with_its_companion(code: str) -> None:
    reason = Reason(code, WHY, COMPANIONS.get(code, "what it asks for"))
    command = replace(POSTPONE, reasons=(REASON, reason), chosen_instead=(OTHER,))
    assert decide(command).facts[0].reasons == (REASON, reason)


@pytest.mark.parametrize("code", [reason.code for reason in REASON_CODES if reason.companion is not None])
def test_rule_5_each_code_is_refused_without_its_companion(code: str) -> None:
    for companion in (None, "  "):
        reason = Reason(code, WHY, companion)
        decide(replace(DECLINE, reasons=(reason,))).refused(Code.COMPANION_MISSING, "reasons", "0", "companion")


@pytest.mark.parametrize(
    ("code", "companion"),
    [
        ("BETTER_ALTERNATIVE", "the new library"),
        ("PREREQUISITE_MISSING", "the migration"),
        ("PREREQUISITE_MISSING", "https://wiki.example/first"),  # and no revisit condition
        ("COST_EXCEEDS_BENEFIT", "30 days, which is too much"),
        ("CAPACITY_EXHAUSTED", "none left"),
        ("EVIDENCE_NEGATIVE", "it got slower"),
        ("AREA_SUNSET", "soon"),
        ("OPPORTUNITY_COST", "the tax change"),
    ],
)
def test_rule_5_a_companion_is_what_its_code_asks_for(code: str, companion: str) -> None:
    reason = Reason(code, WHY, companion)
    decide(replace(DECLINE, reasons=(reason,))).refused(Code.COMPANION_MISSING, "reasons", "0", "companion")


def test_rule_5_the_refusal_says_which_companion() -> None:
    decide(replace(DECLINE, reasons=(Reason("DUPLICATE", WHY, "the other one"),))).refused(
        Code.COMPANION_MISSING,
        "reasons",
        "0",
        "companion",
        saying="DUPLICATE asks for its companion: link. 'the other one' holds no link; "
        "give one that begins with https, urn or mailto.",
    )


def test_rule_5_a_code_of_the_teams_own_asks_for_words() -> None:
    own = Reason("FREEZE", WHY, "the release")
    assert decide(replace(DECLINE, reasons=(own,)), codes={"FREEZE": "which freeze"}).facts
    bare = replace(DECLINE, reasons=(Reason("FREEZE", WHY),))
    decide(bare, codes={"FREEZE": "which freeze"}).refused(Code.COMPANION_MISSING, "reasons", "0", "companion")
    assert decide(bare, codes={"FREEZE": None}).facts


def test_what_was_chosen_instead_is_another_proposal_that_exists() -> None:
    decide(replace(DECLINE, chosen_instead=(OTHER, DEBT))).refused(Code.BAD_USER_INPUT, "chosen_instead", "1")
    decide(replace(DECLINE, chosen_instead=(OTHER,)), others=()).refused(Code.NOT_FOUND, "chosen_instead", "0")


# Rule 6


def test_rule_6_a_postpone_needs_a_date() -> None:
    for revisit in ((), (RevisitCondition(RevisitKind.CASE_REVISED),)):
        decide(replace(POSTPONE, revisit=revisit)).refused(Code.REVISIT_MISSING, "revisit")
    both = (RevisitCondition(RevisitKind.CASE_REVISED), ON_A_DAY)
    assert decide(replace(POSTPONE, revisit=both)).facts[0].revisit == both


@pytest.mark.parametrize("reconsider_if", [None, " "])
def test_rule_6_a_decline_says_what_would_change_it(reconsider_if: str | None) -> None:
    decide(replace(DECLINE, reconsider_if=reconsider_if)).refused(
        Code.RECONSIDER_MISSING,
        "reconsider_if",
        saying="A DECLINE says either what would make you reconsider, or that it is final. Give one of the two.",
    )


def test_rule_6_a_final_decline_is_final() -> None:
    decide(replace(DECLINE, final=True)).refused(Code.RECONSIDER_MISSING, "reconsider_if")


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        (RevisitCondition(RevisitKind.DATE), ()),
        (RevisitCondition(RevisitKind.DATE, on=NOW), ("on",)),
        (RevisitCondition(RevisitKind.DATE, on=datetime(2027, 1, 1)), ("on",)),  # noqa: DTZ001 - names no instant
        (RevisitCondition(RevisitKind.DATE, on=NOW + timedelta(days=1), count=1), ()),
        (RevisitCondition(RevisitKind.CASE_REVISED, count=1), ()),
        (RevisitCondition(RevisitKind.AFTER_REVIEWS, count=0), ("count",)),
        (RevisitCondition(RevisitKind.AFTER_REVIEWS, hours=Decimal(1)), ()),
        (RevisitCondition(RevisitKind.INCIDENTS_AT_LEAST, count=-1), ("count",)),
        (RevisitCondition(RevisitKind.ITEM_DELIVERED, proposal_id=DEBT), ("proposal_id",)),
        (RevisitCondition(RevisitKind.DRAG_ABOVE, hours=Decimal("NaN")), ("hours",)),
        (RevisitCondition(RevisitKind.ESTIMATE_BELOW, days=Decimal(0)), ("days",)),
    ],
)
def test_rule_6_a_condition_says_what_its_kind_needs(condition: RevisitCondition, path: tuple[str, ...]) -> None:
    decide(replace(POSTPONE, revisit=(ON_A_DAY, condition))).refused(Code.BAD_USER_INPUT, "revisit", "1", *path)


def test_rule_6_a_condition_waits_for_a_proposal_that_exists() -> None:
    waits = RevisitCondition(RevisitKind.ITEM_DELIVERED, proposal_id=OTHER)
    assert decide(replace(POSTPONE, revisit=(waits, ON_A_DAY))).facts
    decide(replace(POSTPONE, revisit=(waits, ON_A_DAY)), others=()).refused(
        Code.NOT_FOUND, "revisit", "0", "proposal_id"
    )


# Rule 7


@pytest.mark.parametrize(
    "changes", [{"phase": ReviewPhase.CLOSED}, {"kind": ReviewKind.ENGINEERING}, {"team_id": OTHER_TEAM}]
)
def test_rule_7_decisions_are_taken_in_an_open_product_review_of_the_team(changes: dict[str, Any]) -> None:
    decide(DECLINE, review=review(**changes)).refused(Code.REVIEW_NOT_OPEN, "review_id")


@pytest.mark.parametrize("done", ["decided", "carried_over"])
def test_rule_7_what_the_review_has_answered_is_not_decided_in_it_again(done: str) -> None:
    decide(DECLINE, review=review(**{done: frozenset({DEBT})})).refused(Code.WRONG_STATE, "proposal_id")


def test_rule_7_what_is_not_on_the_agenda_is_not_decided() -> None:
    decide(DECLINE, review=review(items=(item(OTHER),))).refused(Code.NOT_ON_AGENDA, "proposal_id")


def test_rule_7_a_decision_on_ones_own_item_is_flagged() -> None:
    assert decide(DECLINE).facts[0].self_decided is False
    assert given(*READY).when(DECLINE, by=ENGINEER).facts[0].self_decided is True


# Rule 8


def test_rule_8_a_blocking_concern_holds_the_decision_up() -> None:
    worry = facts.ConcernRaised(CONCERN, ENGINEER, "Nobody asked the tax people.", blocking=True)
    long = facts.ConcernRaised(CONCERN, ENGINEER, "x" * 200, blocking=True)
    decide(DECLINE, *READY, worry).refused(
        Code.CONCERN_OPEN,
        "proposal_id",
        saying="1 blocking concern is open (“Nobody asked the tax people.”). "
        "Have it resolved, or overrule it with a reason.",
    )
    decide(YES, *READY, worry, long).refused(Code.CONCERN_OPEN, "proposal_id")
    answered = facts.ConcernAnswered(CONCERN, MANAGER, "They were asked.")
    decide(YES, *READY, worry, answered).refused(Code.CONCERN_OPEN, "proposal_id")


@pytest.mark.parametrize(
    "end", [facts.ConcernResolved(CONCERN), facts.ConcernOverruled(CONCERN, MANAGER, "There is no time.")]
)
def test_rule_8_a_concern_that_is_over_holds_nothing_up(end: Any) -> None:
    worry = facts.ConcernRaised(CONCERN, ENGINEER, "Nobody asked the tax people.", blocking=True)
    assert decide(DECLINE, *READY, worry, end).facts
    assert decide(DECLINE, *READY, replace(worry, blocking=False)).facts


# Rule 9

CARRY = CarryOverItem(REVIEW, DEBT, "The tax people were not there.")


def test_rule_9_an_item_is_carried_over_twice_at_most() -> None:
    once = given(*READY).when(CARRY).then(facts.DecisionCarriedOver(REVIEW, CARRY.reason, 1))
    twice = once.when(CARRY).then(facts.DecisionCarriedOver(REVIEW, CARRY.reason, 2))
    twice.when(CARRY).refused(
        Code.CARRIED_OVER_TOO_OFTEN,
        "proposal_id",
        saying="The item was carried over 2 times in a row already. Decide it now.",
    )
    assert twice.when(YES, by=MANAGER).recorded.state.carried_over == 0


def test_rule_9_only_what_is_pending_is_carried_over_and_with_a_reason() -> None:
    given(*DECLINED).when(CARRY).refused(Code.WRONG_STATE, "proposal_id")
    given(*READY).when(replace(CARRY, reason=" ")).refused(Code.BAD_USER_INPUT, "reason")


# Rule 13


def test_rule_13_a_yes_reserves_the_expected_days() -> None:
    found = decide(YES).facts[0]
    assert (found.days_reserved, found.over_capacity_reason) == (Decimal("4.5"), None)  # (2 + 4·4 + 8.5) ÷ 6 = 4.42
    assert decide(replace(YES, days_reserved=Decimal(3))).facts[0].days_reserved == 3


def test_rule_13_a_yes_without_an_estimate_says_what_to_reserve() -> None:
    bare = replace(YES, estimate_version=0, impact_version=0)
    decide(bare, *ADMITTED).refused(Code.BAD_USER_INPUT, "days_reserved")
    assert decide(replace(bare, days_reserved=Decimal(3)), *ADMITTED).facts[0].basis == replace(
        BASIS, estimate_version=0, impact_version=0
    )
    decide(replace(YES, days_reserved=Decimal("0.1"))).refused(Code.BAD_USER_INPUT, "days_reserved")


def test_rule_13_going_over_the_capacity_needs_a_reason() -> None:
    tight = review(reserved=Decimal(18))
    for reason in (None, " "):
        decide(replace(YES, over_capacity_reason=reason), review=tight).refused(
            Code.OVER_CAPACITY,
            "over_capacity_reason",
            saying="This takes 4.5 days and 2 of 20 are left, 2.5 too few. "
            "Reserve fewer, or give `over_capacity_reason`.",
        )
    assert decide(YES, review=review(reserved=Decimal("15.5"))).facts[0].over_capacity_reason is None  # it just fits
    why = "The auditors insist."
    assert decide(replace(YES, over_capacity_reason=why), review=tight).facts[0].over_capacity_reason == why
    assert decide(replace(YES, over_capacity_reason=why)).facts[0].over_capacity_reason is None


@pytest.mark.parametrize(
    ("reserved", "days", "saying"),
    [
        (0, 2, "This takes 2 days and 1 of 1 is left, 1 too few. Reserve fewer, or give `over_capacity_reason`."),
        (1, 1, "This takes 1 day, and all of 1 are reserved already. "),
        (4, 1, "This takes 1 day, and 4 of 1 are reserved already. "),
    ],
)
def test_rule_13_the_refusal_is_a_sentence_whatever_is_left(reserved: int, days: int, saying: str) -> None:
    tight = review(capacity=Decimal(1), reserved=Decimal(reserved))
    whole = saying if saying.endswith("`.") else f"{saying}Give `over_capacity_reason`, or carry the item over."
    decide(replace(YES, days_reserved=Decimal(days)), review=tight).refused(
        Code.OVER_CAPACITY, "over_capacity_reason", saying=whole
    )


# What belongs together


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(YES, verdict=Verdict.NO), "disposition"),
        (replace(DECLINE, verdict=Verdict.YES), "disposition"),
        (replace(DECLINE, days_reserved=Decimal(1)), "days_reserved"),
        (replace(DECLINE, over_capacity_reason="Why not."), "over_capacity_reason"),
        (replace(YES, reasons=(REASON,)), "reasons"),
        (replace(YES, chosen_instead=(OTHER,)), "chosen_instead"),
        (replace(YES, revisit=(ON_A_DAY,)), "revisit"),
        (replace(REDIRECT, revisit=(ON_A_DAY,)), "revisit"),
        (replace(DECLINE, reconsider_if=None, final=True, revisit=(ON_A_DAY,)), "revisit"),
        (replace(POSTPONE, reconsider_if="It hurts."), "reconsider_if"),
        (replace(POSTPONE, final=True), "final"),
        (replace(DECLINE, redirect=RedirectTarget.TEAM), "redirect"),
        (replace(DECLINE, redirect_url="https://tracker.example/7"), "redirect_url"),
        (replace(REDIRECT, redirect=None), "redirect"),
        (replace(REDIRECT, redirect_url=None), "redirect_url"),
    ],
)
def test_the_parts_of_an_answer_belong_together(command: ask.TakeDecision, path: str) -> None:
    decide(command).refused(Code.BAD_USER_INPUT, path)


@pytest.mark.parametrize("unseen", [" ", "\u200b", " \u2060\n"])
def test_what_shows_nothing_is_not_said(unseen: str) -> None:
    decide(replace(DECLINE, reconsider_if=unseen)).refused(Code.RECONSIDER_MISSING, "reconsider_if")
    decide(replace(YES, over_capacity_reason=unseen), review=review(reserved=Decimal(18))).refused(
        Code.OVER_CAPACITY, "over_capacity_reason"
    )
    no_owner = Reason("NO_OWNER", WHY, unseen)
    decide(replace(DECLINE, reasons=(no_owner,))).refused(Code.COMPANION_MISSING, "reasons", "0", "companion")


def test_what_never_comes_back_names_no_condition() -> None:
    decide(replace(DECLINE, reconsider_if=None, final=True, revisit=(ON_A_DAY,))).refused(
        Code.BAD_USER_INPUT,
        "revisit",
        saying="`revisit` belongs to a NO that may come back (POSTPONE, or DECLINE if not final) only. Leave it out.",
    )
    assert decide(replace(DECLINE, revisit=(ON_A_DAY,))).facts[0].revisit == (ON_A_DAY,)


def test_a_redirect_to_the_severity_track_needs_no_link() -> None:
    command = replace(REDIRECT, redirect=RedirectTarget.SEVERITY_TRACK, redirect_url=None)
    assert decide(command).facts[0].redirect is RedirectTarget.SEVERITY_TRACK


# A better reason, later

EXPLAIN = ask.ExplainDecision(DEBT, DECISION, (Reason("DUPLICATE", WHY, "https://ledger.example/p/2"),))


def test_a_reason_given_later_stands_beside_the_first() -> None:
    after = given(*DECLINED).when(EXPLAIN, by=MANAGER).then(facts.DecisionExplained(DECISION, EXPLAIN.reasons))
    decision = after.state.last_decision
    assert decision is not None
    assert (decision.taken.reasons, decision.explained) == ((REASON,), EXPLAIN.reasons)


def test_a_reason_given_later_is_held_to_the_same_rule() -> None:
    thin = replace(EXPLAIN, reasons=(Reason("DUPLICATE", "It is one.", "https://ledger.example/p/2"),))
    given(*DECLINED).when(thin).refused(Code.REASON_TOO_SHORT, "reasons", "0", "text")
    given(*DECLINED).when(replace(EXPLAIN, reasons=())).refused(Code.REASON_MISSING, "reasons")


def test_only_a_no_that_was_taken_is_explained() -> None:
    given(*ACCEPTED).when(EXPLAIN).refused(Code.WRONG_STATE, "decision_id")
    given(*READY).when(EXPLAIN).refused(Code.NOT_FOUND, "decision_id")
