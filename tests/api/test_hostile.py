"""What nobody should send: each gets its 4xx and its code at once, the next request is answered, and memory stays flat."""

import gc
import gzip
import json
import random
import resource
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import psycopg
import pytest
from graphql import get_introspection_query

from ledger.api.cost import cost_of, refuse_long_lists
from ledger.api.documents import prepare
from ledger.api.rate import Gate, Overloaded, RateExceeded, Rates
from ledger.api.schema import build
from ledger.app import create_app
from ledger.directory import tokens
from ledger.directory.scopes import Scope
from ledger.settings import Settings
from tests.api.conftest import PEPPER, Api, served
from tests.api.test_doors import GRAPHQL_JSON, VIEWER, refused, spread

ANSWER = {"viewer": {"client": "tests"}}
JSON = "application/json"


class Hostile(NamedTuple):
    """One thing that is sent, and what must come back."""

    name: str
    status: int
    code: str
    send: Callable[[httpx.Client], httpx.Response]


def posting(body: Any, **headers: str) -> Callable[[httpx.Client], httpx.Response]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": JSON, "Accept": GRAPHQL_JSON, **headers}
    return lambda http: http.post("/graphql", content=content, headers=sent)


def document(text: str, **more: Any) -> Callable[[httpx.Client], httpx.Response]:
    return posting({"query": text, **more})


def getting(**parameters: str) -> Callable[[httpx.Client], httpx.Response]:
    return lambda http: http.get("/graphql", params=parameters)


