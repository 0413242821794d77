"""Each version of each type of fact has a file with its stored bytes, and is read from them as what it is today.

A new type of fact fails here until its file is written: run this file with `python -m` once. A file that is there is never changed: a new
version gets an upcaster and a file of its own.
"""

import importlib
import pkgutil
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from msgspec import Struct

import ledger.events
from ledger.events import FACT_TYPES, TOPICS, Cause, FactType
from ledger.events.envelope import Event
from ledger.store.codec import Meta, decode
from ledger.values import SYSTEM, Actor, Role
from tests.events.whole import example, stored

GOLDEN = Path(__file__).parent / "golden"
SOME = UUID(int=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def path(found: FactType, version: int) -> Path:
    return GOLDEN / f"{found.topic}.v{version}.json"


def read(found: FactType, version: int, payload: bytes) -> Struct:
    meta = Meta(SOME, SOME, 1, found.topic, version, NEW_YEAR, Actor(SYSTEM, Role.STEWARD), SOME, SOME, "0" * 64)
    return decode(1, NEW_YEAR, found.topic, msgspec.json.encode(meta), payload).fact


@pytest.mark.parametrize("found", FACT_TYPES.values(), ids=lambda found: found.topic)
def test_its_bytes_are_those_of_the_file(found: FactType) -> None:
    assert stored(example(found.type)) == path(found, found.version).read_bytes()


@pytest.mark.parametrize(
    ("found", "version"),
    [(found, version) for found in FACT_TYPES.values() for version in range(1, found.version + 1)],
    ids=lambda part: getattr(part, "topic", part),
)
def test_every_version_is_read_as_the_present_one(found: FactType, version: int) -> None:
    assert read(found, version, path(found, version).read_bytes()) == example(found.type)


def test_every_fact_is_registered_and_says_whether_a_decision_caused_it() -> None:
    modules = [
        importlib.import_module(f"ledger.events.{each.name}") for each in pkgutil.iter_modules(ledger.events.__path__)
    ]
    written = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Struct) and kind.__module__ == module.__name__
    } - {Event, FactType}
    assert written == set(TOPICS)
    assert all(found.cause in Cause for found in FACT_TYPES.values())


def test_there_is_no_file_of_a_fact_that_is_gone() -> None:
    known = {path(found, version) for found in FACT_TYPES.values() for version in range(1, found.version + 1)}
    assert set(GOLDEN.iterdir()) == known


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in FACT_TYPES.values():
        if not path(each, each.version).exists():
            path(each, each.version).write_bytes(stored(example(each.type)))
