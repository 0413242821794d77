"""The root fields over the backlog and teams views, through the real API, on a seeded history."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.facts import History
from ledger.api.node import global_id
from ledger.events.team import TeamFormed
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import Role, TeamId
from tests.api.conftest import Api, Client
from tests.projections.recording import append_all

PAGE = """
query Page($filter: ProposalFilter, $order: ProposalOrder, $first: Int! = 50, $after: String, $asOf: AsOf, $atLeast: Position) {
  backlog(filter: $filter, orderBy: $order, first: $first, after: $after, asOf: $asOf, atLeast: $atLeast) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes {
      id proposalId teamId title area kind status submittedAt rank score policyVersion proposers { memberId name }
      why { total terms { name value contribution } missing }
      case { version problem benefits } estimate { likely expectedDays unit } impact { drag growth level judgedLevel }
      concernsOpen concernsBlocking concernsUnanswered needs carriedOver isImported withoutYes
      decision { verdict disposition decider { memberId } codes toldAt answer }
    } } }
"""


class Told:
    """A seeded history in a served ledger: its teams, and the position where it ends."""

    def __init__(self, teams: list[TeamId], policy_id: Any, head: int) -> None:
        self.teams = teams
        self.policy_id = policy_id
        self.head = head


@pytest.fixture
def told(api: Api, settings: Settings) -> Iterator[Told]:
    assert settings.database_url is not None
    history = History(3, teams=2, together=30)
    events = list(history.events(facts=500))
    with Ledger(settings.database_url) as ledger:
        append_all(ledger, events)
        teams = [TeamId(event.stream_id) for event in events if isinstance(event.fact, TeamFormed)]
        yield Told(teams, history.policy, ledger.head())


@pytest.fixture
def auditor(api: Api, told: Told) -> Client:
    return known(api, api.client(Role.AUDITOR))


def known(api: Api, client: Client) -> Client:
    """The client, once the ledger's views know the roles that it was just given."""
    client.ask("query ($at: Position) { viewer(atLeast: $at) { client } }", at=str(api.ledger.head()))
    return client


def test_the_backlog_is_ranked_and_each_row_says_why(auditor: Client, told: Told) -> None:
    team = str(told.teams[0])
    found = auditor.ask(PAGE, filter={"teamIds": [team]}, atLeast=str(told.head))["backlog"]
    rows = found["nodes"]
    assert found["totalCount"] == len(rows) > 5
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    for row in rows:
        assert (row["status"], row["teamId"], row["policyVersion"]) == ("PENDING", team, 1)
        assert row["why"]["total"] == pytest.approx(row["score"], rel=1e-11)
        assert sum(term["contribution"] for term in row["why"]["terms"]) == pytest.approx(row["score"])
        assert row["case"]["benefits"] == ["EASES_CHANGE", "REDUCES_INCIDENTS"]


def test_pages_follow_each_other_in_any_order(auditor: Client, told: Told) -> None:
    for order in ({"field": "SCORE"}, {"field": "DRAG", "direction": "ASC"}, {"field": "SUBMITTED_AT"}):
        whole = auditor.ask(PAGE, order=order, first=100, atLeast=str(told.head))["backlog"]
        after, seen = None, []
        while True:
            found = auditor.ask(PAGE, order=order, first=7, after=after)["backlog"]
            seen += [row["proposalId"] for row in found["nodes"]]
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert seen == [row["proposalId"] for row in whole["nodes"]]


def test_a_cursor_of_another_order_is_refused(auditor: Client, told: Told) -> None:
    found = auditor.ask(PAGE, first=3, atLeast=str(told.head))["backlog"]["pageInfo"]["endCursor"]
    error = auditor.error(PAGE, after=found, order={"field": "TITLE"})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


