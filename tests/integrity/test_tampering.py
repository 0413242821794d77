"""What a superuser does behind the ledger's back is found and named, by the verification and by the sealer's refusal."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.integrity import guard
from ledger.store.integrity.checking import Kind
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.note import BadNote, Signer
from ledger.store.integrity.sealer import Refused, Sealer
from ledger.store.integrity.verifying import Verified, verify
from tests.integrity.conftest import FACTS, Sealing, cut_to, do
from tests.store.examples import append, command

pytestmark = pytest.mark.usefixtures("filled")

#: Makes a fact's commitment and leaf right again, as somebody would who knows how they are made.
REHASH = """
UPDATE ledger.events SET meta = convert_to(regexp_replace(convert_from(meta, 'UTF8'), '"payload_sha256":"[0-9a-f]*"',
    '"payload_sha256":"' || encode(sha256(salt || payload), 'hex') || '"'), 'UTF8') WHERE position = 120;
UPDATE ledger.events SET leaf = sha256('\\x00'::bytea || int8send(position)
    || int8send((extract(epoch FROM recorded_at) * 1000000)::bigint) || meta) WHERE position = 120"""


class Tampering(NamedTuple):
    """What is done, and what must be said of it."""

    statements: tuple[str, ...]
    kind: Kind
    position: int
    says: str
    #: The facts alone don't show it; the checkpoint does.
    needs_checkpoint: bool = False


TAMPERINGS = {
    "one byte of a payload": Tampering(
        ("UPDATE ledger.events SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE position = 120",),
        Kind.PAYLOAD,
        120,
        "its payload is not the one that its envelope commits to",
    ),
    "one byte of a salt": Tampering(
        ("UPDATE ledger.events SET salt = set_byte(salt, 0, get_byte(salt, 0) # 1) WHERE position = 120",),
        Kind.PAYLOAD,
        120,
        "its payload is not the one",
    ),
    "one byte of an envelope": Tampering(
        ("UPDATE ledger.events SET meta = set_byte(meta, 20, get_byte(meta, 20) # 1) WHERE position = 120",),
        Kind.LEAF,
        120,
        "its leaf is not the hash",
    ),
    "a leaf": Tampering(
        ("UPDATE ledger.events SET leaf = sha256('x') WHERE position = 120",),
        Kind.LEAF,
        120,
        "its leaf is not the hash",
    ),
    "another time": Tampering(
        ("UPDATE ledger.events SET recorded_at = recorded_at - interval '1 hour' WHERE position = 120",),
        Kind.LEAF,
        120,
        "its leaf is not the hash of its position, time and envelope",
    ),
    "a column beside its envelope": Tampering(
        ("UPDATE ledger.events SET topic = 'MemberLeft' WHERE position = 120",),
        Kind.COLUMN,
        120,
        "the column topic says MemberLeft, and its envelope says MemberJoined",
    ),
    "one deleted fact": Tampering(
        ("DELETE FROM ledger.events WHERE position = 120",), Kind.MISSING, 120, "the fact is missing"
    ),
    "several deleted facts": Tampering(
        ("DELETE FROM ledger.events WHERE position BETWEEN 120 AND 125",),
        Kind.MISSING,
        120,
        "the facts up to 125 are missing",
    ),
    "two swapped facts": Tampering(
        (
            "UPDATE ledger.events SET position = -1 WHERE position = 120",
            "UPDATE ledger.events SET position = 120 WHERE position = 130",
            "UPDATE ledger.events SET position = 130 WHERE position = -1",
        ),
        Kind.LEAF,
        120,
        "its leaf is not the hash of its position",
    ),
    "the tail deleted": Tampering(("DELETE FROM ledger.events WHERE position > 280",), Kind.MISSING, 281, "missing"),
    "the tail cut off cleanly": Tampering(
        (
            "DELETE FROM ledger.events WHERE position > 280",
            "DELETE FROM ledger.commands WHERE first_position > 280",
            "UPDATE ledger.head SET position = 280",
        ),
        Kind.TAIL,
        281,
        "the tail is cut off",
        needs_checkpoint=True,
    ),
    "a fact rewritten with its commitment and leaf": Tampering(
        (
            "UPDATE ledger.events SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE position = 120",
            REHASH,
        ),
        Kind.REWRITTEN,
        120,
        "it is not the fact that the checkpoint was signed over",
        needs_checkpoint=True,
    ),
    "a payload emptied without a redaction": Tampering(
        ("UPDATE ledger.events SET payload = '', salt = '' WHERE position = 120",),
        Kind.REDACTION,
        120,
        "no redaction was recorded",
    ),
    "a fact put behind the head": Tampering(
        (
            (
                f"INSERT INTO ledger.events SELECT {FACTS + 1}, gen_random_uuid(), version, topic, recorded_at, occurred_at, command_id,"
                f" salt, meta, payload, leaf FROM ledger.events WHERE position = {FACTS}"
            ),
        ),
        Kind.LEAF,
        FACTS + 1,
        "its leaf is not the hash",
    ),
    "a command listed behind the end": Tampering(
        ("INSERT INTO ledger.commands SELECT gen_random_uuid(), 'x', 9999, 1",),
        Kind.COMMAND,
        9999,
        "a command is listed here, behind the end of the ledger",
    ),
    "a time that no calendar has": Tampering(
        ("UPDATE ledger.events SET occurred_at = 'infinity' WHERE position = 120",),
        Kind.COLUMN,
        120,
        "the column occurred_at is empty",
    ),
    "a payload that is none": Tampering(
        (
            "ALTER TABLE ledger.events ALTER payload DROP NOT NULL",
            "UPDATE ledger.events SET payload = NULL, salt = '' WHERE position = 120",
        ),
        Kind.COLUMN,
        120,
        "the column payload is empty",
    ),
    "a time of recording that is none": Tampering(
        (
            "ALTER TABLE ledger.events ALTER recorded_at DROP NOT NULL",
            "UPDATE ledger.events SET recorded_at = NULL WHERE position = 120",
        ),
        Kind.LEAF,
        120,
        "its leaf is not the hash",
    ),
    "a topic that is no text": Tampering(
        (
            (
                'UPDATE ledger.events SET meta = set_byte(meta, position(\'"topic":"\'::bytea IN meta) + 10, 255)'
                " WHERE position = 120"
            ),
        ),
        Kind.META,
        120,
        "its envelope can't be read",
    ),
    "a redaction that names nothing": Tampering(
        (
            (
                "UPDATE ledger.events SET topic = 'FactRedacted', payload = 'none', meta = convert_to(replace(convert_from(meta, 'UTF8'),"
                ' \'"topic":"MemberJoined"\', \'"topic":"FactRedacted"\'), \'UTF8\') WHERE position = 120'
            ),
            REHASH,
        ),
        Kind.PAYLOAD,
        120,
        "it is a redaction, and its payload names no position",
    ),
}
#: What the sealer need not see: it signs up to the head, and what it has not signed proves nothing.
UNSEEN = ("a fact put behind the head", "a command listed behind the end")
#: What the guard sees first.
NULLS = ("a payload that is none", "a time of recording that is none")


def checkpoint_of(kept: Kept, signer: Signer) -> Checkpoint:
    found = kept.checkpoint(signer.verifier)
    assert found is not None
    return found


@pytest.fixture
def sealed(sealing: Sealing, filled: Ledger) -> Sealer:
    """A sealer that has signed all facts and goes on running."""
    sealer = sealing()
    assert sealer.seal() is not None
    return sealer


def refusal(sealer: Sealer) -> Refused:
    with pytest.raises(Refused) as refused:
        sealer.seal()
    return refused.value


@pytest.fixture
def check(database_url: str, kept: Kept, signer: Signer) -> Callable[[], Verified]:
    return lambda: verify(database_url, checkpoint=checkpoint_of(kept, signer), kept=kept.tiles)


def test_an_untouched_ledger_holds(
    sealed: Sealer, sealing: Sealing, check: Callable[[], Verified], ledger: Ledger
) -> None:
    found = check()
    assert found.holds
    assert (found.facts, found.fault, found.unfinished) == (FACTS, None, ())
    assert found.checkpoint is not None
    assert found.root == found.checkpoint.root
    assert sealed.seal() is None
    assert sealing().seal() == found.checkpoint
    append(ledger, command(uuid4(), 1))
    later = sealed.seal()
    assert later is not None
    assert later.size == FACTS + 1
    assert check().holds


@pytest.mark.parametrize("name", TAMPERINGS)
@pytest.mark.usefixtures("sealed")
def test_it_is_found_and_named(
    superuser: psycopg.Connection, check: Callable[[], Verified], name: str, database_url: str
) -> None:
    tampering = TAMPERINGS[name]
    do(superuser, tampering.statements)
    found = check()
    assert found.fault is not None
    assert (found.fault.kind, found.fault.position) == (tampering.kind, tampering.position)
    assert tampering.says in found.fault.message
    assert str(found.fault).startswith(f"Position {tampering.position}: ")
    assert verify(database_url).holds == tampering.needs_checkpoint


@pytest.mark.parametrize("name", [name for name in TAMPERINGS if name not in (*UNSEEN, *NULLS)])
@pytest.mark.usefixtures("sealed")
def test_a_sealer_that_starts_refuses_to_sign(
    superuser: psycopg.Connection, sealing: Sealing, name: str, kept: Kept
) -> None:
    tampering = TAMPERINGS[name]
    do(superuser, tampering.statements)
    before = kept.note()
    fault = refusal(sealing()).fault
    assert (fault.kind, fault.position) == (tampering.kind, tampering.position)
    assert kept.note() == before


@pytest.mark.parametrize("name", [name for name in TAMPERINGS if name not in (*UNSEEN, *NULLS)])
def test_a_sealer_that_runs_refuses_to_sign_on(
    sealed: Sealer, superuser: psycopg.Connection, name: str, kept: Kept
) -> None:
    tampering = TAMPERINGS[name]
    do(superuser, tampering.statements)
    before = kept.note()
    assert refusal(sealed).fault.position == tampering.position
    assert kept.note() == before


#: A fact is taken out, and all that come after it move up, with versions and leaves as if it had never been.
RENUMBERED = (
    "CREATE TEMP TABLE gone AS SELECT stream_id, version, command_id FROM ledger.events WHERE position = 120",
    "DELETE FROM ledger.events WHERE position = 120",
    "DELETE FROM ledger.commands WHERE command_id = (SELECT command_id FROM gone)",
    "UPDATE ledger.events SET position = -position WHERE position > 120",
    "UPDATE ledger.events SET position = -position - 1 WHERE position < 0",
    "UPDATE ledger.commands SET first_position = first_position - 1 WHERE first_position > 120",
    "UPDATE ledger.head SET position = position - 1",
    (
        "UPDATE ledger.events SET leaf = sha256('\\x00'::bytea || int8send(position)"
        " || int8send((extract(epoch FROM recorded_at) * 1000000)::bigint) || meta) WHERE position >= 120"
    ),
)


@pytest.mark.usefixtures("sealed")
def test_a_fact_that_was_taken_out_is_named_and_not_the_end(
    superuser: psycopg.Connection, check: Callable[[], Verified], sealing: Sealing, database_url: str
) -> None:
    """Position 120 was the last of its stream, so that by themselves the facts are one fewer and good."""
    do(superuser, RENUMBERED)
    assert verify(database_url).holds
    fault = check().fault
    assert fault is not None
    assert (fault.kind, fault.position) == (Kind.REWRITTEN, 120)
    assert "further on, at 300, the ledger ends at 299" in fault.message
    assert refusal(sealing()).fault == fault


@pytest.mark.usefixtures("sealed")
def test_an_older_checkpoint_put_back_beside_a_rewritten_ledger_is_found(
    superuser: psycopg.Connection, sealing: Sealing, kept: Kept, ledger: Ledger, signer: Signer
) -> None:
    """The sealer was stopped, and its folder's tiles know more than the checkpoint that stands there."""
    note = kept.note()
    assert note is not None
    append(ledger, command(uuid4(), 1))
    assert sealing().seal() is not None
    kept.keep(note)
    cut_to(superuser, FACTS)
    fault = refusal(sealing()).fault
    assert (fault.kind, fault.position) == (Kind.REWRITTEN, FACTS + 1)
    append(ledger, command(uuid4(), 1))
    fault = refusal(sealing()).fault
    assert (fault.kind, fault.position) == (Kind.REWRITTEN, FACTS + 1)
    assert "an older checkpoint was put back, or the ledger was rewritten" in fault.message
    assert checkpoint_of(kept, signer).size == FACTS


