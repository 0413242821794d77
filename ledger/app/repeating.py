"""What comes over a connection and came before word for word is answered straight away (`ledger.api.shelf`), without being read again.

That is what portals do most of the time, and to read a request and begin a task for it takes several times as long as to answer it from
what is kept. Only what comes in one piece, on a connection that waits for nothing else and stays open, is looked for.
"""

from functools import partial
from hashlib import sha256
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from ledger.api.requests import DIGEST
from ledger.api.shelf import Answer, Shelf
from ledger.app.arriving import ArrivingProtocol

#: Longest request that is looked for, in bytes.
LENGTH_MAX = 16 * 1024


class RepeatingProtocol(ArrivingProtocol):
    """uvicorn's HTTP within our bounds, and with this shorter way."""

    #: Is a request being answered from the shelf? What comes meanwhile waits behind it.
    _is_answering = False
    _behind = b""
    #: Must the connection be closed after that answer?
    _is_ending = False
    #: Requests that began in the piece that came last.
    _begun = 0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._shelf: Shelf | None = getattr(self.app, "shelf", None)

    def data_received(self, data: bytes) -> None:
        """This will take what comes."""
        if self._is_answering:
            self._behind += data
            self.flow.pause_reading()
        elif self._shelf is None or not self._is_whole or len(data) > LENGTH_MAX:
            super().data_received(data)
        else:
            digest = sha256(data).digest()
            found = self._shelf.find(digest) if self._is_idle() else None
            if found is None:
                self._read(digest, data)
                return
            self._is_answering = True
            self._arrived()
            self._unset_keepalive_if_required()
            self._shelf.answer(found, partial(self._answered, digest, data))

    def on_message_begin(self) -> None:
        """This will count the requests of a piece."""
        self._begun += 1
        super().on_message_begin()

    def shutdown(self) -> None:
        """This will close the connection, after the answer that is under way."""
        if self._is_answering:
            self._is_ending = True
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        is_answered = self.cycle is None or self.cycle.response_complete
        return is_answered and not self.flow.write_paused and not self.transport.is_closing()

    def _read(self, digest: bytes, data: bytes) -> None:
        """This will take a piece the ordinary way. If it is one request, and all of it, it can be known again."""
        self._begun = 0
        super().data_received(data)
        if not self._is_whole or self._begun != 1 or self.cycle is None or self.cycle.scope is not self.scope:
            return
        if self.cycle.keep_alive and not self.expect_100_continue and not self.parser.should_upgrade():
            self.scope["extensions"] = {DIGEST: digest}  # type: ignore[dict-item]

    def _answered(self, digest: bytes, data: bytes, answer: Answer | None) -> None:
        self._is_answering = False
        if self.transport.is_closing():  # whoever asked has gone
            return
        if answer is not None:
            self._write(answer)
        else:
            self._read(digest, data)
            if self._is_ending:
                super().shutdown()
        if self._behind:
            behind, self._behind = self._behind, b""
            self.flow.resume_reading()
            self.data_received(behind)

    def _write(self, answer: Answer) -> None:
        pieces = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            pieces += (name, b": ", value, b"\r\n")
        pieces += (b"connection: close\r\n\r\n" if self._is_ending else b"\r\n", answer.body)
        self.transport.write(b"".join(pieces))
        if self._is_ending:
            self.transport.close()
        self.on_response_complete()
