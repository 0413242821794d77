"""Mutations through HTTP, handlers, the log and back."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID, uuid4

from ledger.app import ViewLookups
from ledger.commands import derived_id
from ledger.values import ORGANISATION, Role
from tests.api.conftest import Api, case


def test_a_proposal_is_recorded_with_a_receipt(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    done = ada.do("submitProposal", teamId=str(team), title="One price engine", businessCase=case())
    assert done["userErrors"] == []
    assert done["version"] >= 1
    assert done["repeated"] is False
    assert int(done["position"]) == api.ledger.head() == int(done["receipt"]["facts"][-1]["position"])
    ((leaf,),) = api.sql("SELECT encode(leaf, 'hex') FROM ledger.events WHERE position = %s", int(done["position"]))
    assert done["receipt"]["facts"][-1]["leaf"] == leaf


def test_the_same_command_id_gives_the_first_outcome(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    asked = {"commandId": str(uuid4()), "teamId": str(team), "title": "Twice", "businessCase": case()}
    first = ada.do("submitProposal", **asked)
    again = ada.do("submitProposal", **asked)
    assert again == {**first, "repeated": True}
    other = ada.do("submitProposal", **{**asked, "title": "Another"})
    assert [error["code"] for error in other["userErrors"]] == ["COMMAND_REUSED"]
    assert other["position"] is None


def test_an_id_that_is_left_out_is_derived_from_the_command_id(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    command_id = uuid4()
    found = ada.ask(
        "mutation M($input: SubmitProposalInput!) { submitProposal(input: $input) { commandId proposalId teamId } }",
        input={"commandId": str(command_id), "teamId": str(team), "title": "Derived", "businessCase": case()},
    )["submitProposal"]
    assert found == {
        "commandId": str(command_id),
        "proposalId": str(derived_id(command_id, "proposal")),
        "teamId": str(team),
    }


def test_nobody_puts_a_thing_of_theirs_in_the_place_of_another_teams(api: Api) -> None:
    """By an id that they have seen: views and `node` know each by that alone."""
    asked = "query Q($at: Position) { concerns(atLeast: $at) { nodes { concernId text } } }"
    said, concern_id, clients = {}, str(uuid4()), []
    for name in ("Checkout", "Search"):
        team = api.team(name)
        clients.append(ada := api.client(Role.ENGINEER, team))
        made, proposal_id = uuid4(), uuid4()
        done = ada.do(
            "submitProposal",
            commandId=str(made),
            proposalId=str(proposal_id),
            teamId=str(team),
            title="Debt",
            businessCase=case(),
        )
        assert done["userErrors"] == []
        said[name] = ada.do("raiseConcern", proposalId=str(proposal_id), concernId=concern_id, text=f"{name} asks why?")
    assert said["Checkout"]["userErrors"] == []
    ((code, path),) = [(error["code"], error["path"]) for error in said["Search"]["userErrors"]]
    assert (code, path) == ("CONFLICT", ["input", "concernId"])
    nodes = clients[0].ask(asked, at=str(api.ledger.head()))["concerns"]["nodes"]
    assert nodes == [{"concernId": concern_id, "text": "Checkout asks why?"}]


def test_whose_an_id_is_is_known_with_the_view_behind_it_or_not_there(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    ids = [str(uuid4()) for _ in range(3)]
    for proposal_id in ids[:2]:
        submitted = {"proposalId": proposal_id, "teamId": str(team), "title": "Debt", "businessCase": case()}
        assert ada.do("submitProposal", **submitted)["userErrors"] == []
    assert ada.do("raiseConcern", proposalId=ids[0], concernId=ids[2], text="Why so soon?")["userErrors"] == []
    ada.ask("query Q($at: Position) { concerns(atLeast: $at) { totalCount } }", at=str(api.ledger.head()))
    with closing(ViewLookups(api.database_url)) as lookups:

        def whose(given: str) -> str | None:
            with lookups.proposal_of(UUID(given)) as found:
                return found and str(found)

        assert whose(ids[2]) == ids[0]
        assert whose(ids[0]) is None
        api.sql("DELETE FROM views.audit_concerns")
        assert whose(ids[2]) is None
        api.sql("UPDATE views.positions SET position = 0 WHERE view = 'audit'")
        assert whose(ids[2]) == ids[0]
        api.sql("DELETE FROM views.positions WHERE view = 'audit'")
        assert whose(ids[2]) == ids[0]
        api.sql("DROP TABLE views.audit_concerns")
        assert whose(ids[2]) == ids[0]


def test_of_two_who_bring_the_same_id_at_once_one_has_it(api: Api) -> None:
    team = api.team()
    people = [api.client(Role.ENGINEER, team) for _ in range(4)]
    proposals = [str(uuid4()) for _ in people]
    for person, proposal_id in zip(people, proposals, strict=True):
        given = {"proposalId": proposal_id, "teamId": str(team), "title": "Debt", "businessCase": case()}
        assert person.do("submitProposal", **given)["userErrors"] == []
    for _ in range(5):
        concern_id = str(uuid4())

        def raised(number: int, concern_id: str = concern_id) -> list[str]:
            done = people[number].do("raiseConcern", proposalId=proposals[number], concernId=concern_id, text="Why?")
            return [error["code"] for error in done["userErrors"]]

        with ThreadPoolExecutor(len(people)) as pool:
            assert sorted(pool.map(raised, range(len(people)))) == [[], ["CONFLICT"], ["CONFLICT"], ["CONFLICT"]]


def test_a_command_id_that_is_left_out_is_made_and_given(api: Api) -> None:
    steward = api.client(Role.STEWARD)
    first, second = (steward.do("formTeam", name="Search") for _ in range(2))
    assert first["userErrors"] == second["userErrors"] == []
    assert first["commandId"] != second["commandId"]


def test_a_field_out_of_bounds_is_a_user_error_with_its_path(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    before = api.ledger.head()
    done = ada.do("submitProposal", teamId=str(team), title="x" * 121, businessCase=case())
    (error,) = done["userErrors"]
    assert error["code"] == "BAD_USER_INPUT"
    assert error["path"] == ["input", "title"]
    assert "120" in error["message"]
    assert done["position"] is done["version"] is done["receipt"] is None
    assert api.ledger.head() == before


def test_a_nested_field_is_named_as_the_client_knows_it(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    done = ada.do("submitProposal", teamId=str(team), title="Deep", businessCase=case(risksOfFixing=["", "x"]))
    (error,) = done["userErrors"]
    assert error["path"] == ["input", "businessCase", "risksOfFixing", "0"]
    assert "risks_of" not in error["message"]


def test_a_rule_is_refused_with_its_own_code(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    only_looks = case(benefitsOfFixing=[{"code": "COSMETIC", "text": "It looks better than it did."}])
    (error,) = ada.do("submitProposal", teamId=str(team), title="Looks", businessCase=only_looks)["userErrors"]
    assert error["code"] == "CASE_INCOMPLETE"


def test_who_has_no_role_is_refused_with_whom_to_ask(api: Api) -> None:
    team = api.team()
    stranger = api.client()
    (error,) = stranger.do("submitProposal", teamId=str(team), title="Mine", businessCase=case())["userErrors"]
    assert error["code"] in {"FORBIDDEN", "NOT_FOUND"}


def test_a_stale_version_is_a_conflict(api: Api) -> None:
    team = api.team()
    steward = api.client(Role.STEWARD)
    seen = steward.do("setCapacity", teamId=str(team), daysPerCycle="10")
    steward.do("setCapacity", teamId=str(team), daysPerCycle="11", expectedVersion=seen["version"])
    (error,) = steward.do("setCapacity", teamId=str(team), daysPerCycle="12", expectedVersion=seen["version"])[
        "userErrors"
    ]
    assert error["code"] == "CONFLICT"


def test_a_map_of_figures_is_a_list_in_the_input(api: Api) -> None:
    steward = api.client(Role.STEWARD)
    formula = {
        "method": "WEIGHTED",
        "weights": [{"feature": "DRAG", "value": 2}, {"feature": "SMALLNESS", "value": 1.5}],
        "scale": [{"feature": "DRAG", "value": 40}],
    }
    assert steward.do("definePolicy", name="Drag first", formula=formula)["userErrors"] == []
    ((payload,),) = api.sql(
        "SELECT convert_from(payload, 'UTF8')::json -> 'formula' FROM ledger.events WHERE topic = 'PolicyDefined'"
    )
    assert payload["weights"] == {"drag": 2.0, "smallness": 1.5}
    assert payload["scale"] == {"drag": 40.0}


def test_what_was_true_earlier_is_recorded_as_of_then(api: Api) -> None:
    team = api.team()
    steward = api.client(Role.STEWARD)
    done = steward.do("setCapacity", teamId=str(team), daysPerCycle="10.25", occurredAt="2026-01-31T13:00:00+01:00")
    ((at, payload),) = api.sql(
        "SELECT occurred_at AT TIME ZONE 'UTC', convert_from(payload, 'UTF8')::json ->> 'days_per_cycle'"
        " FROM ledger.events WHERE position = %s",
        int(done["position"]),
    )
    assert (at.isoformat(), payload) == ("2026-01-31T12:00:00", "10.25")


def test_several_mutations_of_one_document_are_done_in_order(api: Api) -> None:
    steward = api.client(Role.STEWARD)
    first, second = str(uuid4()), str(uuid4())
    found = steward.ask(
        "mutation M($a: FormTeamInput!, $b: SetCapacityInput!)"
        " { formTeam(input: $a) { position userErrors { message } } setCapacity(input: $b) { position userErrors { message } } }",
        a={"teamId": first, "name": "First", "commandId": second},
        b={"teamId": first, "daysPerCycle": "5"},
    )
    assert found["formTeam"]["userErrors"] == found["setCapacity"]["userErrors"] == []
    assert int(found["formTeam"]["position"]) < int(found["setCapacity"]["position"])


def test_an_answer_says_the_position_that_it_recorded(api: Api) -> None:
    steward = api.client(Role.STEWARD)
    body = steward.answer(
        "mutation M($input: FormTeamInput!) { formTeam(input: $input) { position } }", input={"name": "Search"}
    )
    assert body["extensions"]["ledger"] == {"position": body["data"]["formTeam"]["position"], "lagMs": 0}


def test_a_role_that_was_given_is_there_at_its_position(api: Api) -> None:
    steward, ada = api.client(Role.STEWARD), api.client()
    query = "query V($at: Position) { viewer(atLeast: $at) { rolesAcrossTeams teams { teamId roles } member { memberId name } client } }"
    assert ada.ask(query)["viewer"] == {
        "rolesAcrossTeams": [],
        "teams": [],
        "member": {"memberId": str(ada.member_id), "name": "Ada"},
        "client": "tests",
    }
    member = str(ada.member_id)
    for done in (
        steward.do("addMember", teamId=str(ORGANISATION), memberId=member),
        steward.do("grantRole", teamId=str(ORGANISATION), memberId=member, role="AUDITOR"),
    ):
        assert done["userErrors"] == []
    assert ada.ask(query, at=done["position"])["viewer"]["rolesAcrossTeams"] == ["AUDITOR"]