@pytest.mark.usefixtures("filled")
def test_a_sealer_that_was_stopped_before_it_signed_goes_on(sealing: Sealing, kept: Kept, ledger: Ledger) -> None:
    assert sealing().seal() is not None
    note = kept.note()
    assert note is not None
    append(ledger, command(uuid4(), 1))
    assert sealing().seal() is not None
    kept.keep(note)
    found = sealing().seal()
    assert found is not None
    assert found.size == FACTS + 1


def test_what_follows_a_swap_of_versions_is_found(superuser: psycopg.Connection, database_url: str) -> None:
    """The envelope says the version, so both are changed, and the leaf with them."""
    do(
        superuser,
        [
            (
                "UPDATE ledger.events SET version = 77, meta = convert_to(replace(convert_from(meta, 'UTF8'),"
                " '\"version\":10', '\"version\":77'), 'UTF8') WHERE position = 120"
            ),
            REHASH,
        ],
    )
    fault = verify(database_url).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (Kind.VERSION, 120)
    assert fault.message == "it has version 77 of its stream, where version 10 is due"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM ledger.commands WHERE first_position = 123", "its command is not in the list"),
        ("UPDATE ledger.commands SET event_count = 5 WHERE first_position = 123", "another place or number of facts"),
        ("UPDATE ledger.commands SET command_id = gen_random_uuid() WHERE first_position = 123", "command"),
    ],
)
def test_a_changed_list_of_commands_is_found(
    superuser: psycopg.Connection, database_url: str, statement: str, says: str
) -> None:
    do(superuser, [statement])
    fault = verify(database_url).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (Kind.COMMAND, 123)
    assert says in fault.message


