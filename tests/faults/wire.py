"""A wire to PostgreSQL with faults of its own: replies that get lost, latency, and a hole that swallows everything."""

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict

from tests.store.proxy import Proxy


class Wire(Proxy):
    """The store's proxy, and besides: each byte may be late, and a hole may hold back all of them in both directions.

    A packet that is lost in a real hole is sent again once the hole is gone; so what was held back arrives then, unless `forget` is set:
    then the connections of before stay dead without a word, as behind a router that has lost its memory.
    """

    def __init__(self, url: str) -> None:
        #: On each way, in seconds.
        self.latency_s = 0.0
        #: Cut the connection in place of every so-manieth reply; 0: of none.
        self.drop_every = 0
        #: Cut this connection, counted from 1, in place of its next reply; 0: none.
        self.drop_on = 0
        self._numbers: dict[socket.socket, int] = {}
        self.replies = 0
        self.drops = 0
        self._passable = threading.Event()
        self._passable.set()
        self._forgets = False
        self._hole_ended = 0.0
        found = conninfo_to_dict(url)
        super().__init__(url)
        port = self._listener.getsockname()[1]
        secret = f":{found['password']}" if found.get("password") else ""
        self.url = f"postgresql://{found['user']}{secret}@127.0.0.1:{port}/{found['dbname']}"

    def close(self) -> None:
        self._passable.set()
        self.latency_s = 0.0
        super().close()

    def begin_hole(self, *, forget: bool = False) -> None:
        """This will let nothing through from now on."""
        self._forgets = forget
        self._passable.clear()

    def end_hole(self) -> None:
        """This will let everything through again."""
        self._hole_ended = time.monotonic()
        self._passable.set()

    def lead_to(self, url: str) -> None:
        """This will cut every connection, and lead those to come to another server."""
        found = conninfo_to_dict(url)
        self._host, self._port = str(found["host"]), int(found.get("port") or 5432)
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> socket.socket:
        server = super()._connect()
        self._numbers[server] = len(self._numbers) + 1
        return server

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        self._carry(client, server, counts=False)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        self._carry(server, client, counts=True)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _carry(self, source: socket.socket, target: socket.socket, *, counts: bool) -> None:
        """This will carry bytes one way until either end closes; those under way come in the order in which they were sent."""
        under_way: queue.Queue[tuple[float, bytes] | None] = queue.Queue()
        deliverer = threading.Thread(target=self._deliver, args=(under_way, target, time.monotonic()), daemon=True)
        deliverer.start()
        with suppress(OSError):
            while data := source.recv(65536):
                if counts and self._drops(self._numbers[source]):
                    self.dropped.set()
                    break
                under_way.put((time.monotonic() + self.latency_s, data))
        under_way.put(None)
        deliverer.join()

    def _drops(self, number: int) -> bool:
        if self.drop_replies > 0:
            self.drop_replies -= 1
            return True
        self.replies += 1
        if number == self.drop_on or (self.drop_every and self.replies % self.drop_every == 0):
            self.drop_on = 0
            self.drops += 1
            return True
        return False

    def _deliver(
        self, under_way: "queue.Queue[tuple[float, bytes] | None]", target: socket.socket, born: float
    ) -> None:
        with suppress(OSError):
            while (found := under_way.get()) is not None:
                due, data = found
                time.sleep(max(0.0, due - time.monotonic()))
                was_closed = not self._passable.is_set()
                self._passable.wait()
                if self._forgets and (was_closed or born < self._hole_ended):
                    continue
                target.sendall(data)


@contextmanager
def wired(url: str) -> Iterator[Wire]:
    """This will run a wire in front of a database."""
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()
