"""Which state of the ledger an answer shows: the present one, one that has been waited for, or a past one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from graphql import GraphQLError
from strawberry import UNSET

from ledger.api.asof import AsOf
from ledger.api.connection import Page, cursor
from ledger.api.context import Context, Viewer
from ledger.api.node import global_id, parse_global_id
from ledger.api.scalars import Position
from ledger.app import running
from ledger.settings import Settings
from ledger.values import ORGANISATION, MemberId, Role, TeamId
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.api.conftest import Api

VIEWER = "query V($at: Position) { viewer(atLeast: $at) { client } }"


def test_what_was_written_is_read_at_its_position(api: Api) -> None:
    steward = api.client(Role.STEWARD)
    for _ in range(10):
        done = steward.do("formTeam", name="Search")
        body = steward.answer(VIEWER, at=done["position"])
        assert "errors" not in body
        assert int(body["extensions"]["ledger"]["position"]) >= int(done["position"])


@pytest.mark.parametrize("wait_s", [0.5])
def test_a_view_that_does_not_get_there_says_that_it_is_late(api: Api, wait_s: float) -> None:
    ada = api.client()
    head = api.ledger.head()
    api.until_ready()
    error, seconds = asyncio.run(_timed(lambda: asyncio.to_thread(ada.error, VIEWER, at=str(head + 1))))
    assert seconds >= wait_s
    assert error["extensions"]["code"] == "VIEW_LATE"
    assert (error["extensions"]["view"], error["extensions"]["position"]) == ("teams", str(head))
    assert str(head + 1) in error["message"]


def test_a_view_that_has_stopped_says_so_at_once_and_its_lag_shows(api: Api) -> None:
    steward = api.client(Role.STEWARD)
    steward.ask(VIEWER, at=str(api.ledger.head()))
    api.sql("UPDATE views.positions SET fault = 'stopped', position = position - 1 WHERE view = 'teams'")
    before = asyncio.run(_timed(lambda: asyncio.to_thread(steward.error, VIEWER, at=str(api.ledger.head()))))
    error, seconds = before
    assert error["extensions"]["code"] == "VIEW_LATE"
    assert "operator" in error["message"]
    assert seconds < 5  # the longest wait that this server allows: it did not wait


@pytest.mark.parametrize("wait_s", [0.5])
def test_what_another_version_has_built_is_not_read_until_it_is_built_again(api: Api, settings: Settings) -> None:
    api.team()
    ada = api.client(Role.AUDITOR)
    api.until_ready()
    query = "{ teams(first: 9) { nodes { name } } }"
    api.sql("UPDATE views.positions SET definition = 'another', position = 0 WHERE view = 'teams'")
    api.sql("UPDATE views.teams SET doc = 'written in another way'")
    error = ada.error(query)
    assert error["extensions"]["code"] == "VIEW_LATE"
    assert error["message"] == "The view teams is being built. Ask again in a moment."
    ready = httpx.get(f"{api.base_url}/health/ready")
    assert (ready.status_code, ready.json()["views"]) == (503, "behind")
    rebuild(str(settings.database_url), api.ledger, VIEWS)
    assert ada.ask(query) == {"teams": {"nodes": [{"name": "Checkout"}]}}


async def _timed(call: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    return await call(), loop.time() - start


def positions(
    settings: Settings, *asked: AsOf | None, roles: dict[TeamId, frozenset[Role]] | None = None
) -> list[int | None]:
    """What each means for the view `teams`, in the application's own pools, to a viewer with those roles."""

    async def find() -> list[int | None]:
        async with running(str(settings.database_url), settings, follow=True) as parts:
            viewer = Viewer(MemberId(uuid4()), "tests", roles or {})
            return [await Context(viewer, parts.resources).position("teams", one) for one in asked]

    return asyncio.run(find())


def test_as_of_takes_a_position_an_instant_or_a_review(api: Api, settings: Settings) -> None:
    api.team()
    seen = api.ledger.head()
    recorded_at = api.ledger.read(seen - 1, 1)[0].recorded_at
    assert recorded_at is not None
    api.team()
    assert positions(
        settings,
        None,
        AsOf(position=Position(1)),
        AsOf(position=Position(0)),
        AsOf(recorded_at=recorded_at),
        AsOf(recorded_at=recorded_at - timedelta(days=400)),
        AsOf(recorded_at=datetime.now(UTC) + timedelta(days=400)),
    ) == [None, 1, 0, seen, 0, api.ledger.head()]


