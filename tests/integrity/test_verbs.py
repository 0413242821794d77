"""The verbs of the proof, as a person runs them: seal, verify, receipt check, export, import, redact."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger.directory import members
from ledger.directory.members import Person
from ledger.events.proposal import ProposalSubmitted
from ledger.events.team import MemberJoined, RoleGranted, TeamFormed
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import ORGANISATION, MemberId, Role, TeamId
from tests.integrity.conftest import FACTS, do
from tests.integrity.test_redaction import STEWARD, record
from tests.integrity.witness import Witness
from tests.store.examples import append, command

Run = Callable[..., subprocess.CompletedProcess[str]]
BASIS = ["--reason", "a customer's number was in it", "--legal-basis", "GDPR Article 17(1)(d)", "--yes"]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    def run(
        *arguments: str | Path, url: str = database_url, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"LEDGER_DATABASE_URL": url, "LEDGER_DATA_DIR": str(tmp_path / "data")}
        command_line = [sys.executable, "-m", "ledger.cli", *map(str, arguments)]
        return subprocess.run(command_line, env=environment, input=text, capture_output=True, text=True, check=False)

    return run


def answered(found: subprocess.CompletedProcess[str]) -> Any:
    assert found.stdout, found.stderr
    return json.loads(found.stdout)


@pytest.mark.usefixtures("filled")
def test_a_checkpoint_that_was_taken_away_is_not_taken_for_none(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    witnessed = run("verify", "--folder", outside, "--witness", str(Witness("witness.example").verifier))
    assert witnessed.returncode == 1
    assert "There is no checkpoint that a witness could have cosigned" in witnessed.stderr
    assert run("verify", "--folder", outside).returncode == 0
    assert run("seal", "--once", "--folder", outside).returncode == 0
    for gone in ("checkpoint", "log.key"):
        (outside / gone).rename(tmp_path / gone)
        found = run("verify", "--folder", outside)
        assert found.returncode == 1
        assert f"was sealed into, and its {gone} is gone" in found.stderr
        (tmp_path / gone).rename(outside / gone)


@pytest.mark.usefixtures("filled")
def test_a_sealed_ledger_holds_online_and_offline(run: Run, tmp_path: Path) -> None:
    outside, facts = tmp_path / "outside", tmp_path / "facts.jsonl"
    sealed = answered(run("seal", "--once", "--json", "--folder", outside))
    assert sealed["size"] == FACTS
    online = run("verify", "--folder", outside, "--json")
    assert online.returncode == 0, online.stderr
    document = answered(online)
    assert (document["holds"], document["facts"], document["root"]) == (True, FACTS, sealed["root"])
    assert document["checkpoint"] == {"origin": sealed["origin"], "size": FACTS}
    assert document["guard"] == []
    assert document["facts_per_second"] > 0
    assert run("export", facts).returncode == 0
    key, checkpoint = outside / "log.key", outside / "checkpoint"
    offline = run(
        "verify",
        "--export",
        facts,
        "--checkpoint",
        checkpoint,
        "--key",
        key,
        url="postgresql://nobody@127.0.0.1:1/none",
    )
    assert offline.returncode == 0, offline.stderr
    assert f"the first {FACTS} are those of the checkpoint" in offline.stdout
    assert "a second" in offline.stdout
    facts.write_bytes(facts.read_bytes().replace(b'"payload":{"member_id":"0', b'"payload":{"member_id":"1', 1))
    bad = run("verify", "--export", facts, "--checkpoint", checkpoint, "--key", key)
    assert bad.returncode == 1
    assert "Position 1: its payload is not the one that its envelope commits to." in bad.stdout


@pytest.mark.usefixtures("filled")
def test_what_was_altered_is_named_and_not_signed(run: Run, tmp_path: Path, superuser: psycopg.Connection) -> None:
    outside = tmp_path / "outside"
    assert run("seal", "--once", "--folder", outside).returncode == 0
    do(superuser, ["DELETE FROM ledger.events WHERE position = 120"])
    verified = run("verify", "--folder", outside)
    assert verified.returncode == 1
    assert "NOT AS RECORDED. Position 120: the fact is missing." in verified.stdout
    sealed = run("seal", "--once", "--folder", outside)
    assert sealed.returncode == 1
    assert "Refused to sign. Position 120: the fact is missing." in sealed.stderr
    exported = run("export", tmp_path / "facts.jsonl")
    assert exported.returncode == 1
    assert list(tmp_path.glob("facts*")) == []


@pytest.mark.usefixtures("filled")
def test_a_guard_that_is_down_fails_the_verification(run: Run, superuser: psycopg.Connection) -> None:
    superuser.execute("GRANT INSERT ON ledger.events TO ledger_reader")
    found = run("verify")
    assert found.returncode == 1
    assert "GUARD DOWN: ledger_reader was granted INSERT on the table events." in found.stdout
    assert "There is no checkpoint" in found.stdout


def test_a_checkpoint_that_was_rewritten_is_said_to_be(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    assert run("seal", "--once", "--folder", outside).returncode == 0
    note = outside / "checkpoint"
    note.write_text(note.read_text().replace("\n0\n", "\n1\n"))
    found = run("verify", "--folder", outside)
    assert found.returncode == 1
    assert "The checkpoint does not hold" in found.stderr
    assert run("verify", "--checkpoint", note).returncode == 2


@pytest.mark.usefixtures("filled")
def test_a_witness_s_cosignature_is_taken_over_and_asked_for(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    assert run("seal", "--once", "--folder", outside).returncode == 0
    witness = Witness("witness.example")
    asked = ("verify", "--folder", outside, "--witness", str(witness.verifier))
    assert "witness.example did not cosign it" in run(*asked).stderr
    note = tmp_path / "note"
    note.write_text(witness.cosign((outside / "checkpoint").read_text(), datetime.now(UTC)))
    taken = run("seal", "--folder", outside, "--cosigned", note, "--witness", str(witness.verifier))
    assert taken.returncode == 0, taken.stderr
    assert run(*asked).returncode == 0


def test_a_private_key_that_others_may_read_is_not_used(run: Run, tmp_path: Path) -> None:
    assert run("seal", "--once").returncode == 0
    key = tmp_path / "data" / "seal-key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    found = run("seal", "--once")
    assert found.returncode == 1
    assert "chmod 600" in found.stderr


def test_a_receipt_proves_a_loss(run: Run, filled: Ledger, superuser: psycopg.Connection) -> None:
    receipt = append(filled, command(uuid4(), 1, 2))
    facts = [
        {"position": str(receipt.first_position + at), "leaf": leaf.hex()} for at, leaf in enumerate(receipt.leaves)
    ]
    answer = json.dumps({"data": {"addMember": {"receipt": {"recordedAt": "2026-03-02T09:00:00Z", "facts": facts}}}})
    held = run("receipt", "check", "-", text=answer)
    assert held.returncode == 0, held.stderr
    assert f"Position {FACTS + 1}: as it was recorded." in held.stdout
    run("seal", "--once")
    assert (
        f"Position {FACTS + 2}: as it was recorded, and under the checkpoint."
        in run("receipt", "check", "-", text=answer).stdout
    )
    do(superuser, [f"DELETE FROM ledger.events WHERE position = {FACTS + 2}"])
    lost = run("receipt", "check", "-", "--json", text=answer)
    assert lost.returncode == 1
    assert answered(lost)["facts"][1]["wrong"] == "it is lost: the ledger has no fact there"
    assert run("receipt", "check", "-", text="{}").returncode == 1


@pytest.mark.usefixtures("filled")
def test_export_import_export_gives_the_same_bytes(run: Run, tmp_path: Path, empty_database_url: str) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert run("export", first).returncode == 0
    migrate(empty_database_url)
    restored = answered(run("import", "--format", "facts", first, "--json", url=empty_database_url))
    assert restored["facts"] == FACTS
    assert run("export", second, url=empty_database_url).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    assert restored["root"] == answered(run("verify", "--json"))["root"]
    assert run("export", first).returncode == 1
    again = run("import", "--format", "facts", first, url=empty_database_url)
    assert again.returncode == 1
    assert "this ledger has facts already" in again.stderr


def test_redacted_words_are_gone_from_the_views_too(run: Run, ledger: Ledger, database_url: str) -> None:
    team = TeamId(UUID(int=9))
    record(ledger, ORGANISATION, [TeamFormed("Everyone"), MemberJoined(STEWARD), RoleGranted(STEWARD, Role.STEWARD)])
    record(ledger, team, [TeamFormed("Checkout")])
    record(ledger, UUID(int=100), [ProposalSubmitted(team, "Call Jane Roe at 555-0199", MemberId(UUID(int=8)))])
    with psycopg.connect(database_url, autocommit=True) as connection:
        members.put(connection, [Person(STEWARD, "Robin")])
        assert run("rebuild").returncode == 0
        assert "555-0199" in everything(connection)
        refused = run("redact", "5", "--by", "Nobody", *BASIS)
        assert (refused.returncode, "555-0199" in everything(connection)) == (1, True)
        done = run("redact", "5", "--by", "Robin", *BASIS)
        assert done.returncode == 0, done.stderr
        assert "Position 5 is redacted; position 6 says why." in done.stdout
        assert "555-0199" not in everything(connection)
        assert '"Redacted"' in everything(connection)
    verified = run("verify")
    assert verified.returncode == 0, verified.stdout
    assert "1 of them are redacted" in verified.stdout


def everything(connection: psycopg.Connection) -> str:
    """All rows of all tables and materialised views that are not PostgreSQL's own, as text."""
    relations = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    ).fetchall()
    found = []
    for (relation,) in relations:
        with connection.cursor().copy(f"COPY (SELECT * FROM {relation}) TO STDOUT (FORMAT binary)") as copy:  # type: ignore[arg-type]
            found += [bytes(block).decode("latin-1") for block in copy]
    return "".join(found)
