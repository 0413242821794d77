"""The composition root: the one place where the store, the handlers, the views, the directory and the web meet."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import anyio
import psycopg
import uvicorn
from litestar import Litestar
from psycopg import sql
from psycopg_pool import AsyncConnectionPool
from uvicorn.supervisors import Multiprocess

from ledger.api import schema
from ledger.api.authentication import by_token
from ledger.api.context import Resources
from ledger.api.standing import Connection, Pool, Standing, late
from ledger.api.web import web
from ledger.handlers import Handlers, bootstrap
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.connections import (
    CONNECT_TIMEOUT_S,
    IDLE_IN_TRANSACTION_TIMEOUT_MS,
    LOCK_TIMEOUT_MS,
    READER,
    STATEMENT_TIMEOUT_MS,
    WRITER,
    reader_pool,
)
from ledger.store.connections import Pool as CandidatePool
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.integrity import guard
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.reconciling import reconcile
from ledger.store.migrations import migrate, pending
from ledger.values import PolicyId, ProposalId, TeamId
from projections.audit import projector as audit
from projections.backlog import projector as backlog
from projections.catalogue import VIEWS
from projections.follower import Follower
from projections.projector import View
from projections.reviews import projector as reviews

log = logging.getLogger(__name__)

#: Connections for tokens, besides those that read.
DIRECTORY_POOL_SIZE = 2
#: How long a stopping server waits for requests that are under way, in seconds.
GRACE_S = 10
#: Most connections that wait to be taken.
BACKLOG = 2_048
#: Tells the workers of one `serve` whether they may follow the log for the views.
FOLLOW = "LEDGER_SERVE_FOLLOW"
#: Most proposals that one agenda looks at.
LOOKED_AT_MAX = 10_000
#: Longest wait for a view before an agenda is frozen, and how often it is looked at meanwhile, in seconds.
CANDIDATES_WAIT_S = 5.0
CANDIDATES_POLL_S = 0.01
CANDIDATES_POOL_SIZE = 2

_PENDING = b"""
SELECT id FROM views.backlog WHERE team_id = %s AND status = 'PENDING' AND valid_to IS NULL
 ORDER BY place, submitted_position, id LIMIT %s
"""
_WAITING = b"""
SELECT d.proposal_id FROM views.audit_decisions AS d JOIN views.audit_proposals AS p USING (proposal_id)
 WHERE d.team_id = %s AND d.may_return AND p.status IN ('DECLINED', 'POSTPONED') AND d.valid_to IS NULL AND p.valid_to IS NULL
 ORDER BY COALESCE(d.next_date, 'infinity'), d.decision_id LIMIT %s
