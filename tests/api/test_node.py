"""`node(id)` finds what has a global id, for those who may see it."""

from uuid import uuid4

import pytest

from ledger.api.node import global_id
from ledger.api.schema import NODES
from ledger.values import Role
from tests.api.conftest import Api, Client

NODE = (
    "query N($id: ID!, $asOf: AsOf, $at: Position)"
    " { node(id: $id, asOf: $asOf, atLeast: $at) { id __typename ... on Review { state } } }"
)


def scheduled(lead: Client, team: object) -> tuple[str, str]:
    """A review's id, and the position at which it was planned."""
    review_id = str(uuid4())
    done = lead.do(
        "scheduleReview", reviewId=review_id, teamId=str(team), kind="ENGINEERING", startsAt="2026-01-31T12:00:00Z"
    )
    assert done["userErrors"] == []
    return review_id, done["position"]


def test_a_thing_is_found_by_the_id_that_it_gives(api: Api) -> None:
    team = api.team()
    lead = api.client(Role.ENGINEERING_LEAD, team)
    review_id, position = scheduled(lead, team)
    query = "query R($id: UUID!, $at: Position) { review(reviewId: $id, atLeast: $at) { review { id reviewId } } }"
    shown = lead.ask(query, id=review_id, at=position)["review"]["review"]
    assert shown["reviewId"] == review_id
    found = lead.ask(NODE, id=shown["id"])["node"]
    assert found == {"id": shown["id"], "__typename": "Review", "state": "SCHEDULED"}


def test_what_was_not_there_then_or_may_not_be_seen_is_null(api: Api) -> None:
    team = api.team()
    lead, stranger, auditor = (
        api.client(Role.ENGINEERING_LEAD, team),
        api.client(Role.ENGINEERING_LEAD, api.team("Search")),
        api.client(Role.AUDITOR),
    )
    review_id, position = scheduled(lead, team)
    asked = {"id": global_id("Review", review_id), "at": position}  # type: ignore[arg-type]
    assert lead.ask(NODE, **asked)["node"]
    assert auditor.ask(NODE, **asked)["node"]
    assert stranger.ask(NODE, **asked)["node"] is None
    assert lead.ask(NODE, **asked, asOf={"position": str(int(position) - 1)})["node"] is None


@pytest.mark.parametrize("kind", sorted(NODES))
def test_nothing_is_found_under_an_id_that_nobody_has(api: Api, kind: str) -> None:
    assert api.client(Role.AUDITOR).ask(NODE, id=global_id(kind, uuid4())) == {"node": None}


def test_a_kind_that_has_no_global_id_is_refused(api: Api) -> None:
    error = api.client().error(NODE, id=global_id("Token", uuid4()))
    assert (error["extensions"]["code"], "Token" in error["message"]) == ("BAD_USER_INPUT", True)
