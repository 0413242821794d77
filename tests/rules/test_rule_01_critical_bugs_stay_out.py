"""A critical bug is screened out first: it is only ever redirected to the severity track, and never enters the backlog."""

from uuid import uuid4

from tests.rules.saying import at
from tests.rules.town import Team

TRACK = "https://incidents.example/417"
OUT = "It is a critical bug and left for the severity track, so it cannot"
INSTEAD = "Follow it there, or screen it again if it is none."


def critical(team: Team) -> str:
    """A critical bug that somebody submitted."""
    proposal_id = str(uuid4())
    given = team.submission(proposalId=proposal_id, critical=True, severityUrl=TRACK, title="Cards are charged twice")
    team.engineer.does("submitProposal", **given)
    return proposal_id


def test_a_critical_bug_is_sent_to_the_severity_track_at_once_and_never_is_in_the_backlog(team: Team) -> None:
    proposal_id = critical(team)
    assert team.status(proposal_id) == "REDIRECTED"
    assert team.backlog() == []
    assert team.kinds(proposal_id) == ["ProposalSubmitted", "CriticalityScreened", "ProposalRedirected"]
    (left,) = team.timeline(proposal_id, "ProposalRedirected")
    assert (left["body"]["target"], left["body"]["url"]) == ("SEVERITY_TRACK", TRACK)
    assert team.transparency()["redirected"] == 1


def test_an_admitted_item_that_turns_critical_leaves_by_redirect(team: Team) -> None:
    proposal_id = team.propose()
    assert team.backlog() == [proposal_id]
    team.lead.does("screenCriticality", proposalId=proposal_id, critical=True, severityUrl=TRACK, note="It lost money.")
    assert team.status(proposal_id) == "REDIRECTED"
    assert team.backlog() == []
    assert team.kinds(proposal_id)[-2:] == ["CriticalityScreened", "ProposalRedirected"]


def test_a_critical_bug_is_refused_on_an_agenda(team: Team) -> None:
    proposal_id, review_id = critical(team), team.scheduled()
    assert team.product.is_refused("freezeAgenda", reviewId=review_id, proposalIds=[proposal_id]) == (
        "NOT_FOUND",
        f"Proposal {proposal_id} is not in this team's backlog, and no revisit of it is due. Leave it out.",
        at("proposalIds", "0"),
    )


def test_a_critical_bug_can_only_be_followed_on_the_severity_track(team: Team) -> None:
    proposal_id = critical(team)
    elsewhere = {"target": "TRACKER", "url": "https://tracker.example/9", "reason": "We would rather plan it."}
    assert team.lead.is_refused("redirectProposal", proposalId=proposal_id, **elsewhere) == (
        "CRITICAL_BUG",
        f"{OUT} be redirected. {INSTEAD}",
        at("proposalId"),
    )
    assert team.engineer.is_refused("reopenProposal", proposalId=proposal_id, because="REPROPOSED") == (
        "CRITICAL_BUG",
        f"{OUT} be reopened. {INSTEAD}",
        at("proposalId"),
    )
