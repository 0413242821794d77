"""Who comes in, and what may be sent: over a real socket, with the codes and statuses that clients see."""

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from ledger.app import create_app
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.directory.tokens import is_well_formed, new_secret
from ledger.settings import Settings
from ledger.store.integrity import remembering
from ledger.values import MemberId, Role
from tests.api.conftest import PEPPER, Api, plain, served
from tests.databases import Server
from tests.integrity.conftest import cut_to

COUNT = "{ teams { totalCount } }"
VIEWER = "{ viewer { client } }"
GRAPHQL_JSON = "application/graphql-response+json"


def post(api: Api, body: Any = None, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body or {"query": VIEWER}).encode()
    with plain(api.base_url) as http:
        return http.post("/graphql", content=content, headers={"Content-Type": "application/json", **headers})


def refused(response: httpx.Response, status: int, code: str) -> str:
    """The sentence of an answer that must refuse with this status and code."""
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (status, code), response.text
    return str(error["message"])


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer x",
        "Basic YTpi",
        "Bearer ldg_" + "0" * 36,
        "Bearer <well-formed>",
        "Bearer " + "ldg_" * 9_000,
    ],
)
def test_nothing_without_a_live_token(api: Api, authorization: str | None) -> None:
    sent = authorization and authorization.replace("<well-formed>", new_secret())
    response = post(api, **({} if sent is None else {"Authorization": sent}))
    refused(response, 401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_or_expired_token_lets_nobody_in(api: Api) -> None:
    ada = api.client()
    assert ada.ask(VIEWER)
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        (token,) = (token for token in tokens.every(connection) if token.member_id == ada.member_id)
        assert token.last_used_at is not None
        assert ada.token.startswith(token.hint)
        assert tokens.revoke(connection, token.token_id)
        assert not tokens.revoke(connection, token.token_id)
        gone, _ = tokens.create(
            connection, PEPPER, ada.member_id, "tests", expires_at=datetime.now(UTC) - timedelta(seconds=1)
        )
    refused(ada.http.post("/graphql", json={"query": VIEWER}), 401, "UNAUTHENTICATED")
    refused(post(api, Authorization=f"Bearer {gone}"), 401, "UNAUTHENTICATED")


def test_a_client_has_two_live_tokens_at_most(api: Api) -> None:
    ada = api.client()
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        second, token = tokens.create(connection, PEPPER, ada.member_id, "tests")
        with pytest.raises(tokens.TooManyTokens):
            tokens.create(connection, PEPPER, ada.member_id, "tests")
        tokens.create(connection, PEPPER, ada.member_id, "another client")
        tokens.revoke(connection, token.token_id)
        tokens.create(connection, PEPPER, ada.member_id, "tests")
    refused(post(api, Authorization=f"Bearer {second}"), 401, "UNAUTHENTICATED")


def test_the_database_keeps_no_token(api: Api) -> None:
    ada = api.client()
    rows = api.sql("SELECT row_to_json(t)::text FROM directory.tokens AS t")
    assert rows
    assert not any(ada.token in row[0] for row in rows)


def test_a_token_for_nobody_is_not_made(api: Api) -> None:
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        nobody = MemberId(api.team())
        with pytest.raises(members.NoSuchMember):
            tokens.create(connection, PEPPER, nobody, "tests")
        members.put(connection, [Person(nobody, "Somebody")])
        assert members.erase(connection, nobody)
        with pytest.raises(members.NoSuchMember):
            tokens.create(connection, PEPPER, nobody, "tests")


def test_a_mistyped_token_is_known_by_its_checksum() -> None:
    secret = new_secret()
    assert is_well_formed(secret)
    for place in range(4, len(secret)):
        other = "0" if secret[place] != "0" else "1"
        assert not is_well_formed(secret[:place] + other + secret[place + 1 :])


def test_the_use_of_a_token_is_noted_once_a_minute(api: Api) -> None:
    ada = api.client()
    last_used = "SELECT last_used_at FROM directory.tokens WHERE member_id = %s"
    ada.ask(VIEWER)
    first = api.sql(last_used, ada.member_id)
    ada.ask(VIEWER)
    assert api.sql(last_used, ada.member_id) == first
    api.sql("UPDATE directory.tokens SET last_used_at = now() - interval '61 s'")
    ada.ask(VIEWER)
    assert api.sql(last_used, ada.member_id) > first


def test_health_is_open_and_everything_else_is_closed(api: Api) -> None:
    assert httpx.get(f"{api.base_url}/health/live").json() == {"live": True}
    assert api.until_ready() == {"ready": True, "database": "ok", "views": "ok", "ledger": "ok", "webhooks": "ok"}
    refused(httpx.get(f"{api.base_url}/schema"), 404, "NOT_FOUND")
    refused(httpx.put(f"{api.base_url}/graphql"), 405, "BAD_USER_INPUT")


def test_a_stopped_view_is_not_ready(api: Api) -> None:
    api.until_ready()
    api.sql("UPDATE views.positions SET fault = 'a fact that nobody understands' WHERE view = 'audit'")
    response = httpx.get(f"{api.base_url}/health/ready")
    assert (response.status_code, response.json()["views"]) == (503, "stopped")
    assert "nobody" not in response.text


def test_pages_get_security_headers_even_when_refused(api: Api) -> None:
    for response in (post(api), httpx.get(f"{api.base_url}/health/live"), httpx.get(f"{api.base_url}/nothing")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_USER_INPUT"),
        (b"{", "BAD_USER_INPUT"),
        (b"1", "BAD_USER_INPUT"),
        (b"[]", "BAD_USER_INPUT"),
        (b'[{"query": "{ viewer { client } }"}]', "BAD_USER_INPUT"),
        (b'{"query": 1}', "BAD_USER_INPUT"),
        (b'{"query": "{ viewer { client } }", "variables": []}', "BAD_USER_INPUT"),
        (b'{"query": "\xff"}', "BAD_USER_INPUT"),
        (b'{"query": ""}', "BAD_USER_INPUT"),
        (b'{"variables": ' + b'{"a":' * 50_000, "BAD_USER_INPUT"),
        (b'{"query": "{ viewer { client } }", "variables": {"a": ' + b"9" * 5_000 + b"}}", "BAD_USER_INPUT"),
        (b'{"query": "query A { viewer { client } } query B { viewer { client } }"}', "GRAPHQL_VALIDATION_FAILED"),
        (b'{"query": "{ viewer { client } }", "operationName": "Z"}', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_an_odd_body_is_refused_and_the_next_request_answered(api: Api, body: bytes, code: str) -> None:
    ada = api.client()
    authorization = {"Authorization": f"Bearer {ada.token}"}
    refused(post(api, body, **authorization), 400, code)
    assert ada.ask(VIEWER) == {"viewer": {"client": "tests"}}


def test_bodies_are_json_uncompressed_and_bounded(api: Api) -> None:
    ada = api.client()
    authorization = {"Authorization": f"Bearer {ada.token}"}
    refused(post(api, **authorization, **{"Content-Type": "text/plain"}), 415, "BAD_USER_INPUT")
    refused(post(api, **authorization, **{"Content-Encoding": "gzip"}), 415, "BAD_USER_INPUT")
    for kind in ("; charset=utf-16", "; charset=utf-8; charset=utf-16", "-seq", '; v=1; charset="latin-1"'):
        refused(post(api, **authorization, **{"Content-Type": f"application/json{kind}"}), 415, "BAD_USER_INPUT")
    for kind in ("", ";charset=UTF-8", '; charset="utf-8"; v=1', "; v=1; charset=utf8", ";"):
        given = {"Content-Type": f"application/json{kind}", "Content-Encoding": "Identity"}
        assert post(api, **authorization, **given).status_code == 200, kind
    refused(post(api, b" " * (256 * 1024 + 1), **authorization), 413, "BAD_USER_INPUT")
    refused(post(api, **authorization, Accept="text/html"), 406, "BAD_USER_INPUT")


def test_get_is_for_queries(api: Api) -> None:
    http = api.client().http
    assert http.get("/graphql", params={"query": VIEWER}).json()["data"] == {"viewer": {"client": "tests"}}
    with_variables = {"query": "query Q($a: Boolean!) { viewer { client @skip(if: $a) __typename } }"}
    response = http.get("/graphql", params={**with_variables, "variables": '{"a": true}'})
    assert response.json()["data"] == {"viewer": {"__typename": "Viewer"}}
    mutation = 'mutation { formTeam(input: {name: "x"}) { position } }'
    response = http.get("/graphql", params={"query": mutation})
    refused(response, 405, "BAD_USER_INPUT")
    assert response.headers["allow"] == "POST"
    assert api.sql('SELECT count(*) FROM ledger.events WHERE payload LIKE \'%%"name":"x"%%\'') == [(0,)]
    refused(http.get("/graphql"), 400, "BAD_USER_INPUT")
    refused(http.get("/graphql", params={"query": VIEWER, "variables": "{"}), 400, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{ viewer { client }", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ viewer { nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query Q($id: ID!) { node(id: $id) { id } }", {}, "BAD_USER_INPUT"),
        ('query Q($p: Position) { node(id: "x", atLeast: $p) { id } }', {"p": "-1"}, "BAD_USER_INPUT"),
    ],
)
def test_a_request_error_is_400_only_for_the_new_media_type(
    api: Api, query: str, variables: dict[str, Any], code: str
) -> None:
    ada = api.client()
    body, authorization = {"query": query, "variables": variables}, {"Authorization": f"Bearer {ada.token}"}
    for accept, status, media_type in (
        (GRAPHQL_JSON, 400, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.5, application/json;q=0.9", 200, "application/json"),
        ("*/*", 200, "application/json"),
    ):
        response = post(api, body, **authorization, Accept=accept)
        refused(response, status, code)
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert "data" not in response.json()


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (["application/json;q=0, */*"], GRAPHQL_JSON),
        (["*/*", "application/json;q=0"], GRAPHQL_JSON),
        ([f"{GRAPHQL_JSON};q=0, application/*"], "application/json"),
        ([f"*/*;q=0.1, {GRAPHQL_JSON};q=0.2"], GRAPHQL_JSON),
        (["text/html", GRAPHQL_JSON], GRAPHQL_JSON),
        (["text/html", "application/*"], "application/json"),
        (["*/*", "application/*;q=0"], None),
        ([f"{GRAPHQL_JSON};q=0.0", "application/json;q=0"], None),
    ],
)
def test_what_is_not_accepted_is_not_answered_with(api: Api, accept: list[str], media_type: str | None) -> None:
    ada = api.client()
    headers = [("Content-Type", "application/json"), ("Authorization", f"Bearer {ada.token}")]
    with plain(api.base_url) as http:
        headers += [("Accept", one) for one in accept]
        response = http.post("/graphql", content=json.dumps({"query": VIEWER}), headers=headers)
    if media_type is None:
        refused(response, 406, "BAD_USER_INPUT")
    else:
        assert (response.status_code, response.headers["content-type"]) == (200, f"{media_type}; charset=utf-8")


def test_a_field_error_is_200_with_data(api: Api) -> None:
    ada = api.client()
    response = post(
        api, {"query": '{ node(id: "x") { id } }'}, Authorization=f"Bearer {ada.token}", Accept=GRAPHQL_JSON
    )
    assert "global id" in refused(response, 200, "BAD_USER_INPUT")
    assert response.json()["data"] == {"node": None}
    assert response.json()["errors"][0]["path"] == ["node"]


def spread(levels: int) -> str:
    """Fragments that each spread the next twice: 2 to the power of the levels, if one walked them all."""
    fragments = [f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    return "{ viewer { ...F0 } } " + " ".join(fragments) + f" fragment F{levels} on Viewer {{ a: client }}"


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("{ viewer { " + " ".join(f"a{n}: client" for n in range(31)) + " } }", "GRAPHQL_VALIDATION_FAILED", "aliases"),
        (spread(40), "GRAPHQL_VALIDATION_FAILED", "aliases"),
        ("{ a " * 13 + "}" * 13, "GRAPHQL_VALIDATION_FAILED", "deep"),
        ("{ a " * 300 + "}" * 300, "GRAPHQL_PARSE_FAILED", "deep"),
        ("{ viewer { client " + "@include(if: true) " * 21 + "} }", "GRAPHQL_VALIDATION_FAILED", "directives"),
        ("{ viewer { " + "client " * 1_000 + "} }", "GRAPHQL_PARSE_FAILED", "1000 tokens"),
        ("{ viewer { client } } #" + "x" * 16_000, "GRAPHQL_PARSE_FAILED", "16000"),
        ("{" * 999, "GRAPHQL_PARSE_FAILED", ""),
    ],
)
def test_a_document_that_is_too_large_is_refused(api: Api, query: str, code: str, word: str) -> None:
    ada = api.client()
    assert word in refused(ada.http.post("/graphql", json={"query": query}), 200, code)