"""
_REVIEWS_HELD = b"""
SELECT min(valid_from) FROM views.reviews WHERE team_id = %s AND kind = 'PRODUCT' AND state = 'CLOSED' GROUP BY review_id ORDER BY 1
"""
_POLICY = b"SELECT policy_id FROM views.backlog_rankings WHERE team_id = %s AND valid_to IS NULL"
_STANDING = b"""
SELECT h.position, p.position, p.fault FROM ledger.head AS h LEFT JOIN views.positions AS p ON p.view = %s
"""


class NotMigrated(RuntimeError):  # noqa: N818 - named for what happened
    """The database lacks migrations, and is not ours to change without being asked."""


class NotListening(RuntimeError):  # noqa: N818
    """The address or the port can't be had: another program listens there, or it is not this machine's."""


class NotStarted(RuntimeError):  # noqa: N818
    """The server could not start; the log says why."""


@dataclass
class Parts:
    """What the running application has at hand; there is nothing before it has started."""

    resources: Resources
    directory: Pool


def create_app(settings: Settings, *, follow: bool = True) -> Litestar:
    """This will make the application for a migrated database. `follow`: keep the views up to date in this process too.

    Any number of processes may follow one database: one leads, the others take over when it ends.
    """
    if settings.database_url is None:
        raise ValueError("the application needs a database's URL; `serve` starts one of its own")
    url, pepper = settings.database_url, settings.pepper()
    parts: list[Parts] = []

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with running(url, settings.pool_size, settings.wait_s, follow=follow) as found:
            parts.append(found)
            yield
            parts.clear()

    authenticate = by_token(lambda: parts[0].directory, pepper)
    return web(schema.build(), lambda: parts[0].resources, authenticate, lifespan, settings.seal_folder)


@asynccontextmanager
async def running(url: str, pool_size: int, wait_s: float, *, follow: bool) -> AsyncIterator[Parts]:
    """This will bring up what a process needs, and take it down again in the opposite order."""
    async with AsyncExitStack() as stack:
        ledger = await anyio.to_thread.run_sync(lambda: Ledger(url, pool_size=pool_size))
        stack.push_async_callback(anyio.to_thread.run_sync, ledger.close)
        watch = guard.Watch(url)
        await anyio.to_thread.run_sync(watch.start)
        stack.push_async_callback(anyio.to_thread.run_sync, watch.stop)
        await anyio.to_thread.run_sync(begin, ledger)
        if follow:
            follower = Follower(url, ledger, VIEWS)
            follower.start()
            stack.push_async_callback(anyio.to_thread.run_sync, follower.stop, GRACE_S)
        reads = await stack.enter_async_context(pool(url, READER, pool_size))
        directory = await stack.enter_async_context(pool(url, WRITER, DIRECTORY_POOL_SIZE))
        candidates = ViewCandidates(url)
        stack.push_async_callback(anyio.to_thread.run_sync, candidates.close)
        handlers = Handlers(ledger, candidates)
        yield Parts(Resources(reads, handlers.handle, anyio.CapacityLimiter(pool_size), wait_s), directory)


def begin(ledger: Ledger) -> None:
    """This will see to it that the organisation and the reason catalogue are there; a story begins with its own commands."""
    _, clock = ledger.identity()
    if clock == "wall":
        bootstrap(ledger, datetime.now(UTC), uuid4())


def pool(url: str, role: str, size: int) -> Pool:
    """This will make a pool of connections in a role and with time limits; it opens with its `async with`."""
    prepared = sql.SQL(
        "SET ROLE {}; SET lock_timeout = {}; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {};"
        " SET TimeZone = 'UTC'"
    ).format(
        sql.Identifier(role),
        sql.Literal(LOCK_TIMEOUT_MS),
        sql.Literal(STATEMENT_TIMEOUT_MS),
        sql.Literal(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    )

    async def configure(connection: Connection) -> None:
        await connection.execute(prepared)

    return AsyncConnectionPool(
        url,
        connection_class=Connection,
        kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S},
        min_size=1,
        max_size=size,
        open=False,
        configure=configure,
        name=f"{role}-pool",
        timeout=CONNECT_TIMEOUT_S,
    )


class Server(uvicorn.Server):
    """uvicorn's, which says when it takes requests."""

    ready: Callable[[str], None] | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """This will start, and call `ready` with the address once requests are answered."""
        await super().startup(sockets)
        if self.started and self.ready and sockets:
            self.ready(address(sockets[0]))


def address(listening: socket) -> str:
    """This will give the URL under which a socket's server is found."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings, *, follow: bool = True, ready: Callable[[str], None] | None = None) -> None:
    """This will serve until a signal ends it: on the settings' database, or on an embedded one that it starts and migrates.

    `ready` is called once with the address. Raises NotMigrated for a database that lacks migrations, NotReconciled for one that is not
    what the sealer signed, NotListening and NotStarted.
    """
    with ExitStack() as stack:
        if settings.database_url is None:
            server = stack.enter_context(EmbeddedPostgres.start(settings.data_dir))
            settings = replace(settings, database_url=server.url)
            migrate(server.url)
        elif lacking := pending(settings.database_url):
            raise NotMigrated(f"The database lacks {', '.join(lacking)}. Run: decision-ledger migrate")
        if settings.seal_folder is not None:
            reconcile(settings.database_url or "", Kept(settings.seal_folder))
        _serve(settings, follow, ready)


def _serve(settings: Settings, follow: bool, ready: Callable[[str], None] | None) -> None:
    several = settings.workers > 1
    config = server_config("ledger.app:worker" if several else create_app(settings, follow=follow), settings)
    with bound(settings.host, settings.port) as listening:
        if several:
            os.environ.update(_environment(settings, follow))
            if ready:
                ready(address(listening))
            Multiprocess(config, sockets=[listening]).run()
            return
        server = Server(config)
        server.ready = ready
        server.run(sockets=[listening])
        if not server.started:
            raise NotStarted("The server could not start; see above.")


def bound(host: str, port: int) -> socket:
    """This will take the port, for worker processes too. Raises NotListening where it can't be had."""
    listening = socket(AF_INET6 if ":" in host else AF_INET)
    try:
        listening.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)  # who connects before a worker is up waits for it
    except OSError as error:
        listening.close()
        raise NotListening(
            f"Nothing can listen on port {port} of {host}: {error.strerror}. Choose another with --port (0: any that is free) or --host."
        ) from error
    listening.set_inheritable(True)
    return listening


