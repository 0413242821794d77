"""The backlog: who stands where, why, and what each page shows, now and as of a position."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger.events.policy import PolicyActivated, PolicyDefined, PolicyRevised
from ledger.events.proposal import (
    AppealDismissed,
    AppealLodged,
    BusinessCaseRevised,
    ConcernAnswered,
    ConcernPlayedBack,
    ConcernRaised,
    ConcernResolved,
    DecisionAcknowledged,
    DecisionCommunicated,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    ImpactAssessed,
    PlaybackConfirmed,
    PlaybackCorrected,
    ProposalRedirected,
    ProposalReopened,
    ProposalSubmitted,
    SourceNoted,
    WorkStarted,
)
from ledger.ranking import Formula, readable, score
from ledger.values import (
    Acknowledgement,
    AppealGrounds,
    AppealId,
    Benefit,
    BenefitCode,
    Channel,
    ConcernId,
    DecisionId,
    Disposition,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    PolicyMethod,
    ProposalStatus,
    Reason,
    RedirectTarget,
    ReopenCause,
    Risk,
    Source,
    TeamId,
    Verdict,
)
from projections.backlog import projector, queries
from projections.backlog.areas import areas
from projections.backlog.queries import Filter, Listed, Order, key_of
from projections.conditions import Connection
from projections.follower import Follower
from tests.projections.recording import Recorder

VIEWS = [projector.VIEW]
TEAM, OTHER = TeamId(uuid4()), TeamId(uuid4())
ADA, PAT = MemberId(uuid4()), MemberId(uuid4())
T = TypeVar("T")
Follow = Callable[[], None]


def ask(url: str, query: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            return await query(connection)

    return asyncio.run(run())


def page(url: str, wanted: Filter | None = None, **more: Any) -> list[Listed]:
    more = {"limit": 100, "ranked": True, "explained": True} | more
    return ask(url, lambda connection: queries.backlog(connection, None, wanted or Filter(), **more))


@pytest.fixture
def follow(database_url: str, recorder: Recorder) -> Iterator[Callable[[], None]]:
    """Brings the view up to what has been recorded."""
    with Follower(database_url, recorder.ledger, VIEWS) as follower:

        def up_to_date() -> None:
            assert follower.wait_for("backlog", recorder.ledger.head(), 30)

        yield up_to_date


def propose(recorder: Recorder, title: str, drag: int | None = 8, days: int | None = 4, team: TeamId = TEAM) -> UUID:
    proposal = uuid4()
    facts: list[Any] = [
        ProposalSubmitted(team, title, ADA, "component:default/checkout", "code"),
        BusinessCaseRevised(
            1,
            "Slow.",
            (Benefit(BenefitCode.EASES_CHANGE, "one place"),),
            risks_of_ignoring=(Risk("lost weekend", 0.5, Decimal(40), 20),),
        ),
    ]
    if days is not None:
        facts.append(EstimateGiven(1, Decimal(days), Decimal(days), Decimal(days)))
    if drag is not None:
        facts.append(ImpactAssessed(1, MomentumLevel.M2, ImpactMethod.MEASURED, 1.0, Decimal(drag)))
    recorder.record(*[(proposal, fact) for fact in facts])
    return proposal


def decline(recorder: Recorder, proposal: UUID) -> DecisionId:
    decision = DecisionId(uuid4())
    reasons = (Reason("OPPORTUNITY_COST", "Other work moves the roadmap further."),)
    recorder.record((proposal, DecisionTaken(decision, Verdict.NO, Disposition.DECLINE, reasons=reasons, decider=PAT)))
    return decision


def titles(rows: list[Listed]) -> list[str]:
    return [row.title for row in rows]


def test_the_highest_score_comes_first_and_says_why(database_url: str, recorder: Recorder, follow: Follow) -> None:
    for title, drag, days in (("low", 2, 8), ("high", 16, 2), ("mid", 8, 4), ("none", None, None)):
        propose(recorder, title, drag, days)
    follow()
    found = page(database_url)
    assert [(row.title, row.rank, row.score) for row in found] == [
        ("high", 1, 8.0),
        ("mid", 2, 2.0),
        ("low", 3, 0.25),
        ("none", 4, 0.0),
    ]
    for row in found:
        assert row.why is not None
        assert row.why.total == pytest.approx(row.score, rel=1e-11)
    last = found[-1].why
    assert last is not None
    assert last.missing == ("estimate", "drag")


def test_equal_scores_go_by_submission(database_url: str, recorder: Recorder, follow: Follow) -> None:
    for title in ("first", "second", "third"):
        propose(recorder, title)
    follow()
    assert [(row.title, row.rank) for row in page(database_url)] == [("first", 1), ("second", 2), ("third", 3)]
    assert titles(page(database_url, descending=False)) == ["third", "second", "first"]


@pytest.mark.parametrize("order", [Order.SCORE, Order.TITLE])
def test_a_rank_is_the_place_on_the_teams_whole_list_whatever_page_shows_it(
    database_url: str, recorder: Recorder, follow: Follow, order: Order
) -> None:
    for number in range(24):
        team = OTHER if number % 3 else TEAM
        proposal = propose(recorder, f"title {number * 7 % 24:02}", drag=number % 5 + 1, team=team)
        if number % 4 == 0:
            decline(recorder, proposal)
    before = recorder.ledger.head()
    for title in ("later", "latest"):
        propose(recorder, title, drag=40)
    follow()
    ranks = {
        (team, at): {row.id: rank for rank, row in enumerate(page(database_url, Filter(teams=(team,)), as_of=at), 1)}
        for team in (TEAM, OTHER)
        for at in (None, before)
    }
    anything = Filter(statuses=tuple(ProposalStatus), score_min=0.5)
    for wanted in (Filter(), Filter(teams=(OTHER,)), Filter(teams=(OTHER,), title="1"), anything):
        for at in (None, before):
            whole = page(database_url, wanted, order=order, as_of=at)
            third = page(database_url, wanted, order=order, as_of=at, after=key_of(whole[2], order), limit=5)
            picked = ask(
                database_url,
                lambda c, ids=[row.id for row in whole[::-2]], at=at: queries.proposals(
                    c, None, ids, as_of=at, ranked=True
                ),
            )
            assert third == whole[3:8]
            for row in (*whole, *picked):
                assert row.team_id is not None
                assert row.rank == ranks[row.team_id, at].get(row.id)
                assert (row.rank is None) == (row.status is not ProposalStatus.PENDING)


def test_a_page_counts_no_more_entries_than_its_highest_rank(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    for number in range(40):
        propose(recorder, f"title {number}", drag=number + 1)
    follow()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) views.backlog")
    after = key_of(page(database_url)[19], Order.SCORE)
    statement, values = queries.page_statement(
        None,
        Filter(),
        limit=10,
        order=Order.SCORE,
        descending=True,
        after=after,
        as_of=None,
        ranked=True,
        explained=True,
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("SET enable_seqscan = off")
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, COSTS OFF) {statement}"
        plan = "\n".join(line for (line,) in connection.execute(explained, values).fetchall())  # type: ignore[arg-type]
    scans = re.findall(r"Scan .*on backlog x \(actual rows=([\d.]+) loops=(\d+)\)", plan)
    assert [round(float(rows) * int(loops)) for rows, loops in scans] == [30], plan


def test_a_policy_that_is_activated_or_revised_ranks_its_teams_anew(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    propose(recorder, "cheap", drag=4, days=1)
    propose(recorder, "dear", drag=40, days=20)
    propose(recorder, "elsewhere", drag=4, days=1, team=OTHER)
    before = recorder.ledger.head()
    policy = uuid4()
    by_drag = Formula(PolicyMethod.WEIGHTED, {"drag": 1.0}, {"drag": 40.0})
    recorder.record((policy, PolicyDefined("By drag", by_drag)))
    activated = recorder.record((policy, PolicyActivated(TEAM, recorder.at)))
    revised = recorder.record((policy, PolicyRevised(2, Formula(PolicyMethod.FIFO))))
    propose(recorder, "later")
    follow()
    mine = Filter(teams=(TEAM,))
    assert titles(page(database_url, mine, as_of=before)) == ["cheap", "dear"]
    then = page(database_url, mine, as_of=activated)
    assert [(row.title, row.score, row.policy_version) for row in then] == [("dear", 1.0, 1), ("cheap", 0.1, 1)]
    assert [row.why for row in then] == [readable(score(by_drag, row.item)) for row in then]
    assert titles(page(database_url, mine, as_of=revised)) == ["cheap", "dear"]
    assert [(row.title, row.policy_version) for row in page(database_url, mine)] == [
        ("cheap", 2),
        ("dear", 2),
        ("later", 2),
    ]
    assert [row.policy_id for row in page(database_url, Filter(teams=(OTHER,)))] == [None]


def test_a_new_estimate_moves_a_proposal_and_its_card_says_the_new_days(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    slow, fast = propose(recorder, "slow", days=8), propose(recorder, "fast", days=4)
    follow()
    assert titles(page(database_url)) == ["fast", "slow"]
    recorder.record((slow, EstimateChanged(2, Decimal(1), Decimal(2), Decimal(3))))
    recorder.record((fast, EstimateChanged(2, None, None, None, removed=True)))
    follow()
    assert [(row.title, row.expected_days, row.score) for row in page(database_url)] == [
        ("slow", 2.0, 4.0),
        ("fast", None, 0.0),
    ]
    assert titles(page(database_url, Filter(estimated=False))) == ["fast"]


def test_a_decided_proposal_leaves_the_backlog_and_a_reopened_one_comes_back(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    one, two = propose(recorder, "one"), propose(recorder, "two")
    decision = decline(recorder, one)
    recorder.record((two, WorkStarted(without_yes=True)))
    follow()
    assert page(database_url) == []
    (declined,) = page(database_url, Filter(statuses=(ProposalStatus.DECLINED,)))
    assert declined.rank is None
    assert declined.why is None
    assert declined.decision is not None
    assert (declined.decision.decision_id, declined.decision.codes) == (decision, ("OPPORTUNITY_COST",))
    (exception,) = page(database_url, Filter(statuses=(ProposalStatus.IN_PROGRESS,)))
    assert exception.without_yes
    recorder.record((one, ProposalReopened(ReopenCause.REPROPOSED)))
    follow()
    assert [(row.title, row.rank, row.reopened) for row in page(database_url)] == [("one", 1, ReopenCause.REPROPOSED)]


def test_a_card_counts_its_concerns(database_url: str, recorder: Recorder, follow: Follow) -> None:
    proposal = propose(recorder, "one")
    first, second, third = (ConcernId(uuid4()) for _ in range(3))
    recorder.record((proposal, ConcernRaised(first, ADA, "why", blocking=True)))
    recorder.record((proposal, ConcernRaised(second, ADA, "how")))
    recorder.record((proposal, ConcernRaised(third, ADA, "when")))
    recorder.record((proposal, ConcernAnswered(second, PAT, "so")))
    recorder.record((proposal, ConcernResolved(third)))
    follow()
    (row,) = page(database_url)
    assert (row.concerns_open, row.concerns_blocking, row.concerns_unanswered) == (2, 1, 1)


def test_what_a_source_tells_before_the_submission_is_kept_and_not_listed(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    proposal, source = uuid4(), Source("pep", "315", "https://example.org/315")
    recorder.record((proposal, EstimateGiven(1, None, None, None, value="2.4")), source=source)
    recorder.record((proposal, SourceNoted("note", "text")), source=source)
    follow()
    assert page(database_url) == []
    recorder.record((proposal, ProposalSubmitted(TEAM, "Enhanced while", None)), source=source)
    follow()
    (row,) = page(database_url)
    assert row.is_imported
    assert row.estimate is not None
    assert row.estimate.value == "2.4"


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", list(Order))
def test_pages_neither_skip_nor_repeat_while_proposals_are_added(
    database_url: str, recorder: Recorder, follow: Follow, order: Order, descending: bool
) -> None:
    for number in range(25):
        propose(recorder, f"title {number % 5}", drag=number % 4 or None, days=number % 3 + 1 if number % 7 else None)
    follow()
    whole = [row.id for row in page(database_url, order=order, descending=descending)]
    seen: list[UUID] = []
    after = None
    while found := page(database_url, order=order, descending=descending, limit=4, after=after):
        assert len(seen) < 200, "the pages go round"
        seen += [row.id for row in found]
        after = key_of(found[-1], order)
        if len(seen) < len(whole):  # else a reader at the end would find each new one, for ever
            propose(recorder, f"title {len(seen) % 6}", drag=len(seen) % 5 or None)
            follow()
    assert len(set(seen)) == len(seen)
    assert [row for row in seen if row in whole] == whole


def test_filters_leave_what_was_asked_for_and_the_total_agrees(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    propose(recorder, "Slow 100% build", drag=16, days=2)
    propose(recorder, "Slow tests", drag=None, team=OTHER)
    propose(recorder, "Flaky login", drag=2, days=None)
    follow()
    for wanted, expected in (
        (Filter(teams=(OTHER,)), ["Slow tests"]),
        (Filter(title="sLOW"), ["Slow 100% build", "Slow tests"]),
        (Filter(title="0% b"), ["Slow 100% build"]),
        (Filter(title="%"), ["Slow 100% build"]),
        (Filter(areas=("component:default/search",)), []),
        (Filter(kinds=("code",), estimated=False), ["Flaky login"]),
        (Filter(assessed=False), ["Slow tests"]),
        (Filter(score_min=1.0), ["Slow 100% build"]),
    ):
        assert sorted(titles(page(database_url, wanted))) == sorted(expected), wanted
        count = ask(database_url, lambda connection, f=wanted: queries.total(connection, None, f))
        assert count == len(expected)
    seen = ask(database_url, lambda connection: queries.backlog(connection, {OTHER}, Filter(teams=(TEAM,)), limit=9))
    assert seen == []


def test_the_inbox_holds_what_waits_for_a_member(database_url: str, recorder: Recorder, follow: Follow) -> None:
    proposal = propose(recorder, "one")
    decision = decline(recorder, proposal)

    def waits() -> tuple[int, int]:
        follow()
        mine = ask(database_url, lambda connection: queries.inbox(connection, ADA, []))
        managed = ask(database_url, lambda connection: queries.inbox(connection, PAT, [TEAM]))
        return len(mine), len(managed)

    assert waits() == (0, 1)
    recorder.record((proposal, DecisionCommunicated(decision, Channel.CHAT, (ADA,))))
    assert waits() == (1, 0)
    recorder.record((proposal, DecisionAcknowledged(decision, ADA, Acknowledgement.NOT_UNDERSTOOD)))
    assert waits() == (0, 1)
    recorder.record((proposal, ConcernPlayedBack(decision, PAT, "You mean the build.")))
    assert waits() == (1, 0)


def test_the_inbox_leaves_out_a_no_that_stands_no_more(database_url: str, recorder: Recorder, follow: Follow) -> None:
    untold, told = propose(recorder, "untold"), propose(recorder, "told")
    decline(recorder, untold)
    recorder.record((told, DecisionCommunicated(decline(recorder, told), Channel.CHAT, (ADA,))))
    assert waiting(database_url, follow) == (["told"], ["untold"])
    for proposal in (untold, told):
        recorder.record((proposal, ProposalReopened(ReopenCause.REPROPOSED)))
    assert waiting(database_url, follow) == ([], [])


def test_the_inbox_holds_a_no_of_ours_on_what_came_from_outside(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    proposal, source = uuid4(), Source("tracker", "7")
    recorder.record((proposal, ProposalSubmitted(TEAM, "theirs", ADA)), source=source)
    deferred = DecisionTaken(
        DecisionId(uuid4()), Verdict.NO, Disposition.POSTPONE, reasons=(Reason("NOT_RECORDED", ""),)
    )
    recorder.record((proposal, deferred), source=source)
    assert waiting(database_url, follow) == ([], [])
    recorder.record((proposal, ProposalReopened(ReopenCause.REPROPOSED)))
    decision = decline(recorder, proposal)
    assert waiting(database_url, follow) == ([], ["theirs"])
    recorder.record((proposal, DecisionCommunicated(decision, Channel.CHAT, (ADA,))))
    assert waiting(database_url, follow) == (["theirs"], [])


def test_an_appeal_waits_in_the_inbox_whatever_is_answered_meanwhile(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    proposal, appeal = propose(recorder, "one"), AppealId(uuid4())
    recorder.record(
        (proposal, AppealLodged(appeal, decline(recorder, proposal), ADA, AppealGrounds.PROCEDURE, "Unheard."))
    )
    recorder.record((proposal, ProposalReopened(ReopenCause.REPROPOSED)))
    decision = DecisionId(uuid4())
    recorder.record((proposal, DecisionTaken(decision, Verdict.YES, Disposition.SCHEDULE, decider=PAT)))
    assert waiting(database_url, follow) == ([], ["one"])
    recorder.record((proposal, AppealDismissed(appeal, PAT, "It is done.")))
    assert waiting(database_url, follow) == ([], [])


def test_a_playback_waits_in_the_inbox_whatever_is_answered_meanwhile(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    proposal = propose(recorder, "one")
    first = decline(recorder, proposal)
    recorder.record((proposal, DecisionCommunicated(first, Channel.CHAT, (ADA,))))
    recorder.record((proposal, ProposalReopened(ReopenCause.REPROPOSED)))
    recorder.record(
        (proposal, DecisionTaken(DecisionId(uuid4()), Verdict.YES, Disposition.SCHEDULE, decider=PAT)),
    )
    assert waiting(database_url, follow) == ([], [])
    recorder.record((proposal, DecisionAcknowledged(first, ADA, Acknowledgement.NOT_UNDERSTOOD)))
    assert waiting(database_url, follow) == ([], ["one"])
    recorder.record((proposal, ConcernPlayedBack(first, PAT, "You mean the build.")))
    assert waiting(database_url, follow) == (["one"], [])
    recorder.record((proposal, ProposalReopened(ReopenCause.REPROPOSED)))
    recorder.record((proposal, DecisionTaken(DecisionId(uuid4()), Verdict.YES, Disposition.SCHEDULE, decider=PAT)))
    assert waiting(database_url, follow) == (["one"], [])
    recorder.record((proposal, PlaybackCorrected(first, ADA, "I mean the tests.")))
    assert waiting(database_url, follow) == ([], ["one"])
    recorder.record((proposal, ConcernPlayedBack(first, PAT, "You mean the tests.")))
    recorder.record((proposal, PlaybackConfirmed(first, ADA)))
    assert waiting(database_url, follow) == ([], [])


def waiting(database_url: str, follow: Follow) -> tuple[list[str], list[str]]:
    follow()
    mine = ask(database_url, lambda connection: queries.inbox(connection, ADA, []))
    managed = ask(database_url, lambda connection: queries.inbox(connection, PAT, [TEAM]))
    return titles(mine), titles(managed)


def test_what_is_pending_again_went_nowhere(database_url: str, recorder: Recorder, follow: Follow) -> None:
    proposal = propose(recorder, "one")
    recorder.record(
        (proposal, ProposalRedirected(RedirectTarget.TRACKER, "It is theirs.", "https://tracker.example/1"))
    )
    recorder.record((proposal, ProposalReopened(ReopenCause.REPROPOSED)))
    follow()
    (row,) = page(database_url)
    assert (row.redirect_url, row.successors) == (None, ())


def test_an_area_sums_up_what_is_proposed_for_it(database_url: str, recorder: Recorder, follow: Follow) -> None:
    propose(recorder, "one", drag=8, days=4)
    propose(recorder, "two", drag=2, days=None)
    decline(recorder, propose(recorder, "three"))
    follow()
    (area,) = ask(database_url, lambda connection: areas(connection, None, area="component:default/checkout"))
    assert (area.proposals, area.pending, area.declined, area.not_estimated) == (3, 2, 1, 1)
    assert (area.pending_drag, area.pending_days) == (10.0, 4.0)


@pytest.mark.parametrize(
    ("order", "wanted", "index"),
    [
        (Order.SCORE, Filter(teams=(TEAM,)), "backlog_team_id_place_submitted_position_id_idx"),
        (Order.SCORE, Filter(), "backlog_place_submitted_position_id_idx"),
        (Order.SUBMITTED_AT, Filter(teams=(TEAM,)), "backlog_team_id_submitted_at_submitted_position_id_idx"),
        (Order.DRAG, Filter(teams=(TEAM,)), "backlog_team_id_drag_submitted_position_id_idx"),
        (Order.ESTIMATE, Filter(teams=(TEAM,)), "backlog_team_id_days_submitted_position_id_idx"),
        (Order.TITLE, Filter(teams=(TEAM,)), "backlog_team_id_title_submitted_position_id_idx"),
    ],
)
def test_a_page_is_read_from_an_index_in_its_order(
    database_url: str, recorder: Recorder, follow: Follow, order: Order, wanted: Filter, index: str
) -> None:
    for number in range(40):
        proposal = propose(recorder, f"title {number}", drag=number)
        for version in range(2, 5):  # past versions, which the page's index must not hold
            impact = ImpactAssessed(version, MomentumLevel.M2, ImpactMethod.MEASURED, 1.0, Decimal(number + version))
            recorder.record((proposal, impact))
    follow()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE views.backlog")
    after = key_of(page(database_url, wanted, order=order)[20], order)
    statement, values = queries.page_statement(
        None, wanted, limit=5, order=order, descending=True, after=after, as_of=None, ranked=False, explained=False
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_sort = off")
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {statement}", values).fetchall())  # type: ignore[arg-type]
    assert f"using {index} " in plan
    assert "Sort" not in plan


def test_a_reopening_after_an_old_decision_keeps_the_ages(
    database_url: str, recorder: Recorder, follow: Follow
) -> None:
    proposal = propose(recorder, "one")
    recorder.at += timedelta(days=30)
    decline(recorder, proposal)
    follow()
    (row,) = page(database_url, Filter(statuses=(ProposalStatus.DECLINED,)))
    assert row.submitted_at is not None
    assert row.decision is not None
    assert row.decision.decided_at - row.submitted_at > timedelta(days=30)
    assert row.touched_at == row.decision.decided_at
