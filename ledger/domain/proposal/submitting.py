"""Asking: a proposal is submitted, screened for a critical bug, redirected, and its case rewritten."""

from msgspec import Struct

from ledger.commands import Issued
from ledger.commands.proposal import RedirectProposal, ReviseBusinessCase, ScreenCriticality, SubmitProposal
from ledger.domain.proposal.business_case import revised
from ledger.domain.proposal.standing import LIVING, said, standing, submitted
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.events.proposal import CriticalityScreened, ProposalRedirected, ProposalSubmitted
from ledger.values import ProposalStatus, RedirectTarget

TITLE_MAX = 120
SEVERITY_DECIDES = "A critical bug is fixed by severity, not by this ledger."


def decide_submit_proposal(state: ProposalState | None, issued: Issued[SubmitProposal]) -> list[Struct]:
    """This will admit a proposal with its case (rules 1 and 2), or record a critical bug and send it off at once.

    A critical bug's case is not asked for and not recorded. Raises CONFLICT, CASE_INCOMPLETE, CASE_TOO_LONG.
    """
    command = issued.command
    if state is not None:
        raise Rejected(Code.CONFLICT, "This proposal exists already. Submit a new one under a new id.", "proposal_id")
    said(command.title, "The title", "title")
    if len(command.title) > TITLE_MAX:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"The title has {len(command.title)} characters; at most {TITLE_MAX} are allowed. "
            f"Shorten it by {len(command.title) - TITLE_MAX}.",
            "title",
        )
    asked = ProposalSubmitted(
        team_id=command.team_id,
        title=command.title,
        proposer=issued.member_id,
        area=command.area,
        kind=command.kind,
    )
    if command.critical:
        return [asked, *_to_severity_track(command.severity_url, None)]
    return [asked, CriticalityScreened(critical=False), revised(command.business_case, 1)]


def decide_screen_criticality(state: ProposalState | None, issued: Issued[ScreenCriticality]) -> list[Struct]:
    """This will record the screening; an admitted item that turns critical leaves by redirect (rule 1).

    A critical bug that was none is screened again with `critical` false, and may then be reopened.
    """
    command = issued.command
    if command.critical:
        standing(state, LIVING, "turn out to be a critical bug")
        return _to_severity_track(command.severity_url, command.note)
    submitted(state)
    return [CriticalityScreened(critical=False, note=command.note)]


def _to_severity_track(url: str | None, note: str | None) -> list[Struct]:
    return [
        CriticalityScreened(critical=True, note=note),
        ProposalRedirected(RedirectTarget.SEVERITY_TRACK, SEVERITY_DECIDES, url),
    ]


def decide_redirect_proposal(state: ProposalState | None, issued: Issued[RedirectProposal]) -> list[Struct]:
    """This will send a proposal to another list. TRACKER needs its url, TEAM another team. Raises BAD_USER_INPUT."""
    command = issued.command
    known = standing(state, LIVING - {ProposalStatus.IN_PROGRESS}, "be redirected")
    said(command.reason, "The reason", "reason")
    if command.target is RedirectTarget.TRACKER and command.url is None:
        raise Rejected(Code.BAD_USER_INPUT, "A tracker needs a link. Give the url of the item there.", "url")
    if command.target is RedirectTarget.TEAM and command.team_id in {None, known.team_id}:
        raise Rejected(Code.BAD_USER_INPUT, "It goes to another team. Name that team.", "team_id")
    if command.target is not RedirectTarget.TEAM and command.team_id is not None:
        raise Rejected(Code.BAD_USER_INPUT, "Only a redirect to TEAM names a team. Leave it out.", "team_id")
    return [ProposalRedirected(command.target, command.reason, command.url, command.team_id)]


def decide_revise_business_case(state: ProposalState | None, issued: Issued[ReviseBusinessCase]) -> list[Struct]:
    """This will record the case's next version (rule 2). Raises CASE_INCOMPLETE, CASE_TOO_LONG."""
    known = standing(state, LIVING, "get a new case")
    note = said(issued.command.change_note, "The change note", "change_note")
    return [revised(issued.command.business_case, known.case_version + 1, note)]
