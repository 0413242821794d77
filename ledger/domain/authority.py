"""Who may ask for what: each command with the roles that may issue it, and whose own thing it may be instead.

A role counts in the team that the command is about, or across teams. This table is the whole truth: docs are generated from it.
"""

from enum import StrEnum

from msgspec import Struct

from ledger.commands import catalogue, member, policy, proposal, review, simulation, team
from ledger.domain.rejected import Code, Rejected
from ledger.values import GLOBAL_ROLES, SYSTEM, MemberId, ReviewKind, Role


class Own(StrEnum):
    """Whose own thing a command may be about. They may issue it whatever their role is; the domain says when they alone may."""

    PROPOSER = "PROPOSER"
    RAISER = "RAISER"
    DECIDER = "DECIDER"
    REQUESTER = "REQUESTER"


class Permission(Struct, frozen=True):
    """The roles that may issue a command, the one to be recorded first, and the owner who may besides.

    `of_its_kind`: about a review, so that an engineering lead may in an engineering review and a product manager in a product review.
    """

    roles: tuple[Role, ...]
    own: Own | None = None
    of_its_kind: bool = False


ENGINEERS = (Role.ENGINEER, Role.ENGINEERING_LEAD)
DECIDERS = (Role.PRODUCT_MANAGER,)
#: Who runs a review of each kind.
RUNS = {ReviewKind.ENGINEERING: Role.ENGINEERING_LEAD, ReviewKind.PRODUCT: Role.PRODUCT_MANAGER}

_PROPOSING = Permission(ENGINEERS)
_OWN_PROPOSAL = Permission(ENGINEERS, Own.PROPOSER)
_DECIDING = Permission(DECIDERS)
#: A machine reports outcomes too, and decides nothing.
_REPORTING = Permission((*ENGINEERS, Role.INTEGRATOR))
_REVIEWING = Permission(tuple(RUNS.values()), of_its_kind=True)
_STEERING = Permission((Role.STEWARD,))
#: A question of leads; a steward puts it about any team.
_SIMULATING = (Role.ENGINEERING_LEAD, *DECIDERS, Role.STEWARD)

PERMISSIONS: dict[type[Struct], Permission] = {
    proposal.SubmitProposal: _PROPOSING,
    proposal.ScreenCriticality: Permission((*ENGINEERS, *DECIDERS)),
    proposal.RedirectProposal: Permission((Role.ENGINEERING_LEAD, *DECIDERS)),
    proposal.ReviseBusinessCase: _OWN_PROPOSAL,
    proposal.EstimateProposal: _PROPOSING,
    proposal.AssessImpact: _PROPOSING,
    proposal.AddDependency: _PROPOSING,
    proposal.RemoveDependency: _PROPOSING,
    proposal.RaiseConcern: _OWN_PROPOSAL,
    proposal.AnswerConcern: _DECIDING,
    proposal.ResolveConcern: Permission(ENGINEERS, Own.RAISER),
    proposal.OverruleConcern: _DECIDING,
    proposal.TakeDecision: _DECIDING,
    proposal.ExplainDecision: _DECIDING,
    proposal.CommunicateDecision: _DECIDING,
    proposal.AcknowledgeDecision: _OWN_PROPOSAL,
    proposal.PlayBackConcern: Permission(DECIDERS, Own.DECIDER),
    proposal.ConfirmPlayback: _OWN_PROPOSAL,
    proposal.CorrectPlayback: _OWN_PROPOSAL,
    proposal.LodgeAppeal: _OWN_PROPOSAL,
    proposal.UpholdAppeal: _DECIDING,
    proposal.DismissAppeal: _DECIDING,
    proposal.ReopenProposal: Permission((*ENGINEERS, *DECIDERS), Own.PROPOSER),
    proposal.WaiveRevisit: Permission((Role.ENGINEERING_LEAD, *DECIDERS), Own.PROPOSER),
    proposal.WithdrawProposal: Permission((), Own.PROPOSER),
    proposal.MergeProposal: _OWN_PROPOSAL,
    proposal.SupersedeProposal: _OWN_PROPOSAL,
    proposal.SplitProposal: _OWN_PROPOSAL,
    proposal.StartWork: _REPORTING,
    proposal.PauseWork: _REPORTING,
    proposal.CompleteWork: _REPORTING,
    proposal.AbandonWork: _REPORTING,
    proposal.MeasureBenefit: _REPORTING,
    proposal.ReportRisk: _REPORTING,
    review.ScheduleReview: _REVIEWING,
    review.FreezeAgenda: _REVIEWING,
    review.OpenReview: _REVIEWING,
    review.CarryOverItem: _REVIEWING,
    review.CloseReview: _REVIEWING,
    review.SkipReview: _REVIEWING,
    team.FormTeam: _STEERING,
    team.AddMember: _STEERING,
    team.RemoveMember: _STEERING,
    team.GrantRole: _STEERING,
    team.RevokeRole: _STEERING,
    team.SetCapacity: _STEERING,
    team.SetCadence: _STEERING,
    team.SetServiceLevel: _STEERING,
    member.EraseMember: _STEERING,
    policy.DefinePolicy: _STEERING,
    policy.RevisePolicy: _STEERING,
    policy.ActivatePolicy: _STEERING,
    catalogue.AddReasonCode: _STEERING,
    catalogue.RetireReasonCode: _STEERING,
    simulation.Simulate: Permission(_SIMULATING),
    simulation.CancelSimulation: Permission(_SIMULATING, Own.REQUESTER),
}


