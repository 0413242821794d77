"""Finds what a scenario's forced verdicts name."""

from ledger.replay.scenario import Scenario, ScenarioError
from ledger.replay.visible import Visible
from ledger.values import Verdict


def forced_in(seen: Visible, scenario: Scenario) -> list[tuple[int, int, Verdict]]:
    """This will find the reviews and proposals of the forced verdicts. Raises ScenarioError for one that never was."""
    names = seen.history.names
    found = []
    for index, forced in enumerate(scenario.forced):
        item = names.number_of(forced.proposal)
        if item is None:
            raise ScenarioError(f"There is no proposal {forced.proposal}.", "forced", str(index), "proposal")
        team = seen.history.figures[seen.history.submission_of(item), 0]
        reviews = [
            review.number
            for review in seen.reviews
            if len(team)
            and review.team == int(team[0])
            and (
                review.of_team == forced.review
                if isinstance(forced.review, int)
                else review.review >= 0 and names.review(review.review) == forced.review
            )
        ]
        if not reviews:
            raise ScenarioError(
                f"The proposal's team held no review {forced.review} in this period.", "forced", str(index), "review"
            )
        found.append((reviews[0], item, forced.verdict))
    return found
