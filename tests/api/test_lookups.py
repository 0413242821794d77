"""An agenda is frozen on what is there now: views that lag are waited for, and said to be late."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from graphql import GraphQLError

from ledger.app import ViewLookups
from ledger.handlers import bootstrap
from ledger.store.application import Ledger
from ledger.values import Role, TeamId
from projections.catalogue import VIEWS
from projections.follower import Follower
from tests.api.conftest import Api, case


def test_a_proposal_of_a_moment_ago_is_on_the_agenda(api: Api) -> None:
    team_id = api.team()
    ada, paula = api.client(Role.ENGINEER, team_id), api.client(Role.PRODUCT_MANAGER, team_id)
    asked = []
    for number in range(5):
        proposal_id, review_id = str(uuid4()), str(uuid4())
        given = {"proposalId": proposal_id, "teamId": str(team_id), "title": f"Debt {number}", "businessCase": case()}
        assert ada.do("submitProposal", **given)["userErrors"] == []
        asked.append(proposal_id)
        planned = {"reviewId": review_id, "teamId": str(team_id), "kind": "PRODUCT"}
        assert paula.do("scheduleReview", **planned, startsAt=datetime.now(UTC).isoformat())["userErrors"] == []
        frozen = paula.do("freezeAgenda", reviewId=review_id)
        assert frozen["userErrors"] == []
        (on_it,) = api.sql(
            "SELECT convert_from(payload, 'UTF8')::json -> 'items' FROM ledger.events WHERE position = %s",
            int(frozen["position"]),
        )[0]
        assert {item["proposal_id"] for item in on_it} == set(asked)


def test_a_view_that_does_not_get_there_is_said_to_be_late(database_url: str) -> None:
    lookups, team_id = ViewLookups(database_url, wait_s=0.05), TeamId(uuid4())
    with Ledger(database_url) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        assert _refused(lookups, team_id) == {"code": "VIEW_LATE", "view": "backlog", "position": "0", "lagMs": 0}
        with Follower(database_url, ledger, VIEWS) as follower:
            assert all(follower.wait_for(view.name, ledger.head(), 60) for view in VIEWS)
    assert lookups.pending(team_id) == []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE views.positions SET position = 0, fault = 'poison' WHERE view = 'audit'")
    with pytest.raises(GraphQLError, match="needs an operator"):
        lookups.postponed(team_id)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE views.positions SET definition = 'another' WHERE view = 'backlog'")
    assert _refused(lookups, team_id)["code"] == "VIEW_LATE"
    lookups.close()


def _refused(lookups: ViewLookups, team_id: TeamId) -> dict[str, object]:
    with pytest.raises(GraphQLError) as found:
        lookups.pending(team_id)
    return dict(found.value.extensions or {})