@pytest.mark.usefixtures("sealed")
def test_a_rewritten_checkpoint_is_found(kept: Kept, signer: Signer, sealing: Sealing) -> None:
    note = kept.note()
    assert note is not None
    (kept.folder / "checkpoint").write_text(note.replace(f"\n{FACTS}\n", f"\n{FACTS - 1}\n"))
    with pytest.raises(BadNote, match="is false"):
        kept.checkpoint(signer.verifier)
    fault = refusal(sealing()).fault
    assert fault.kind is Kind.CHECKPOINT
    assert "the kept checkpoint was rewritten" in fault.message


@pytest.mark.usefixtures("sealed")
def test_a_checkpoint_signed_with_another_key_is_found(kept: Kept, signer: Signer, sealing: Sealing) -> None:
    forged = checkpoint_of(kept, signer).signed(Signer.generate(signer.name))
    (kept.folder / "checkpoint").write_text(forged)
    assert "did not sign it with this key" in refusal(sealing()).fault.message


def test_a_checkpoint_put_back_is_found_while_the_sealer_runs(sealed: Sealer, kept: Kept, ledger: Ledger) -> None:
    note = kept.note()
    assert note is not None
    append(ledger, command(uuid4(), 1))
    sealed.seal()
    kept.keep(note)
    assert "is not the one that was signed last" in refusal(sealed).fault.message


