"""A NO has at least one active reason code, a text of at least 40 characters, and the code's companion. OTHER never stands alone."""

from typing import Any
from uuid import uuid4

from tests.rules.saying import REASON, at, no
from tests.rules.town import Refusal, Team

SHORT = "Not now, sorry."
OTHER = {"code": "OTHER", "text": "Something else altogether that none of the codes is able to say."}


def refused(team: Team, *reasons: dict[str, Any], **more: Any) -> Refusal:
    proposal_id = team.propose()
    refusal = team.product.is_refused(
        "takeDecision", **no(team.opened(proposal_id), proposal_id, reasons=reasons, **more)
    )
    assert team.status(proposal_id) == "PENDING"
    return refusal


def test_a_no_with_a_reason_a_text_and_its_companion_is_kept_word_for_word(team: Team) -> None:
    proposal_id = team.propose()
    team.decide(no(team.opened(proposal_id), proposal_id, reasons=[REASON, OTHER]))
    decision = team.decision(proposal_id)
    assert (decision["verdict"], decision["disposition"]) == ("NO", "DECLINE")
    assert decision["reasons"] == [REASON, {**OTHER, "companion": None}]
    assert decision["unexplained"] is False
    assert team.transparency()["declines"]["reasonedWhenDecided"] == 1


def test_what_was_chosen_instead_is_the_companion_of_an_opportunity_cost(team: Team) -> None:
    reason = {"code": "OPPORTUNITY_COST", "text": "The same two weeks save three times as much in the basket."}
    assert refused(team, reason) == (
        "COMPANION_MISSING",
        (
            "OPPORTUNITY_COST asks for its companion: at least one `chosenInstead`. "
            "Name what was chosen in `chosenInstead`."
        ),
        at("reasons", "0", "companion"),
    )
    proposal_id, better = team.propose(), team.propose()
    team.decide(no(team.opened(proposal_id), proposal_id, reasons=[reason], chosenInstead=[better]))
    assert team.decision(proposal_id)["chosenInstead"] == [better]


def test_a_no_without_a_reason_is_refused(team: Team) -> None:
    assert refused(team) == (
        "REASON_MISSING",
        "A NO needs a reason. Give at least one reason code with a text.",
        at("reasons"),
    )


def test_a_text_that_is_too_short_to_understand_is_refused(team: Team) -> None:
    assert refused(team, {**REASON, "text": SHORT}) == (
        "REASON_TOO_SHORT",
        (
            "The text for NO_COMPELLING_CASE has 15 characters; at least 40 are needed. "
            "Say it so that those who asked understand it."
        ),
        at("reasons", "0", "text"),
    )


def test_a_reason_without_its_companion_is_refused(team: Team) -> None:
    assert refused(team, {**REASON, "companion": None}) == (
        "COMPANION_MISSING",
        "NO_COMPELLING_CASE asks for its companion: the evidence that is missing. Add it.",
        at("reasons", "0", "companion"),
    )
    assert refused(team, REASON, {**REASON, "code": "DUPLICATE", "companion": "the other one"}) == (
        "COMPANION_MISSING",
        (
            "DUPLICATE asks for its companion: link. 'the other one' holds no link; "
            "give one that begins with https, urn or mailto."
        ),
        at("reasons", "1", "companion"),
    )


def test_other_is_refused_when_it_stands_alone(team: Team) -> None:
    assert refused(team, OTHER) == (
        "OTHER_ALONE",
        "OTHER never stands alone. Give the code that comes nearest besides.",
        at("reasons"),
    )


def test_a_code_that_was_retired_is_refused(team: Team) -> None:
    code = f"TOO_SOON_{uuid4().hex[:8].upper()}"
    reason = {"code": code, "text": "Wait until the new price service has been live for a month."}
    team.town.steward.does("addReasonCode", code=code, meaning="It is too soon to say.")
    proposal_id = team.propose()
    team.decide(no(team.opened(proposal_id), proposal_id, reasons=[reason]))
    team.town.steward.does("retireReasonCode", code=code, reason="BAD_TIMING says the same.")
    refusal = refused(team, reason)
    assert refusal.code == "REASON_UNKNOWN"
    assert refusal.message.startswith(
        f"{code} is no active reason code. Use one of AGAINST_DIRECTION, ALREADY_ADDRESSED, "
    )
    assert refusal.path == at("reasons", "0", "code")
    assert team.decision(proposal_id)["reasons"][0]["code"] == code
