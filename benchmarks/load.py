"""Requests over HTTP from a process of its own: connections that stay open, each with its next request as soon as the last is answered.

It reads of an answer no more than its length and whether it is good, so that it takes a fraction of what any server does.
"""

import asyncio
import multiprocessing
import os
import re
from collections.abc import Iterator, Sequence
from itertools import cycle
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

import uvloop

#: Stands in a request where its command's id goes; of the same length.
FRESH = "00000000-0000-4000-8000-000000000000"
WARM_UP_S = 0.5
LAST_ANSWERS_S = 0.3
END_S = 30.0


def loaded(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> float:
    """This will let a process of its own send requests, and give the answers a second."""
    spawning = multiprocessing.get_context("spawn")
    found, told = spawning.Pipe(duplex=False)
    process = spawning.Process(target=load, args=(port, list(requests), connections, seconds, told))
    process.start()
    rate, fault = found.recv()
    process.join(END_S)
    if fault:
        raise RuntimeError(f"a request failed: {fault}")
    return float(rate)


def load(port: int, requests: list[bytes], connections: int, seconds: float, told: Connection) -> None:
    """This will send requests and tell the rate, or the first answer that is not as it should be."""
    try:
        told.send((uvloop.run(_load(port, requests, connections, seconds)), ""))
    except Exception as error:
        told.send((0.0, repr(error)))


class Client(asyncio.Protocol):
    """One connection. It sends a request as soon as the last is answered; the answer's end is where its length says."""

    def __init__(self, requests: Iterator[bytes], ended: asyncio.Future[None]) -> None:
        self.answered = 0
        self.is_done = False
        self._requests, self._ended = requests, ended
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """This will send the first request."""
        self._transport: Any = transport  # uvloop's own, which is no asyncio.Transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """This will end the measurement if the server ended the connection."""
        if not self.is_done and not self._ended.done():
            self._ended.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """This will count an answer that is whole and good, and send the next request."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if length is None or len(body) < int(length[1]):
            return
        if b'"position":' not in body or b'"userErrors":[{' in body or b'"errors":' in body:
            if not self._ended.done():
                self._ended.set_exception(AssertionError(self._buffer.decode()))
            return
        self.answered += 1
        self._buffer = b""
        if self.is_done:
            self._transport.close()
        else:
            self._ask()

    def _ask(self) -> None:
        fresh = os.urandom(16).hex()
        id_ = f"{fresh[:8]}-{fresh[8:12]}-{fresh[12:16]}-{fresh[16:20]}-{fresh[20:]}"
        self._transport.write(next(self._requests).replace(FRESH.encode(), id_.encode()))


async def _load(port: int, requests: list[bytes], connections: int, seconds: float) -> float:
    loop, ended = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    turn = cycle(requests)
    clients = [
        (await loop.create_connection(lambda: Client(turn, ended), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.wait([ended], timeout=WARM_UP_S)
    before, began = sum(client.answered for client in clients), perf_counter()
    await asyncio.wait([ended], timeout=seconds)
    rate = (sum(client.answered for client in clients) - before) / (perf_counter() - began)
    if ended.done():
        ended.result()
    for client in clients:  # each ends with its answer: a server that is left in the middle complains
        client.is_done = True
    await asyncio.sleep(LAST_ANSWERS_S)
    return rate