@pytest.mark.usefixtures("sealed")
def test_a_changed_tile_is_found(kept: Kept, sealing: Sealing) -> None:
    tile = kept.folder / "tile/0/000"
    tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])
    # The node above it still leads to the root, so the leaves beside the log's say it; with that node changed too, the root does.
    top = kept.folder / "tile/1/000.p/1"
    top.write_bytes(bytes(32))
    assert "the kept tiles are not those" in refusal(sealing()).fault.message


GUARDED = {
    "ALTER TABLE ledger.events DISABLE TRIGGER append_only": "the trigger append_only on ledger.events is disabled",
    "ALTER TABLE ledger.events ENABLE REPLICA TRIGGER append_only": "is not enabled always",
    "DROP TRIGGER redaction_only ON ledger.events": "the trigger redaction_only on ledger.events is gone",
    "DROP TRIGGER append_only ON ledger.head; CREATE TRIGGER append_only BEFORE DELETE ON ledger.head"
    " EXECUTE FUNCTION ledger.refuse_all_but_redaction()": "calls refuse_all_but_redaction and not refuse_change",
    "CREATE TRIGGER zz BEFORE INSERT ON ledger.events EXECUTE FUNCTION ledger.refuse_change()": "zz on ledger.events is not the ledger's",
    "ALTER EVENT TRIGGER ledger_refuse_drop DISABLE": "the event trigger ledger_refuse_drop is disabled",
    "DROP SCHEMA ledger_guard CASCADE": "the event trigger ledger_refuse_alter is gone",
    "GRANT INSERT ON ledger.events TO ledger_reader": "ledger_reader was granted INSERT on the table events",
    "GRANT UPDATE (meta) ON ledger.events TO PUBLIC": "PUBLIC was granted UPDATE on the column events.meta",
    "GRANT EXECUTE ON FUNCTION ledger.redact TO ledger_writer": "ledger_writer was granted EXECUTE on the function redact",
    "GRANT CREATE ON SCHEMA ledger TO ledger_writer": "ledger_writer was granted CREATE on the schema ledger",
    "REVOKE SELECT ON ledger.commands FROM ledger_reader": "ledger_reader lost SELECT on the table commands",
    "ALTER TABLE ledger.events OWNER TO ledger_writer": "the table events belongs to ledger_writer",
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp"
    " AS 'BEGIN RETURN NULL; END'": "the function ledger.refuse_change was changed",
    "ALTER FUNCTION ledger.append RESET search_path": "runs with other rights or another search path",
    "CREATE FUNCTION ledger.extra() RETURNS int LANGUAGE sql AS 'SELECT 1'": "the function ledger.extra is not the ledger's",
    "ALTER TABLE directory.access DISABLE TRIGGER append_only": "the trigger append_only on directory.access is disabled",
    "DROP TRIGGER never_truncated ON directory.access": "the trigger never_truncated on directory.access is gone",
    "CREATE OR REPLACE FUNCTION directory.access_kept_days() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0'": (
        "the function directory.access_kept_days was changed"
    ),
    "CREATE OR REPLACE FUNCTION directory.refuse_access_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'": (
        "the function directory.refuse_access_change was changed"
    ),
    "CREATE OR REPLACE TRIGGER append_only BEFORE TRUNCATE ON ledger.events EXECUTE FUNCTION ledger.refuse_change();"
    " ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only": (
        "the trigger append_only on ledger.events was made anew"
    ),
    "CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.commands WHEN (false)"
    " EXECUTE FUNCTION ledger.refuse_change(); ALTER TABLE ledger.commands ENABLE ALWAYS TRIGGER append_only": (
        "the trigger append_only on ledger.commands was made anew"
    ),
    "CREATE OR REPLACE TRIGGER redaction_only BEFORE UPDATE OF leaf ON ledger.events FOR EACH ROW"
    " EXECUTE FUNCTION ledger.refuse_all_but_redaction(); ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER redaction_only": (
        "the trigger redaction_only on ledger.events was made anew"
    ),
    "DROP EVENT TRIGGER ledger_refuse_drop; CREATE EVENT TRIGGER ledger_refuse_drop ON sql_drop WHEN TAG IN ('DROP VIEW')"
    " EXECUTE FUNCTION ledger_guard.refuse_ddl(); ALTER EVENT TRIGGER ledger_refuse_drop ENABLE ALWAYS": (
        "the event trigger ledger_refuse_drop was made anew"
    ),
    "DROP EVENT TRIGGER ledger_refuse_drop; CREATE FUNCTION public.nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    " CREATE EVENT TRIGGER ledger_refuse_drop ON sql_drop EXECUTE FUNCTION public.nothing();"
    " ALTER EVENT TRIGGER ledger_refuse_drop ENABLE ALWAYS": "the event trigger ledger_refuse_drop was made anew",
    "ALTER TABLE ledger.events DROP CONSTRAINT events_stream_id_version_key": "events has lost its UNIQUE (stream_id, version)",
    "ALTER TABLE ledger.events ALTER payload DROP NOT NULL": "the column events.payload may be empty",
    "ALTER TABLE ledger.commands SET UNLOGGED": "the table commands is not kept by the write-ahead log",
    "ALTER TABLE ledger.events ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON ledger.events USING (true)": (
        "row security may hide rows of the table events"
    ),
    "CREATE TABLE public.more () INHERITS (ledger.events)": "rows of more are read as if they were the table events's",
    "INSERT INTO ledger.head (one_row, position, recorded_at, clock) VALUES (false, 3, now(), 'wall')": (
        "the table head has 2 rows"
    ),
    "ALTER TABLE ledger.head DISABLE TRIGGER USER; UPDATE ledger.head SET clock = 'story'": (
        "the table head says that the ledger's clock is story, and it was made with wall"
    ),
    "CREATE RULE quiet AS ON DELETE TO ledger.events DO INSTEAD NOTHING": "the rule quiet on ledger.events is not the ledger's",
}


