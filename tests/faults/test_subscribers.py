"""A hundred subscribers through a restart, and one that does not read."""

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakSet

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from ledger.api.feed import Fact, Feed
from ledger.commands.team import FormTeam
from ledger.handlers import bootstrap
from ledger.store.application import Ledger
from ledger.values import Role, TeamId
from projections.catalogue import VIEWS
from tests.api.conftest import Api
from tests.cli.conftest import Cli, Process
from tests.faults.asking import caught_up
from tests.faults.cluster import until
from tests.faults.figures import Figures
from tests.faults.load import END, LIFE
from tests.faults.oracle import Found, examine
from tests.projections.recording import Recorder

SUBSCRIBERS, PER_TOKEN = 100, 20
EVENTS = "subscription S($after: Position) { ledgerEvents(after: $after) { position } }"
WORDY = """subscription S($after: Position) { ledgerEvents(after: $after) {
  position kind summary recordedAt a: summary b: summary c: summary d: summary e: summary actor { member { memberId name } } } }"""
#: A stopping server has so long, in seconds.
STOP_S = 10.0
#: A reader takes nothing for so long, in seconds: twice what it is given.
STALLED_S = 45


class Subscriber:
    """One that comes back with the last position that it has, whenever it is cut off."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.seen: list[int] = []
        self.connected = 0

    async def follow(self, until_position: asyncio.Future[int]) -> None:
        """This will follow until it has the position that will be told."""
        while not (until_position.done() and self.seen and self.seen[-1] >= until_position.result()):
            try:
                await self._once(until_position)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                await asyncio.sleep(0.05)

    async def _once(self, until_position: asyncio.Future[int]) -> None:
        async with connect(self.url, subprotocols=["graphql-transport-ws"], open_timeout=5) as ws:  # type: ignore[list-item]
            await ws.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {self.token}"}}))
            assert json.loads(await ws.recv())["type"] == "connection_ack"
            self.connected += 1
            after = str(self.seen[-1] if self.seen else 0)
            payload = {"query": EVENTS, "variables": {"after": after}}
            await ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            while not (until_position.done() and self.seen and self.seen[-1] >= until_position.result()):
                frame = json.loads(await asyncio.wait_for(ws.recv(), 30))
                if frame["type"] == "next":
                    assert "errors" not in frame["payload"], frame
                    self.seen.append(int(frame["payload"]["data"]["ledgerEvents"]["position"]))


class Crowd(threading.Thread):
    """All of them, on a loop of their own."""

    def __init__(self, url: str, tokens: list[str]) -> None:
        super().__init__(daemon=True)
        self.all = [Subscriber(url, tokens[number // PER_TOKEN]) for number in range(SUBSCRIBERS)]
        self.error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._end = self._loop.create_future()

    def run(self) -> None:
        async def everybody() -> None:
            await asyncio.gather(*(one.follow(self._end) for one in self.all))

        try:
            self._loop.run_until_complete(everybody())
        except BaseException as error:
            self.error = error
        finally:
            self._loop.close()

    def finish(self, position: int) -> None:
        """This will wait until each has all up to the position."""
        self._loop.call_soon_threadsafe(self._end.set_result, position)
        self.join(120)
        if self.error is not None:
            raise self.error
        assert not self.is_alive(), min(len(one.seen) for one in self.all)


def unlike(seen: list[int], head: int) -> tuple[str, ...]:
    """How what a subscriber has seen is not each position once, in order; (): it is."""
    wrong = [(before, now) for before, now in pairwise([0, *seen]) if now != before + 1]
    said = [f"streams: {now} came after {before}" for before, now in wrong]
    return (*said, *(["streams: the end is lacking"] if not seen or seen[-1] < head else []))


@pytest.mark.parametrize(
    "mutation",
    ["a stream that gives a fact twice", "a stream that leaves one out", "a subscription that repeats after a restart"],
)
def test_a_stream_that_is_not_each_fact_once_is_found_out(
    api: Api, monkeypatch: pytest.MonkeyPatch, figures: Figures, mutation: str
) -> None:
    """So that the test below can fail."""
    auditor, whole = api.client(Role.AUDITOR), Feed.after
    subscriber = Subscriber(api.base_url.replace("http", "ws") + "/graphql", auditor.token)

    known = WeakSet[asyncio.Task[Any]]()

    async def after(self: Feed, position: int) -> list[Fact]:
        task = asyncio.current_task()
        if "restart" in mutation:  # it begins with the fact that its reader has
            is_first = task not in known
            known.add(task)  # type: ignore[arg-type]
            return await whole(self, max(0, position - 1) if is_first else position)
        if "out" in mutation:
            return await whole(self, position + 1)
        found = await whole(self, position)
        return [*found[:1], *found]

    async def follow() -> None:
        end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        following = asyncio.create_task(subscriber.follow(end))
        for number in range(12):
            await asyncio.to_thread(api.issue, FormTeam(TeamId(uuid4()), f"Team {number}"))
            await asyncio.sleep(0.1)
            if number == 8:  # some come after it, of which the last may be left out
                end.set_result(api.ledger.head())
        await asyncio.wait_for(following, 20)

    asyncio.run(follow())
    assert unlike(subscriber.seen, subscriber.seen[-1]) == ()
    if "restart" not in mutation:
        subscriber.seen.clear()
    monkeypatch.setattr(Feed, "after", after)
    asyncio.run(follow())
    figures.caught("streams", mutation, Found(0, 0, 0, 0, 0, unlike(subscriber.seen, subscriber.seen[-1])))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def founded(database_url: str) -> Iterator[Api]:
    with Ledger(database_url) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        yield Api(database_url, "", ledger)


@contextmanager
def served(cli: Cli, port: int) -> Iterator[Process]:
    with cli.running("serve", "--port", str(port), "--json") as process:
        process.document()
        yield process


@pytest.mark.faults
def test_a_hundred_subscribers_go_through_a_restart_without_gap_or_repeat(
    database_url: str, founded: Api, tmp_path: Path, figures: Figures
) -> None:
    cli, port = Cli({"LEDGER_DATABASE_URL": database_url, "LEDGER_DATA_DIR": str(tmp_path)}), free_port()
    tokens = [founded.client(Role.AUDITOR, name=f"Auditor {n}") for n in range(SUBSCRIBERS // PER_TOKEN)]
    crowd = Crowd(f"ws://127.0.0.1:{port}/graphql", [client.token for client in tokens])

    def more(count: int) -> None:
        for number in range(count):
            founded.issue(FormTeam(TeamId(uuid4()), f"Team {number}"))

    with served(cli, port) as process:
        crowd.start()
        until(lambda: all(one.connected for one in crowd.all))
        more(30)
        until(lambda: min(len(one.seen) for one in crowd.all) > 20)
        at = time.monotonic()
        writing = threading.Thread(target=more, args=(60,))
        writing.start()
        assert process.end(signal.SIGTERM) == 0
        stopped_s = time.monotonic() - at
    assert stopped_s < STOP_S
    with served(cli, port):
        until(lambda: all(one.connected >= 2 for one in crowd.all))
        recovered_s = time.monotonic() - at
        writing.join()
        more(30)
        head = founded.ledger.head()
        crowd.finish(head)
        caught_up(founded)
    assert [fault for one in crowd.all for fault in unlike(one.seen, head)] == []
    figures.survived(
        f"SIGTERM with {SUBSCRIBERS} subscribers",
        examine(database_url, views=VIEWS),
        recovered_s=recovered_s,
        more=f"ended in {stopped_s:.1f} s; each saw {head} positions once",
    )
    for client in tokens:
        client.http.close()


def resident_mb(pid: int) -> float:
    """The memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


