"""Stewards say over the API whom the people of identity providers are here: it counts at once, and the record of access has it."""

from typing import Any
from uuid import UUID, uuid4

from ledger.commands.team import RevokeRole
from ledger.directory import identities, members, tokens
from ledger.directory.identities import Identity
from ledger.directory.members import Person
from ledger.directory.scopes import Scope
from ledger.values import ORGANISATION, SYSTEM, MemberId, Role
from tests.api.conftest import PEPPER, Api, Client
from tests.api.provider import ADA, IdentityProvider
from tests.api.test_identity import LOG, VIEWER, asked, directory, let_in, log, the_auditor

ANSWER = "userErrors { code message path } position receipt { recordedAt } repeated"
LINK = f"mutation L($input: LinkIdentityInput!) {{ linkIdentity(input: $input) {{ memberId {ANSWER} }} }}"
UNLINK = f"mutation U($input: UnlinkIdentityInput!) {{ unlinkIdentity(input: $input) {{ {ANSWER} }} }}"
LINKS = """query I($member: UUID, $first: Int! = 50, $after: String, $at: Position) {
  identities(memberId: $member, first: $first, after: $after, atLeast: $at) {
    totalCount
    nodes { issuer subject member { memberId name } }
    pageInfo { hasNextPage endCursor }
  }
}"""


def link(by: Client, issuer: str, subject: str, member_id: UUID) -> dict[str, Any]:
    given = {"issuer": issuer, "subject": subject, "memberId": str(member_id)}
    found: dict[str, Any] = by.ask(LINK, input=given)["linkIdentity"]
    return found


def unlink(by: Client, issuer: str, subject: str) -> dict[str, Any]:
    found: dict[str, Any] = by.ask(UNLINK, input={"issuer": issuer, "subject": subject})["unlinkIdentity"]
    return found


def refusal(payload: dict[str, Any]) -> tuple[str, list[str]]:
    (error,) = payload["userErrors"]
    assert payload.get("memberId") is None
    return error["code"], error["path"]


def test_who_is_linked_comes_in_and_who_is_unlinked_does_not(api: Api, provider: IdentityProvider) -> None:
    steward, auditor, ada, ben = api.client(Role.STEWARD), the_auditor(api), api.client(), api.client(name="Ben")
    head = api.ledger.head()
    assert not let_in(api, provider.token())

    done = link(steward, provider.issuer, ADA, ada.member_id)
    assert done["userErrors"] == []
    assert (done["memberId"], done["repeated"]) == (str(ada.member_id), False)
    viewer = asked(api, provider.token()).json()["data"]["viewer"]
    assert viewer["member"]["memberId"] == str(ada.member_id)
    assert link(steward, provider.issuer, ADA, ada.member_id)["repeated"] is True
    assert refusal(link(steward, provider.issuer, ADA, ben.member_id)) == ("CONFLICT", ["input", "subject"])
    assert asked(api, provider.token()).json()["data"]["viewer"]["member"]["memberId"] == str(ada.member_id)

    for who in (steward, auditor):
        (node,) = who.ask(LINKS, at=str(head))["identities"]["nodes"]
        assert node == {
            "issuer": provider.issuer,
            "subject": ADA,
            "member": {"memberId": str(ada.member_id), "name": "Ada"},
        }

    assert unlink(steward, provider.issuer, ADA)["userErrors"] == []
    assert not let_in(api, provider.token())
    assert refusal(unlink(steward, provider.issuer, ADA)) == ("NOT_FOUND", ["input", "subject"])
    assert steward.ask(LINKS)["identities"]["nodes"] == []

    nodes = auditor.ask(LOG, kinds=["IDENTITY_LINKED", "IDENTITY_UNLINKED"])["accessLog"]["nodes"]
    assert [(node["kind"], node["subject"], node["actedBy"]["memberId"]) for node in nodes] == [
        ("IDENTITY_UNLINKED", provider.issuer, str(steward.member_id)),
        ("IDENTITY_LINKED", provider.issuer, str(steward.member_id)),
    ]
    assert api.ledger.head() == head  # and no fact says whose subject anybody is
    assert done["position"] is done["receipt"] is None