@pytest.mark.parametrize("statement", GUARDED)
def test_a_guard_that_is_down_is_named(
    superuser: psycopg.Connection, reads: psycopg.Connection, sealing: Sealing, statement: str
) -> None:
    assert guard.faults(reads) == []
    superuser.execute("SET ledger.migrating = 'on'")
    superuser.execute(statement)  # type: ignore[arg-type]
    found = guard.faults(reads)
    assert any(GUARDED[statement] in fault.message for fault in found), found
    assert refusal(sealing()).fault in found


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER ROLE ledger_writer SUPERUSER", "the role ledger_writer is a superuser"),
        ("ALTER ROLE ledger_reader BYPASSRLS", "the role ledger_reader is not held by row security"),
        ("ALTER ROLE ledger_writer CREATEROLE", "the role ledger_writer is allowed to make roles"),
        ("GRANT pg_write_all_data TO ledger_writer", "the role ledger_writer was made a member of pg_write_all_data"),
        ("GRANT ledger_owner TO ledger_writer", "the role ledger_writer was made a member of ledger_owner"),
    ],
)
def test_a_role_that_can_do_more_is_named(superuser: psycopg.Connection, statement: str, says: str) -> None:
    """Roles are the whole server's: nobody else may see this."""
    assert guard.faults(superuser) == []
    with superuser.transaction(force_rollback=True):
        superuser.execute(statement)  # type: ignore[arg-type]
        assert [fault.message for fault in guard.faults(superuser)] == [says]


