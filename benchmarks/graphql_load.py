"""Sends HTTP requests over so many connections as fast as they are answered, and says how fast that was."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import NamedTuple

import uvloop

TICKS = os.sysconf("SC_CLK_TCK")
OK = (b"200", b"304")


class Figures(NamedTuple):
    """Requests a second, milliseconds that half and 99 of 100 took at most, CPU milliseconds of the server for each, bytes of an answer."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    size: float


def load(port: int, requests: Iterator[bytes], connections: int, seconds: float, pid: int) -> Figures:
    """This will load a server. Raises AssertionError for an answer that is not 200 or 304, or holds errors."""
    return uvloop.run(_load(port, requests, connections, seconds, pid))


async def _load(port: int, requests: Iterator[bytes], connections: int, seconds: float, pid: int) -> Figures:
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(requests), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    for client in clients:
        client.send()
    await asyncio.sleep(min(1.0, seconds / 3))  # until it has warmed up
    before, began = cpu_s(pid), perf_counter()
    for client in clients:
        client.times.clear()
    await asyncio.sleep(seconds)
    took, used = perf_counter() - began, cpu_s(pid) - before
    for client in clients:
        client.is_over = True
    await asyncio.gather(*(client.closed for client in clients))
    times = [each for client in clients for each in client.times]
    cuts = quantiles(times, n=100)
    return Figures(len(times) / took, 1e3 * cuts[49], 1e3 * cuts[98], 1e3 * used / len(times), clients[0].size)


def cpu_s(pid: int) -> float:
    """This will give the processor time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Client(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.times: list[float] = []
        self.size = 0
        self.is_over = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began = 0.0
        self._buffer = b""
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """This will keep the way to send."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def send(self) -> None:
        """This will send the next request."""
        self._began = perf_counter()
        self._transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        """This will take a piece of an answer, and go on after its last."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            if head[9:12] not in OK:
                self._fail()
                return
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None]) if at >= 0 else 0
            self._wanted = end + 4 + length
        if len(self._buffer) < self._wanted:
            return
        if b'"errors"' in self._buffer[:400]:
            self._fail()
            return
        self.times.append(perf_counter() - self._began)
        self.size, self._buffer, self._wanted = self._wanted, b"", 0
        if self.is_over:
            self._transport.close()
        else:
            self.send()

    def _fail(self) -> None:
        if not self.closed.done():
            self.closed.set_exception(AssertionError(self._buffer[:500]))
        self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """This will say that it is over."""
        if not self.closed.done():
            self.closed.set_result(None)