@pytest.mark.faults
def test_a_subscriber_that_does_not_read_is_dropped_and_costs_no_memory(
    database_url: str, founded: Api, tmp_path: Path, figures: Figures
) -> None:
    cli, port = Cli({"LEDGER_DATABASE_URL": database_url, "LEDGER_DATA_DIR": str(tmp_path)}), free_port()
    auditor, recorder = founded.client(Role.AUDITOR), Recorder(founded.ledger)
    hello = json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {auditor.token}"}})
    asked = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WORDY, "variables": {"after": "0"}}})
    for _ in range(2_500):
        stream = uuid4()
        recorder.record(*[(stream, fact) for facts in (*LIFE, *[LIFE[1]] * 6, END) for fact in facts])
    with served(cli, port) as process:
        caught_up(founded)

        async def stall() -> tuple[int, float]:
            """It asks for all there is, takes nothing for a while, then what is left: the last position, and the memory meanwhile."""
            small = socket.socket()
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # before it connects, or it counts for nothing
            small.connect(("127.0.0.1", port))
            last, most = 0, 0.0
            async with connect(
                f"ws://127.0.0.1:{port}/graphql",
                sock=small,
                subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
                compression=None,  # words that repeat would fit into the sockets' buffers
                max_queue=1,
                ping_interval=None,
                close_timeout=1,
            ) as ws:
                await ws.send(hello)
                await ws.recv()
                await ws.send(asked)
                for _ in range(STALLED_S):
                    await asyncio.sleep(1)
                    most = max(most, resident_mb(process.process.pid))
                with suppress(ConnectionClosed):
                    while True:
                        frame = json.loads(await ws.recv())
                        assert frame["type"] == "next", frame
                        position = int(frame["payload"]["data"]["ledgerEvents"]["position"])
                        assert position == last + 1
                        last = position
            return last, most

        quick = Subscriber(f"ws://127.0.0.1:{port}/graphql", auditor.token)
        head = founded.ledger.head()

        async def catch_up() -> None:
            end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            end.set_result(head)
            await quick.follow(end)

        asyncio.run(catch_up())  # so that what is kept for all is there
        before = resident_mb(process.process.pid)
        last, most = asyncio.run(stall())
        grown = most - before
        quick.seen = list(range(1, last + 1))
        assert 0 < last < head

        asyncio.run(catch_up())
        assert quick.seen == list(range(1, head + 1))
    assert grown < 50
    figures.named(
        "a slow subscriber", f"cut off at {last} of {head}, went on from there; memory grew by {grown:.0f} MB"
    )
    auditor.http.close()
