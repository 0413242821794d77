"""demo: told once, served at once, and gone without a trace."""

import json
import shlex
import signal
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import httpx
import pytest

from ledger.app import ViewLookups
from ledger.demo.cast import TEAMS, team
from ledger.demo.debt_story import proposal as named
from ledger.demo.lookups import LogLookups
from ledger.demo.queries import QUERIES
from ledger.demo.showing import WHO, show
from ledger.domain import proposal
from ledger.domain.proposal.revisiting import WAITING
from ledger.domain.proposal.state import ProposalFact, ProposalState
from ledger.events.envelope import Event
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.embedded_keeper import running
from ledger.values import ProposalStatus
from tests.cli.conftest import GONE_S, Cli, Process, Told, gone, position, until

#: A position in the middle of the story.
MIDDLE = 300


def demo(folder: Path) -> Cli:
    return Cli({"LEDGER_DATA_DIR": str(folder)})


def facts(url: str) -> list[Event]:
    with Ledger(url) as ledger:
        return ledger.read(0, 10_000)


def facts_in(folder: Path) -> list[Event]:
    with EmbeddedPostgres.start(folder / "demo") as server:
        return facts(server.url)


def ask(document: dict[str, Any], query: str, role: str) -> httpx.Response:
    return httpx.post(
        document["graphql"],
        json={"query": query},
        headers={"Authorization": f"Bearer {document['tokens'][role]}"},
        timeout=60,
    )


def test_two_tellings_have_the_same_facts(told: Told, empty_database_url: str, tmp_path: Path) -> None:
    shown = show(empty_database_url, bytes(32), lambda *_: None)
    again = facts(empty_database_url)
    assert (told.document["told_now"], shown.told_now) == (True, True)
    assert told.document["facts"] == shown.facts == len(again)
    assert facts_in(told.copy(tmp_path / "copy")) == again
    _check_lookups(empty_database_url, again)


def _check_lookups(url: str, events: list[Event]) -> None:
    """What the views name for an agenda is what the facts say, declined items that may come back among it."""
    states: dict[UUID, ProposalState | None] = {}
    for event in events:
        if isinstance(event.fact, get_args(ProposalFact)):
            states[event.stream_id] = proposal.evolve(states.get(event.stream_id), event)
    from_views = ViewLookups(url)
    with Ledger(url) as ledger:
        from_log = LogLookups(ledger)
        for cast in TEAMS:
            team_id = team(cast.name)
            own = [state for state in states.values() if state is not None and state.team_id == team_id]
            pending = {state.proposal_id for state in own if state.status is ProposalStatus.PENDING}
            waiting = {state.proposal_id for state in own if state.status in WAITING and _may_return(state)}
            assert set(from_views.pending(team_id)) == pending
            assert set(from_views.postponed(team_id)) == waiting
            assert from_views.reviews_held(team_id) == from_log.reviews_held(team_id)
            assert from_views.policy_in_force(team_id) == from_log.policy_in_force(team_id) is not None
    assert from_views.postponed(team("Search")) == [named("search-personal")]
    from_views.close()


def _may_return(state: ProposalState) -> bool:
    decision = state.last_decision
    return decision is not None and bool(decision.taken.revisit) and not decision.revisit_waived


def test_the_first_start_gives_a_token_per_role_and_three_queries(told: Told) -> None:
    assert set(told.document["tokens"]) == set(WHO)
    assert [query["query"] for query in told.document["queries"]] == [query.text for query in QUERIES]


def test_a_second_start_tells_nothing_again_and_answers_its_queries(told: Told, tmp_path: Path) -> None:
    folder = told.copy(tmp_path / "copy")
    with demo(folder).running("demo", "--port", "0", "--json") as process:
        document = process.document()
        assert (document["told_now"], document["facts"]) == (False, told.document["facts"])
        answers = [ask(document, query["query"], query["role"]) for query in document["queries"]]
        earlier = {**document, "tokens": told.document["tokens"]}
        assert ask(earlier, QUERIES[1].text, "AUDITOR").status_code == 401
        teams = ask(document, "{ teams { nodes { name teamId } } }", "AUDITOR").json()["data"]["teams"]["nodes"]
        pending = {team["name"]: _backlog(document, team["teamId"]) for team in teams}
        _end(process, folder, signal.SIGINT)
    assert [answer.json().get("errors") for answer in answers] == [None] * 3
    backlog, transparency, why_not = (answer.json()["data"] for answer in answers)
    _check_backlog(backlog["backlog"])
    _check_transparency(transparency["transparency"])
    _check_why_not(why_not["whyNot"])
    assert set(pending) == {"Checkout", "Search", "Platform"}
    for cards in pending.values():
        assert [card["rank"] for card in cards] == list(range(1, len(cards) + 1))
        assert 4 <= len(cards) <= 6
        assert all(card["estimate"] and card["impact"] for card in cards)


def _backlog(document: dict[str, Any], team_id: str) -> list[dict[str, Any]]:
    query = f'{{ backlog(filter: {{teamIds: ["{team_id}"]}}) {{ nodes {{ rank estimate {{ likely }} impact {{ drag }} }} }} }}'
    found: list[dict[str, Any]] = ask(document, query, "AUDITOR").json()["data"]["backlog"]["nodes"]
    return found


