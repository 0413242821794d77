"""Rules 1 and 2: a critical bug is screened out first, and a case says what it must in at most 600 words."""

from decimal import Decimal

import pytest
from hypothesis import given as whenever
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.proposal.business_case import WORDS_MAX, word_count
from ledger.domain.rejected import Code
from ledger.events import proposal as facts
from ledger.values import (
    Benefit,
    BenefitCode,
    Evidence,
    ImpactMethod,
    MomentumLevel,
    ProposalStatus,
    RedirectTarget,
    ReopenCause,
    Risk,
)
from tests.domain.scenario import (
    ACCEPTED,
    ADMITTED,
    BENEFIT,
    CASE,
    DEBT,
    DECLINED,
    OTHER_TEAM,
    REDIRECTED,
    SCREENED,
    SUBMIT,
    SUBMITTED,
    TEAM,
    case,
    given,
)

WHERE = "https://severity.example/42"
OFF = (
    facts.CriticalityScreened(critical=True),
    facts.ProposalRedirected(
        RedirectTarget.SEVERITY_TRACK, "A critical bug is fixed by severity, not by this ledger.", WHERE
    ),
)
REVISE = ask.ReviseBusinessCase(DEBT, CASE, "The tax change is dated now.")
REDIRECT = ask.RedirectProposal(DEBT, RedirectTarget.TRACKER, "It is a single bug.", "https://tracker.example/7")


def submit(**changes: object) -> ask.SubmitProposal:
    return replace(SUBMIT, business_case=replace(CASE, **changes))


def test_a_proposal_with_a_full_case_is_admitted() -> None:
    after = given().when(SUBMIT).then(SUBMITTED, SCREENED, case())
    assert (after.state.status, after.state.case_version) == (ProposalStatus.PENDING, 1)


@pytest.mark.parametrize("title", ["", "  ", "\u200b", " \u202e\ufeff"])
def test_a_title_in_which_nothing_is_seen_is_none(title: str) -> None:
    given().when(replace(SUBMIT, title=title)).refused(Code.BAD_USER_INPUT, "title")
    assert given().when(replace(SUBMIT, title=f"{title}\u05d0")).facts


def test_an_id_is_submitted_once() -> None:
    given(*ADMITTED).when(SUBMIT).refused(Code.CONFLICT, "proposal_id")


def test_rule_1_a_critical_bug_is_recorded_and_sent_to_the_severity_track() -> None:
    command = replace(SUBMIT, critical=True, severity_url=WHERE, business_case=replace(CASE, benefits_of_fixing=()))
    after = given().when(command).then(SUBMITTED, *OFF)
    assert after.state.status is ProposalStatus.REDIRECTED


def test_rule_1_an_admitted_item_that_turns_critical_leaves() -> None:
    given(*ADMITTED).when(ask.ScreenCriticality(DEBT, critical=True, severity_url=WHERE)).then(*OFF)


@pytest.mark.parametrize(
    "command",
    [
        REVISE,
        REDIRECT,
        ask.ScreenCriticality(DEBT, critical=True),
        ask.AssessImpact(DEBT, ImpactMethod.JUDGED, 0.5, judged_level=MomentumLevel.M1),
        ask.ReopenProposal(DEBT, ReopenCause.REPROPOSED),
    ],
)
def test_rule_1_a_critical_bug_stays_out(command: ask.ReviseBusinessCase) -> None:
    given(SUBMITTED, *OFF).when(command).refused(Code.CRITICAL_BUG, "proposal_id")


def test_a_critical_bug_that_was_none_is_screened_again_and_comes_back() -> None:
    screened = given(SUBMITTED, *OFF).when(ask.ScreenCriticality(DEBT, critical=False, note="It was slow, not wrong."))
    after = screened.then(facts.CriticalityScreened(critical=False, note="It was slow, not wrong."))
    again = ask.ReopenProposal(DEBT, ReopenCause.REPROPOSED)
    assert after.when(again).recorded.state.status is ProposalStatus.PENDING


def test_a_proposal_that_left_cannot_turn_critical() -> None:
    given(*REDIRECTED).when(ask.ScreenCriticality(DEBT, critical=True)).refused(Code.WRONG_STATE, "proposal_id")


@pytest.mark.parametrize("command", [REVISE, ask.ScreenCriticality(DEBT, critical=False)])
def test_what_was_never_submitted_is_not_found(command: ask.ScreenCriticality) -> None:
    noted = facts.SourceNoted("posted", "A thread came before the proposal.")
    for history in ((), (noted,)):
        given(*history).when(command).refused(
            Code.NOT_FOUND, "proposal_id", saying="There is no such proposal. Check its id."
        )


def test_a_title_says_something() -> None:
    given().when(replace(SUBMIT, title="  ")).refused(Code.BAD_USER_INPUT, "title")


def test_a_title_has_at_most_120_characters() -> None:
    given().when(replace(SUBMIT, title="x" * 125)).refused(
        Code.BAD_USER_INPUT,
        "title",
        saying="The title has 125 characters; at most 120 are allowed. Shorten it by 5.",
    )


@pytest.mark.parametrize("benefits", [(), (Benefit(BenefitCode.COSMETIC, "It looks better."),)])
def test_rule_2_a_case_needs_a_benefit_that_is_not_cosmetic(benefits: tuple[Benefit, ...]) -> None:
    given().when(submit(benefits_of_fixing=benefits)).refused(
        Code.CASE_INCOMPLETE,
        "business_case",
        "benefits_of_fixing",
        saying="The case needs a benefit of fixing that is more than COSMETIC. Say what the team or its users gain.",
    )


