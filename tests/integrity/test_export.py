"""An export proves as much as the ledger, and makes the same ledger again."""

import io
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.checking import Kind
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.export import Unfit, export, verify_export
from ledger.store.integrity.restoring import NotEmpty, restore
from ledger.store.integrity.verifying import verify
from ledger.store.migrations import migrate
from tests.integrity import independent
from tests.integrity.conftest import FACTS, do
from tests.store.examples import OTHER_REQUEST, REQUEST, append, command


def exported(connection: Connection) -> bytes:
    out = io.BytesIO()
    found = export(connection, out)
    assert found.facts == reading.head(connection)
    return out.getvalue()


@pytest.fixture
def file(filled: Ledger, reads: Connection, tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(exported(reads))
    return path


@pytest.fixture
def checkpoint(database_url: str, filled: Ledger) -> Checkpoint:
    root = verify(database_url).root
    assert root is not None
    return Checkpoint("log", FACTS, root)


def test_each_line_proves_itself_to_whoever_knows_the_format(file: Path, checkpoint: Checkpoint) -> None:
    """With nothing of ours: the bytes of the line, SHA-256, and the other implementation's tree."""
    entries = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        meta, payload = bytes(found["meta"]), bytes(found["payload"])
        assert msgspec.json.decode(found["position"]) == number
        at = msgspec.json.decode(found["recorded_at"], type=datetime)
        entry = number.to_bytes(8) + (int(at.timestamp()) * 1_000_000 + at.microsecond).to_bytes(8) + meta
        entries.append(entry)
        assert sha256(b"\0" + entry).hexdigest() == msgspec.json.decode(found["leaf"])
        salt = bytes.fromhex(msgspec.json.decode(found["salt"]))
        assert sha256(salt + payload).hexdigest() == msgspec.json.decode(meta)["payload_sha256"]
    assert len(entries) == FACTS
    assert independent.mth(entries) == checkpoint.root


def test_an_untouched_export_holds(file: Path, checkpoint: Checkpoint) -> None:
    found = verify_export(file, checkpoint=checkpoint)
    assert found.holds
    assert (found.facts, found.root) == (FACTS, checkpoint.root)


def test_an_export_may_go_on_after_the_checkpoint(file: Path) -> None:
    entries = verify_export(file)
    assert entries.holds
    smaller = Checkpoint("log", 120, bytes(32))
    fault = verify_export(file, checkpoint=smaller).fault
    assert fault is not None
    assert fault.kind is Kind.REWRITTEN


@pytest.mark.parametrize(
    ("change", "kind", "position"),
    [
        (
            lambda lines: [
                *lines[:119],
                lines[119].replace(b'"payload":{"member_id":"0', b'"payload":{"member_id":"1'),
                *lines[120:],
            ],
            Kind.PAYLOAD,
            120,
        ),
        (lambda lines: [*lines[:119], lines[119].replace(b'"STEWARD"', b'"AUDITOR"'), *lines[120:]], Kind.LEAF, 120),
        (lambda lines: [*lines[:119], *lines[120:]], Kind.MISSING, 120),
        (lambda lines: [*lines[:119], lines[129], *lines[120:129], lines[119], *lines[130:]], Kind.MISSING, 120),
        (lambda lines: lines[:280], Kind.TAIL, 281),
        (lambda lines: [*lines[:119], b'{"position":120}', *lines[120:]], Kind.META, 0),
    ],
)
def test_a_changed_export_is_found(file: Path, checkpoint: Checkpoint, change, kind: Kind, position: int) -> None:  # type: ignore[no-untyped-def]
    before = file.read_bytes().splitlines()
    after = change(before)
    assert after != before
    file.write_bytes(b"\n".join(after) + b"\n")
    fault = verify_export(file, checkpoint=checkpoint).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (kind, position)


@pytest.mark.parametrize(
    ("was", "made"),
    [
        (b'Z","meta"', b'","meta"'),
        (b'"topic":"', b'"topic":"\xff'),
        (b'"payload":{', b'"payload":' + b"[" * 100_000 + b"]" * 100_000 + b',"then":{'),
    ],
    ids=["a time without a zone", "no text", "brackets"],
)
def test_a_hostile_line_is_named_too(file: Path, was: bytes, made: bytes) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    lines[119] = lines[119].replace(was, made, 1)
    file.write_bytes(b"".join(lines))
    fault = verify_export(file).fault
    assert fault is not None
    assert fault.kind is Kind.META
    assert "can't be read" in fault.message


def test_a_line_that_can_t_be_read_is_named(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])
    fault = verify_export(file).fault
    assert fault is not None
    assert fault.message.startswith(f"line {FACTS} of the export can't be read")


def test_what_does_not_hold_is_not_exported(filled: Ledger, reads: Connection, superuser: psycopg.Connection) -> None:
    do(superuser, ["UPDATE ledger.events SET salt = sha256('x') WHERE position = 120"])
    with pytest.raises(Unfit) as unfit:
        export(reads, io.BytesIO())
    assert (unfit.value.fault.kind, unfit.value.fault.position) == (Kind.PAYLOAD, 120)


def test_export_import_export_gives_the_same_bytes_and_root(
    file: Path, checkpoint: Checkpoint, empty_database_url: str
) -> None:
    migrate(empty_database_url)
    restored = restore(empty_database_url, file)
    assert (restored.facts, restored.root) == (FACTS, checkpoint.root)
    with reading.reader(empty_database_url) as connection:
        assert exported(connection) == file.read_bytes()
    assert verify(empty_database_url, checkpoint=checkpoint).holds


def test_a_restored_ledger_goes_on_and_knows_its_commands(
    filled: Ledger, reads: Connection, tmp_path: Path, empty_database_url: str
) -> None:
    sent = command(uuid4(), 1, 2)
    first = append(filled, sent)
    path = tmp_path / "facts.jsonl"
    path.write_bytes(exported(reads))
    migrate(empty_database_url)
    restore(empty_database_url, path)
    with Ledger(empty_database_url) as again:
        repeated = append(again, sent)
        assert (repeated.repeated, repeated.first_position, repeated.leaves) == (
            True,
            first.first_position,
            first.leaves,
        )
        assert again.outcome(sent.command_id, REQUEST) is not None
        with pytest.raises(Exception, match="another request"):
            again.outcome(sent.command_id, OTHER_REQUEST)
        assert append(again, command(UUID(int=1), 11)).first_position == FACTS + 3
    assert verify(empty_database_url).holds


def test_an_export_goes_into_an_empty_ledger_only(file: Path, database_url: str) -> None:
    with pytest.raises(NotEmpty):
        restore(database_url, file)


def test_of_a_bad_export_nothing_is_kept(file: Path, empty_database_url: str) -> None:
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:280], lines[281]]) + b"\n")
    migrate(empty_database_url)
    with pytest.raises(Unfit) as unfit:
        restore(empty_database_url, file)
    assert unfit.value.fault.position == 281
    with Ledger(empty_database_url) as ledger:
        assert ledger.head() == 0
        assert ledger.read(0, 10) == []


def test_an_empty_ledger_exports_nothing_and_holds(database_url: str, tmp_path: Path) -> None:
    with reading.reader(database_url) as connection:
        assert exported(connection) == b""
    assert verify(database_url).holds