def test_a_fragment_that_spreads_itself_is_refused(api: Api) -> None:
    ada = api.client()
    query = "{ viewer { ...A } } fragment A on Viewer { client ...B } fragment B on Viewer { ...A }"
    assert "within itself" in ada.error(query)["message"]


def test_the_schema_can_be_asked_for(api: Api) -> None:
    from graphql import build_client_schema, get_introspection_query, print_schema

    found = api.client().ask(get_introspection_query())
    assert "submitProposal" in print_schema(build_client_schema(found))


def test_an_unexpected_error_is_masked_and_logged_once(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    ada = api.client(name="Grace")
    api.sql("ALTER TABLE directory.members RENAME TO gone")
    with caplog.at_level(logging.DEBUG):
        error = ada.error("{ viewer { client } }")
    reference = error["extensions"]["reference"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "members" not in error["message"]
    assert reference in error["message"]
    (record,) = (record for record in caplog.records if reference in record.getMessage())
    assert record.exc_info is not None
    assert "UndefinedTable" in (caplog.handler.format(record))
    assert len([record for record in caplog.records if record.exc_info]) == 1
    api.sql("ALTER TABLE directory.gone RENAME TO members")
    assert ada.ask(VIEWER)


def test_no_secret_is_ever_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ada = api.client(Role.STEWARD)
        ada.ask(VIEWER)
        ada.do("formTeam", name="A name in a body")
        post(api, Authorization="Bearer wrong-secret")
        post(api, b"{ not json with secret-body", Authorization=f"Bearer {ada.token}")
        api.sql("UPDATE directory.members SET name = name")  # a name that was read is remembered until then
        api.sql("ALTER TABLE directory.members RENAME TO gone")
        ada.error(VIEWER)
    logs = "\n".join(caplog.handler.format(record) for record in caplog.records)
    assert "unexpected error" in logs
    for secret in (ada.token, "wrong-secret", "secret-body", "A name in a body", PEPPER.hex()):
        assert secret not in logs


def test_a_database_that_is_gone_is_said_to_be_unavailable(settings: Settings, server: Server) -> None:
    assert settings.database_url is not None
    admin = server.admin()
    with served(create_app(settings), settings) as base_url:
        api = Api(settings.database_url, base_url, None)  # type: ignore[arg-type]
        ada = api.client()
        name = settings.database_url.split("?")[0].rsplit("/", 1)[1]
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        response = ada.http.post("/graphql", json={"query": VIEWER})
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert httpx.get(f"{base_url}/health/ready", timeout=30).status_code == 503
        assert httpx.get(f"{base_url}/health/live").status_code == 200
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        ada.http.close()
    admin.close()


def test_an_older_state_of_the_ledger_is_neither_read_nor_written(api: Api) -> None:
    api.until_ready()
    steward = api.client(Role.STEWARD)
    api.team()
    for _ in range(2):
        steward.ask(COUNT)  # the second one is a kept answer
    head = api.ledger.head()
    time.sleep(1.5 * remembering.EVERY_S)
    with psycopg.connect(api.database_url, autocommit=True) as superuser:
        cut_to(superuser, head - 1)
    deadline = time.monotonic() + 20
    while (ready := httpx.get(f"{api.base_url}/health/ready")).json()[
        "ledger"
    ] == "ok":  # its views are ahead of it at once
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ready.status_code == 503
    why = f"The ledger ends at {head - 1}, and {head} facts were seen here: an older state was restored."
    assert ready.json()["ledger"] == why
    mutation = "mutation M($input: FormTeamInput!) { formTeam(input: $input) { position } }"
    for asked in (COUNT, mutation):
        answer = steward.http.post("/graphql", json={"query": asked, "variables": {"input": {"name": "Lost"}}})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (503, "NOT_RECONCILED")
        assert error["message"].startswith(why)
    assert api.ledger.head() == head - 1
    followed = steward.http.post(
        "/graphql/stream", json={"query": 'subscription { ledgerEvents(after: "0") { kind } }'}
    )
    assert "NOT_RECONCILED" in followed.text