def _check_backlog(backlog: dict[str, Any]) -> None:
    assert backlog["totalCount"] >= len(backlog["nodes"]) == 3
    assert [card["rank"] for card in backlog["nodes"]] == [1, 2, 3]
    totals = [card["why"]["total"] for card in backlog["nodes"]]
    assert totals == sorted(totals, reverse=True)
    for card in backlog["nodes"]:
        assert sum(term["contribution"] for term in card["why"]["terms"]) == pytest.approx(card["why"]["total"])


def _check_transparency(counts: dict[str, Any]) -> None:
    assert counts["noes"]["count"] == counts["declined"] + counts["postponed"] > 0
    assert counts["noes"]["shareWithReason"] == 1
    assert 0.8 < counts["noes"]["shareTold"] < 1, "one NO of the story is never told"
    assert counts["noes"]["shareToldInTime"] < counts["noes"]["shareTold"], "and one is told late"
    assert counts["appeals"] == {"lodged": 2, "upheld": 1, "dismissed": 1}
    assert counts["concerns"]["overruled"] == counts["concerns"]["unanswered"] == 1
    assert (counts["startedWithoutYes"], counts["selfDecided"]) == (1, 1)
    assert min(counts["accepted"], counts["carriedOver"], counts["reopened"]) > 3


def _check_why_not(story: dict[str, Any]) -> None:
    no = story["latestNo"]
    assert story["proposal"]["status"] == "DECLINED"
    assert [reason["code"] for reason in no["decision"]["reasons"]] == ["OPPORTUNITY_COST"]
    assert len(no["chosenInstead"]) == 2
    assert no["decision"]["communications"]
    assert [answer["answer"] for answer in no["decision"]["acknowledgements"]] == ["NOT_UNDERSTOOD"]
    assert [playback["state"] for playback in no["decision"]["playbacks"]] == ["CORRECTED", "CONFIRMED"]
    assert no["decision"]["reconsiderIf"]
    assert ["drag above 14" in condition["summary"].lower() for condition in no["conditions"]] == [True]


def test_the_page_can_be_pasted_as_it_is(told: Told, tmp_path: Path) -> None:
    folder = told.copy(tmp_path / "copy")
    with demo(folder).running("demo", "--port", "0") as process:
        page = process.said("Ctrl-C ends it")
        assert all(role in page for role in WHO)
        assert [_pasted(command) for command in page.split("\ncurl ")[1:]] == [200] * 3
        _end(process, folder, signal.SIGTERM)


def test_a_second_demo_beside_the_first_leaves_its_tokens_or_is_served_too(told: Told, tmp_path: Path) -> None:
    folder = told.copy(tmp_path / "copy")
    with demo(folder).running("demo", "--port", "0", "--json") as first:
        document = first.document()
        port = document["graphql"].split(":")[2].split("/")[0]
        refused = demo(folder).run("demo", "--port", port)
        assert (refused.code, f"Nothing can listen on port {port}" in refused.err) == (2, True)
        assert ask(document, QUERIES[1].text, "AUDITOR").status_code == 200
        with demo(folder).running("demo", "--port", "0", "--json") as second:
            later = second.document()
            assert ask(later, QUERIES[1].text, "AUDITOR").status_code == 200
            assert second.end(signal.SIGINT) == 0
        _end(first, folder, signal.SIGINT)


def _end(process: Process, folder: Path, number: signal.Signals) -> None:
    """A signal ends everything that was started."""
    server = running(folder / "demo")
    assert server is not None
    assert process.end(number) == 0
    until(lambda: gone(folder / "demo", server.pid), seconds=GONE_S)


def _pasted(command: str) -> int:
    """What a terminal would do with it."""
    words = shlex.split(command.split("\n\n", maxsplit=1)[0])
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1]
    json.loads(body)
    answer = httpx.post(next(w for w in words if w.startswith("http")), content=body, headers=headers, timeout=60)
    assert "errors" not in answer.json()
    return answer.status_code


def test_killed_in_the_middle_of_the_telling_it_goes_on_to_the_same_end(told: Told, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with demo(folder).running("demo", "--port", "0", "--json") as process:
        until(lambda: position(folder / "demo") >= MIDDLE, process)
        server = running(folder / "demo")
        process.process.kill()
        process.process.wait()
    assert server is not None
    until(lambda: gone(folder / "demo", server.pid))
    with demo(folder).running("demo", "--port", "0", "--json") as process:
        document = process.document()
        assert process.end(signal.SIGTERM) == 0
    assert (document["told_now"], document["facts"]) == (True, told.document["facts"])
    with EmbeddedPostgres.start(folder / "demo") as server_again:
        found = facts(server_again.url)
    assert found == facts_in(told.copy(tmp_path / "copy"))


def test_ended_in_the_middle_of_the_telling_it_leaves_nothing_running(tmp_path: Path) -> None:
    with demo(tmp_path).running("demo", "--port", "0", "--json") as process:
        until(lambda: position(tmp_path / "demo") >= MIDDLE, process)
        server = running(tmp_path / "demo")
        assert process.end(signal.SIGINT) == 1
        process.finish()
        assert process.out == []
        assert "goes on" in "".join(process.err)
        assert "Traceback" not in "".join(process.err)
    assert server is not None
    until(lambda: gone(tmp_path / "demo", server.pid), seconds=GONE_S)
