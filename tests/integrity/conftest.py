"""A ledger of a few hundred facts, sealed outside, and a superuser who can get round everything."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import origin
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.note import Signer
from ledger.store.integrity.sealer import Sealer
from tests.store.examples import command

#: More than a full tile.
FACTS = 300

Sealing = Callable[[], Sealer]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger(database_url) as made:
        yield made


def fill(ledger: Ledger, facts: int = FACTS) -> None:
    """This will record facts in streams of ten, each of a command of its own but for the first two of each stream."""
    commands = []
    for start in range(0, facts, 10):
        stream = UUID(int=start + 1)
        commands.append(command(stream, 1, 2, command_id=uuid4()))
        commands += [command(stream, version) for version in range(3, min(10, facts - start) + 1)]
    ledger.append_many(commands)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    fill(ledger)
    return ledger


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "outside")


@pytest.fixture
def reads(database_url: str) -> Iterator[Connection]:
    with reading.reader(database_url) as connection:
        yield connection


@pytest.fixture
def signer(reads: Connection) -> Signer:
    return Signer.generate(origin(reading.ledger_id(reads)))


@pytest.fixture
def sealing(reads: Connection, kept: Kept, signer: Signer) -> Sealing:
    """A sealer that has just started."""
    return lambda: Sealer(reads, kept, signer)


@pytest.fixture
def superuser(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@contextmanager
def unguarded(superuser: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Inside the block nothing is refused; after it all guards stand as before, so that only the facts can tell."""
    superuser.execute("SET ledger.migrating = 'on'")
    for table in ("events", "commands", "head"):
        superuser.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER USER")  # type: ignore[arg-type]
    yield superuser
    for table in ("events", "commands", "head"):
        superuser.execute(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only")  # type: ignore[arg-type]
    superuser.execute("ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER redaction_only")
    superuser.execute("SET ledger.migrating = 'off'")


def do(superuser: psycopg.Connection, statements: Sequence[str]) -> None:
    """This will run statements without any guard."""
    with unguarded(superuser):
        for statement in statements:
            superuser.execute(statement)  # type: ignore[arg-type]


def cut_to(superuser: psycopg.Connection, head: int) -> None:
    """This will leave the ledger as an older backup has it: without what came after a position."""
    do(
        superuser,
        [
            f"DELETE FROM ledger.events WHERE position > {head}",
            f"DELETE FROM ledger.commands WHERE first_position > {head}",
            f"UPDATE ledger.head SET position = {head}",
        ],
    )
