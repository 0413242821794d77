"""What the verbs share: a database to work on, signals that end a command in order, and answers for people or machines."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ledger import logs
from ledger.directory import access
from ledger.directory.access import AccessKind, Entry
from ledger.settings import Settings
from ledger.store.connections import Connection, patient_connection
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrations import migrate, pending

#: Exit codes, besides 0 for done.
CHECK_FAILED, USAGE, UNREACHABLE = 1, 2, 3

F = TypeVar("F", bound=Callable[..., Any])

#: People read progress and warnings on stderr; stdout is the answer.
console = Console(stderr=True)


class Failed(Exception):  # noqa: N818 - named for what happened
    """A command can't be done, for a reason that a person can do something about."""

    def __init__(self, sentence: str, code: int = CHECK_FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def as_json(command: F) -> F:
    """This will give a verb its `--json`."""
    return click.option("--json", "json", is_flag=True, help="Answer with one JSON document on stdout.")(command)


def answer(document: object, sentence: str, *, json: bool) -> None:
    """This will print the one or the other on stdout."""
    click.echo(msgspec.json.encode(document, order="deterministic").decode() if json else sentence)


@contextmanager
def database(settings: Settings, *, migrated: bool = False) -> Iterator[str]:
    """This will give the URL of the database to work on; an embedded one runs as long as somebody uses it.

    `migrated`: it has all migrations. An embedded one gets them first; another is changed only by whoever asks for it, and Failed
    says so.
    """
    # A plain kill ends a command like Ctrl-C does, so that what it started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logs.begin(settings.log_level_number, json=settings.log_json)
    if settings.database_url is not None:
        if migrated and (lacking := pending(settings.database_url)):
            raise Failed(f"The database lacks {', '.join(lacking)}. Run: decision-ledger migrate")
        yield settings.database_url
        return
    with EmbeddedPostgres.start(settings.data_dir) as server:
        if migrated:
            migrate(server.url)
        yield server.url


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """This will give a connection to the migrated database; each statement on it is a transaction."""
    with database(settings, migrated=True) as url, patient_connection(url) as connection:
        yield connection


def record_export(url: str, subject: str) -> None:
    """This will have auditors see that the operator took a copy out."""
    with patient_connection(url) as connection:
        access.record(connection, [Entry(AccessKind.EXPORTED, subject)])


@contextmanager
def progress(what: str, *, json: bool = False) -> Iterator[Callable[[int, int], None]]:
    """This will show a bar on stderr and give the function that moves it: done, and of how many."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=json or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
