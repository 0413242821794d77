"""A simulation is a job: it answers at once, runs beside the API, is told of, compared, cancelled and bounded, and every end is a fact."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from websockets.sync.client import connect

from ledger.app import ViewLookups, create_app
from ledger.commands import Issued
from ledger.commands.simulation import ScenarioText, Simulate
from ledger.demo.showing import show
from ledger.domain.rejected import Code, Rejected
from ledger.handlers import Handlers
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.replay import PolicyChoice, Scenario, load, simulate
from ledger.replay.jobs import WAITING_OF_ONE_MAX, Jobs, Limits
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import SYSTEM, SimulationId, TeamId
from tests import databases
from tests.api.conftest import PEPPER, Client, served
from tests.cli.conftest import Cli
from tests.databases import Server
from tests.faults.cluster import children
from tests.faults.figures import Figures, figures

__all__ = ["figures"]

WAIT_S = 90
ASK = """mutation($input: SimulateInput!) { simulate(input: $input) {
  simulationId position userErrors { code message path } } }"""
SHOW = """query($id: UUID!) { simulation(simulationId: $id) {
  status reason digest scenarioSha256 teamIds requestedBy { name } progress { doing done total }
  report { position digest reviews teams weeks
    results { policy { name } netHours { low likely high } gainHours hindsightCheck flipsCount
      flips { proposal title actual simulated contribution survives } } } } }"""
COMPARE = """query($ids: [UUID!]!) { compareSimulations(simulationIds: $ids) {
  weeks sides { report policy netHours net momentum } agreement { one other tau } flips { proposalId title simulated sides } } }"""
CANCEL = """mutation($id: UUID!) { cancelSimulation(input: {simulationId: $id, reason: "not needed"}) {
  userErrors { code message } position } }"""
#: Without regret, for which each job would bring SciPy up: a second and a half.
CD3 = {"policies": [{"method": "CD3"}], "regret": False}
FIFO = Scenario((PolicyChoice("FIFO"),), regret=False)
#: Takes far longer than a test waits.
LONG = {**CD3, "policies": [{"method": "CD3"}, {"method": "WSJF"}, {"method": "RICE"}], "runs": 200}


class Story(NamedTuple):
    """The demo, served, with a client per role."""

    url: str
    base_url: str
    tokens: dict[str, str]
    teams: dict[str, str]
    #: A database like its own in which nobody is.
    template: str

    @contextmanager
    def client(self, role: str) -> Iterator[Client]:
        found = Client(self.base_url, self.tokens[role], SYSTEM)  # whose it is does not matter here
        try:
            yield found
        finally:
            found.http.close()

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def facts(self, simulation_id: str) -> list[str]:
        rows = self.sql("SELECT topic FROM ledger.events WHERE stream_id = %s ORDER BY version", simulation_id)
        return [topic for (topic,) in rows]

    def ask(self, client: Client, scenario: dict[str, Any], *teams: str, **more: Any) -> str:
        wanted = [self.teams[team] for team in teams or ("Checkout", "Search")]
        payload = client.ask(ASK, input={"teamIds": wanted, "scenario": scenario, **more})["simulate"]
        assert payload["userErrors"] == [], payload
        return str(payload["simulationId"])


@pytest.fixture(scope="module")
def story(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with server.admin() as admin, databases.database(server, admin) as told_there, ExitStack() as stack:
        tokens = show(told_there, PEPPER, lambda done, total: None).tokens
        template = urlsplit(told_there).path.removeprefix("/")
        url = stack.enter_context(databases.database(server, admin, template))
        folder = tmp_path_factory.mktemp("simulations")
        settings = Settings(database_url=url, data_dir=folder, token_pepper=PEPPER, pool_size=4, wait_s=5)
        with served(create_app(settings), settings) as base_url:
            told = Story(url, base_url, tokens, {}, template)
            with told.client("AUDITOR") as steward:
                for team in steward.ask("{ teams { nodes { teamId name } } }")["teams"]["nodes"]:
                    told.teams[team["name"]] = team["teamId"]
            yield told


def ended(client: Client, simulation_id: str) -> dict[str, Any]:
    """The simulation once it has ended."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found: dict[str, Any] = client.ask(SHOW, id=simulation_id)["simulation"]
        if found["status"] not in ("QUEUED", "RUNNING"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_it_answers_at_once_and_says_later_what_the_library_finds(story: Story) -> None:
    with story.client("STEWARD") as steward:
        simulation_id = story.ask(steward, {**CD3, "regret": True, "name": "Cost of delay"})
        assert steward.ask(SHOW, id=simulation_id)["simulation"]["status"] in ("QUEUED", "RUNNING")
        found = ended(steward, simulation_id)
    assert (found["status"], found["reason"]) == ("COMPLETED", None)
    assert found["requestedBy"]["name"] == "Robin"
    report = found["report"]
    assert report["digest"] == found["digest"]
    teams = tuple(story.teams[name] for name in ("Checkout", "Search"))
    here = simulate(load(story.url), Scenario((PolicyChoice("CD3"),), name="Cost of delay", teams=teams))
    (result,), (mine,) = report["results"], here.results
    assert result["netHours"] == {
        "low": mine.net_hours.low,
        "likely": mine.net_hours.likely,
        "high": mine.net_hours.high,
    }
    assert result["hindsightCheck"] == "PASSED"
    assert [flip["proposal"] for flip in result["flips"]] == [str(flip.proposal) for flip in mine.flips]
    assert [flip["title"] for flip in result["flips"]] == [flip.title for flip in mine.flips]
    assert len(report["weeks"]) == len(here.weeks)
    assert story.facts(simulation_id) == ["SimulationRequested", "SimulationCompleted"]


def test_the_report_that_is_kept_has_no_titles_of_its_own(story: Story) -> None:
    with story.client("STEWARD") as steward:
        flip = ended(steward, simulation_id := story.ask(steward, CD3))["report"]["results"][0]["flips"][0]
        (position,) = story.sql(
            "SELECT position FROM ledger.events WHERE stream_id = %s AND version = 1", flip["proposal"]
        )
        with Ledger(story.url) as ledger:
            asked = RedactionAsked(position[0], SYSTEM, "somebody's name was in it", "GDPR Article 17(1)(d)")
            redact(ledger, story.url, asked, command_id=uuid4(), at=datetime.now(UTC))
        (again, *_) = steward.ask(SHOW, id=simulation_id)["simulation"]["report"]["results"][0]["flips"]
    assert flip["title"] != "Redacted"
    assert again == {**flip, "title": "Redacted"}


def test_the_api_answers_quickly_while_one_runs_and_a_cancelled_one_stops(story: Story) -> None:
    with story.client("PRODUCT_MANAGER") as paula:
        simulation_id = story.ask(paula, LONG, "Checkout")
        deadline = time.monotonic() + WAIT_S
        while paula.ask(SHOW, id=simulation_id)["simulation"]["progress"]["doing"] not in (
            "Cutting the log",
            "Scoring",
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        slowest = 0.0
        for _ in range(20):
            begun = time.monotonic()
            paula.ask("{ viewer { member { name } } }")
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 2  # a replay on the event loop would hold it for many seconds
        assert paula.ask(SHOW, id=simulation_id)["simulation"]["status"] == "RUNNING"
        assert paula.ask(CANCEL, id=simulation_id)["cancelSimulation"]["userErrors"] == []
        assert ended(paula, simulation_id)["status"] == "CANCELLED"
        assert story.facts(simulation_id) == ["SimulationRequested", "SimulationCancelled"]
        again = paula.ask(CANCEL, id=simulation_id)["cancelSimulation"]["userErrors"]
        assert [error["code"] for error in again] == ["WRONG_STATE"]
        # and its process is gone, so that another gets its turn
        assert ended(paula, story.ask(paula, CD3, "Checkout"))["status"] == "COMPLETED"
    assert story.facts(simulation_id) == ["SimulationRequested", "SimulationCancelled"]


@pytest.mark.parametrize("role", ["ENGINEER", "OBSERVER", "INTEGRATOR", "AUDITOR"])
def test_only_a_lead_a_product_manager_or_a_steward_may(story: Story, role: str) -> None:
    with story.client(role) as client:
        payload = client.ask(ASK, input={"teamIds": [story.teams["Checkout"]], "scenario": CD3})["simulate"]
    assert [error["code"] for error in payload["userErrors"]] == ["FORBIDDEN"]
    assert payload["position"] is None


def test_a_role_in_one_team_is_none_in_another(story: Story) -> None:
    with story.client("PRODUCT_MANAGER") as paula, story.client("STEWARD") as steward:
        mine = {edge["teamId"] for edge in paula.ask("{ viewer { teams { teamId } } }")["viewer"]["teams"]}
        others = sorted(set(story.teams.values()) - mine)
        assert others
        asked = {"teamIds": [*mine, others[0]], "scenario": CD3}
        assert paula.ask(ASK, input=asked)["simulate"]["userErrors"][0]["code"] == "NOT_FOUND"
        of_others = steward.ask(ASK, input={"teamIds": others, "scenario": CD3})["simulate"]["simulationId"]
        assert paula.error(SHOW, id=of_others)["extensions"]["code"] == "NOT_FOUND"
        refused = paula.ask(CANCEL, id=of_others)["cancelSimulation"]["userErrors"]
        assert refused[0]["code"] == "NOT_FOUND"
        ended(steward, of_others)


@pytest.mark.parametrize(
    ("scenario", "sentence", "path"),
    [
        ({"policies": []}, "names no policy", ["input", "scenario", "policies"]),
        ({**CD3, "capacityDays": -1}, "-1.0 cannot be", ["input", "scenario", "capacityDays"]),
        ({**CD3, "runs": 1_000_000}, "1000000 cannot be", ["input", "scenario", "runs"]),
        ({**CD3, "runs": 201}, "Give 0 to 200", ["input", "scenario", "runs"]),
        (
            {"policies": [{"method": "WEIGHTED", "weights": [{"feature": "DRAG", "value": 0.4}]}]},
            "The weights sum to 0.4",
            ["input", "scenario", "policies", "0", "weights"],
        ),
        (
            {**CD3, "since": "2026-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"},
            "The period is empty",
            ["input", "scenario", "to"],
        ),
        (
            {"policies": [{"method": "CD3", "label": str(n)} for n in range(13)]},
            "at most 12 run as one job",
            ["input", "scenario", "policies"],
        ),
        (
            {**CD3, "forced": [{"proposalId": str(UUID(int=1)), "verdict": "YES"}]},
            "Name its review",
            ["input", "scenario", "forced", "0", "review"],
        ),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place_and_nothing_is_recorded(
    story: Story, scenario: dict[str, Any], sentence: str, path: list[str]
) -> None:
    with story.client("STEWARD") as steward:
        before = story.sql("SELECT position FROM ledger.head")
        (error,) = steward.ask(ASK, input={"teamIds": [story.teams["Search"]], "scenario": scenario})["simulate"][
            "userErrors"
        ]
        assert error["code"] == "BAD_USER_INPUT"
        assert sentence in error["message"]
        assert error["path"] == path
        assert story.sql("SELECT position FROM ledger.head") == before
        unknown = steward.error(ASK, input={"teamIds": [], "scenario": {"policies": [{"method": "BEST"}]}})
        assert "BEST" in unknown["message"]


def test_what_the_log_can_not_give_fails_with_its_reason(story: Story) -> None:
    with story.client("STEWARD") as steward:
        never = ended(steward, story.ask(steward, {**CD3, "since": "2040-01-01T00:00:00Z"}))
        assert (never["status"], never["report"]) == ("FAILED", None)
        assert "No review was held in this period" in never["reason"]
        area = ended(steward, story.ask(steward, {**CD3, "areas": ["component:default/nowhere"]}))
        assert "There is no area" in area["reason"]


def test_the_same_command_is_one_simulation(story: Story) -> None:
    with story.client("STEWARD") as steward:
        command_id = str(uuid4())
        first = story.ask(steward, CD3, commandId=command_id)
        ended(steward, first)
        assert story.ask(steward, CD3, commandId=command_id) == first
        assert ended(steward, first)["status"] == "COMPLETED"
        assert story.facts(first) == ["SimulationRequested", "SimulationCompleted"]


def test_simulations_stand_side_by_side(story: Story) -> None:
    with story.client("STEWARD") as steward:
        two = {**CD3, "policies": [{"method": "CD3"}, {"method": "NOTHING"}]}
        every_four_weeks = {**CD3, "policies": [{"method": "MOMENTUM"}], "everyDays": 28}
        ids = [story.ask(steward, two), story.ask(steward, every_four_weeks)]
        unfinished = steward.answer(COMPARE, ids=[ids[0], str(uuid4())])["errors"][0]
        assert unfinished["extensions"]["code"] == "NOT_FOUND"
        for one in ids:
            ended(steward, one)
        found = steward.ask(COMPARE, ids=ids)["compareSimulations"]
        assert steward.error(COMPARE, ids=ids[:1])["extensions"]["code"] == "BAD_USER_INPUT"
    assert [(side["report"], side["policy"]) for side in found["sides"]] == [
        (0, "CD3"),
        (0, "NOTHING"),
        (1, "MOMENTUM"),
    ]
    assert all(len(side["net"]) == len(found["weeks"]) for side in found["sides"])
    assert {(pair["one"], pair["other"]) for pair in found["agreement"]} == {(0, 1), (0, 2), (1, 2)}
    assert next(p["tau"] for p in found["agreement"] if (p["one"], p["other"]) == (0, 2)) is not None
    assert found["flips"]
    assert all(flip["title"] and len(flip["sides"]) > 1 for flip in found["flips"])


def frames(story: Story, client: Client, simulation_id: str) -> list[str]:
    """The states that a follower of a simulation is told, up to the end."""
    query = "subscription($id: UUID!) { simulation(simulationId: $id) { status progress { doing } } }"
    with connect(
        story.base_url.replace("http", "ws") + "/graphql",
        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
    ) as ws:
        ws.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {client.token}"}}))
        assert json.loads(ws.recv(10)) == {"type": "connection_ack"}
        payload = {"query": query, "variables": {"id": simulation_id}}
        ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        seen = []
        while (frame := json.loads(ws.recv(WAIT_S)))["type"] != "complete":
            if frame["type"] == "next":
                seen.append(frame["payload"]["data"]["simulation"]["status"])
    return seen


def test_one_is_followed_until_it_has_ended(story: Story) -> None:
    with story.client("STEWARD") as steward:
        seen = frames(story, steward, story.ask(steward, CD3, "Search"))
    assert seen[-1] == "COMPLETED"
    assert set(seen[:-1]) <= {"QUEUED", "RUNNING"}


def asked(story: Story, ledger: Ledger, jobs: Jobs | None, scenario: Scenario) -> SimulationId:
    """A simulation that these jobs took on, by the system itself; None: that nobody had the time to take on."""
    import msgspec

    simulation_id = SimulationId(uuid4())
    text = ScenarioText(msgspec.json.encode(scenario).decode())
    command = Simulate(simulation_id, (TeamId(UUID(story.teams["Search"])),), text)
    with closing(ViewLookups(story.url)) as lookups:
        handle = Handlers(ledger, lookups).handle
        (handle if jobs is None else jobs.handling(handle))(
            Issued(command=command, command_id=uuid4(), member_id=SYSTEM, at=datetime.now(UTC))
        )
    return simulation_id


def status_of(story: Story, simulation_id: UUID) -> tuple[Any, ...]:
    (row,) = story.sql("SELECT state, doing, reason FROM simulations.jobs WHERE simulation_id = %s", simulation_id)
    return row


@pytest.fixture
def apart(server: Server, story: Story) -> Iterator[Story]:
    """A copy of the story's database that no server looks at."""
    with server.admin() as admin, databases.database(server, admin, story.template) as url:
        yield story._replace(url=url, base_url="")


def words(pid: int) -> bytes:
    """The words with which a process was started; none: it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until(story: Story, simulation_id: UUID, *states: str) -> tuple[Any, ...]:
    deadline = time.monotonic() + WAIT_S
    while (row := status_of(story, simulation_id))[0] not in states:
        assert time.monotonic() < deadline, row
        time.sleep(0.05)
    return row


def test_what_was_interrupted_is_said_to_be_and_what_waited_runs_after_a_restart(apart: Story, tmp_path: Path) -> None:
    long = Scenario(tuple(PolicyChoice(m) for m in ("KNAPSACK", "CD3", "WSJF")), runs=200)
    with Ledger(apart.url) as ledger:
        jobs = Jobs(apart.url, ledger, tmp_path, Limits(running=1))
        jobs.start()
        running = asked(apart, ledger, jobs, long)
        until(apart, running, "RUNNING")
        waiting = asked(apart, ledger, jobs, FIFO)
        jobs.stop()
        assert until(apart, running, "INTERRUPTED")[2] == "The server was stopped while it ran. Ask again."
        assert status_of(apart, waiting)[0] == "QUEUED"
        assert apart.facts(str(running)) == ["SimulationRequested", "SimulationInterrupted"]
        # A process that was killed could say nothing: its row still says RUNNING, and nobody holds the lock.
        killed = asked(apart, ledger, jobs, long)
        apart.sql("UPDATE simulations.jobs SET state = 'RUNNING', doing = 'Drawing' WHERE simulation_id = %s", killed)
        lost = asked(apart, ledger, None, FIFO)  # killed before it could put it in the queue
        later = Jobs(apart.url, ledger, tmp_path, Limits(running=1))
        later.start()
        try:
            assert until(apart, killed, "INTERRUPTED")[2] == "The process that ran it ended before it did. Ask again."
            assert until(apart, waiting, "COMPLETED")
            wait_until(lambda: apart.facts(str(lost)) == ["SimulationRequested", "SimulationCompleted"])
        finally:
            later.stop()
        assert apart.facts(str(killed)) == ["SimulationRequested", "SimulationInterrupted"]


@pytest.mark.faults
def test_a_server_that_leaves_what_nobody_runs_as_it_is_is_found_out(
    apart: Story, tmp_path: Path, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the tests around it can fail."""
    with Ledger(apart.url) as ledger:
        killed = asked(apart, ledger, Jobs(apart.url, ledger, tmp_path), FIFO)
        apart.sql("UPDATE simulations.jobs SET state = 'RUNNING', doing = 'Drawing' WHERE simulation_id = %s", killed)

        def said() -> None:
            jobs = Jobs(apart.url, ledger, tmp_path, Limits(running=1))
            jobs.start()
            try:
                until(apart, killed, "INTERRUPTED")
            finally:
                jobs.stop()

        with pytest.MonkeyPatch.context() as planted:
            planted.setattr(Jobs, "_recover", lambda *_: None)
            planted.setattr("tests.api.test_simulation.WAIT_S", 5)
            figures.found_out("a server that leaves what nobody runs as it is", "RUNNING", said)
        said()


@pytest.mark.faults
def test_a_server_killed_amid_one_leaves_it_to_the_next_to_say_so(
    apart: Story, tmp_path: Path, figures: Figures
) -> None:
    """It could say nothing, and its runner ends with it; whoever followed goes on at the next server, which knows how far it was."""
    cli = Cli({"LEDGER_DATABASE_URL": apart.url, "LEDGER_DATA_DIR": str(tmp_path), "LEDGER_TOKEN_PEPPER": PEPPER.hex()})
    with cli.running("serve", "--port", "0", "--json") as first:
        killed = apart._replace(base_url=first.document()["address"])
        with killed.client("STEWARD") as steward:
            running = killed.ask(steward, LONG)
            wait_until(lambda: status_of(apart, UUID(running))[1] in ("Cutting the log", "Scoring", "Drawing"))
            runners = [pid for pid in children(first.process.pid) if b"replay.job" in words(pid)]
        first.process.kill()
        first.process.wait()
    assert len(runners) == 1
    wait_until(lambda: not words(runners[0]))
    assert status_of(apart, UUID(running))[0] == "RUNNING"
    with cli.running("serve", "--port", "0", "--json") as second:
        at = time.monotonic()
        served = apart._replace(base_url=second.document()["address"])
        with served.client("STEWARD") as steward:
            assert frames(served, steward, running)[-1] == "INTERRUPTED"
            said_s = time.monotonic() - at
            found = ended(steward, running)
            assert (found["status"], found["report"]) == ("INTERRUPTED", None)
            assert found["reason"] == "The process that ran it ended before it did. Ask again."
            assert found["progress"]["doing"] in ("Cutting the log", "Scoring", "Drawing")
            assert apart.facts(running) == ["SimulationRequested", "SimulationInterrupted"]
            assert ended(steward, served.ask(steward, CD3, "Search"))["status"] == "COMPLETED"
    figures.named("kill -9 of a server amid a simulation", f"INTERRUPTED: {found['reason']}", after_s=said_s)


def test_it_is_bounded_in_time_in_memory_and_in_number(apart: Story, tmp_path: Path) -> None:
    long = Scenario(tuple(PolicyChoice(m) for m in ("KNAPSACK", "CD3", "WSJF")), runs=200)
    with Ledger(apart.url) as ledger:
        for limits, sentence in (
            (Limits(running=1, time_s=1), "It took longer than 1 seconds"),
            (Limits(running=1, memory_bytes=300 * 2**20), "memory"),
        ):
            jobs = Jobs(apart.url, ledger, tmp_path, limits)
            jobs.start()
            try:
                simulation_id = asked(apart, ledger, jobs, long)
                assert sentence in until(apart, simulation_id, "FAILED")[2]
            finally:
                jobs.stop()
        idle = Jobs(apart.url, ledger, tmp_path)  # never started: what is asked for waits
        for _ in range(WAITING_OF_ONE_MAX):
            asked(apart, ledger, idle, FIFO)
        with pytest.raises(Rejected, match="at most 5 may wait") as refused:
            asked(apart, ledger, idle, FIFO)
        assert refused.value.code is Code.CONFLICT
