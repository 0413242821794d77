"""Pages of commands that are nearly sure to be new: one statement each, several on their way, all of a page recorded or none of it."""

from collections.abc import Callable, Sequence
from struct import Struct as Packing

import psycopg
from psycopg import pq

from ledger.store.pipeline import Lost, Pipeline, prepare

__all__ = ["Lost", "Pages"]

#: How long an answer may take, in seconds: the server's own limits come first unless the network is gone.
REPLY_TIMEOUT_S = 60.0

_APPEND = b"SELECT * FROM ledger.append_page($1, $2)"
_STATEMENT = b"ledger_append_page"
_TYPES = b"SELECT 'ledger.incoming'::regtype::oid, 'ledger.incoming[]'::regtype::oid"
_INT8_OID = 20

_ARRAY_HEAD = Packing(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_INT8 = Packing(">q").pack


class Pages(Pipeline[int]):
    """Appends pages in order, and remembers of each how many events it has.

    A page that is refused, or whose connection broke, takes all that were sent after it along: none of them is recorded, and `start_over`
    must be called before the next.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection], appended: Callable[[int], None]) -> None:
        super().__init__(connect)
        self._appended = appended
        self._element_type = 0
        self._page = 0

    def send(self, commands: Sequence[bytes], event_count: int) -> None:
        """This will send the next page without waiting for it. Raises psycopg.OperationalError without a connection, Lost."""
        self._open()
        self._page += 1
        events = _ARRAY_HEAD(1, 0, self._element_type, event_count, 1) + b"".join(commands)
        self._call(_STATEMENT, [_INT8(self._page), events], event_count, REPLY_TIMEOUT_S)

    def recorded(self) -> bool:
        """This will wait for the oldest page, and say whether it was recorded; False: it was refused. Raises Lost."""
        event_count, result = self._answer()
        first = result.get_value(0, 0) if result.status == pq.ExecStatus.TUPLES_OK and result.ntuples else None
        if first is None:
            return False
        self._appended(int.from_bytes(first) + event_count - 1)
        return True

    def start_over(self) -> None:
        """This will close the connection and forget what was sent; the next page opens another."""
        self.close()

    def _make_ready(self, connection: psycopg.Connection) -> None:
        """This will prepare the statement, and count a connection's pages from the first."""
        with connection.cursor(binary=True) as cursor:
            found = cursor.execute(_TYPES).fetchone()
        assert found is not None  # noqa: S101  # one row always
        self._element_type, array_type = found
        prepare(connection, _STATEMENT, _APPEND, [_INT8_OID, array_type])
        self._page = 0