INPUT, INVALID, PARSE = "BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"
MUTATION = 'mutation { formTeam(input: {name: "x"}) { position } }'
BOMB = gzip.compress(b'{"query": "' + b" " * 20_000_000 + b'"}')
HOSTILE = [
    Hostile("nested fragments", 400, INVALID, document(spread(60))),
    Hostile("10,000 aliases", 400, PARSE, document("{ " + " ".join(f"a{n}: __typename" for n in range(10_000)) + " }")),
    Hostile("31 aliases", 400, INVALID, document("{ " + " ".join(f"a{n}: __typename" for n in range(31)) + " }")),
    Hostile("13 levels", 400, INVALID, document("{ a " * 13 + "}" * 13)),
    Hostile("repeated fields", 400, INVALID, document("{ viewer { " + "client " * 900 + "} }")),
    Hostile("repeated objects", 400, INVALID, document("{ " + "viewer { client } " * 240 + "}")),
    Hostile("repeated in inline fragments", 400, INVALID, document("{" + "...{ viewer { client } }" * 140 + "}")),
    Hostile("many directives", 400, INVALID, document("{ __typename " + "@skip(if: false) " * 21 + "}")),
    Hostile("unknown directives", 400, INVALID, document("{ __typename " + "@aa " * 300 + "}")),
    Hostile(
        "a long list in the document",
        400,
        INVALID,
        document("{ proposals(proposalIds: [" + "1 " * 251 + "]) { title } }"),
    ),
    Hostile(
        "a long list in variables",
        400,
        INPUT,
        document("query Q($a: [UUID!]!) { proposals(proposalIds: $a) { title } }", variables={"a": ["x"] * 251}),
    ),
    Hostile("deep variables", 400, INPUT, document(VIEWER, variables={"a": json.loads("[" * 60 + "]" * 60)})),
    Hostile("17,000 characters", 400, PARSE, document("{ __typename } #" + "x" * 17_000)),
    Hostile("2,000 tokens", 400, PARSE, document("{" + " a" * 2_000 + "}")),
    Hostile(
        "a cycle of fragments",
        400,
        INVALID,
        document("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
    ),
    Hostile("a 200,000-deep body", 400, INPUT, posting(b'{"variables": ' + b"[" * 200_000)),
    Hostile("a 200,000-deep list", 400, INPUT, posting(b"[" * 200_000)),
    Hostile(
        "a 5,000-digit integer",
        400,
        INPUT,
        posting(b'{"query": "{ __typename }", "variables": {"a": %s}}' % (b"9" * 5_000)),
    ),
    Hostile("a 5,000-digit literal", 400, INVALID, document("{ backlog(first: " + "9" * 5_000 + ") { totalCount } }")),
    Hostile("a gzip bomb", 415, INPUT, posting(BOMB, **{"Content-Encoding": "gzip"})),
    Hostile("two unnamed operations", 400, INVALID, document("query { __typename } query { viewer { client } }")),
    Hostile("two operations and no name", 400, INVALID, document("query A { __typename } query B { __typename }")),
    Hostile("a name that is not there", 400, INVALID, document("query A { __typename }", operationName="B")),
    Hostile("a mutation by GET", 405, INPUT, getting(query=MUTATION)),
    Hostile("a subscription by POST", 400, INPUT, document("subscription { ledgerEvents { position } }")),
    Hostile("a foreign origin", 403, "FORBIDDEN", posting({"query": VIEWER}, Origin="https://evil.example")),
    Hostile("an origin of null", 403, "FORBIDDEN", posting({"query": VIEWER}, Origin="null")),
    Hostile("a form", 415, INPUT, posting(b"query=x", **{"Content-Type": "application/x-www-form-urlencoded"})),
    Hostile("plain text", 415, INPUT, posting({"query": VIEWER}, **{"Content-Type": "text/plain"})),
    Hostile("an upload", 415, INPUT, posting(b"--x--", **{"Content-Type": "multipart/form-data; boundary=x"})),
    Hostile("a batch", 400, INPUT, posting([{"query": VIEWER}] * 10)),
    Hostile("a bare scalar", 400, INPUT, posting(b"1")),
    Hostile("a bare null", 400, INPUT, posting(b"null")),
    Hostile("invalid UTF-8", 400, INPUT, posting(b'{"query": "\xff"}')),
    Hostile(
        "invalid UTF-8 in the address",
        400,
        INPUT,
        lambda http: http.get("/graphql?query=%ff", headers={"Accept": GRAPHQL_JSON}),
    ),
    Hostile(
        "variables that bring a query", 400, INPUT, getting(query=VIEWER, variables='{}, "query": "{ __typename }"')
    ),
    Hostile(
        "two operations and an empty name",
        400,
        INVALID,
        document("query A { __typename } query B { __typename }", operationName=""),
    ),
    Hostile("a lone surrogate", 400, INPUT, posting(b'{"query": "{ __typename } # \\ud800"}')),
    Hostile("no body", 400, INPUT, posting(b"")),
    Hostile("a body of 300 KiB", 413, INPUT, posting(b" " * 300 * 1024)),
    Hostile("no query", 400, INPUT, posting({})),
    Hostile("an unknown hash", 400, "PERSISTED_QUERY_NOT_FOUND", posting({"documentId": "sha256:" + "0" * 64})),
    Hostile("a malformed hash", 400, INPUT, posting({"extensions": {"persistedQuery": {"sha256Hash": "x"}}})),
    Hostile("odd extensions", 400, INPUT, posting({"extensions": {"persistedQuery": 7}})),
    Hostile("another's hash", 400, INPUT, document(VIEWER, documentId="sha256:" + "0" * 64)),
    Hostile("text/html", 406, INPUT, posting({"query": VIEWER}, Accept="text/html")),
    Hostile(
        "an odd page",
        400,
        INPUT,
        document("query Q($n: Int!) { backlog(first: $n) { totalCount } }", variables={"n": 10**15}),
    ),
    Hostile(
        "introspection, again and again",
        400,
        INVALID,
        document("{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"),
    ),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: one.name)
def test_what_nobody_should_send_is_refused_and_the_next_request_answered(served_api: Api, hostile: Hostile) -> None:
    ada = served_api.clients[0]
    found = hostile.send(ada.http)
    assert "data" not in found.json()
    error = found.json()["errors"][0]
    assert (found.status_code, error["extensions"]["code"]) == (hostile.status, hostile.code), found.text
    assert len(found.content) < 4_000
    assert ada.ask(VIEWER) == ANSWER


@pytest.mark.parametrize("accept", ["application/json;q=\xb2", "*/*;q=nan", "application/json;q=1.2.3"])
def test_a_wish_that_can_not_be_weighed_is_a_wish(served_api: Api, accept: str) -> None:
    found = served_api.clients[0].http.post(
        "/graphql", json={"query": VIEWER}, headers={b"Accept": accept.encode("latin-1")}
    )
    assert (found.status_code, found.json()["data"]) == (200, ANSWER), found.text


def test_an_empty_name_names_no_operation(served_api: Api) -> None:
    http = served_api.clients[0].http
    asked = {"query": "query Q { viewer { client } }", "operationName": ""}
    for found in (http.post("/graphql", json=asked), http.get("/graphql", params=asked)):
        assert (found.status_code, found.json()["data"]) == (200, ANSWER), found.text


def soak(http: httpx.Client, count: int, seed: int) -> None:
    order = random.Random(seed)
    for _ in range(count):
        hostile = order.choice(HOSTILE)
        found = hostile.send(http)
        assert found.status_code == hostile.status, hostile.name


def resident_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def grown_mib(http: httpx.Client, count: int) -> float:
    """What a number of hostile requests leaves behind, after as many that may fill what is kept."""
    soak(http, count, 1)
    before = resident_mib()
    soak(http, count, 2)
    return resident_mib() - before


def test_a_thousand_hostile_requests_leave_memory_as_it_was(served_api: Api) -> None:
    assert grown_mib(served_api.clients[0].http, 500) < 8


@pytest.mark.faults
def test_a_hundred_thousand_hostile_requests_leave_memory_flat(served_api: Api) -> None:
    assert grown_mib(served_api.clients[0].http, 50_000) < 16


#: Root fields that look for a text, in a variable and in the document.
LOOKING = (
    "backlog(filter: {areas: [TEXT]}) { totalCount }",
    "backlog(filter: {kinds: [TEXT]}) { totalCount }",
    "backlog(filter: {title: TEXT}) { totalCount }",
    "area(area: TEXT) { area }",
    "declined(filter: {reasons: [TEXT]}) { totalCount }",
    "declined(filter: {areas: [TEXT]}) { totalCount }",
    "declined(filter: {search: TEXT}) { totalCount }",
    "calibration(area: TEXT) { groups { __typename } }",
    "costOfNo(area: TEXT) { losses }",
    "transparency(area: TEXT) { proposed }",
    "transparency(source: TEXT) { proposed }",
    "precedents(of: {text: TEXT}) { excerpt }",
)


@pytest.mark.parametrize("text", LOOKING)
def test_a_text_with_a_nul_is_an_error_of_whoever_sends_it(served_api: Api, text: str) -> None:
    ada = served_api.clients[0]
    for query, variables in (
        (f"query Q($t: String!) {{ {text.replace('TEXT', '$t')} }}", {"t": "a\0b"}),
        (f"{{ {text.replace('TEXT', json.dumps(chr(0)))} }}", {}),
    ):
        codes = {error["extensions"]["code"] for error in ada.answer(query, **variables).get("errors", ())}
        assert codes <= {"BAD_USER_INPUT"}, codes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{ proposal(proposalId: "pep-0315") { title } }', "proposalId: 'pep-0315' is not a UUID."),
        ('{ teams(asOf: {reviewId: "x"}) { totalCount } }', "asOf.reviewId: 'x' is not a UUID."),
        ('{ proposals(proposalIds: ["x"]) { title } }', "proposalIds.0: 'x' is not a UUID."),
        ('query Q($a: UUID = "x") { proposal(proposalId: $a) { title } }', "$a: 'x' is not a UUID."),
        ('{ teams(atLeast: "-1") { totalCount } }', "atLeast: '-1' is not a position in the ledger, such as \"1024\"."),
        (f"{{ teams(first: {'9' * 5_000}) {{ totalCount }} }}", "first: The number has too many digits."),
    ],
)
def test_a_value_that_can_not_be_is_named_by_its_argument_and_its_place(text: str, message: str) -> None:
    (error,) = prepare(build(), text).errors
    assert error.message == message
    assert error.locations
    assert (error.extensions or {})["code"] == "GRAPHQL_VALIDATION_FAILED"


