"""A case has a benefit that is not COSMETIC and a risk of ignoring, fills or explains the other two quadrants, in at most 600 words."""

from typing import Any

from tests.api.conftest import case
from tests.rules.saying import at
from tests.rules.town import Refusal, Team

LOOKS = {"code": "COSMETIC", "text": "The page looks tidier than it did."}
SPEED = {"code": "SPEEDS_DELIVERY", "text": "A rule ships in an hour instead of two days."}


def refused(team: Team, **more: Any) -> Refusal:
    return team.engineer.is_refused("submitProposal", **team.submission(businessCase=case(**more)))


def test_a_case_with_a_benefit_a_risk_and_two_explained_quadrants_is_kept_as_it_was_told(team: Team) -> None:
    proposal_id = team.propose(benefitsOfFixing=[LOOKS, SPEED])
    assert team.status(proposal_id) == "PENDING"
    (written,) = team.timeline(proposal_id, "BusinessCaseRevised")
    assert written["body"]["benefits_of_fixing"] == [LOOKS, SPEED]
    assert written["body"]["no_risks_of_fixing"] == "The rules are covered by tests."
    assert len(written["body"]["risks_of_ignoring"]) == 1


def test_a_case_of_600_words_is_accepted_and_one_of_601_is_refused(team: Team) -> None:
    words = sum(len(text.split()) for text in texts(case(problem="")))
    assert team.status(team.propose(problem="debt " * (600 - words))) == "PENDING"
    assert refused(team, problem="debt " * (601 - words)) == (
        "CASE_TOO_LONG",
        "The case has 601 words; at most 600 are allowed. Shorten it by 1.",
        at("businessCase"),
    )


def texts(told: dict[str, Any]) -> list[str]:
    """What a reader reads of the case that these tests tell."""
    parts = [*told["benefitsOfFixing"], *told["risksOfIgnoring"]]
    return [part["text"] for part in parts] + [told["noRisksOfFixing"], told["noBenefitsOfIgnoring"]]


def test_a_case_that_is_cosmetic_only_is_refused(team: Team) -> None:
    assert refused(team, benefitsOfFixing=[LOOKS]) == (
        "CASE_INCOMPLETE",
        "The case needs a benefit of fixing that is more than COSMETIC. Say what the team or its users gain.",
        at("businessCase", "benefitsOfFixing"),
    )


def test_a_case_without_a_risk_of_ignoring_is_refused(team: Team) -> None:
    assert refused(team, risksOfIgnoring=[]) == (
        "CASE_INCOMPLETE",
        "The case needs at least one risk of ignoring. Say what happens if nothing is done.",
        at("businessCase", "risksOfIgnoring"),
    )


def test_a_quadrant_of_which_nothing_is_said_is_refused(team: Team) -> None:
    assert refused(team, noRisksOfFixing=None) == (
        "CASE_INCOMPLETE",
        "The case says nothing of the risks of fixing. List them, or say why there are none.",
        at("businessCase", "risksOfFixing"),
    )
    assert refused(team, benefitsOfIgnoring=["The shop stays as it is."]) == (
        "CASE_INCOMPLETE",
        "The case lists benefits of ignoring and says that there are none. Keep one of the two.",
        at("businessCase", "noBenefitsOfIgnoring"),
    )


def test_a_new_version_of_a_case_is_held_to_the_same(team: Team) -> None:
    proposal_id = team.propose()
    given = {"proposalId": proposal_id, "changeNote": "Shorter."}
    refusal = team.engineer.is_refused("reviseBusinessCase", **given, businessCase=case(benefitsOfFixing=[LOOKS]))
    assert refusal.code == "CASE_INCOMPLETE"
    assert team.why_not(proposal_id)["proposal"]["caseVersion"] == 1
