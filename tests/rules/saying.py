"""What people say in these tests: answers, estimates and other inputs that are whole, each with more or other fields if given."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

REASON = {
    "code": "NO_COMPELLING_CASE",
    "text": "The case rests on one slow week, and that week had another cause.",
    "companion": "The figures of a whole quarter.",
}


def yes(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    """A YES on the first version of everything."""
    return _answer(review_id, proposal_id, verdict="YES", disposition="SCHEDULE", **more)


def no(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    """A decline with its reason."""
    given = {"reasons": [REASON], "reconsiderIf": "A whole quarter shows the same loss.", **more}
    return _answer(review_id, proposal_id, verdict="NO", disposition="DECLINE", **given)


def later(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    """A postponement for a quarter of a year."""
    given = {"reasons": [REASON], "revisit": [{"kind": "DATE", "on": now(days=90)}], **more}
    return _answer(review_id, proposal_id, verdict="NO", disposition="POSTPONE", **given)


def _answer(review_id: str, proposal_id: str, **more: Any) -> dict[str, Any]:
    versions = {"caseVersion": 1, "estimateVersion": 1, "impactVersion": 1}
    return {"decisionId": str(uuid4()), "reviewId": review_id, "proposalId": proposal_id, **versions, **more}


def left_over(review_id: str, proposal_id: str) -> dict[str, Any]:
    """What is said of an item that is left for the next review."""
    return {"reviewId": review_id, "proposalId": proposal_id, "reason": "The release comes first."}


def estimate(proposal_id: str, optimistic: float, likely: float, pessimistic: float) -> dict[str, Any]:
    """What an estimate says."""
    points = {"optimistic": str(optimistic), "likely": str(likely), "pessimistic": str(pessimistic)}
    return {"proposalId": proposal_id, **points, "confidence": 0.8, "basis": "BREAKDOWN"}


def impact(proposal_id: str, drag: int) -> dict[str, Any]:
    """What a measurement of the drag says, in engineer-hours a week."""
    return {"proposalId": proposal_id, "method": "MEASURED", "confidence": 1.0, "drag": str(drag)}


def now(*, days: float = 0, hours: float = 0) -> datetime:
    """An instant, so many days and hours from now."""
    return datetime.now(UTC) + timedelta(days=days, hours=hours)


def at(*steps: str) -> Sequence[str]:
    """The path of an input field."""
    return ["input", *steps]
