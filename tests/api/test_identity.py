"""Who comes in, with what, and what is kept of those who do not: over a real socket, with a real identity provider."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from ledger.api import keys as jwks
from ledger.api.answering import UNTRUSTED
from ledger.api.attempts import KEYS_MAX, OTHERS, Attempts, Key
from ledger.app import create_app
from ledger.directory import identities, members, tokens
from ledger.directory.access import AccessKind
from ledger.directory.identities import Identity
from ledger.directory.members import MemberKind, Person
from ledger.directory.scopes import Scope
from ledger.handlers import bootstrap
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import MemberId, Role
from tests.api.conftest import PEPPER, Api, Client, plain, served
from tests.api.provider import ADA, RSA_KEYS, IdentityProvider
from tests.api.test_jwt import FORGERIES, ODD

VIEWER = "{ viewer { member { memberId name kind } client authenticatedBy scopes expiresAt rolesAcrossTeams teams { teamId roles } } }"
LOG = """query L($kinds: [AccessKind!], $first: Int! = 100, $after: String, $member: UUID) {
  accessLog(kinds: $kinds, first: $first, after: $after, memberId: $member) {
    totalCount
    nodes { kind subject count client tokenId firstAt lastAt member { memberId } actedBy { memberId } }
    pageInfo { hasNextPage endCursor }
  }
}"""


@contextmanager
def directory(api: Api) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        yield connection


def asked(api: Api, token: str, query: str = VIEWER) -> httpx.Response:
    with plain(api.base_url, headers={"Authorization": f"Bearer {token}"}) as http:
        return http.post("/graphql", json={"query": query})


def let_in(api: Api, token: str) -> bool:
    response = asked(api, token)
    assert response.status_code in (200, 401), response.text
    return response.status_code == 200


def the_auditor(api: Api) -> Client:
    """An auditor whose role has reached the views."""
    found = api.client(Role.AUDITOR)
    deadline = time.monotonic() + 15
    while not found.ask(VIEWER)["viewer"]["rolesAcrossTeams"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def linked(api: Api, provider: IdentityProvider, client: Client) -> None:
    with directory(api) as connection:
        identities.link(connection, Identity(provider.issuer, ADA, client.member_id))


def log(auditor: Client, until: Callable[[list[dict[str, Any]]], bool], **wanted: Any) -> list[dict[str, Any]]:
    """The access log, once it says what it should."""
    deadline = time.monotonic() + 15
    while not until(found := auditor.ask(LOG, **wanted)["accessLog"]["nodes"]):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_somebody_of_the_provider_comes_in_as_the_member_whom_the_directory_links(
    api: Api, provider: IdentityProvider
) -> None:
    team_id = api.team()
    ada = api.client(Role.ENGINEER, team_id)
    assert not let_in(api, provider.token())
    linked(api, provider, ada)
    ada.ask("query ($at: Position) { viewer(atLeast: $at) { client } }", at=str(api.ledger.head()))
    viewer = asked(api, provider.token(scope="graphql:introspect")).json()["data"]["viewer"]
    assert viewer["member"] == {"memberId": str(ada.member_id), "name": "Ada", "kind": "PERSON"}
    assert (viewer["client"], viewer["authenticatedBy"]) == ("portal", "OIDC")
    assert viewer["scopes"] == ["graphql:free-form", "graphql:introspect", "graphql:mutate"]
    assert viewer["teams"] == [{"teamId": str(team_id), "roles": ["ENGINEER"]}]
    assert viewer["expiresAt"] is not None
    with directory(api) as connection:
        with pytest.raises(identities.LinkedAlready):
            identities.link(connection, Identity(provider.issuer, ADA, ada.member_id))
        assert identities.unlink(connection, provider.issuer, ADA)
        assert not identities.unlink(connection, provider.issuer, ADA)
    assert not let_in(api, provider.token())


def test_of_a_hundred_tokens_only_the_valid_ones_open_the_door(api: Api, provider: IdentityProvider) -> None:
    linked(api, provider, api.client())
    assert let_in(api, provider.token())
    for forgery in FORGERIES:
        assert not let_in(api, forgery.token(provider)), forgery.name
    for name, odd in ODD.items():
        if (token := odd(provider)).isascii():  # others are no header
            assert not let_in(api, token), name
    assert let_in(api, provider.token())
    assert provider.requests == 1  # whatever was asked of unknown keys
    auditor = the_auditor(api)
    expected = {f"OIDC: {forgery.stopped_by}" for forgery in FORGERIES}
    nodes = log(auditor, lambda nodes: expected <= {node["subject"] for node in nodes}, kinds=["UNAUTHENTICATED"])
    assert {node["member"] for node in nodes} == {None}  # nothing that a stranger says is believed


def test_without_a_provider_no_provider_lets_in(settings: Settings, provider: IdentityProvider) -> None:
    settings = replace(settings, oidc=())
    assert settings.database_url is not None
    with Ledger(settings.database_url) as ledger, served(create_app(settings), settings) as base_url:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        api = Api(settings.database_url, base_url, ledger)
        linked(api, provider, api.client())
        assert not let_in(api, provider.token())
    assert provider.requests == 0


def test_the_provider_is_down_kept_keys_do_and_then_the_door_is_closed(
    api: Api, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(api, provider, api.client())
    assert let_in(api, provider.token())
    provider.down()
    assert let_in(api, provider.token())
    assert not let_in(api, provider.token(key=RSA_KEYS[1], headers={"kid": "second"}))
    monkeypatch.setattr(jwks, "KEPT_S", 0.0)  # the hour is over
    assert not let_in(api, provider.token())


def test_an_erased_member_comes_in_no_more_and_the_provider_s_name_for_them_is_gone(
    api: Api, provider: IdentityProvider
) -> None:
    ada = api.client()
    linked(api, provider, ada)
    assert let_in(api, provider.token())
    assert let_in(api, ada.token)
    with directory(api) as connection:
        assert members.erase(connection, ada.member_id)
        assert identities.every(connection) == []
    assert not let_in(api, provider.token())
    assert not let_in(api, ada.token)


def test_a_token_says_what_it_may_be_used_for(api: Api) -> None:
    ada, team_id = api.client(Role.STEWARD), None
    assert ada.ask(VIEWER)["viewer"]["scopes"] == ["graphql:free-form", "graphql:introspect", "graphql:mutate"]
    with directory(api) as connection:
        secret, _ = tokens.create(connection, PEPPER, ada.member_id, "reader", granted=[Scope.FREE_FORM])
    reader = Client(api.base_url, secret, ada.member_id)
    error = reader.error('mutation { formTeam(input: {name: "Search"}) { teamId } }')
    assert (error["extensions"]["code"], "graphql:mutate" in error["message"]) == ("FORBIDDEN", True)
    assert api.sql("SELECT count(*) FROM ledger.events WHERE topic = 'TeamFormed'") == [(1,)]
    team_id = ada.ask('mutation { formTeam(input: {name: "Search"}) { teamId } }')["formTeam"]["teamId"]
    assert team_id is not None
    refused = asked(api, secret, "{ __schema { queryType { name } } }")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    reader.http.close()
    auditor = the_auditor(api)
    nodes = log(auditor, lambda nodes: len(nodes) == 2, kinds=["FORBIDDEN"])
    assert {node["subject"] for node in nodes} == {"formTeam", UNTRUSTED}
    for node in nodes:
        assert (node["client"], node["member"]) == ("reader", {"memberId": str(ada.member_id)})


def test_a_service_gets_trusted_documents_and_mutations_unless_it_is_given_more(api: Api) -> None:
    robot = MemberId(uuid4())
    with directory(api) as connection:
        members.put(connection, [Person(robot, "Build robot", kind=MemberKind.SERVICE)])
        usual, made = tokens.create(connection, PEPPER, robot, "ci")
        assert made.scopes == [Scope.MUTATE]
        assert asked(api, usual).status_code == 403
        secret, made = tokens.create(connection, PEPPER, robot, "ci", granted=[Scope.FREE_FORM])
    client = Client(api.base_url, secret, robot)
    assert client.ask(VIEWER)["viewer"]["member"]["kind"] == "SERVICE"
    client.http.close()


def test_a_token_is_rotated_without_a_pause(api: Api) -> None:
    ada = api.client()
    with directory(api) as connection:
        (old,) = tokens.every(connection)
        secret, made = tokens.rotate(connection, PEPPER, old.token_id, grace=timedelta(hours=1))
        assert (made.client, made.scopes, made.member_id) == (old.client, old.scopes, old.member_id)
        assert let_in(api, ada.token)
        assert let_in(api, secret)
        with pytest.raises(tokens.TooManyTokens):
            tokens.rotate(connection, PEPPER, old.token_id)
        (found,) = (token for token in tokens.every(connection) if token.token_id == old.token_id)
        assert found.expires_at is not None
        assert found.expires_at - datetime.now(UTC) <= timedelta(hours=1)  # the refused one has changed nothing
        assert tokens.revoke(connection, old.token_id)
        with pytest.raises(tokens.NoSuchToken):
            tokens.rotate(connection, PEPPER, old.token_id)
        assert not let_in(api, ada.token)
        newest, _ = tokens.rotate(connection, PEPPER, made.token_id, grace=timedelta(0))
    assert not let_in(api, secret)
    assert let_in(api, newest)


def test_what_became_of_tokens_and_identities_is_for_auditors_to_read(api: Api, provider: IdentityProvider) -> None:
    ada, auditor = api.client(), the_auditor(api)
    linked(api, provider, ada)
    with directory(api) as connection:
        old = next(token for token in tokens.every(connection) if token.member_id == ada.member_id)
        tokens.rotate(connection, PEPPER, old.token_id, by=auditor.member_id)
        tokens.revoke(connection, old.token_id)
        identities.unlink(connection, provider.issuer, ADA)
    nodes = auditor.ask(LOG, member=str(ada.member_id))["accessLog"]["nodes"]
    assert [node["kind"] for node in nodes] == [
        "IDENTITY_UNLINKED",
        "TOKEN_REVOKED",
        "TOKEN_ROTATED",
        "TOKEN_CREATED",
        "IDENTITY_LINKED",
        "TOKEN_CREATED",
    ]
    assert nodes[2]["actedBy"] == {"memberId": str(auditor.member_id)}
    assert nodes[1]["actedBy"] is None
    assert {node["tokenId"] for node in nodes if node["kind"] == "TOKEN_ROTATED"} == {str(old.token_id)}
    assert ADA not in str(nodes)  # the provider's name for somebody is personal
    for role in (None, Role.STEWARD, Role.INTEGRATOR):
        error = api.client(role).error(LOG)
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert "this team" not in error["message"]


def test_the_access_log_is_paged_from_the_latest_back(api: Api) -> None:
    auditor = the_auditor(api)
    for _ in range(4):
        api.client()
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = auditor.ask(LOG, first=2, after=after)["accessLog"]
        seen += [node["tokenId"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        assert page["totalCount"] == 5
    assert not page["pageInfo"]["hasNextPage"]
    assert len(seen) == len(set(seen)) == 5
    assert auditor.error(LOG, first=101)["extensions"]["code"] == "BAD_USER_INPUT"
    assert auditor.error(LOG, after="x")["extensions"]["code"] == "BAD_USER_INPUT"


def test_who_was_refused_is_recorded_and_a_flood_is_a_few_rows(api: Api) -> None:
    ada, auditor, team_id = api.client(), the_auditor(api), api.team()
    with directory(api) as connection:
        gone, token = tokens.create(connection, PEPPER, ada.member_id, "old portal")
        tokens.revoke(connection, token.token_id)
    for _ in range(150):
        assert ada.do("setCapacity", teamId=str(team_id), daysPerCycle="3")["userErrors"][0]["code"] == "FORBIDDEN"
    assert ada.error("{ mine: verify { holds } }")["extensions"]["code"] == "FORBIDDEN"
    planned = {"kind": "PRODUCT", "startsAt": "2026-01-31T12:00:00Z"}
    hidden = ada.do("scheduleReview", teamId=str(team_id), **planned)["userErrors"]
    assert hidden == ada.do("scheduleReview", teamId=str(uuid4()), **planned)["userErrors"]
    assert hidden[0]["code"] == "NOT_FOUND"  # to her; an auditor sees that it is there, and who tried
    for _ in range(40):
        assert not let_in(api, gone)
        assert not let_in(api, tokens.new_secret())

    def counted(nodes: list[dict[str, Any]]) -> dict[tuple[str, str | None], int]:
        found: dict[tuple[str, str | None], int] = {}
        for node in nodes:
            key = (node["subject"], node["client"])
            found[key] = found.get(key, 0) + node["count"]
        return found

    kinds = ["FORBIDDEN", "UNAUTHENTICATED"]
    expected = {
        ("setCapacity", "tests"),
        ("verify", "tests"),
        ("scheduleReview", "tests"),
        ("revoked token", "old portal"),
        ("unknown token", None),
    }
    log(auditor, lambda nodes: expected <= counted(nodes).keys(), kinds=kinds)
    assert api.sql("SELECT count(*) < 12 FROM directory.access WHERE kind = ANY (%s)", kinds) == [(True,)]
    assert api.sql("SELECT sum(count)::int FROM directory.access WHERE subject = 'scheduleReview'") == [(1,)]


def test_a_stopping_server_writes_down_what_it_has_counted(settings: Settings) -> None:
    assert settings.database_url is not None
    with Ledger(settings.database_url) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        with served(create_app(settings), settings) as base_url:
            api = Api(settings.database_url, base_url, ledger)
            for _ in range(25):
                assert not let_in(api, tokens.new_secret())
        rows = api.sql("SELECT sum(count)::int FROM directory.access WHERE subject = 'unknown token'")
    assert rows == [(25,)]


def test_attempts_are_counted_by_the_minute_and_their_keys_are_bounded() -> None:
    now = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
    attempts = Attempts(lambda: now)
    key = Key(AccessKind.FORBIDDEN, "verify")
    for _ in range(3):
        attempts.note(key)
    (first,) = attempts.due()
    assert (first.count, first.first_at) == (3, now)
    for _ in range(7):
        attempts.note(key)
    assert attempts.due() == []
    now += timedelta(minutes=1)
    (rest,) = attempts.due()
    assert rest.count == 7
    assert attempts.due() == []
    for number in range(KEYS_MAX + 1_000):
        attempts.note(Key(AccessKind.FORBIDDEN, str(number)))
    due = attempts.due()
    assert len(due) == KEYS_MAX + 1
    assert due[-1].subject == OTHERS
    assert due[-1].count == 1_000


def test_the_database_keeps_the_access_log_from_being_changed_for_400_days(api: Api) -> None:
    api.client()
    for change in (
        "UPDATE directory.access SET count = 2",
        "DELETE FROM directory.access",
        "TRUNCATE directory.access",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only for 400 days"):
            api.sql(change)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        api.sql(
            "SET ROLE ledger_writer; INSERT INTO directory.access (kind, subject, recorded_at) VALUES ('X', 'x', '2000-01-01')"
        )
    api.sql(
        "INSERT INTO directory.access (kind, subject, recorded_at) VALUES ('EXPORTED', 'old', now() - interval '401 days')"
    )
    api.sql("SET ROLE ledger_writer; DELETE FROM directory.access WHERE subject = 'old'")
    assert api.sql("SELECT count(*) FROM directory.access WHERE subject = 'old'") == [(0,)]


def test_old_rows_are_removed_by_the_server_itself(settings: Settings) -> None:
    assert settings.database_url is not None
    api = Api(settings.database_url, "", None)  # type: ignore[arg-type]
    api.sql(
        "INSERT INTO directory.access (kind, subject, recorded_at) VALUES ('EXPORTED', 'old', now() - interval '401 days')"
    )
    with served(create_app(settings), settings):
        deadline = time.monotonic() + 15
        while api.sql("SELECT 1 FROM directory.access WHERE subject = 'old'"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