# Cost, rates and scopes.


def test_the_cost_says_what_a_page_amounts_to(served_api: Api) -> None:
    ada = served_api.clients[0]
    found = ada.answer("{ backlog(first: 50) { nodes { title status concerns { concernId } } edges { cursor } } }")
    cost = found["extensions"]["cost"]
    # fifty nodes with five concerns each, and fifty edges
    assert (cost["nodes"], cost["points"]) == (50 * 6 + 50, 5)
    assert 0 < cost["pointsLeft"] < 10**8
    assert ada.answer(VIEWER)["extensions"]["cost"]["points"] == 1


@pytest.mark.parametrize(
    ("text", "variables", "nodes"),
    [
        ("{ backlog { nodes { title } } }", {}, 50),
        ("{ backlog(first: 7) { nodes { title } } }", {}, 7),
        ("query Q($n: Int! = 9) { backlog(first: $n) { nodes { title } } }", {}, 9),
        (
            "query Q($n: Int!) { backlog(first: $n) { ...P } } fragment P on ProposalConnection { nodes { title } }",
            {"n": 11},
            11,
        ),
        ("query Q($n: Int!) { backlog(first: $n) { nodes { title } } }", {"n": 10**9}, 100),
        ("query Q($n: Int!) { backlog(first: $n) { nodes { title } } }", {"n": "x"}, 100),
        ("{ a: backlog { nodes { title } } b: backlog { ... { nodes { title } } } }", {}, 100),
        ("{ viewer { client } }", {}, 0),
        ('{ precedents(of: {text: "cache"}, first: 100) { excerpt } }', {}, 100),
        ('{ precedents(of: {text: "cache"}) { decision { reasons { text } } } }', {}, 10 * 6),
        ("query Q($i: [UUID!]!) { proposals(proposalIds: $i) { concerns { concernId } } }", {"i": ["x"] * 40}, 40 * 6),
        ("query Q($i: [UUID!]!) { proposals(proposalIds: $i) { title } }", {"i": "x"}, 100),
        (f'{{ proposals(proposalIds: ["{UUID(int=1)}", "{UUID(int=2)}"]) {{ title }} }}', {}, 2),
    ],
)
def test_nodes_are_the_product_of_first(text: str, variables: dict[str, Any], nodes: int) -> None:
    prepared = prepare(build(), text)
    assert not prepared.errors
    assert cost_of(build(), prepared, prepared.operation(None), variables).nodes == nodes