def test_who_may_write_past_all_grants_is_told(superuser: psycopg.Connection) -> None:
    role = f"mallory_{uuid4().hex}"
    with superuser.transaction(force_rollback=True):
        superuser.execute(f"CREATE ROLE {role} IN ROLE pg_write_all_data")  # type: ignore[arg-type]
        assert f"{role} is a member of pg_write_all_data" in guard.members(superuser)


def test_the_members_of_the_strong_roles_are_told(superuser: psycopg.Connection, reads: psycopg.Connection) -> None:
    role = f"mallory_{uuid4().hex}"
    superuser.execute(f"CREATE ROLE {role} IN ROLE ledger_owner")  # type: ignore[arg-type]
    try:
        assert f"{role} is a member of ledger_owner" in guard.members(reads)
    finally:
        superuser.execute(f"DROP ROLE {role}")  # type: ignore[arg-type]


def test_the_guard_looks_at_start_and_again(superuser: psycopg.Connection, database_url: str) -> None:
    from threading import Event

    told = Event()
    watch = guard.Watch(database_url, every_s=0.05, tell=lambda _: told.set())
    watch.start()
    try:
        assert watch.faults == []
        superuser.execute("GRANT INSERT ON ledger.events TO ledger_writer")
        assert told.wait(20)
        assert "ledger_writer was granted INSERT" in str(watch.faults[0])
    finally:
        watch.stop()


def test_a_ledger_migrated_without_a_superuser_may_lack_event_triggers(
    superuser: psycopg.Connection, reads: psycopg.Connection
) -> None:
    superuser.execute("DROP SCHEMA ledger_guard CASCADE")
    assert len(guard.faults(reads)) == len(guard.EVENT_TRIGGERS)
    assert guard.faults(reads, event_triggers=False) == []
