"""Searching the NOs, and finding the earlier ones on the same ground, through the real API."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import Role
from tests.api.conftest import Api, Client
from tests.api.test_audit_fields import known
from tests.projections import story as told
from tests.projections.recording import Recorder
from tests.projections.story import tell

DECLINED = """query ($filter: DeclinedFilter, $asOf: AsOf, $atLeast: Position) { declined(filter: $filter, asOf: $asOf, atLeast: $atLeast) {
  totalCount nodes { title }
  facets { total team { value label count } decider { value label count } period { value count } reason { value } } } }"""
PRECEDENTS = """query ($of: PrecedentsOf!, $area: String, $reasons: [String!], $asOf: AsOf, $dispositions: [Disposition!]) {
  precedents(of: $of, area: $area, reasons: $reasons, asOf: $asOf, dispositions: $dispositions) {
    relevance sharedWords sharedReasons sameArea excerpt decision { title decisionId } } }"""


@pytest.fixture
def head(api: Api, settings: Settings) -> Iterator[int]:
    assert settings.database_url is not None
    ledger = Ledger(settings.database_url)
    tell(Recorder(ledger))
    yield ledger.head()
    ledger.close()


@pytest.fixture
def auditor(api: Api, head: int) -> Client:
    return known(api, api.client(Role.AUDITOR))


def declined(client: Client, head: int, **given: Any) -> Any:
    return client.ask(DECLINED, filter=given, atLeast=str(head))["declined"]


def titles(client: Client, head: int, search: str) -> list[str]:
    dispositions = ["DECLINE", "POSTPONE", "REDIRECT"]
    return [node["title"] for node in declined(client, head, search=search, dispositions=dispositions)["nodes"]]


def test_a_search_finds_words_of_reasons_cases_and_titles_whatever_their_endings(auditor: Client, head: int) -> None:
    assert titles(auditor, head, "checkouts replacing") == ["Wrong list", "Slow build", "Two price engines"]
    assert titles(auditor, head, "price engine") == ["Two price engines"]
    assert titles(auditor, head, "lost hours -price") == ["Slow build"]
    assert titles(auditor, head, '"hours lost"') == ["Slow build", "Two price engines"]
    assert titles(auditor, head, '"lost hours"') == []


def test_a_search_finds_what_was_explained_only_later(auditor: Client, head: int) -> None:
    assert titles(auditor, head, "too dear") == ["Two price engines"]
    early = auditor.ask(DECLINED, filter={"search": "too dear"}, asOf={"position": str(_decided(auditor))})
    assert early["declined"]["nodes"] == []


def test_a_search_as_of_then_reads_the_case_of_then(auditor: Client, head: int) -> None:
    at = {"position": str(_decided(auditor))}
    found = auditor.ask(DECLINED, filter={"search": "hours lost"}, asOf=at)["declined"]
    assert ([node["title"] for node in found["nodes"]], found["totalCount"]) == (["Two price engines"], 1)
    before = auditor.ask(DECLINED, filter={"search": "hours lost"}, asOf={"position": "20"})["declined"]
    assert before["nodes"] == []


def _decided(client: Client) -> int:
    text = f'{{ decision(decisionId: "{told.NO}") {{ decision {{ position }} }} }}'
    return int(client.ask(text)["decision"]["decision"]["position"]) + 1


def test_a_search_of_nothing_or_of_too_much_is_refused(auditor: Client) -> None:
    for search in (" ", "x" * 401):
        error = auditor.error(DECLINED, filter={"search": search})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "filter.search" in error["message"]


@pytest.mark.parametrize("search", ["the of", "-only", '"the of"', "!"])
def test_a_search_without_a_word_that_tells_texts_apart_is_refused(auditor: Client, head: int, search: str) -> None:
    error = auditor.error(DECLINED, filter={"search": search}, atLeast=str(head))
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "has no word that tells one text from another" in error["message"]


def test_a_search_that_only_shuts_a_word_out_finds_the_others(auditor: Client, head: int) -> None:
    every = declined(auditor, head)["totalCount"]
    assert declined(auditor, head, search="-unheardof")["totalCount"] == every > 0


def test_facets_carry_names_beside_ids(api: Api, auditor: Client, head: int) -> None:
    api.sql("INSERT INTO directory.members (member_id, name) VALUES (%s, 'Ben')", told.BEN)
    facets = declined(auditor, head, imported=False, dispositions=["DECLINE", "POSTPONE"])["facets"]
    assert facets["team"] == [{"value": str(told.TEAM), "label": "checkout", "count": 2}]
    assert facets["decider"] == [{"value": str(told.BEN), "label": "Ben", "count": 2}]
    assert facets["period"] == [{"value": "2026-01", "count": 2}]


def test_a_new_text_finds_the_decline_that_shares_its_words(auditor: Client, head: int) -> None:
    auditor.ask(DECLINED, atLeast=str(head))
    found = auditor.ask(PRECEDENTS, of={"text": "Both price engines cost us hours."}, area="component:default/checkout")
    first = found["precedents"][0]
    assert first["decision"]["title"] == "Two price engines"
    assert set(first["sharedWords"]) == {"engin", "hour", "price"}
    assert first["sameArea"] is True
    assert 0 < first["relevance"] <= 1
    assert "Two price engines: hours" in first["excerpt"]


def test_a_proposal_finds_the_earlier_noes_on_its_ground_and_never_its_own(auditor: Client, head: int) -> None:
    auditor.ask(DECLINED, atLeast=str(head))
    every = ["DECLINE", "POSTPONE", "REDIRECT"]
    found = auditor.ask(PRECEDENTS, of={"proposalId": str(told.REDIRECTED)}, dispositions=every)["precedents"]
    assert {one["decision"]["title"] for one in found[:2]} == {"Two price engines", "Slow build"}
    assert all("thrown" in one["sharedWords"] and "thrown away" in one["excerpt"] for one in found[:2])
    assert [one["sharedWords"] for one in found[2:]] == [["list"], ["list"]]
    first = auditor.ask(PRECEDENTS, of={"proposalId": str(told.DECLINED)}, dispositions=every)["precedents"]
    assert first == []


def test_codes_and_area_alone_are_ground_enough(auditor: Client, head: int) -> None:
    auditor.ask(DECLINED, atLeast=str(head))
    found = auditor.ask(
        PRECEDENTS, of={"text": "zebra"}, area="component:default/checkout", reasons=["AREA_SUNSET", "DUPLICATE"]
    )["precedents"]
    assert [(one["decision"]["title"], one["sharedReasons"], one["sharedWords"]) for one in found] == [
        ("Two price engines", ["AREA_SUNSET"], [])
    ]


def test_a_member_of_another_team_finds_nothing(api: Api, head: int) -> None:
    stranger = known(api, api.client(Role.PRODUCT_MANAGER, api.team("Payments")))
    assert titles(stranger, head, "hours lost") == []
    assert stranger.ask(PRECEDENTS, of={"text": "Two price engines"})["precedents"] == []
    error = stranger.error(PRECEDENTS, of={"proposalId": str(told.DECLINED)})
    assert error["extensions"]["code"] == "NOT_FOUND"
