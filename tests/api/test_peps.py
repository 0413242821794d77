"""The real history of the PEPs: what the API answers reads like the story in the source, dates and reasons word for word."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ledger.app import create_app
from ledger.handlers import bootstrap
from ledger.importing import import_histories
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import Role
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests import databases
from tests.api.conftest import PEPPER, Api, Client, served
from tests.api.test_audit_fields import known
from tests.databases import Server
from tests.importing.conftest import histories

__all__ = ["histories"]

SOURCE = "python/peps"
WHY = """query ($source: SourceItem!, $asOf: AsOf) { whyNot(source: $source, asOf: $asOf) {
  proposal { title submittedAt status proposers { name } }
  latestNo { decision { number reasons { code text } explanations { at delayDays reasons { text } } } }
  decisions {
    decision { disposition verdictRaw decidedAt standing reasons { code text } decider { name } reopened { because at }
      unexplained provenance { externalId url knownAt } }
    case { case { problem } } estimate { estimate { value } } sourceNotes { text externalId } } } }"""
PRECEDENTS = """query ($of: PrecedentsOf!, $asOf: AsOf) { precedents(of: $of, asOf: $asOf, first: 5) {
  decision { title decidedAt } sharedWords } }"""
DECLINED = """query ($search: String!, $asOf: AsOf) { declined(filter: {search: $search}, asOf: $asOf, first: 100) {
  nodes { title decidedAt } } }"""
DISPOSITIONS = {"rejected": "DECLINE", "deferred": "POSTPONE", "accepted": "SCHEDULE"}


@pytest.fixture(scope="module")
def auditor(histories: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with server.admin() as admin, databases.database(server, admin) as url:
        migrate(url)
        settings = Settings(
            database_url=url,
            data_dir=tmp_path_factory.mktemp("peps"),
            token_pepper=PEPPER,
            pool_size=4,
            wait_s=20,
        )
        with Ledger(url) as ledger:
            bootstrap(ledger, datetime.now(UTC), uuid4())
            assert import_histories(ledger, url, [histories / "peps.jsonl"]).ok
            rebuild(url, ledger, VIEWS)
            with served(create_app(settings), settings) as base_url:
                api = Api(url, base_url, ledger)
                yield known(api, api.client(Role.AUDITOR))
                api.clients[0].http.close()


@pytest.fixture(scope="module")
def told(histories: Path) -> dict[str, Any]:
    """The source's own records by id."""
    records = map(json.loads, (histories / "peps.jsonl").read_text().splitlines())
    return {record["id"]: record for record in records}


def instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def why_not(client: Client, pep: str, **given: Any) -> Any:
    return client.ask(WHY, source={"name": SOURCE, "externalId": pep}, **given)["whyNot"]


# Deferred, revived, deferred again and rejected; rejected silently, made active an hour later, rejected with a reason; recorded years late.
@pytest.mark.parametrize("pep", ["pep-0315", "pep-0276", "pep-0463"])
def test_why_not_reads_like_the_story_in_the_source(auditor: Client, told: dict[str, Any], pep: str) -> None:
    record, found = told[pep], why_not(auditor, pep)
    decided = [fact for fact in record["facts"] if fact["type"] == "decided"]
    assert decided[-1]["verdict"] == "rejected"
    proposal = found["proposal"]
    assert (proposal["title"], proposal["status"]) == (record["title"], "DECLINED")
    asked = [*record["facts"][0]["by"], *record["proposers"]]
    assert [person["name"] for person in proposal["proposers"]] == list(dict.fromkeys(asked))
    assert len(found["decisions"]) == len(decided)
    for story, fact in zip(found["decisions"], decided, strict=True):
        decision = story["decision"]
        assert decision["disposition"] == DISPOSITIONS[fact["verdict"]]
        assert decision["verdictRaw"] == fact["status_raw"]["to"]
        assert instant(decision["decidedAt"]) == instant(fact["at"])
        assert instant(decision["provenance"]["knownAt"]) == instant(fact["recorded_at"])
        assert decision["provenance"]["externalId"] == f"{pep}#{fact['seq']}"
        assert decision["provenance"]["url"] == record["source"]["url"]
        if fact["verdict"] != "accepted":
            assert [reason["text"] for reason in decision["reasons"]] == [fact.get("reason", "")]
            assert decision["unexplained"] is ("reason" not in fact)
        assert decision["decider"] is None  # none of the three names one
        said = "\n".join(note["text"] for note in story["sourceNotes"])
        for key in ("resolution_raw", "resolution_message_month", "commit_message"):
            assert key not in fact or f"{key}: {fact[key]}" in said
        assert story["case"]["case"]["problem"] == record["business_case"]["text"]
    assert [story["decision"]["standing"] for story in found["decisions"]][-1] is True
    assert found["latestNo"]["decision"]["number"] == len(decided)