def test_what_counts_or_searches_takes_points_for_it_as_often_as_it_is_asked() -> None:
    def points(text: str) -> int:
        prepared = prepare(build(), text)
        assert not prepared.errors, prepared.errors
        return cost_of(build(), prepared, prepared.operation(None), {}).points

    assert points("{ teams(first: 1) { totalCount } }") == 1
    assert points("{ transparency { proposed } }") == 51
    assert points("{ verify { holds } }") == 101
    many = " ".join(f"a{n}: verify(count: 5000) {{ holds }}" for n in range(29))
    assert points(f"{{ {many} }}") == 29 * 100 + 1
    assert (
        points("{ ...F } fragment F on Query { ... { transparency { proposed } b: transparency { accepted } } }") == 101
    )


def test_a_kept_cost_is_of_so_many_ids() -> None:
    prepared = prepare(build(), "query Q($i: [UUID!]!) { proposals(proposalIds: $i) { title kind } }")
    operation = prepared.operation(None)
    found = [cost_of(build(), prepared, operation, {"i": ["x"] * count}).nodes for count in (1, 90, 1, 90)]
    assert found == [1, 90, 1, 90]
    assert len(prepared.plans.costs) == 2


def test_more_than_ten_thousand_objects_are_refused(served_api: Api) -> None:
    text = (
        "{ "
        + " ".join(f"a{n}: backlog(first: 100) {{ nodes {{ concerns {{ concernId }} }} }}" for n in range(17))
        + " }"
    )
    response = document(text)(served_api.clients[0].http)
    assert "10200 objects" in refused(response, 400, "GRAPHQL_VALIDATION_FAILED")


def test_points_fill_up_again_and_one_token_does_not_take_anothers() -> None:
    now = [0.0]
    rates = Rates(60, clock=lambda: now[0])
    assert rates.take("a", 60) == 0
    with pytest.raises(RateExceeded) as refused_at:
        rates.take("a", 10)
    assert refused_at.value.after_s == 10
    assert rates.take("b", 1) == 59
    now[0] = 10.0
    assert rates.take("a", 10) == 0
    now[0] = 1_000.0
    assert rates.take("a", 1) == 59
    assert rates.limited == 1
    now[0] = 2_000.0
    assert rates.take("a", 1_000) == 0  # it can never have more than a full measure


def test_who_asks_for_too_much_is_told_when_to_come_back(settings: Settings) -> None:
    from dataclasses import replace

    few = replace(settings, points_per_minute=10)
    assert few.database_url is not None
    with served(create_app(few), few) as base_url:
        api = Api(few.database_url, base_url, None)  # type: ignore[arg-type]
        ada, eve = api.client(), api.client()
        for _ in range(10):
            assert ada.ask(VIEWER) == ANSWER
        response = ada.http.post("/graphql", json={"query": VIEWER})
        assert "points a minute" in refused(response, 429, "RATE_LIMITED")
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert eve.ask(VIEWER) == ANSWER
        for client in api.clients:
            client.http.close()


def test_a_full_house_turns_away_at_once(database_url: str, tmp_path: Path) -> None:
    gate = Gate(2)
    with gate, gate, pytest.raises(Overloaded), gate:
        pass
    assert (gate.inside, gate.shed) == (0, 1)


def scoped(api: Api, *scopes: Scope) -> httpx.Client:
    """A program of a member whose token has these scopes."""
    member = api.client()
    with psycopg.connect(api.database_url, autocommit=True) as connection:
        secret, _ = tokens.create(connection, PEPPER, member.member_id, "scoped", granted=scopes)
    member.http.headers["Authorization"] = f"Bearer {secret}"
    return member.http