def test_the_past_backlog_is_what_it_was(auditor: Client, told: Told) -> None:
    then = auditor.ask(PAGE, asOf={"position": str(told.head // 2)}, atLeast=str(told.head))["backlog"]
    now = auditor.ask(PAGE)["backlog"]
    assert then["totalCount"] > 0
    assert then["nodes"] != now["nodes"]
    assert all(row["decision"] is None for row in then["nodes"])


def test_who_has_no_role_in_a_team_sees_nothing_of_it(api: Api, told: Told) -> None:
    member = known(api, api.client(Role.ENGINEER, told.teams[0]))
    rows = member.ask(PAGE, atLeast=str(api.ledger.head()))["backlog"]["nodes"]
    assert {row["teamId"] for row in rows} == {str(told.teams[0])}
    assert member.ask(PAGE, filter={"teamIds": [str(told.teams[1])]})["backlog"]["nodes"] == []
    error = member.error(f'{{ team(teamId: "{told.teams[1]}") {{ name }} }}')
    assert error["extensions"]["code"] == "NOT_FOUND"
    auditor = known(api, api.client(Role.AUDITOR))
    other = auditor.ask(PAGE, filter={"teamIds": [str(told.teams[1])]})["backlog"]["nodes"][0]
    assert (
        member.error('{{ proposal(proposalId: "{}") {{ title }} }}'.format(other["proposalId"]))["extensions"]["code"]
        == "NOT_FOUND"
    )
    assert member.ask('{{ node(id: "{}") {{ id }} }}'.format(other["id"]))["node"] is None


def test_a_proposal_is_found_by_its_id_and_by_its_global_id(auditor: Client, told: Told) -> None:
    first, second = auditor.ask(PAGE, first=2, atLeast=str(told.head))["backlog"]["nodes"]
    found = auditor.ask('{{ proposal(proposalId: "{}") {{ id title rank }} }}'.format(first["proposalId"]))["proposal"]
    assert found == {"id": first["id"], "title": first["title"], "rank": first["rank"]}
    several = '{{ proposals(proposalIds: ["{}", "{}"]) {{ title }} }}'.format(second["proposalId"], first["proposalId"])
    assert auditor.ask(several)["proposals"] == [{"title": second["title"]}, {"title": first["title"]}]
    node = auditor.ask('{{ node(id: "{}") {{ ... on Proposal {{ title }} }} }}'.format(first["id"]))["node"]
    assert node == {"title": first["title"]}


def test_areas_sum_up_to_the_whole(auditor: Client, told: Told) -> None:
    areas = auditor.ask(
        "query ($at: Position) { areas(atLeast: $at) { area pending pendingDrag notEstimated } }", at=str(told.head)
    )["areas"]
    total = auditor.ask(PAGE, first=1)["backlog"]["totalCount"]
    assert sum(area["pending"] for area in areas) == total
    assert areas == sorted(areas, key=lambda area: -area["pendingDrag"])
    one = auditor.ask('{{ area(area: "{}") {{ pending }} }}'.format(areas[0]["area"]))["area"]
    assert one == {"pending": areas[0]["pending"]}
    assert auditor.ask('{ area(area: "nowhere") { pending } }')["area"] is None


def test_a_manager_finds_what_waits_and_nobody_else_does(api: Api, told: Told) -> None:
    manager = known(api, api.client(Role.PRODUCT_MANAGER, told.teams[0]))
    query = (
        "query ($at: Position) { inbox(atLeast: $at) { teamId concernsUnanswered decision { disposition toldAt } } }"
    )
    waiting = manager.ask(query, at=str(told.head))["inbox"]
    assert waiting
    for row in waiting:
        assert row["teamId"] == str(told.teams[0])
        assert row["concernsUnanswered"] or (row["decision"]["disposition"], row["decision"]["toldAt"]) != (
            "SCHEDULE",
            None,
        )
    assert known(api, api.client(Role.ENGINEER, told.teams[0])).ask("{ inbox { title } }")["inbox"] == []


def test_teams_policies_and_reasons_are_shown(api: Api, auditor: Client, told: Told) -> None:
    teams = auditor.ask(
        "query ($at: Position) { teams(atLeast: $at) { nodes { teamId name policyId members { roles } } } }",
        at=str(told.head),
    )
    names = [team["name"] for team in teams["teams"]["nodes"]]
    assert names == ["Team 1", "Team 2"]
    assert {len(team["members"]) for team in teams["teams"]["nodes"]} == {9}
    (policy,) = auditor.ask("{ policies { id name latest { version formula { method engineers } } activeIn } }")[
        "policies"
    ]
    assert (policy["name"], policy["latest"]["formula"]) == ("Cost of delay", {"method": "CD3", "engineers": 1.0})
    assert sorted(policy["activeIn"]) == sorted(map(str, told.teams))
    assert policy["id"] == global_id("Policy", told.policy_id)
    force = auditor.ask(f'{{ policyInForce(teamId: "{told.teams[0]}") {{ name version policyId }} }}')["policyInForce"]
    assert force == {"name": "Cost of delay", "version": 1, "policyId": str(told.policy_id)}
    unranked = api.team("Unranked")
    head = str(api.ledger.head())
    force = auditor.ask(f'{{ policyInForce(teamId: "{unranked}", atLeast: "{head}") {{ version policyId }} }}')
    assert force["policyInForce"] == {"version": 0, "policyId": None}
    codes = auditor.ask("{ reasonCodes(active: true) { code companion } }")["reasonCodes"]
    assert {"OPPORTUNITY_COST", "OTHER"} <= {code["code"] for code in codes}
