"""Where everything stands at the moment of a request: the views, the names, and who may come in. One statement for all who ask at once.

A snapshot never is older than its request: a statement that has begun already is not waited for, the next one is, and whoever comes
meanwhile shares it. So a token that was revoked is known at once, and a hundred requests at a time cost few statements.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic

import msgspec
import psycopg
from msgspec import Struct
from msgspec.structs import replace

from ledger.api import roles
from ledger.api.context import Viewer
from ledger.api.standing import STANDINGS, Standing, Standings
from ledger.directory.members import Person
from ledger.events import TOPICS
from ledger.store.asking import Asking, Statement
from ledger.store.connections import READER, Prepare
from ledger.values import MemberId
from projections.teams.projector import VIEW as TEAMS

#: Columns of a moment's answer.
_COLUMNS = 8
#: Longest that it may take to find out who asks, and longest for one statement of it, in seconds.
LET_IN_S = 10.0
MOMENT_S = LET_IN_S / 2
#: How long a viewer counts as known, if nothing moves, in seconds.
KNOWN_S = 10.0
KNOWN_MAX = 10_000
#: Names that are remembered.
NAMES_MAX = 20_000
#: The revision of one who came for the first time: no snapshot was there before it was looked up.
UNKNOWN = -1

#: After so many facts at once roles are taken for changed, and the facts are not looked through.
LOOKED_THROUGH_MAX = 1_000
#: The facts that can change roles: those that the view of them knows, since no other can change its rows.
ROLE_TOPICS = sorted(TOPICS[fact] for fact in TEAMS.on)

_REVISION = "(SELECT revision FROM directory.revisions WHERE subject = '{}')"
#: The last position after $1 where roles may have changed, as far as their view has followed; NULL: nowhere.
_ROLES_MOVED = f"""(
SELECT CASE WHEN t.position - $1 > {LOOKED_THROUGH_MAX} THEN t.position ELSE (
       SELECT e.position FROM ledger.events AS e
        WHERE e.position > $1 AND e.position <= t.position AND e.topic IN ('{"', '".join(ROLE_TOPICS)}')
        ORDER BY e.position DESC LIMIT 1) END
  FROM views.positions AS t WHERE t.view = '{roles.VIEW}')"""  # noqa: S608 - names of our own
_MOVED = f"{_REVISION.format('access')}, {_REVISION.format('members')}"
#: What has moved with what `standings` reads, so that a moment takes one statement; and the same where no view was ever built.
MOMENT, BARE = b"moment", b"bare"
STATEMENTS = {
    MOMENT: Statement(
        STANDINGS.replace("SELECT h.position", f"SELECT {_MOVED}, {_ROLES_MOVED}, h.position", 1).encode(), (20,)
    ),
    BARE: Statement(f"SELECT {_MOVED}, NULL, position, NULL, NULL, NULL, NULL FROM ledger.head".encode(), ()),  # noqa: S608 - literal pieces
}
#: However few rows the planner believes to be there: the log is read by position.
PLANNING = b"SET enable_seqscan = off; SET jit = off"


class Names:
    """Who the members are, as the directory has it at one revision of it."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._known: dict[MemberId, Person | None] = {}

    async def of(
        self, wanted: set[MemberId], read: Callable[[set[MemberId]], Awaitable[dict[MemberId, Person]]]
    ) -> Mapping[MemberId, Person | None]:
        """This will give those who are wanted, maybe among others, and read only who has not been read at this revision.

        None: the directory does not know them.
        """
        known = self._known
        if unknown := wanted.difference(known):
            found = await read(unknown)
            if len(known) + len(unknown) > NAMES_MAX:
                known = self._known = {one: known[one] for one in wanted & known.keys()}
            known.update({one: found.get(one) for one in unknown})
        return known


class Snapshot(Struct, frozen=True):
    """One moment. The revisions move when members or their names change, and when tokens do."""

    standings: Standings
    access: int
    members: int
    #: The last position where anybody's roles may have changed, as far as their view has followed.
    roles_moved: int
    #: What a kept answer rests on: another text, another answer.
    fingerprint: bytes
    names: Names


def moments(url: str, first: Prepare | None = None) -> Asking:
    """This will make the connection by which snapshots are read, and one statement at a time; `first` is done when it is fresh."""
    return Asking(url, READER, STATEMENTS, PLANNING, first)


