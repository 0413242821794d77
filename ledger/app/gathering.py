"""What uvicorn writes in pieces, head and body apart, goes out in one: each piece alone would be a call of the system and a packet."""

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Gathering:
    """A transport that sends what was written in one turn of the loop together, at the turn's end. The rest is the transport's own."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """This will hold a piece until the turn's end."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """This will hold several."""
        self.write(b"".join(pieces))

    def flush(self) -> None:
        """This will send what is held."""
        if self._held:
            held, self._held = self._held, []
            self._transport.write(b"".join(held))

    def write_eof(self) -> None:
        """This will end what is sent, after all that is held."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """This will close the connection once all is sent."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """This will say whether the connection is being closed; it is asked several times for each request."""
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, and what it turns into when a client asks for a WebSocket, over a transport that gathers."""

    def connection_made(self, transport: Any) -> None:
        """This will take a connection."""
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]