def test_whoever_is_no_steward_lets_nobody_in(api: Api, provider: IdentityProvider) -> None:
    team_id, auditor = api.team(), the_auditor(api)
    former = api.client(Role.STEWARD)
    api.issue(RevokeRole(ORGANISATION, former.member_id, Role.STEWARD))  # which the views may not know yet
    own = api.client(Role.PRODUCT_MANAGER, team_id)
    for who in (own, auditor, former, api.client(), api.client(Role.INTEGRATOR)):
        for payload in (link(who, provider.issuer, ADA, who.member_id), unlink(who, provider.issuer, ADA)):
            assert refusal(payload) == ("FORBIDDEN", [])
    assert not let_in(api, provider.token())
    for who in (own, api.client(), api.client(Role.INTEGRATOR)):
        assert who.error(LINKS)["extensions"]["code"] == "FORBIDDEN"
    subjects = {"linkIdentity", "unlinkIdentity", "identities"}
    log(auditor, lambda nodes: subjects <= {node["subject"] for node in nodes}, kinds=["FORBIDDEN"])

    steward = api.client(Role.STEWARD)
    with directory(api) as connection:
        secret, _ = tokens.create(connection, PEPPER, steward.member_id, "reader", granted=[Scope.FREE_FORM])
    reader = Client(api.base_url, secret, steward.member_id)
    given = {"issuer": provider.issuer, "subject": ADA, "memberId": str(steward.member_id)}
    assert reader.error(LINK, input=given)["extensions"]["code"] == "FORBIDDEN"
    reader.http.close()


def test_what_cannot_be_linked_is_refused_with_what_is_wrong(api: Api, provider: IdentityProvider) -> None:
    steward, gone = api.client(Role.STEWARD), api.client()
    with directory(api) as connection:
        members.erase(connection, gone.member_id)
        members.put(connection, [Person(SYSTEM, "System")])
    for nobody in (MemberId(uuid4()), gone.member_id, SYSTEM):
        assert refusal(link(steward, provider.issuer, ADA, nobody)) == ("NOT_FOUND", ["input", "memberId"])
    me = steward.member_id
    assert refusal(link(steward, f"{provider.issuer}/", ADA, me)) == ("NOT_FOUND", ["input", "issuer"])
    for subject in ("", "x" * 256, "a\0b", "a\nb"):
        assert refusal(link(steward, provider.issuer, subject, me)) == ("BAD_USER_INPUT", ["input", "subject"])
    for subject in ("", "x" * 256, "a\0b"):
        assert refusal(unlink(steward, provider.issuer, subject)) == ("NOT_FOUND", ["input", "subject"])
    assert api.sql("SELECT count(*) FROM directory.identities") == [(0,)]
    assert asked(api, steward.token, VIEWER).status_code == 200


def test_links_are_paged_in_their_order_and_by_member(api: Api) -> None:
    auditor, ada, ben = the_auditor(api), api.client(), api.client(name="Ben")
    linked = [(f"https://{host}.example", f"{number}") for host in ("a", "b") for number in range(3)]
    with directory(api) as connection:
        for number, (issuer, subject) in enumerate(reversed(linked)):
            identities.link(connection, Identity(issuer, subject, (ada if number % 2 else ben).member_id))
    seen, after = [], None
    for _ in range(3):
        page = auditor.ask(LINKS, first=2, after=after)["identities"]
        seen += [(node["issuer"], node["subject"]) for node in page["nodes"]]
        assert page["totalCount"] == len(linked)
        after = page["pageInfo"]["endCursor"]
    assert seen == linked
    assert not page["pageInfo"]["hasNextPage"]
    of_ben = auditor.ask(LINKS, member=str(ben.member_id))["identities"]
    assert [node["member"]["name"] for node in of_ben["nodes"]] == ["Ben"] * of_ben["totalCount"] == ["Ben"] * 3
    assert auditor.error(LINKS, first=101)["extensions"]["code"] == "BAD_USER_INPUT"
    assert auditor.error(LINKS, after="x")["extensions"]["code"] == "BAD_USER_INPUT"
