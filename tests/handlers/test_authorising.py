"""Each command is refused to those whose role does not open it, whatever else is true of it."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec import Struct
from msgspec.structs import fields

from ledger.commands import proposal as proposals
from ledger.commands import review as reviews
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
    Reason,
    RedirectTarget,
    ReopenCause,
    ReviewId,
    ReviewKind,
    Role,
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
    PRODUCT,
    STEWARD,
    STRANGER,
    TEAM,
    World,
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


def refusal(world: World, by: MemberId, command: Struct) -> Code | None:
    try:
        world.do(by, command)
    except Rejected as refused:
        return refused.code
    return None


def test_every_command_has_a_handler() -> None:
    assert set(HANDLERS) == set(PERMISSIONS)


@pytest.mark.parametrize("kind", ReviewKind)
def test_a_command_is_refused_to_every_role_that_may_not_issue_it_and_to_no_other(
    world: World, kind: ReviewKind
) -> None:
    proposal_id, review_id = (
        world.propose(by=LEAD),
        world.schedule(kind),
    )  # the lead's own, so owning opens nothing more
    mistaken = []
    for command in HANDLERS:
        asked = sound(command, proposal_id=proposal_id, review_id=review_id, kind=kind)
        allowed = set(permitted(command, kind))
        for member_id, role in ACTING.items():
            owns = member_id == LEAD and PERMISSIONS[command].own is Own.PROPOSER
            forbidden = refusal(world, member_id, asked) is Code.FORBIDDEN
            if forbidden == (role in allowed or owns):
                mistaken.append((command.__name__, member_id, role, forbidden))

    assert mistaken == []


def test_a_decision_is_refused_to_all_but_the_teams_own_product_managers(world: World) -> None:
    proposal_id, review_id = world.propose(), world.open()
    head = world.ledger.head()

    for member_id in ACTING.keys() - {PRODUCT}:
        assert refusal(world, member_id, no(review_id, proposal_id)) is Code.FORBIDDEN

    assert world.ledger.head() == head
    assert refusal(world, PRODUCT, no(review_id, proposal_id)) is None


def test_a_role_that_was_revoked_opens_nothing_any_more(world: World) -> None:
    proposal_id = world.propose()
    world.do(STEWARD, teams.RemoveMember(TEAM, LEAD))

    assert refusal(world, LEAD, proposals.StartWork(proposal_id)) is Code.FORBIDDEN


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