@pytest.mark.parametrize("asked", [AsOf(position=Position(10**9)), AsOf(review_id=uuid4())])
def test_a_state_that_never_was_is_refused(api: Api, settings: Settings, asked: AsOf) -> None:
    with pytest.raises(GraphQLError) as refused:
        positions(settings, asked)
    assert (refused.value.extensions or {})["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("as_of", "word"),
    [
        ('{position: "1", recordedAt: "2026-01-01T00:00:00Z"}', "exactly one"),
        ("{}", "exactly one"),
        ("{position: null}", "non-null"),
        ('{recordedAt: "yesterday"}', "instant"),
        ('{recordedAt: "2026-01-01T00:00:00"}', "time zone"),
        ('{position: "-1"}', "position"),
        ('{reviewId: "1"}', "UUID"),
    ],
)
def test_as_of_takes_exactly_one_sound_value(api: Api, as_of: str, word: str) -> None:
    error = api.client().error(f'{{ node(id: "x", asOf: {as_of}) {{ id }} }}')
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert word in error["message"]


def test_a_review_shows_what_it_could_know_when_it_opened(api: Api, settings: Settings) -> None:
    review, team, known = uuid4(), uuid4(), api.ledger.head()
    for version, (topic, payload) in enumerate(
        [
            ("ReviewScheduled", f'{{"team_id":"{team}"}}'),
            ("ReviewOpened", f'{{"knowledge_position":{known},"capacity":"1","attendees":[]}}'),
        ],
        1,
    ):
        api.sql(
            "INSERT INTO ledger.events SELECT position + 1000, %s, %s, %s, recorded_at, occurred_at, command_id,"
            " salt, meta, convert_to(%s, 'UTF8'), leaf FROM ledger.events ORDER BY position DESC LIMIT 1",
            review,
            version,
            topic,
            payload,
        )
    assert positions(settings, AsOf(review_id=review), roles={TeamId(team): frozenset({Role.OBSERVER})}) == [known]
    with pytest.raises(GraphQLError, match="or you may not see it"):
        positions(settings, AsOf(review_id=review))


def test_a_viewer_sees_the_teams_of_their_roles_and_an_auditor_all() -> None:
    mine, other = TeamId(uuid4()), TeamId(uuid4())

    def sees(**roles: Any) -> frozenset[TeamId] | None:
        held = {mine if team == "mine" else ORGANISATION: frozenset({role}) for team, role in roles.items()}
        return Context(Viewer(MemberId(uuid4()), "tests", held), UNSET).visible_teams()

    assert sees() == frozenset()
    assert sees(mine=Role.OBSERVER) == {mine}
    assert sees(mine=Role.ENGINEER, organisation=Role.AUDITOR) is None
    assert other not in (sees(mine=Role.PRODUCT_MANAGER) or ())


def test_a_cursor_goes_on_behind_its_row() -> None:
    rows = [(n / 2, UUID(int=n)) for n in range(7)]
    seen: list[tuple[float, UUID]] = []
    after = None
    while True:
        page = Page.of(3, after, "score", float, UUID)
        left = [row for row in rows if page.key is None or row > page.key]
        shown = page.connection(left[: page.limit], key=lambda row: row, node=lambda row: row)
        seen += shown.nodes
        assert [edge.node for edge in shown.edges] == shown.nodes
        assert shown.page_info.has_previous_page is (after is not None)
        after = shown.page_info.end_cursor
        if not shown.page_info.has_next_page:
            break
    assert seen == rows


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x",
        "%%%",
        "é",
        "=" * 5_000,
        "W10",
        cursor("other", (1.5, 2)),
        cursor("score", ("a", 2)),
        cursor("score", ()),
    ],
)
def test_a_cursor_that_is_none_is_refused(after: str) -> None:
    with pytest.raises(GraphQLError, match="cursor") as refused:
        Page.of(3, after, "score", float, int)
    assert (refused.value.extensions or {})["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("first", [-1, 0, 101, 2**31])
def test_a_page_has_one_to_a_hundred_rows(first: int) -> None:
    with pytest.raises(GraphQLError, match="1 to 100"):
        Page.of(first, None, "score")


def test_a_global_id_reads_back() -> None:
    uuid = uuid4()
    assert parse_global_id(global_id("Team", uuid)) == ("Team", uuid)
    for bad in ("", "x", global_id("Team", uuid)[:-4], "é", "a" * 10_000):
        with pytest.raises(GraphQLError, match="global id"):
            parse_global_id(bad)
