"""Views built again from the first fact, beside the live tables, and then put in their place in one transaction.

The same projectors fold the same facts, only with all current rows in memory (about a kilobyte each) and every version copied into
tables without indexes. What is recorded meanwhile is followed in the new tables; the last of it while the live view is held still.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import sleep
from typing import Any

import psycopg
from psycopg import Connection, sql

from ledger.collector import without_collector
from ledger.events.envelope import Event
from ledger.store.connections import patient_connection
from projections import schema
from projections.building import Build, Cancelled, Progress, Report, fold_apart
from projections.copying import Pack, copy_statement, packer, whole
from projections.log import Log, commands
from projections.projector import Fold, View
from projections.rows import Rows, Version
from projections.storing import Storing
from projections.table import Table

__all__ = ["Cancelled", "Progress", "rebuild"]

#: Facts read and folded at once: few enough that what is decoded is still in the processor's cache when it is folded.
PAGE = 1_000
#: Versions packed at once: few enough that each column finds their rows in the processor's cache.
PACKED = 50
#: Bytes copied at once: each COPY leaves pages empty behind it, up to half a megabyte of them.
COPIED = 8_000_000
#: What may be left to follow while the live view is held still.
LAST_FACTS = 2_000
SWITCH_TRIES = 10
SWITCH_LOCK_MS = 2_000


def rebuild(
    url: str,
    log: Log,
    views: Sequence[View],
    *,
    progress: Report = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    processes: int = 1,
) -> int:
    """This will build the views again and switch them in, and give the last position that is in them.

    With several processes each builds some of the views; the views must then be those of `projections.<name>.projector`. Raises what
    a projector raises as PoisonFact, and Cancelled. Whatever it raises, KeyboardInterrupt too, the live views stay as they were and
    the build is dropped.
    """
    with patient_connection(url) as connection, _build_schema(connection) as name:
        schema.ensure(connection, views)
        build = Build(url, log, name, log.head(), progress, cancelled)
        if processes > 1 and len(views) > 1:
            fold_apart(build, views, processes, fold)
        else:
            fold(build, views)
        return min([_follow_and_switch(connection, build, view) for view in views], default=build.total)


def fold(build: Build, views: Sequence[View]) -> None:
    """This will fold the whole log into the views' rows, and store and index all their versions in the build's schema."""
    folds = [(view, Rows(view.tables)) for view in views]
    packers = {table: packer(table) for view in views for table in view.tables}
    changed = [(table, rows.tables[table]) for view, rows in folds for table in view.tables]
    fold_page = Fold(folds)
    with without_collector(), _Copier(build, views) as copier:
        for events in _pages(build.log, build.total):
            build.check()
            fold_page(events)
            for table, kept in changed:
                if kept.versions:
                    copier.put(table, _packed(packers[table], kept.versions))
                    kept.versions.clear()
            build.progress(Progress("fold", events[-1].position, build.total))
        for table, kept in changed:
            copier.put(table, _packed(packers[table], kept.fresh()))
        copier.end()
        build.progress(Progress("index", build.total, build.total))


def _packed(pack: Pack, versions: Sequence[Version]) -> Iterator[bytes]:
    return (pack(versions[start : start + PACKED]) for start in range(0, len(versions), PACKED))


def _pages(log: Log, total: int) -> Iterator[list[Event]]:
    """This will give the log up to the total in pages of whole commands; the next is read while one is folded."""
    ready: queue.Queue[list[Event] | BaseException] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def read() -> None:
        position = 0
        try:
            while position < total and not stopped.is_set():
                page = commands(log, position, min(PAGE, total - position + 1))
                position = page[-1].position
                ready.put(page)
            ready.put([])
        except BaseException as error:
            ready.put(error)

    reader = threading.Thread(target=read, name="rebuild-reader", daemon=True)
    reader.start()
    try:
        while page := ready.get():
            if isinstance(page, BaseException):
                raise page
            yield page
    finally:
        stopped.set()
        while reader.is_alive():
            with suppress(queue.Empty):
                ready.get(timeout=0.05)
        reader.join()


class _Copier:
    """One transaction on a connection of its own that makes the tables, copies into them and indexes them, in a thread of its own.

    PostgreSQL so takes rows in while others are folded; and rows of a table that was made in the same transaction need no later vacuum.
    """

    def __init__(self, build: Build, views: Sequence[View]) -> None:
        self._url = build.url
        self._views = views
        self._build = build.schema
        self._shared = build.shared
        self._waiting = {table: bytearray() for view in views for table in view.tables}
        self._bodies: queue.Queue[tuple[Table[Any], bytes] | None] = queue.Queue(maxsize=4)
        self._thread = threading.Thread(target=self._run, name="rebuild-copier", daemon=True)
        self._error: BaseException | None = None
        self._abandoned = False

    def put(self, table: Table[Any], packed: Iterable[bytes]) -> None:
        """This will take packed versions, and hand on what is enough for a COPY; raises what copying earlier ones raised."""
        waiting = self._waiting[table]
        for part in packed:
            waiting += part
            if len(waiting) >= COPIED:
                self._hand_on(table, waiting)

    def end(self) -> None:
        """This will hand on all that is left."""
        for table, waiting in self._waiting.items():
            self._hand_on(table, waiting)

    def _hand_on(self, table: Table[Any], waiting: bytearray) -> None:
        self._check()
        if waiting:
            self._bodies.put((table, bytes(waiting)))
            waiting.clear()

    def __enter__(self) -> "_Copier":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._abandoned = kind is not None
        self._bodies.put(None)
        self._thread.join()
        if kind is None:
            self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with patient_connection(self._url) as connection:
                with connection.transaction():
                    self._copy(connection)
                self._analyze(connection)
        except BaseException as error:
            self._error = error
            while self._bodies.get() is not None:
                pass

    def _copy(self, connection: Connection[Any]) -> None:
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL synchronous_commit = off")
        if self._shared:  # the processors are busy: workers would only add a half to what an index costs
            connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        statements: dict[Table[Any], bytes] = {}
        for view in self._views:
            schema.make_tables(connection, view, self._build)
            statements |= {table: copy_statement(table, self._build, freeze=True) for table in view.tables}
        while (body := self._bodies.get()) is not None:
            if not self._abandoned:
                with connection.cursor() as cursor, cursor.copy(statements[body[0]]) as target:
                    target.write(b"".join(whole([body[1]])))
        if self._abandoned:
            raise psycopg.Rollback
        for view in self._views:
            schema.make_indexes(connection, view, self._build)

    def _analyze(self, connection: Connection[Any]) -> None:
        """This will let the planner know the filled tables. Before their rows are counted, autovacuum would do it all again."""
        connection.execute("SELECT pg_stat_force_next_flush()")
        for table in () if self._abandoned else self._waiting:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(self._build, table.name)))


def _follow_and_switch(connection: Connection[Any], build: Build, view: View) -> int:
    storing, position = Storing(view, build.schema), build.total
    while (head := build.log.head()) - position > LAST_FACTS:
        build.check()
        with connection.transaction():
            position = _follow(connection, build.log, storing, position)
        build.progress(Progress("catch up", position, head))
    build.check()
    build.progress(Progress("switch", position, head))
    for attempt in range(1, SWITCH_TRIES + 1):
        try:
            return _switch(connection, build.log, storing, position)
        except psycopg.errors.LockNotAvailable:
            if attempt == SWITCH_TRIES:
                raise
            sleep(0.1 * attempt)
    raise AssertionError("every attempt returns or raises")


def _follow(connection: Connection[Any], log: Log, storing: Storing, position: int) -> int:
    events = commands(log, position, LAST_FACTS)
    if not events:
        return position
    storing.store(connection, events)
    return events[-1].position


def _switch(connection: Connection[Any], log: Log, storing: Storing, position: int) -> int:
    view = storing.view
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(SWITCH_LOCK_MS)))
        # The follower writes its rows under the lock of this row, so that the live view stands still from here on.
        row = connection.execute(
            "SELECT position, tables FROM views.positions WHERE view = %s FOR UPDATE", [view.name]
        ).fetchone()
        if row is None:
            raise LookupError(f"view {view.name} has no position")
        while (reached := _follow(connection, log, storing, position)) != position:
            position = reached
        for name in row[1]:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema.LIVE, name)))
        for table in view.tables:
            connection.execute(
                sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
                    sql.Identifier(storing.schema, table.name), sql.Identifier(schema.LIVE)
                )
            )
        connection.execute(
            "UPDATE views.positions SET position = %s, leaf = (SELECT leaf FROM ledger.events WHERE position = %s),"
            " updated_at = clock_timestamp(), fault = NULL, definition = %s, tables = %s WHERE view = %s",
            [position, position, view.definition, [table.name for table in view.tables], view.name],
        )
    return position


@contextmanager
def _build_schema(connection: Connection[Any]) -> Iterator[str]:
    """This will have a schema for a build inside the block, and drop it and those that killed builds left."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [schema.MAKE_LOCK])
        left = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^views_b[0-9]+$'").fetchall()
        numbers = sorted(int(name.removeprefix("views_b")) for (name,) in left)
        for number in numbers:
            if connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_BUILDS, number]).fetchone() == (True,):
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(f"views_b{number}")))
        number = max(numbers, default=0) + 1
        build = f"views_b{number}"
        connection.execute("SELECT pg_advisory_lock(%s, %s)", [_BUILDS, number])
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(build)))
    try:
        yield build
    finally:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(build)))
        connection.execute("SELECT pg_advisory_unlock(%s, %s)", [_BUILDS, number])


#: The first half of the advisory lock that a running build holds, "bild" in ASCII; the second is its number.
_BUILDS = int.from_bytes(b"bild")