def test_the_schema_is_for_those_who_may_ask_for_it(served_api: Api) -> None:
    http = scoped(served_api, Scope.FREE_FORM)
    for text in (
        "{ __schema { queryType { name } } }",
        '{ ...A } fragment A on Query { __type(name: "Query") { name } }',
    ):
        refused(document(text)(http), 403, "FORBIDDEN")
    assert document("{ __typename }")(http).json()["data"] == {"__typename": "Query"}
    assert "data" in document(get_introspection_query())(served_api.clients[0].http).json()


SUGGESTIVE = [
    ("{ backlo { totalCount } }", {}),
    ("{ backlog(frst: 1) { totalCount } }", {}),
    ('{ backlog(filter: {tile: "x"}) { totalCount } }', {}),
    ("query Q($f: ProposalFiler) { backlog(filter: $f) { totalCount } }", {}),
    ("query Q($f: ProposalFilter) { backlog(filter: $f) { totalCount } }", {"f": {"tile": "x"}}),
    ("query Q($f: ProposalFilter) { backlog(filter: $f) { totalCount } }", {"f": {"statuses": ["PENDIN"]}}),
    ("{ backlog(filter: {statuses: [PENDIN]}) { totalCount } }", {}),
]


@pytest.mark.parametrize(("text", "variables"), SUGGESTIVE)
def test_nothing_is_suggested_to_strangers(served_api: Api, text: str, variables: dict[str, Any]) -> None:
    for http, is_told in ((scoped(served_api, Scope.FREE_FORM), False), (served_api.clients[0].http, True)):
        found = document(text, variables=variables)(http)
        assert found.status_code == 400
        assert ("Did you mean" in found.text) is is_told


def test_a_token_without_free_form_runs_trusted_documents_only(settings: Settings, tmp_path: Path) -> None:
    from dataclasses import replace

    (tmp_path / "trusted").mkdir()
    text = "query Mine { viewer { client } }\n"
    (tmp_path / "trusted" / "mine.graphql").write_text(text)
    trusting = replace(settings, documents=tmp_path / "trusted")
    assert trusting.database_url is not None
    with served(create_app(trusting), trusting) as base_url:
        api = Api(trusting.database_url, base_url, None)  # type: ignore[arg-type]
        http = scoped(api)
        refused(document(VIEWER)(http), 403, "FORBIDDEN")
        hashed = sha256(text.encode()).hexdigest()
        bare = sha256(text.strip().encode()).hexdigest()
        for body in (
            {"documentId": "mine"},
            {"documentId": f"sha256:{hashed}"},
            {"documentId": bare},
            {"query": text},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hashed}}},
        ):
            assert posting(body)(http).json()["data"] == {"viewer": {"client": "scoped"}}, body
        found = getting(documentId="mine")(http)
        assert found.json()["data"] == {"viewer": {"client": "scoped"}}
        refused(posting({"documentId": "theirs"})(http), 400, "PERSISTED_QUERY_NOT_FOUND")
        for client in api.clients:
            client.http.close()


def test_an_error_repeats_no_input(served_api: Api) -> None:
    ada = served_api.clients[0]
    text = "mutation M($input: FormTeamInput!) { formTeam(input: $input) { position } }"
    for planted in (
        {"name": "x", "secret": "the patient's name"},
        {"nam": "the patient's name"},
        {"name": ["the patient's name"]},
    ):
        found = document(text, variables={"input": planted})(ada.http)
        assert found.status_code == 400
        assert "patient" not in found.text
    literal = 'mutation { formTeam(input: {nam: "the patient\'s name, which is long enough to be of no use to anybody"}) { position } }'
    assert "patient" not in document(literal)(ada.http).text


def test_options_says_what_may_be_sent_and_to_whom(settings: Settings) -> None:
    from dataclasses import replace

    friendly = replace(settings, origins=frozenset({"https://portal.example"}))
    assert friendly.database_url is not None
    with served(create_app(friendly), friendly) as base_url:
        ours = httpx.options(f"{base_url}/graphql", headers={"Origin": "https://portal.example"})
        assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (204, "https://portal.example")
        assert "Authorization" in ours.headers["access-control-allow-headers"]
        theirs = httpx.options(f"{base_url}/graphql", headers={"Origin": "https://evil.example"})
        assert theirs.status_code == 403
        assert "access-control-allow-origin" not in theirs.headers
        nobody = httpx.options(f"{base_url}/graphql")
        assert (nobody.status_code, nobody.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


def test_long_lists_in_variables_are_found_at_any_depth() -> None:
    refuse_long_lists({"a": [{"b": [1] * 250}]})
    with pytest.raises(Exception, match="251 items"):
        refuse_long_lists({"a": [{"b": [1] * 251}]})