def server_config(app: Litestar | str, settings: Settings) -> uvicorn.Config:
    """This will say how the application is served; a text names the function that makes it in each worker."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


def _environment(settings: Settings, follow: bool) -> dict[str, str]:
    """This will write down for the workers what may have come from elsewhere than the environment."""
    return {
        "LEDGER_DATABASE_URL": settings.database_url or "",
        "LEDGER_DATA_DIR": str(settings.data_dir),
        "LEDGER_POOL_SIZE": str(settings.pool_size),
        "LEDGER_TOKEN_PEPPER": settings.pepper().hex(),
        "LEDGER_WAIT_S": str(settings.wait_s),
        "LEDGER_LOG_LEVEL": settings.log_level,
        "LEDGER_SEAL_FOLDER": str(settings.seal_folder or ""),
        FOLLOW: "yes" if follow else "no",
    }


def worker() -> Litestar:
    """This will make the application of one of several workers, from the environment that `serve` gave it."""
    settings = Settings.from_environment()
    logging.basicConfig(level=settings.log_level_number, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return create_app(settings, follow=os.environ.get(FOLLOW) != "no")


class ViewCandidates:
    """Tells the handlers which streams an agenda may need, from the views at the ledger's head: what was asked a moment ago counts.

    A view that does not get there within `wait_s` raises the error VIEW_LATE. Safe for many threads; connects when first asked.
    """

    def __init__(self, url: str, *, wait_s: float = CANDIDATES_WAIT_S) -> None:
        self._url = url
        self._wait_s = wait_s

    @cached_property
    def _pool(self) -> CandidatePool:
        return reader_pool(self._url, CANDIDATES_POOL_SIZE, STATEMENT_TIMEOUT_MS)

    def close(self) -> None:
        """This will end its connections; it must not be asked again."""
        if "_pool" in vars(self):
            self._pool.close()

    def pending(self, team_id: TeamId) -> list[ProposalId]:
        """This will give the proposals in the team's backlog, the foremost 10,000."""
        return self._rows(backlog.VIEW, _PENDING, team_id, LOOKED_AT_MAX)

    def postponed(self, team_id: TeamId) -> list[ProposalId]:
        """This will give the team's proposals with a NO that conditions may bring back, declined ones too, the nearest date first."""
        return self._rows(audit.VIEW, _WAITING, team_id, LOOKED_AT_MAX)

    def reviews_held(self, team_id: TeamId) -> list[int]:
        """This will give the positions at which product reviews of the team closed."""
        return self._rows(reviews.VIEW, _REVIEWS_HELD, team_id)

    def policy_in_force(self, team_id: TeamId) -> PolicyId | None:
        """This will give the policy that the team goes by."""
        return next(iter(self._rows(backlog.VIEW, _POLICY, team_id)), None)

    def _rows(self, view: View, statement: bytes, *values: object) -> list[Any]:
        with self._pool.connection() as connection:
            deadline = monotonic() + self._wait_s
            standing = _standing(connection, view.name)
            wanted = standing.head
            while standing.position < wanted:
                if standing.fault is not None or monotonic() >= deadline:
                    raise late(standing, wanted)
                sleep(CANDIDATES_POLL_S)
                standing = _standing(connection, view.name)
            return [row[0] for row in connection.execute(statement, values)]


def _standing(connection: psycopg.Connection[Any], view: str) -> Standing:
    try:
        row = connection.execute(_STANDING, [view]).fetchone()
    except psycopg.errors.UndefinedTable:  # no view was ever built
        row = connection.execute("SELECT position, NULL, NULL FROM ledger.head").fetchone()
    head, position, fault = row or (0, None, None)
    return Standing(view, position or 0, head, fault=fault)