def test_a_revival_is_told_where_it_ended_the_first_deferral(auditor: Client, told: dict[str, Any]) -> None:
    revived = next(fact for fact in told["pep-0315"]["facts"] if fact["type"] == "reproposed")
    first, second, last = (story["decision"] for story in why_not(auditor, "pep-0315")["decisions"])
    assert first["reopened"]["because"] == "REPROPOSED"
    assert instant(first["reopened"]["at"]) == instant(revived["at"])
    assert (second["reopened"], last["reopened"], last["standing"]) == (None, None, True)


def test_the_target_release_is_the_one_of_each_decisions_day(auditor: Client, told: dict[str, Any]) -> None:
    for story in why_not(auditor, "pep-0315")["decisions"]:
        at = instant(story["decision"]["decidedAt"])
        values = [
            fact["estimate"]["value"]
            for fact in told["pep-0315"]["facts"]
            if "estimate" in fact and instant(fact["recorded_at"]) <= at
        ]
        assert story["estimate"]["estimate"]["value"] == values[-1]


def test_a_reason_that_the_source_gave_later_stands_beside_the_silence(auditor: Client, told: dict[str, Any]) -> None:
    later = [
        (pep, fact)
        for pep, record in told.items()
        for fact in record["facts"]
        if fact["type"] == "reason_recorded" and fact.get("verdict") == "rejected"
    ]
    assert len(later) == 7
    for pep, fact in later:
        decision = why_not(auditor, pep)["latestNo"]["decision"]
        assert decision["reasons"] == [{"code": "NOT_RECORDED", "text": ""}]
        (explanation,) = decision["explanations"]
        assert explanation["reasons"] == [{"text": fact["reason"]}]
        assert (instant(explanation["at"]), explanation["delayDays"] > 0) == (instant(fact["at"]), True)


def test_what_the_source_knew_before_the_rejection_is_a_proposal_without_one(auditor: Client) -> None:
    before = {"knownAt": {"at": "2017-03-01T19:00:28Z", "source": SOURCE}}
    found = why_not(auditor, "pep-0463", asOf=before)
    assert (found["latestNo"], found["proposal"]["status"]) == (None, "PENDING")


def test_a_proposal_finds_the_earlier_declines_on_its_ground(auditor: Client) -> None:
    """PEP 548, which wants `break if`, is about the flow of loops, as PEP 3136's labels and PEP 315's `do` were."""
    proposal_id = auditor.ask(
        '{ proposal(source: {name: "python/peps", externalId: "pep-0548"}) { proposalId decision { decidedAt } } }'
    )["proposal"]
    found = auditor.ask(PRECEDENTS, of={"proposalId": proposal_id["proposalId"]})["precedents"]
    titles = [one["decision"]["title"] for one in found]
    assert {"Labeled break and continue", "Enhanced While Loop"} <= set(titles)
    assert "More Flexible Loop Control" not in titles
    decided = instant(proposal_id["decision"]["decidedAt"])
    assert all(instant(one["decision"]["decidedAt"]) < decided for one in found)
    assert all("loop" in one["sharedWords"] for one in found[:3])


def test_a_search_finds_what_the_sources_text_says_and_nothing_else(auditor: Client, told: dict[str, Any]) -> None:
    found = auditor.ask(DECLINED, search='"considered a feature"')["declined"]["nodes"]
    assert [node["title"] for node in found] == ["Make None Callable"]
    assert instant(found[0]["decidedAt"]) == instant(told["pep-0336"]["facts"][-1]["at"])
    loops = {node["title"] for node in auditor.ask(DECLINED, search='"while loop"')["declined"]["nodes"]}
    assert {"Enhanced While Loop", "More Flexible Loop Control"} <= loops
    assert "Make None Callable" not in loops
    then = {"knownAt": {"at": "2010-01-01T00:00:00Z"}}
    earlier = {node["title"] for node in auditor.ask(DECLINED, search='"while loop"', asOf=then)["declined"]["nodes"]}
    assert earlier < loops
    assert "Enhanced While Loop" not in earlier