def test_rule_2_a_cosmetic_benefit_may_stand_beside_another() -> None:
    both = (Benefit(BenefitCode.COSMETIC, "It looks better."), BENEFIT)
    assert given().when(submit(benefits_of_fixing=both)).facts[2].benefits_of_fixing == both


def test_rule_2_a_case_needs_a_risk_of_ignoring() -> None:
    given().when(submit(risks_of_ignoring=())).refused(Code.CASE_INCOMPLETE, "business_case", "risks_of_ignoring")


@pytest.mark.parametrize("unseen", [" ", "\u200b", " \u2060\n"])
def test_rule_2_an_empty_quadrant_says_why_it_is_empty(unseen: str) -> None:
    given().when(submit(no_benefits_of_ignoring=unseen)).refused(
        Code.CASE_INCOMPLETE,
        "business_case",
        "benefits_of_ignoring",
        saying="The case says nothing of the benefits of ignoring. List them, or say why there are none.",
    )


def test_rule_2_a_quadrant_is_filled_or_none_but_not_both() -> None:
    given().when(submit(no_risks_of_fixing="It is covered by tests.")).refused(
        Code.CASE_INCOMPLETE, "business_case", "no_risks_of_fixing"
    )


def test_rule_2_a_case_has_at_most_600_words() -> None:
    spare = WORDS_MAX - word_count(replace(CASE, problem=""))
    assert given().when(submit(problem="word " * spare)).facts
    given().when(submit(problem="word " * (spare + 55))).refused(
        Code.CASE_TOO_LONG,
        "business_case",
        saying="The case has 655 words; at most 600 are allowed. Shorten it by 55.",
    )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"problem": " \n"}, ("problem",)),
        ({"benefits_of_fixing": (replace(BENEFIT, text=""),)}, ("benefits_of_fixing", "0", "text")),
        ({"risks_of_fixing": ("One.", "")}, ("risks_of_fixing", "1")),
        ({"risks_of_ignoring": (Risk(""),)}, ("risks_of_ignoring", "0", "text")),
        ({"risks_of_ignoring": (Risk("It breaks.", probability=1.5),)}, ("risks_of_ignoring", "0", "probability")),
        (
            {"risks_of_ignoring": (Risk("It breaks.", probability=float("nan")),)},
            ("risks_of_ignoring", "0", "probability"),
        ),
        (
            {"risks_of_ignoring": (Risk("It breaks.", loss_hours=Decimal(-1)),)},
            ("risks_of_ignoring", "0", "loss_hours"),
        ),
        ({"risks_of_ignoring": (Risk("It breaks.", window_weeks=0),)}, ("risks_of_ignoring", "0", "window_weeks")),
        ({"evidence": (Evidence("see the wiki"),)}, ("evidence", "0", "url")),
        ({"evidence": (Evidence("https://wiki.example/1", "abc"),)}, ("evidence", "0", "sha256")),
        ({"evidence": (Evidence("https://wiki.example/1", "G" * 64),)}, ("evidence", "0", "sha256")),
    ],
)
def test_a_case_says_what_can_be_true(changes: dict[str, object], path: tuple[str, ...]) -> None:
    given().when(submit(**changes)).refused(Code.BAD_USER_INPUT, "business_case", *path)


def test_a_case_may_leave_figures_out_and_bring_evidence() -> None:
    evidence = (Evidence("https://wiki.example/1", "0" * 64), Evidence("urn:isbn:0131177052"))
    assert (
        given().when(submit(risks_of_ignoring=(Risk("It breaks."),), evidence=evidence)).facts[2].evidence == evidence
    )


@whenever(st.lists(st.text(alphabet="ab", min_size=1), max_size=30), st.sampled_from([" ", "\n", "\t  ", "\u2003"]))
def test_words_are_what_stands_between_white_space(words: list[str], space: str) -> None:
    empty = replace(CASE, problem="")
    assert word_count(replace(CASE, problem=space.join(words))) - word_count(empty) == len(words)


def test_a_new_case_is_the_next_version() -> None:
    after = given(*ADMITTED).when(REVISE).then(case(2, "The tax change is dated now."))
    assert after.state.case_version == 2


def test_a_new_case_says_what_changed() -> None:
    given(*ADMITTED).when(replace(REVISE, change_note=" ")).refused(Code.BAD_USER_INPUT, "change_note")


def test_a_declined_proposal_may_get_a_better_case() -> None:
    assert given(*DECLINED).when(REVISE).facts == [case(2, "The tax change is dated now.")]


def test_a_proposal_is_redirected_to_where_it_belongs() -> None:
    after = (
        given(*ADMITTED)
        .when(REDIRECT)
        .then(facts.ProposalRedirected(RedirectTarget.TRACKER, "It is a single bug.", "https://tracker.example/7"))
    )
    assert after.state.status is ProposalStatus.REDIRECTED
    assert given(*ACCEPTED).when(replace(REDIRECT, target=RedirectTarget.TEAM, team_id=OTHER_TEAM)).facts


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"reason": " "}, "reason"),
        ({"url": None}, "url"),
        ({"target": RedirectTarget.TEAM}, "team_id"),
        ({"target": RedirectTarget.TEAM, "team_id": TEAM}, "team_id"),
        ({"team_id": OTHER_TEAM}, "team_id"),
    ],
)
def test_a_redirect_says_where_to(changes: dict[str, object], path: str) -> None:
    given(*ADMITTED).when(replace(REDIRECT, **changes)).refused(Code.BAD_USER_INPUT, path)


def test_work_under_way_is_not_redirected() -> None:
    given(*ACCEPTED, facts.WorkStarted()).when(REDIRECT).refused(
        Code.WRONG_STATE,
        "proposal_id",
        saying="The proposal is IN_PROGRESS, so it cannot be redirected. Complete or abandon its work first.",
    )
