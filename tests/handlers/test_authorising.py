"""Each command is refused to those whose role does not open it, whatever else is true of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import Struct
from msgspec.structs import fields

from ledger.commands import proposal as proposals
from ledger.commands import review as reviews
from ledger.commands import simulation as simulations
from ledger.commands import team as teams
from ledger.domain.authority import PERMISSIONS, Own, permitted
from ledger.domain.rejected import Code, Rejected
from ledger.handlers import HANDLERS
from ledger.ranking import Formula
from ledger.values import (
    SYSTEM,
    Acknowledgement,
    AppealGrounds,
    Channel,
    Disposition,
    EstimateBasis,
    ImpactMethod,
    MemberId,
    PolicyMethod,
    ProposalId,
    Reason,
    RedirectTarget,
    ReopenCause,
    ReviewId,
    ReviewKind,
    RevisitCondition,
    RevisitKind,
    Role,
    SimulationId,
    Verdict,
)
from tests.handlers.world import (
    AUDITOR,
    CASE,
    ENGINEER,
    INTEGRATOR,
    LEAD,
    MONDAY,
    OBSERVER,
    OTHER_PRODUCT,
    OTHER_TEAM,
    PRODUCT,
    STEWARD,
    STRANGER,
    TEAM,
    World,
    later,
    no,
)

#: What each member may be taken for in the team.
ACTING = {
    ENGINEER: Role.ENGINEER,
    LEAD: Role.ENGINEERING_LEAD,
    PRODUCT: Role.PRODUCT_MANAGER,
    OBSERVER: Role.OBSERVER,
    AUDITOR: Role.AUDITOR,
    INTEGRATOR: Role.INTEGRATOR,
    STEWARD: Role.STEWARD,
    SYSTEM: Role.STEWARD,
    OTHER_PRODUCT: None,
    STRANGER: None,
}

#: A sound value for every field that a command must have.
SOUND: dict[str, Any] = {
    "actual_days": Decimal(1),
    "answer": Acknowledgement.AGREE,
    "appeal_id": UUID(int=900),
    "attendees": (PRODUCT,),
    "audience": (ENGINEER,),
    "basis": EstimateBasis.GUESS,
    "because": ReopenCause.REPROPOSED,
    "benefit": "Faster.",
    "business_case": CASE,
    "by": UUID(int=901),
    "case_version": 1,
    "change_note": "Better.",
    "channel": Channel.EMAIL,
    "children": (UUID(int=902), UUID(int=903)),
    "code": "TOO_LATE",
    "concern_id": UUID(int=904),
    "confidence": 1.0,
    "critical": False,
    "day": 30,
    "days_per_cycle": Decimal(1),
    "days_to_decide": 1,
    "decision_id": UUID(int=905),
    "disposition": Disposition.DECLINE,
    "engineering_days": 7,
    "estimate_version": 1,
    "formula": Formula(PolicyMethod.FIFO),
    "grounds": AppealGrounds.PROCEDURE,
    "hours_to_tell": 1,
    "impact_version": 1,
    "into": UUID(int=906),
    "kind": ReviewKind.PRODUCT,
    "likely": Decimal(1),
    "legal_basis": "GDPR Article 17(1)(b)",
    "loss_hours": Decimal(1),
    "meaning": "Too late.",
    "member_id": UUID(int=907),
    "method": ImpactMethod.MEASURED,
    "name": "Checkout",
    "needs": UUID(int=908),
    "optimistic": Decimal(1),
    "pessimistic": Decimal(1),
    "policy_id": UUID(int=909),
    "product_days": 7,
    "realised": Decimal(1),
    "reason": "Because.",
    "reasons": (Reason("DUPLICATE", "It is the same as another one, word for word.", "https://example.org"),),
    "role": Role.ENGINEER,
    "scenario": "{}",
    "simulation_id": UUID(int=910),
    "starts_at": MONDAY,
    "target": RedirectTarget.SEVERITY_TRACK,
    "team_id": TEAM,
    "team_ids": (TEAM,),
    "text": "Words.",
    "title": "Totals",
    "unit": "hours",
    "verdict": Verdict.NO,
}


def sound(command: type[Struct], **known: Any) -> Struct:
    values = SOUND | known
    return command(**{field.name: values[field.name] for field in fields(command) if field.required})


Told = tuple[Code, str, tuple[str, ...]]


def refused(world: World, by: MemberId, command: Struct, **envelope: Any) -> Told | None:
    """The whole of a refusal."""
    try:
        world.do(by, command, **envelope)
    except Rejected as no:
        return no.code, no.message, no.path
    return None


def refusal(world: World, by: MemberId, command: Struct, **envelope: Any) -> Code | None:
    found = refused(world, by, command, **envelope)
    return None if found is None else found[0]


#: What commands are about, under ids that nobody has.
UNKNOWN: dict[str, Any] = {
    "proposal_id": uuid4(),
    "review_id": uuid4(),
    "team_id": uuid4(),
    "team_ids": (uuid4(),),
    "simulation_id": uuid4(),
}
SUBJECTS = {("proposal_id",), ("review_id",), ("simulation_id",)}


def test_every_command_has_a_handler() -> None:
    assert set(HANDLERS) == set(PERMISSIONS)


@pytest.mark.parametrize("kind", ReviewKind)
def test_a_command_is_refused_to_every_role_that_may_not_issue_it_and_to_no_other(
    world: World, kind: ReviewKind
) -> None:
    """FORBIDDEN to whoever sees the thing, and about a thing of another team the very words that are said of one that is not there."""
    # The lead's own, so owning opens nothing more.
    known = {"proposal_id": world.propose(by=LEAD), "review_id": world.schedule(kind), "kind": kind}
    world.do(LEAD, sound(simulations.Simulate))
    mistaken = []
    for command in HANDLERS:
        asked, unknown = sound(command, **known), sound(command, **UNKNOWN, kind=kind)
        allowed = set(permitted(command, kind))
        for member_id, role in ACTING.items():
            owns = member_id == LEAD and PERMISSIONS[command].own is Own.PROPOSER
            absent, told = refused(world, member_id, unknown), refused(world, member_id, asked)
            if role in allowed or owns:
                is_right = told is None or told[0] is not Code.FORBIDDEN
                is_right &= told is None or told[0] is not Code.NOT_FOUND or told[2] not in SUBJECTS
            elif role is None and allowed != {Role.STEWARD}:
                is_right = told is not None and told[0] is Code.NOT_FOUND and told == absent
            else:
                is_right = told is not None and told[0] is Code.FORBIDDEN
            if not is_right:
                mistaken.append((command.__name__, member_id, role, told))

    assert mistaken == []


def test_a_version_is_told_to_nobody_who_may_not_see_the_thing(world: World) -> None:
    proposal_id = world.propose()
    asked, unknown = (sound(proposals.StartWork, proposal_id=one) for one in (proposal_id, uuid4()))

    told = refused(world, STRANGER, asked, expected_version=99)

    assert told is not None
    assert told[0] is Code.NOT_FOUND
    assert told == refused(world, STRANGER, unknown, expected_version=99)
    assert refusal(world, OBSERVER, asked, expected_version=99) is Code.FORBIDDEN
    assert refusal(world, ENGINEER, asked, expected_version=99) is Code.CONFLICT


def test_another_teams_things_are_not_there_for_whoever_names_them_and_may_not_see_them(world: World) -> None:
    ours, theirs, unknown = world.propose(), ProposalId(uuid4()), ProposalId(uuid4())
    review_id, their_review, unknown_review = world.open(), ReviewId(uuid4()), ReviewId(uuid4())
    world.do(SYSTEM, teams.GrantRole(OTHER_TEAM, OTHER_PRODUCT, Role.ENGINEER))
    world.do(OTHER_PRODUCT, proposals.SubmitProposal(theirs, OTHER_TEAM, "Theirs", CASE))
    world.do(OTHER_PRODUCT, reviews.ScheduleReview(their_review, OTHER_TEAM, ReviewKind.PRODUCT, MONDAY))
    until = RevisitCondition(RevisitKind.DATE, on=datetime(2099, 12, 31, tzinfo=UTC))

    def naming(other: ProposalId, review: ReviewId) -> list[tuple[MemberId, Struct]]:
        delivered = RevisitCondition(RevisitKind.ITEM_DELIVERED, proposal_id=other)
        return [
            (ENGINEER, proposals.AddDependency(ours, other)),
            (ENGINEER, proposals.MergeProposal(ours, other)),
            (ENGINEER, proposals.SupersedeProposal(ours, other)),
            (ENGINEER, proposals.SplitProposal(ours, (other, ours))),
            (PRODUCT, no(review_id, ours, chosen_instead=(other,))),
            (PRODUCT, later(review_id, ours, until, delivered)),
            (PRODUCT, no(review, ours)),
        ]

    def told() -> list[tuple[Code, str] | None]:
        found = [refused(world, by, command) for by, command in naming(theirs, their_review)]
        return [no and (no[0], no[1].replace(str(theirs), str(unknown))) for no in found]

    absent = [refused(world, by, command) for by, command in naming(unknown, unknown_review)]
    assert {no and no[0] for no in absent} == {Code.NOT_FOUND}
    assert told() == [no and no[:2] for no in absent]

    # To whoever may see the other team too, the same things are there.
    for member_id in (ENGINEER, PRODUCT):
        world.do(SYSTEM, teams.AddMember(OTHER_TEAM, member_id))
        world.do(SYSTEM, teams.GrantRole(OTHER_TEAM, member_id, Role.OBSERVER))
    assert Code.NOT_FOUND not in {no and no[0] for no in told()}


def test_a_simulation_with_a_team_that_one_may_not_see_is_not_there(world: World) -> None:
    both = SimulationId(uuid4())
    world.do(SYSTEM, teams.AddMember(OTHER_TEAM, LEAD))
    world.do(SYSTEM, teams.GrantRole(OTHER_TEAM, LEAD, Role.ENGINEERING_LEAD))
    world.do(LEAD, sound(simulations.Simulate, simulation_id=both, team_ids=(TEAM, OTHER_TEAM)))
    of_both, of_none = (simulations.CancelSimulation(one, "Because.") for one in (both, SimulationId(uuid4())))

    for member_id in (ENGINEER, PRODUCT, OTHER_PRODUCT):
        assert refused(world, member_id, of_both) == refused(world, member_id, of_none)
        assert refusal(world, member_id, of_both) is Code.NOT_FOUND
    assert refusal(world, AUDITOR, of_both) is Code.FORBIDDEN
    assert refusal(world, LEAD, of_both) is None


def test_a_decision_is_refused_to_all_but_the_teams_own_product_managers(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    head = world.ledger.head()

    for member_id in ACTING.keys() - {PRODUCT}:
        unseen = ACTING[member_id] is None
        expected = Code.NOT_FOUND if unseen else Code.FORBIDDEN
        assert refusal(world, member_id, no(review_id, proposal_id)) is expected

    assert world.ledger.head() == head
    assert refusal(world, PRODUCT, no(review_id, proposal_id)) is None


def test_a_role_that_was_revoked_opens_nothing_any_more(world: World) -> None:
    proposal_id = world.propose()
    world.do(STEWARD, teams.AddMember(TEAM, STRANGER))
    world.do(STEWARD, teams.GrantRole(TEAM, STRANGER, Role.OBSERVER))
    world.do(STEWARD, teams.GrantRole(TEAM, STRANGER, Role.ENGINEER))
    world.do(STEWARD, teams.RevokeRole(TEAM, STRANGER, Role.ENGINEER))
    world.do(STEWARD, teams.RemoveMember(TEAM, LEAD))

    assert refusal(world, STRANGER, proposals.StartWork(proposal_id)) is Code.FORBIDDEN
    assert refusal(world, LEAD, proposals.StartWork(proposal_id)) is Code.NOT_FOUND


def test_whoever_asked_may_take_it_back_after_leaving_the_team(world: World) -> None:
    proposal_id = world.propose()
    world.do(STEWARD, teams.RemoveMember(TEAM, ENGINEER))

    (event,) = world.do(ENGINEER, proposals.WithdrawProposal(proposal_id)).facts

    assert event.actor.role is Role.OBSERVER


def test_an_unknown_review_or_team_is_not_found(world: World) -> None:
    for command in (
        sound(reviews.CloseReview, review_id=ReviewId(uuid4())),
        sound(reviews.ScheduleReview, review_id=ReviewId(uuid4()), team_id=uuid4()),
    ):
        assert refusal(world, PRODUCT, command) is Code.NOT_FOUND
