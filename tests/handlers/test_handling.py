"""What holds for every command: who may, once and for all, one after the other, and nothing unsound."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest
from msgspec.structs import replace

from ledger.commands import Issued
from ledger.commands import proposal as proposals
from ledger.commands import team as teams
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import DecisionExplained, DecisionTaken
from ledger.events.review import ItemDecided
from ledger.events.team import CapacitySet
from ledger.handlers import bootstrap
from ledger.store.application import Ledger
from ledger.values import (
    CATALOGUE,
    ORGANISATION,
    SYSTEM,
    Actor,
    AppealGrounds,
    AppealId,
    ConcernId,
    DecisionId,
    MemberId,
    ProposalId,
    RedirectTarget,
    Role,
    TeamId,
)
from tests.handlers.world import (
    CASE,
    DECLINED,
    ENGINEER,
    LEAD,
    MONDAY,
    OTHER_TEAM,
    PRODUCT,
    STEWARD,
    TEAM,
    World,
    no,
    yes,
)


def test_an_outcome_says_what_was_recorded_and_where(world: World) -> None:
    outcome = world.do(STEWARD, teams.SetCapacity(TEAM, Decimal("12.5")), correlation_id=(story := uuid4()))

    (event,) = outcome.facts
    assert event.fact == CapacitySet(Decimal("12.5"))
    assert event.actor == Actor(STEWARD, Role.STEWARD)
    assert (event.position, event.recorded_at) == (outcome.position, outcome.recorded_at)
    assert event.correlation_id == story
    assert outcome.stream_id == TEAM
    assert outcome.version == event.version == world.ledger.events(TEAM)[-1].version
    assert len(outcome.leaves) == 1
    assert not outcome.repeated
    assert world.ledger.events(TEAM)[-1] == event


def test_the_same_command_again_gives_its_first_outcome(world: World) -> None:
    issued = world.issue(ENGINEER, proposals.SubmitProposal(ProposalId(uuid4()), TEAM, "Totals", CASE))
    first = world.handlers.handle(issued)
    head = world.ledger.head()

    again = world.handlers.handle(issued)  # its id is taken now, so deciding alone would refuse it

    assert again.repeated
    assert (again.position, again.facts, again.leaves) == (first.position, first.facts, first.leaves)
    assert (again.stream_id, again.version, again.recorded_at) == (first.stream_id, first.version, first.recorded_at)
    assert world.ledger.head() == head


def test_the_same_command_that_could_be_done_again_is_not(world: World) -> None:
    issued = world.issue(STEWARD, teams.SetCapacity(TEAM, Decimal(1)))
    first = world.handlers.handle(issued)
    world.do(STEWARD, teams.SetCapacity(TEAM, Decimal(2)))

    assert world.handlers.handle(issued).position == first.position
    assert world.ledger.events(TEAM)[-1].fact == CapacitySet(Decimal(2))


@pytest.mark.parametrize("days", [Decimal(2), Decimal("0.1")], ids=["sound", "refused besides"])
def test_a_command_id_with_another_input_is_refused(world: World, days: Decimal) -> None:
    issued = world.issue(STEWARD, teams.SetCapacity(TEAM, Decimal(1)))
    world.handlers.handle(issued)

    with pytest.raises(Rejected) as refused:
        world.do(STEWARD, teams.SetCapacity(TEAM, days), command_id=issued.command_id)

    assert refused.value.code is Code.COMMAND_REUSED
    assert str(issued.command_id) in refused.value.message


def test_one_command_sent_32_times_at_once_is_done_once(world: World) -> None:
    issued = world.issue(STEWARD, teams.SetCapacity(TEAM, Decimal(7)))
    version = world.ledger.events(TEAM)[-1].version

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(world.handlers.handle, [issued] * 32))

    assert {outcome.position for outcome in outcomes} == {outcomes[0].position}
    assert sum(not outcome.repeated for outcome in outcomes) == 1
    assert world.ledger.events(TEAM)[-1].version == version + 1


def test_an_expected_version_that_has_moved_on_is_a_conflict_with_both_named(world: World) -> None:
    version = world.ledger.events(TEAM)[-1].version

    with pytest.raises(Rejected, match=rf"version {version - 1}.*version {version}") as refused:
        world.do(STEWARD, teams.SetCapacity(TEAM, Decimal(1)), expected_version=version - 1)

    assert (refused.value.code, refused.value.path) == (Code.CONFLICT, ("expected_version",))
    assert world.do(STEWARD, teams.SetCapacity(TEAM, Decimal(1)), expected_version=version).version == version + 1


def test_32_decisions_on_one_proposal_at_once_have_one_winner_and_typed_conflicts(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    issued = [world.issue(PRODUCT, no(review_id, proposal_id)) for _ in range(32)]

    def attempt(one: Issued[proposals.TakeDecision]) -> Code | None:
        try:
            world.handlers.handle(one)
        except Rejected as refused:
            return refused.code
        return None

    with ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(attempt, issued))

    assert codes.count(None) == 1
    assert set(codes) - {None} <= {Code.CONFLICT, Code.WRONG_STATE}
    assert sum(isinstance(e.fact, DecisionTaken) for e in world.ledger.events(proposal_id)) == 1
    assert sum(isinstance(e.fact, ItemDecided) for e in world.ledger.events(review_id)) == 1


def test_32_decisions_on_32_proposals_of_one_review_all_go_through(world: World) -> None:
    proposal_ids = [world.propose(days=1) for _ in range(32)]
    review_id = world.open(capacity=100)
    issued = [world.issue(PRODUCT, yes(review_id, proposal_id)) for proposal_id in proposal_ids]

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(world.handlers.handle, issued))

    taken = [e.fact for e in world.ledger.read(0, 10_000) if isinstance(e.fact, DecisionTaken)]
    assert sorted(decision.capacity_left for decision in taken) == [Decimal(n) for n in range(69, 101)]


def test_what_happened_before_it_was_said_keeps_its_time(world: World) -> None:
    proposal_id = world.propose()
    earlier = world.now - timedelta(days=3)

    (event,) = world.do(ENGINEER, proposals.StartWork(proposal_id), occurred_at=earlier).facts

    assert event.occurred_at == earlier


def test_what_has_not_happened_yet_is_not_recorded(world: World) -> None:
    with pytest.raises(Rejected) as refused:
        world.do(
            STEWARD, teams.SetCapacity(TEAM, Decimal(1)), at=world.now, occurred_at=world.now + timedelta(seconds=1)
        )

    assert (refused.value.code, refused.value.path) == (Code.BAD_USER_INPUT, ("occurred_at",))
    assert "Z, after the request itself" in refused.value.message


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("", ("name",)),
        ("  ", ("name",)),
        ("\u200b", ("name",)),
        ("x" * 121, ("name",)),
        ("a\0b", ("name",)),
        ("half \ud800", ("name",)),
    ],
    ids=["empty", "blank", "unseen", "too long", "NUL", "half a character"],
)
def test_a_text_that_is_out_of_bounds_or_cannot_be_stored_is_refused(
    world: World, name: str, path: tuple[str, ...]
) -> None:
    head = world.ledger.head()

    with pytest.raises(Rejected) as refused:
        world.do(STEWARD, teams.FormTeam(TEAM, name))

    assert (refused.value.code, refused.value.path) == (Code.BAD_USER_INPUT, path)
    assert ("is empty; fill it in" in refused.value.message) == (not name.strip("\u200b "))
    assert refused.value.message.startswith("`name` has ") == bool(name.strip("\u200b "))
    assert world.ledger.head() == head


@pytest.mark.parametrize("odd", ["\0", "\ud800"])
def test_a_text_that_cannot_be_stored_is_named_by_its_place(world: World, odd: str) -> None:
    risks = (*CASE.risks_of_fixing, f"It may{odd} break")
    case = msgspec.structs.replace(CASE, risks_of_fixing=risks, no_risks_of_fixing=None)

    with pytest.raises(Rejected) as refused:
        world.do(ENGINEER, proposals.SubmitProposal(ProposalId(uuid4()), TEAM, "Totals", case))

    assert refused.value.path == ("business_case", "risks_of_fixing", str(len(risks) - 1))
    assert f"`business_case.risks_of_fixing.{len(risks) - 1}` has " in refused.value.message


def test_a_text_may_speak_of_backslashes(world: World) -> None:
    command = proposals.SubmitProposal(ProposalId(uuid4()), TEAM, r"Ban \u0000 in names", CASE)

    assert world.do(ENGINEER, command).version > 0


def test_an_id_of_something_else_is_refused_for_something_new_and_not_found_for_the_rest(world: World) -> None:
    review_id = world.schedule()

    with pytest.raises(Rejected) as taken:
        world.do(ENGINEER, proposals.SubmitProposal(ProposalId(review_id), TEAM, "Totals", CASE))
    with pytest.raises(Rejected) as unknown:
        world.do(ENGINEER, proposals.StartWork(ProposalId(review_id)))

    assert (taken.value.code, unknown.value.code) == (Code.CONFLICT, Code.NOT_FOUND)


def test_an_id_that_something_of_another_proposal_has_is_refused(world: World) -> None:
    mine, others = world.propose(), world.propose()
    review_id = world.open()
    answer = no(review_id, others)
    concern = proposals.RaiseConcern(others, ConcernId(uuid4()), "Who will test it?")
    world.do(ENGINEER, concern)
    world.do(PRODUCT, answer)
    appeal = proposals.LodgeAppeal(
        others, AppealId(uuid4()), answer.decision_id, AppealGrounds.PROCEDURE, "It was on no agenda."
    )
    world.do(ENGINEER, appeal)
    for taken in (concern.concern_id, answer.decision_id, appeal.appeal_id):
        for by, command, field in (
            (ENGINEER, replace(concern, proposal_id=mine, concern_id=ConcernId(taken)), "concern_id"),
            (PRODUCT, no(review_id, mine, decision_id=DecisionId(taken)), "decision_id"),
        ):
            with pytest.raises(Rejected, match="This id is taken by something else") as refused:
                world.do(by, command)
            assert (refused.value.code, refused.value.path) == (Code.CONFLICT, (field,))
    decided = no(review_id, mine)
    world.do(PRODUCT, decided)
    again = replace(appeal, proposal_id=mine, decision_id=decided.decision_id)
    with pytest.raises(Rejected, match="This id is taken by something else"):
        world.do(ENGINEER, again)
    world.do(ENGINEER, replace(again, appeal_id=AppealId(uuid4())))


def test_a_dependency_that_closes_a_circle_is_refused(world: World) -> None:
    first, second, third = (world.propose() for _ in range(3))
    world.do(ENGINEER, proposals.AddDependency(first, second))
    world.do(LEAD, proposals.AddDependency(second, third))

    with pytest.raises(Rejected, match="needs this one first") as refused:
        world.do(ENGINEER, proposals.AddDependency(third, first))

    assert refused.value.code is Code.CONFLICT


def test_what_a_command_names_must_exist(world: World) -> None:
    proposal_id, nothing = world.propose(), ProposalId(uuid4())
    for command in (
        proposals.AddDependency(proposal_id, nothing),
        proposals.MergeProposal(proposal_id, nothing),
        proposals.SplitProposal(proposal_id, (world.propose(), nothing)),
        proposals.StartWork(nothing),
    ):
        with pytest.raises(Rejected) as refused:
            world.do(ENGINEER, command)
        assert refused.value.code is Code.NOT_FOUND, command


def test_a_ledger_starts_with_its_organisation_and_its_reasons_and_gets_them_once(ledger: Ledger) -> None:
    world = World(ledger)
    head = ledger.head()

    World(ledger)

    assert ledger.head() == head > len(ledger.events(ORGANISATION)) == 1
    assert len(ledger.events(CATALOGUE)) == 21
    somebody = MemberId(uuid4())
    world.do(SYSTEM, teams.AddMember(ORGANISATION, somebody))
    world.do(SYSTEM, teams.GrantRole(ORGANISATION, somebody, Role.STEWARD))
    assert world.do(somebody, teams.FormTeam(TEAM, "Checkout")).version == 1


def test_eight_processes_that_start_at_once_bootstrap_one_ledger(database_url: str) -> None:
    ledgers = [Ledger(database_url, pool_size=1) for _ in range(8)]
    try:
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda ledger: bootstrap(ledger, MONDAY, uuid4()), ledgers))
        assert sum(receipt is not None for receipt in done) == 1
        assert [len(ledgers[0].events(stream)) for stream in (ORGANISATION, CATALOGUE)] == [1, 21]
    finally:
        for ledger in ledgers:
            ledger.close()


def test_a_request_whose_time_names_no_zone_is_refused(world: World) -> None:
    with pytest.raises(Rejected) as refused:
        world.do(STEWARD, teams.SetCapacity(TEAM, Decimal(1)), at=world.now.replace(tzinfo=None))

    assert (refused.value.code, refused.value.path) == (Code.BAD_USER_INPUT, ("at",))


def test_a_proposal_is_asked_of_a_team_and_goes_to_one_that_is_there(world: World) -> None:
    proposal_id = world.propose()

    with pytest.raises(Rejected) as organisation:
        world.do(ENGINEER, proposals.SubmitProposal(ProposalId(uuid4()), ORGANISATION, "Totals", CASE))
    with pytest.raises(Rejected) as nowhere:
        world.do(
            LEAD,
            proposals.RedirectProposal(proposal_id, RedirectTarget.TEAM, "Theirs.", team_id=TeamId(uuid4())),
        )

    assert (organisation.value.code, organisation.value.path) == (Code.BAD_USER_INPUT, ("team_id",))
    assert (nowhere.value.code, nowhere.value.path) == (Code.NOT_FOUND, ("team_id",))
    redirected = proposals.RedirectProposal(proposal_id, RedirectTarget.TEAM, "Theirs.", team_id=OTHER_TEAM)
    assert world.do(LEAD, redirected).version > 0


def test_a_no_is_explained_later_by_a_code_that_is_active_then(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    taken = no(review_id, proposal_id)
    world.decide(taken)

    (event,) = world.do(PRODUCT, proposals.ExplainDecision(proposal_id, taken.decision_id, DECLINED)).facts

    assert event.fact == DecisionExplained(taken.decision_id, DECLINED)
