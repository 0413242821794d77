"""Who hears a connection's answers: a thread that waits for them, or an event loop, which then needs no thread to wake it."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from select import POLLIN, poll

from ledger.store.appender import Appender

#: How long a batch that is not full waits for more while another is on its way, in seconds: loops have no finer clock.
GATHER_S = 0.001


class Bell:
    """A thread's wait for a file, which others may cut short."""

    def __init__(self) -> None:
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)

    def ring(self) -> None:
        """This will wake whoever waits."""
        with suppress(OSError):  # full of rings already, or closed with the thread gone
            self._waker.send(b"!")

    def wait(self, file: int, timeout_s: float | None) -> bool | None:
        """This will say whether there is something to read from the file (none: -1), or only a ring; None: neither, in all that time."""
        ready = poll()
        ready.register(self._wake, POLLIN)
        if file >= 0:
            ready.register(file, POLLIN)
        found = ready.poll(None if timeout_s is None else timeout_s * 1000)
        if not found:
            return None
        files = [one for one, _ in found]
        if self._wake.fileno() in files:
            self._wake.recv(4096)
        return file in files

    def close(self) -> None:
        """This will end it; a ring then does nothing."""
        self._wake.close()
        self._waker.close()


class Listener:
    """A loop's watch over a connection's file, until `end`. Made in the loop; what it calls, it calls there.

    It watches a duplicate, which stays the same file when another thread closes the connection.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        appender: Appender,
        heard: "Callable[[Listener], None]",
        depart: "Callable[[Listener], None]",
    ) -> None:
        self.loop = loop
        self._appender, self._connection = appender, appender.opened
        self._depart = depart
        self._departs_soon = self._departs_later = False
        #: The file while it is watched. Whoever takes it out closes it.
        self._files = [os.dup(appender.fileno())]
        loop.add_reader(self._files[0], heard, self)

    def is_current(self) -> bool:
        """Is there a loop that hears, and the connection that it hears?"""
        return self._appender.opened == self._connection and self._appender.is_open() and not self.loop.is_closed()

    def depart_soon(self) -> None:
        """This will have sent what waits once every task that can run now has run: they share a batch."""
        if not self._departs_soon:
            self._departs_soon = True
            self.loop.call_soon(self._soon)

    def depart_later(self) -> None:
        """This will have sent what waits after a moment, unless it goes before."""
        if not self._departs_later:
            self._departs_later = True
            self.loop.call_later(GATHER_S, self._later)

    def end(self) -> None:
        """This will watch no more. For any thread."""
        if self.loop.is_closed():
            self._close()
            return
        with suppress(RuntimeError):  # it closes this moment
            self.loop.call_soon_threadsafe(self._close)

    def _soon(self) -> None:
        self._departs_soon = False
        self._depart(self)

    def _later(self) -> None:
        self._departs_later = False
        self._depart(self)

    def _close(self) -> None:
        with suppress(IndexError):  # it is closed already
            file = self._files.pop()
            if not self.loop.is_closed():
                self.loop.remove_reader(file)
            os.close(file)