#: What a role does not suffice for: whose a command is alone besides, and how whoever has the role is refused otherwise (rules 11, 12).
ALONE: dict[type[Struct], tuple[str, Code]] = {
    proposal.ResolveConcern: ("whoever raised the concern", Code.FORBIDDEN),
    proposal.AcknowledgeDecision: ("those who asked", Code.NOT_RECIPIENT),
    proposal.PlayBackConcern: ("whoever took the decision", Code.FORBIDDEN),
    proposal.ConfirmPlayback: ("those who asked", Code.NOT_RECIPIENT),
    proposal.CorrectPlayback: ("those who asked", Code.NOT_RECIPIENT),
    proposal.UpholdAppeal: ("anybody but the decider and whoever lodged the appeal", Code.OWN_APPEAL),
    proposal.DismissAppeal: ("anybody but the decider and whoever lodged the appeal", Code.OWN_APPEAL),
}


def permitted(command: type[Struct], kind: ReviewKind | None = None) -> tuple[Role, ...]:
    """This will give the roles that may issue a command; about a review, those that may in one of its kind."""
    permission = PERMISSIONS[command]
    return (RUNS[kind],) if permission.of_its_kind and kind is not None else permission.roles


def across_teams(command: type[Struct]) -> bool:
    """This will say whether a role across teams may open the command, so that the organisation must be looked at."""
    return not GLOBAL_ROLES.isdisjoint(PERMISSIONS[command].roles)


def authorise(
    command: type[Struct],
    member_id: MemberId,
    in_team: frozenset[Role],
    across: frozenset[Role],
    *,
    owns: bool = False,
    kind: ReviewKind | None = None,
) -> Role:
    """This will give the role in which a member acts, or refuse with the roles that may.

    `in_team` are the member's roles in the team that the command is about, `across` those across teams; `owns` says that it is their
    own thing. SYSTEM may do what a steward may. An owner without any role acts as an observer.
    """
    held = (in_team - GLOBAL_ROLES) | (across & GLOBAL_ROLES)
    if member_id == SYSTEM:
        held = frozenset({Role.STEWARD})
    allowed = permitted(command, kind)
    for role in allowed:
        if role in held:
            return role
    if owns and PERMISSIONS[command].own is not None:
        return next((role for role in Role if role in held), Role.OBSERVER)
    raise Rejected(Code.FORBIDDEN, _refusal(command, allowed, held))


def _refusal(command: type[Struct], allowed: tuple[Role, ...], held: frozenset[Role]) -> str:
    own = PERMISSIONS[command].own
    yours = ", ".join(role for role in Role if role in held)
    if not allowed and own is not None:
        return f"{_asked(command)} is for the {own.lower()} alone; you have {yours or 'no role here'}. Ask them."
    here, across = ([role for role in allowed if (role in GLOBAL_ROLES) is wide] for wide in (False, True))
    whom = [f"{' or '.join(here)} in this team"] if here else []
    whom += [f"{' or '.join(across)} across teams"] if across else []
    whom += [f"the {own.lower()}"] if own is not None else []
    yours = yours or ("no role here" if here else "no role across teams")
    return (
        f"{_asked(command)} is for {', or '.join(whom)}; you have {yours}. Ask one of them, or a steward for the role."
    )


def _asked(command: type[Struct]) -> str:
    """This will name a command as whoever asks names it: `takeDecision`."""
    return f"`{command.__name__[0].lower()}{command.__name__[1:]}`"