class Snapshots:
    """One process's."""

    def __init__(self) -> None:
        #: Those who came after the statement began that is under way.
        self._waiting: list[asyncio.Future[Snapshot]] = []
        self._reading: asyncio.Task[None] | None = None
        #: Statements that were sent, and requests that were served by them.
        self.read = 0
        self.served = 0
        self._names = Names(-1)
        #: What was read last, word for word, and what it means: mostly nothing has moved since.
        self._last: tuple[list[bytes | None], Snapshot] | None = None
        #: How far it is known where roles changed last, and where that was.
        self._roles_seen = self._roles_moved = 0

    async def now(self, asking: Asking) -> Snapshot:
        """This will give a snapshot that was begun after this call. Raises TimeoutError."""
        return await self.wanted(asking)

    def wanted(self, asking: Asking) -> "asyncio.Future[Snapshot]":
        """This will promise a snapshot that is begun after this call, or TimeoutError."""
        self.served += 1
        waiter: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_for_all(asking))
        return waiter

    async def _read_for_all(self, asking: Asking) -> None:
        """This will read as long as somebody waits; who comes while a statement is under way waits for the next one."""
        while waiting := self._waiting:
            self._waiting = []
            try:
                found: Snapshot | Exception = await self._read(asking)
            except Exception as error:
                found = error
            _tell(waiting, found)

    async def _read(self, asking: Asking) -> Snapshot:
        self.read += 1
        async with asyncio.timeout(MOMENT_S):
            try:
                found = await asking.ask(MOMENT, [self._roles_seen.to_bytes(8)])
            except psycopg.errors.UndefinedTable:
                found = await asking.ask(BARE, [])
        width = range(found.nfields)
        values = [found.get_value(row, column) for row in range(found.ntuples) for column in width]
        if self._last is None or self._last[0] != values:
            self._last = values, self._meant(values)
        return self._last[1]

    def _meant(self, values: list[bytes | None]) -> Snapshot:
        access, members, _, head = map(_number, values[:4])
        views = {}
        for row in range(0, len(values), _COLUMNS):
            view, at, fault, lag = values[row + 4 : row + _COLUMNS]
            if view is not None:
                name, why = view.decode(), None if fault is None else fault.decode()
                views[name] = Standing(name, _number(at), head, _number(lag), why)
        if self._names.revision != members:
            self._names = Names(members)
        places = sorted((view.view, view.position, view.fault is None) for view in views.values())
        fingerprint = sha256(msgspec.json.encode([places, members])).digest()
        standings = Standings(head, views)
        self._look_at_roles(standings.of(roles.VIEW).position, values[2])
        return Snapshot(standings, access, members, self._roles_moved, fingerprint, self._names)

    def _look_at_roles(self, position: int, moved: bytes | None) -> None:
        """This will note where roles changed last: of a view that went back, nothing is known but where it stands now."""
        if position < self._roles_seen:
            self._roles_moved = position
        elif moved is not None:
            self._roles_moved = _number(moved)
        self._roles_seen = position


def _number(sent: bytes | None) -> int:
    return int.from_bytes(sent or b"", signed=True)


def _tell(waiting: list[asyncio.Future[Snapshot]], found: Snapshot | Exception) -> None:
    for waiter in waiting:
        if waiter.done():  # whoever waited has gone
            continue
        if isinstance(found, Snapshot):
            waiter.set_result(found)
        else:
            waiter.set_exception(found)


class Known(Struct, frozen=True):
    """A viewer as a token gave it, the position at which the roles were so, and until when it need not be asked again."""

    viewer: Viewer
    access: int
    roles_at: int
    until: float


def digest_of(secret: str) -> bytes:
    """This will give what a token is known by in memory, where the token itself is not."""
    return sha256(secret.encode()).digest()


class Viewers:
    """Those who were let in a moment ago: a token is looked up again once anything of tokens or roles has moved, or 10 s are over."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    async def of(
        self,
        secret: str,
        now: Callable[[], Awaitable[Snapshot]],
        authenticate: Callable[[str], Awaitable[Viewer | None]],
    ) -> tuple[Viewer, Snapshot] | None:
        """This will give the viewer of a token, and a snapshot; None: it lets nobody in. Raises TimeoutError."""
        key = digest_of(secret)
        known, until = self._known.get(key), asyncio.get_running_loop().time() + LET_IN_S
        if known is None:  # what is no token at all costs no statement
            async with asyncio.timeout_at(until):
                viewer = await authenticate(secret) if secret else None
                return None if viewer is None else (self._keep(key, Known(viewer, UNKNOWN, 0, 0.0)), await now())
        snapshot = await now()
        if self._holds(known, snapshot):
            return known.viewer, snapshot
        async with asyncio.timeout_at(until):
            viewer = await authenticate(secret)
        if viewer is None:
            self._known.pop(key, None)
            return None
        return self._keep(key, Known(viewer, snapshot.access, viewer.roles_at, monotonic() + KNOWN_S)), snapshot

    def are(self, viewer: Viewer, secret: bytes, snapshot: Snapshot) -> bool:
        """This will say whether a token, by its digest, lets in this very viewer at a moment, and need not be looked up again."""
        known = self._known.get(secret)
        return known is not None and known.viewer is viewer and self._holds(known, snapshot)

    def _keep(self, key: bytes, known: Known) -> Viewer:
        former = self._known.get(key)
        # What was found out for this viewer holds on while the roles are the same, wherever they were read.
        if former is not None and former.viewer == replace(known.viewer, roles_at=former.viewer.roles_at):
            known = replace(known, viewer=former.viewer)
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return known.viewer

    def _holds(self, known: Known, snapshot: Snapshot) -> bool:
        viewer = known.viewer
        return (
            known.access == snapshot.access
            and monotonic() < known.until
            and snapshot.roles_moved <= known.roles_at <= snapshot.standings.of(roles.VIEW).position
            and (viewer.expires_at is None or datetime.now(UTC) < viewer.expires_at)
        )
