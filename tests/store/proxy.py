"""A wire to PostgreSQL that can be cut at the worst moment."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Proxy:
    """Forwards between a client and the server. Each fault applies from when it is set on, until it is taken back."""

    def __init__(self, url: str) -> None:
        found = conninfo_to_dict(url)
        self._host, self._port = str(found.get("host", "localhost")), int(found.get("port") or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = make_conninfo(url, host="127.0.0.1", port=self._listener.getsockname()[1])
        #: Close the connection in place of so many of the server's replies.
        self.drop_replies = 0
        #: Take the server's replies and keep them, without a word.
        self.swallow_replies = False
        #: Close each new connection at once.
        self.refuse = False
        self.dropped = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        # To shut down first ends the accept that waits; to close alone would not.
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            server = self._connect()
            self._open += [client, server]
            for pump in (self._send, self._answer):
                self._threads.append(threading.Thread(target=pump, args=(client, server), daemon=True))
                self._threads[-1].start()

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return server

    def _send(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.drop_replies > 0:
                    self.drop_replies -= 1
                    self.dropped.set()
                    break
                if not self.swallow_replies:
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """This will run a proxy in front of a database."""
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
