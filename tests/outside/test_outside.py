"""Suites and clients that others wrote, against a served ledger. `python -m tests.outside` runs them at length and prints what they say."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from ledger.api.schema import sdl
from ledger.values import Role
from tests.api.conftest import Api
from tests.outside.conftest import ran

#: Cases for each kind of operation.
CASES = int(os.environ.get("OUTSIDE_CASES", "20"))
AUDITS = 61
CODES = frozenset(
    [
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "BAD_USER_INPUT",
        "FORBIDDEN",
        "NOT_FOUND",
        "CONFLICT",
        "STALE_BASIS",
        "VIEW_LATE",
    ]
)


def test_graphql_http_audits(served_api: Api, programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, audits = ran(programs, "audits.mjs", f"{served_api.base_url}/graphql", served_api.clients[0].token)
    passed = sum(status == "ok" for _, status, *_ in audits)
    with capsys.disabled():
        print(f"\ngraphql-http: {passed} of {len(audits)} audits passed")
        for audit in audits:
            if audit[1] != "ok":
                print("  ", *audit)
    assert (code, passed, len(audits)) == (0, AUDITS, AUDITS)


def test_graphql_ws_and_graphql_sse_clients(served_api: Api, programs: Path) -> None:
    head = served_api.ledger.head()
    for number in range(3):
        served_api.team(f"Team {number}")
    auditor = served_api.client(Role.AUDITOR)
    end = served_api.ledger.head()
    wanted = [str(position) for position in range(head + 1, end + 1)]
    code, lines = ran(
        programs, "clients.mjs", f"{served_api.base_url}/graphql", auditor.token, str(head), str(len(wanted))
    )
    assert code == 0
    assert lines[:2] == [["graphql-ws", ",".join(wanted)], ["graphql-sse", ",".join(wanted)]]
    assert lines[2][0] == "refused"


schemathesis.graphql.scalar("UUID", st.uuids().map(str).map(nodes.String))
schemathesis.graphql.scalar("Position", st.integers(0, 2**63 - 1).map(str).map(nodes.String))
schemathesis.graphql.scalar("Decimal", st.decimals(-9, 9, places=2).map(str).map(nodes.String))
schemathesis.graphql.scalar("DateTime", st.datetimes().map(lambda at: nodes.String(f"{at.isoformat()}Z")))
schemathesis.graphql.scalar("Date", st.dates().map(lambda day: nodes.String(day.isoformat())))
schemathesis.graphql.scalar("JSON", st.just(nodes.String("{}")))


@pytest.mark.parametrize("kind", ["Query", "Mutation"])
def test_schemathesis_finds_no_unclassified_error(
    served_api: Api, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = schemathesis.graphql.from_file(sdl())
    steward = served_api.client(Role.STEWARD)
    found: Counter[str] = Counter()

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[kind].as_strategy())
    def try_case(case: Any) -> None:
        response = steward.http.post("/graphql", json={"query": case.body})
        body = response.json()
        codes = [error["extensions"]["code"] for error in body.get("errors", [])]
        found.update(codes or ["no error"])
        unclassified = [error for error in body.get("errors", []) if not is_classified(error)]
        assert not unclassified, (case.body, unclassified)
        assert response.status_code in (200, 400), (case.body, response.text)

    try_case()
    with capsys.disabled():
        print(
            f"\nschemathesis, {kind}: {sum(found.values())} answers; "
            + ", ".join(f"{n} {c}" for c, n in found.most_common())
        )
    assert steward.ask("{ viewer { client } }")


def is_classified(error: dict[str, Any]) -> bool:
    """Is it an error that a client is meant to read, and no trouble of ours?"""
    code = error["extensions"]["code"]
    return code in CODES or (
        error.get("path") is not None and code not in ("INTERNAL", "UNAVAILABLE", "OUTCOME_UNKNOWN")
    )


# What graphql-cop looks for, one by one.

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("alias overloading", {"query": "query { " + " ".join(f"a{n}: __typename" for n in range(101)) + " }"}),
        ("batching", [{"query": "query { __typename }"}] * 10),
        ("directive overloading", {"query": "query { __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }"}),
        (
            "circular introspection",
            {
                "query": "query { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
            },
        ),
        ("field duplication", {"query": "query { " + "__typename " * 500 + "}"}),
        ("tracing", {"query": "query { __typename }"}),
    ],
)
def test_graphql_cop_finds_nothing(served_api: Api, name: str, body: Any) -> None:
    answer = served_api.clients[0].http.post("/graphql", json=body).json()
    if name == "tracing":
        assert "tracing" not in answer["extensions"]
    else:
        assert "data" not in answer, name


def test_graphql_cop_finds_no_page_no_get_mutation_and_no_form(served_api: Api) -> None:
    http = served_api.clients[0].http
    for path in ("/graphql", "/", "/graphiql", "/playground", "/console"):
        page = http.get(path, headers={"Accept": "text/html"})
        assert page.status_code in (404, 406), path
        assert "<html" not in page.text.lower()
    mutation = {"query": "mutation { __typename }"}
    assert http.get("/graphql", params=mutation).status_code == 405
    assert http.post("/graphql", data={"query": "query { __typename }"}).status_code == 415
    unauthenticated = http.post(
        "/graphql", json={"query": "{ __schema { types { name } } }"}, headers={"Authorization": ""}
    )
    assert unauthenticated.status_code == 401
