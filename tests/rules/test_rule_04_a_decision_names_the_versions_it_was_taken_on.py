"""A decision names the versions it was taken on; if one of them has moved on it is refused, with what changed."""

from uuid import uuid4

import pytest

from tests.api.conftest import case
from tests.rules.saying import at, no, yes
from tests.rules.town import Team

AGAIN = "Look at the new versions, then decide on those."
COMPARE = """
query Compare($of: UUID!, $at: Position) {
  compareVersions(proposalId: $of, kind: ESTIMATE, from: 1, to: 2, atLeast: $at) { changes { field before after } }
}
"""


def test_a_decision_keeps_the_versions_it_was_taken_on_whatever_comes_after(team: Team) -> None:
    proposal_id = team.propose()
    team.estimate_again(proposal_id, 8, "SCOPE")
    team.decide(no(team.opened(proposal_id), proposal_id, estimateVersion=2))
    team.estimate_again(proposal_id, 3, "SPIKE_DONE")
    (story,) = team.why_not(proposal_id)["decisions"]
    assert story["decision"]["basis"] == {
        "caseVersion": 1,
        "estimateVersion": 2,
        "impactVersion": 1,
        "policyVersion": 0,
    }
    (change,) = story["basisDiff"]
    assert (change["kind"], change["before"]["version"], change["after"]["version"]) == ("ESTIMATE", 2, 3)


def test_a_decision_on_an_estimate_that_has_moved_on_is_refused_with_what_changed(team: Team) -> None:
    proposal_id = team.propose(days=5)
    review_id = team.opened(proposal_id)
    team.estimate_again(proposal_id, 9, "NEW_INFORMATION")
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "STALE_BASIS",
        f"What you looked at has changed: the estimate 1 → 2. {AGAIN}",
        at("estimateVersion"),
    )
    changes = {change["field"]: change for change in team.engineer.asks(COMPARE, of=proposal_id)["changes"]}
    assert (changes["likely"]["before"], changes["likely"]["after"]) == ("5", "9")
    team.decide(yes(review_id, proposal_id, estimateVersion=2))
    assert team.status(proposal_id) == "ACCEPTED"


def test_each_version_that_has_moved_on_is_named(team: Team) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id)
    revised = case(problem="It is worse than we wrote.")
    team.engineer.does("reviseBusinessCase", proposalId=proposal_id, businessCase=revised, changeNote="New figures.")
    team.assess_again(proposal_id, 30)
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id)) == (
        "STALE_BASIS",
        f"What you looked at has changed: the case 1 → 2, the impact 1 → 2. {AGAIN}",
        at("caseVersion"),
    )


@pytest.mark.parametrize("version", ["caseVersion", "estimateVersion", "impactVersion"])
def test_a_version_that_there_never_was_is_refused(team: Team, version: str) -> None:
    proposal_id = team.propose()
    review_id = team.opened(proposal_id)
    what = version.removesuffix("Version")
    assert team.product.is_refused("takeDecision", **yes(review_id, proposal_id, **{version: 7})) == (
        "STALE_BASIS",
        f"What you looked at has changed: the {what} 7 → 1. {AGAIN}",
        at(version),
    )


def test_a_policy_other_than_the_one_in_force_is_refused(team: Team) -> None:
    proposal_id, policy_id = team.propose(), str(uuid4())
    review_id = team.opened(proposal_id)
    answer = yes(review_id, proposal_id, policyId=policy_id, policyVersion=3)
    assert team.product.is_refused("takeDecision", **answer) == (
        "STALE_BASIS",
        f"What you looked at has changed: the policy {policy_id} version 3 → default. {AGAIN}",
        at("policyVersion"),
    )
