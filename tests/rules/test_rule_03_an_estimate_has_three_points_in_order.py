"""0 < optimistic ≤ likely ≤ pessimistic."""

import pytest

from tests.rules.saying import at, estimate
from tests.rules.town import Team


def test_an_estimate_with_three_points_in_order_is_kept(team: Team) -> None:
    proposal_id = team.propose(days=None)
    team.engineer.does("estimateProposal", **estimate(proposal_id, 2.5, 4, 4))
    (given,) = team.timeline(proposal_id, "EstimateGiven")
    points = [given["body"][name] for name in ("optimistic", "likely", "pessimistic")]
    assert points == ["2.5", "4", "4"]
    assert team.why_not(proposal_id)["proposal"]["estimateVersion"] == 1


@pytest.mark.parametrize(
    ("points", "field", "sentence"),
    [
        ((0, 4, 8), "optimistic", "0 engineer-days cannot be; give more than 0 and at most 10000."),
        ((-1, 4, 8), "optimistic", "-1 engineer-days cannot be; give more than 0 and at most 10000."),
        (
            (5, 4, 8),
            "optimistic",
            "The optimistic 5 days are more than the likely 4. Lower the one or raise the other.",
        ),
        ((2, 9, 8), "likely", "The likely 9 days are more than the pessimistic 8. Lower the one or raise the other."),
        ((2, 4.1, 8), "likely", "4.1 engineer-days is too fine; use steps of 0.25, such as 4.25."),
    ],
)
def test_points_out_of_order_are_refused(
    team: Team, points: tuple[float, float, float], field: str, sentence: str
) -> None:
    proposal_id = team.propose(days=None)
    refusal = team.engineer.is_refused("estimateProposal", **estimate(proposal_id, *points))
    assert refusal == ("ESTIMATE_INVALID", sentence, at(field))
    assert team.timeline(proposal_id, "EstimateGiven") == []
