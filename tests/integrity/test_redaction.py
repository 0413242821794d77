"""Words can be taken out, by a steward, for a reason and on a legal basis; the proof stays, and nothing goes unseen."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from ledger.domain.rejected import Code, Rejected
from ledger.events import FACT_TYPES, Event, event_id
from ledger.events.proposal import BusinessCaseRevised, DecisionTaken, EstimateGiven, ProposalSubmitted
from ledger.events.redaction import REDACTED, FactRedacted, redaction_stream
from ledger.events.team import MemberJoined, RoleGranted, TeamFormed
from ledger.handlers.redaction import RedactionAsked, RedactionDone, redact
from ledger.store.application import Ledger
from ledger.store.codec import PAYLOAD, decode, encode
from ledger.store.connections import Connection
from ledger.store.faults import PayloadMissing
from ledger.store.integrity import redacting
from ledger.store.integrity.checking import Kind
from ledger.store.integrity.export import export, verify_export
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.receipts import Held, check
from ledger.store.integrity.restoring import restore
from ledger.store.integrity.verifying import verify
from ledger.store.migrations import migrate
from ledger.store.receipt import Receipt
from ledger.values import (
    ORGANISATION,
    Actor,
    Benefit,
    BenefitCode,
    DecisionId,
    Disposition,
    MemberId,
    Reason,
    Risk,
    Role,
    TeamId,
    Verdict,
)
from tests.databases import dumped
from tests.integrity.conftest import Sealing, do
from tests.store.examples import MONDAY, REQUEST

SECRET = "Jane Roe's telephone is 555-0199"
STEWARD = MemberId(UUID(int=7))
ENGINEER = MemberId(UUID(int=8))
PROPOSAL = UUID(int=100)
CASE = BusinessCaseRevised(
    1,
    SECRET,
    (Benefit(BenefitCode.EASES_CHANGE, SECRET),),
    (SECRET, "a week"),
    (),
    (Risk(SECRET, 0.3, Decimal("40.5"), 26),),
    no_benefits_of_ignoring=f"none: {SECRET}",
)
WHY = {"reason": "a customer's name and number were in it", "legal_basis": "GDPR Article 17(1)(d)"}


@pytest.fixture
def receipts(ledger: Ledger) -> list[Receipt]:
    """What was recorded: the organisation and its steward, a proposal, its case with the secret, and an estimate."""
    organisation = [TeamFormed("Everyone"), MemberJoined(STEWARD), RoleGranted(STEWARD, Role.STEWARD)]
    proposal = [
        ProposalSubmitted(TeamId(UUID(int=9)), "A title", ENGINEER),
        CASE,
        EstimateGiven(1, None, Decimal(2), None),
    ]
    return [record(ledger, ORGANISATION, organisation), record(ledger, PROPOSAL, proposal)]


def record(ledger: Ledger, stream_id: UUID, facts: list[object], first_version: int = 1) -> Receipt:
    command_id = uuid4()
    events = [
        Event(
            event_id(command_id, index),
            stream_id,
            first_version + index,
            MONDAY,
            Actor(STEWARD, Role.STEWARD),
            command_id,
            command_id,
            fact,  # type: ignore[arg-type]
        )
        for index, fact in enumerate(facts)
    ]
    return ledger.append(events, command_id=command_id, request_hash=REQUEST, at=MONDAY)


def asked(position: int = 5, member_id: MemberId = STEWARD, **changed: str) -> RedactionAsked:
    said = WHY | changed
    return RedactionAsked(position, member_id, said["reason"], said["legal_basis"])


def ask(ledger: Ledger, url: str, wanted: RedactionAsked) -> RedactionDone:
    return redact(ledger, url, wanted, command_id=uuid4(), at=datetime.now(UTC))


@pytest.fixture
def redacted(ledger: Ledger, database_url: str, receipts: list[Receipt]) -> RedactionDone:
    return ask(ledger, database_url, asked())


@pytest.mark.usefixtures("redacted")
def test_the_words_are_gone_and_all_else_is_there(ledger: Ledger, superuser: psycopg.Connection) -> None:
    events = ledger.events(PROPOSAL)
    assert events[1].fact == BusinessCaseRevised(
        1,
        REDACTED,
        (Benefit(BenefitCode.EASES_CHANGE, REDACTED),),
        (REDACTED, REDACTED),
        (),
        (Risk(REDACTED, 0.3, Decimal("40.5"), 26),),
        no_benefits_of_ignoring=REDACTED,
    )
    assert [event.position for event in events] == [4, 5, 6]
    assert events == ledger.streams([PROPOSAL])[PROPOSAL] == ledger.read(3, 3)
    assert superuser.execute("SELECT payload, salt FROM ledger.events WHERE position = 5").fetchone() == (b"", b"")


def test_a_fact_says_who_why_and_on_what_ground(ledger: Ledger, redacted: RedactionDone) -> None:
    assert redacted == RedactionDone(5, 7, emptied=True)
    (event,) = ledger.read(6, 10)
    fact = event.fact
    assert isinstance(fact, FactRedacted)
    assert (fact.position, fact.stream_id, fact.topic) == (5, PROPOSAL, "BusinessCaseRevised")
    assert (fact.reason, fact.legal_basis) == (WHY["reason"], WHY["legal_basis"])
    assert event.actor == Actor(STEWARD, Role.STEWARD)
    assert event.stream_id == redaction_stream(5)


def test_the_text_is_in_no_table_and_no_dump(redacted: RedactionDone, superuser: psycopg.Connection) -> None:
    tables = superuser.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    assert ("ledger.events",) in tables
    out = io.BytesIO()
    for (table,) in tables:
        with superuser.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:  # type: ignore[arg-type]
            for block in copy:
                out.write(block)
    assert b"555-0199" not in out.getvalue()
    assert b"BusinessCaseRevised" in out.getvalue()


def test_the_text_is_not_in_what_pg_dump_gives(redacted: RedactionDone, database_url: str) -> None:
    found = dumped(database_url)
    assert SECRET.encode().hex().encode() not in found
    assert b"555-0199" not in found
    assert b"BusinessCaseRevised" in found


@pytest.mark.usefixtures("receipts")
def test_proofs_and_earlier_receipts_hold(
    ledger: Ledger, database_url: str, receipts: list[Receipt], sealing: Sealing, reads: Connection
) -> None:
    before = sealing().seal()
    ask(ledger, database_url, asked())
    found = verify(database_url, checkpoint=before)
    assert (found.fault, found.redacted, found.unfinished) == (None, 1, ())
    after = sealing().seal()
    assert after is not None
    facts = [
        (receipt.first_position + index, leaf) for receipt in receipts for index, leaf in enumerate(receipt.leaves)
    ]
    assert check(reads, facts, after, LogTree()) == [Held(position, None, sealed=True) for position in range(1, 7)]


def test_a_redacted_ledger_is_exported_and_made_again(
    redacted: RedactionDone, reads: Connection, tmp_path: Path, empty_database_url: str
) -> None:
    path = tmp_path / "facts.jsonl"
    with path.open("wb") as file:
        root = export(reads, file).root
    assert b"555-0199" not in path.read_bytes()
    assert verify_export(path).root == root
    migrate(empty_database_url)
    assert restore(empty_database_url, path).root == root
    with Ledger(empty_database_url) as again:
        assert again.events(PROPOSAL)[1].fact == ledger_fact(reads)


def ledger_fact(reads: Connection) -> object:
    row = reads.execute(
        f"SELECT position, recorded_at, topic, meta, {PAYLOAD} FROM ledger.events WHERE position = 5"
    ).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return decode(*row).fact


@pytest.mark.usefixtures("receipts")
@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (asked(member_id=ENGINEER), Code.FORBIDDEN),
        (asked(reason="because"), Code.BAD_USER_INPUT),
        (asked(legal_basis="  "), Code.BAD_USER_INPUT),
        (asked(99), Code.NOT_FOUND),
        (asked(2), Code.WRONG_STATE),
    ],
)
def test_what_is_not_in_order_is_refused(ledger: Ledger, database_url: str, wanted: RedactionAsked, code: Code) -> None:
    with pytest.raises(Rejected) as rejected:
        ask(ledger, database_url, wanted)
    assert rejected.value.code is code
    assert ledger.head() == 6


def test_a_redaction_itself_stays_readable(ledger: Ledger, database_url: str, redacted: RedactionDone) -> None:
    with pytest.raises(Rejected, match="has to stay readable"):
        ask(ledger, database_url, asked(redacted.redaction))


def test_a_second_time_changes_nothing(ledger: Ledger, database_url: str, redacted: RedactionDone) -> None:
    assert ask(ledger, database_url, asked()) == RedactionDone(5, redacted.redaction, emptied=False)
    assert ledger.head() == 7


@pytest.mark.usefixtures("receipts")
def test_one_that_was_cut_off_is_told_and_finished(
    ledger: Ledger, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(redacting, "carry_out", lambda url, redaction: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask(ledger, database_url, asked())
    found = verify(database_url)
    assert (found.fault, found.unfinished) == (None, (5,))
    assert ask(ledger, database_url, asked()) == RedactionDone(5, 7, emptied=True)
    assert verify(database_url).unfinished == ()


@pytest.mark.usefixtures("receipts")
def test_a_login_that_could_not_carry_it_out_records_nothing(
    ledger: Ledger, superuser: psycopg.Connection, database_url: str
) -> None:
    login = f"plain_{uuid4().hex[:8]}"
    superuser.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'p' IN ROLE ledger_writer, ledger_reader")  # type: ignore[arg-type]
    try:
        with pytest.raises(InsufficientPrivilege):
            ask(ledger, make_conninfo(database_url, user=login, password="p"), asked())
    finally:
        superuser.execute(f"DROP ROLE {login}")  # type: ignore[arg-type]
    assert ledger.head() == 6


@pytest.mark.usefixtures("receipts")
@pytest.mark.parametrize(
    "role", ["ledger_reader", "ledger_writer", "ledger_owner", "ledger_migrator", "ledger_redactor", "postgres"]
)
def test_nobody_empties_a_fact_without_a_recorded_redaction(superuser: psycopg.Connection, role: str) -> None:
    if role != "postgres":
        superuser.execute(f"SET ROLE {role}")  # type: ignore[arg-type]
    with pytest.raises(InsufficientPrivilege):
        superuser.execute("UPDATE ledger.events SET payload = '', salt = '' WHERE position = 5")
    with pytest.raises((InsufficientPrivilege, psycopg.errors.NoDataFound)):
        superuser.execute("SELECT ledger.redact(4)")


@pytest.mark.usefixtures("redacted")
@pytest.mark.parametrize(
    "change",
    ["payload = 'other words', salt = ''", "payload = '', salt = 'x'", "payload = '', salt = '', topic = 'Other'"],
)
def test_the_redactor_can_do_nothing_but_empty(superuser: psycopg.Connection, change: str) -> None:
    superuser.execute("SET ROLE ledger_redactor")
    with pytest.raises(InsufficientPrivilege):
        superuser.execute(f"UPDATE ledger.events SET {change} WHERE position = 5")  # type: ignore[arg-type]
    with pytest.raises(InsufficientPrivilege):
        superuser.execute("UPDATE ledger.events SET payload = '' WHERE position = 6")


@pytest.mark.usefixtures("receipts")
def test_a_fact_emptied_behind_the_ledger_s_back_is_not_read_as_redacted(
    ledger: Ledger, superuser: psycopg.Connection, database_url: str
) -> None:
    do(superuser, ["UPDATE ledger.events SET payload = '', salt = '' WHERE position = 5"])
    with pytest.raises(PayloadMissing, match="position 5"):
        ledger.events(PROPOSAL)
    fault = verify(database_url).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (Kind.REDACTION, 5)


def test_codes_ids_and_figures_stay() -> None:
    decision = DecisionTaken(
        DecisionId(UUID(int=1)),
        Verdict.NO,
        Disposition.DECLINE,
        reasons=(Reason("NO_OWNER", SECRET, SECRET),),
        capacity_left=Decimal("2.25"),
        reconsider_if=SECRET,
    )
    left = redacting.remains("DecisionTaken", event_payload(decision))
    assert left == {
        "decision_id": str(UUID(int=1)),
        "verdict": "NO",
        "disposition": "DECLINE",
        "capacity_left": "2.25",
        "reasons": [{"code": "NO_OWNER", "text": REDACTED, "companion": REDACTED}],
        "reconsider_if": REDACTED,
    }


def test_the_fact_s_bytes_are_golden() -> None:
    fact = FactRedacted(5, PROPOSAL, "BusinessCaseRevised", "why", "law", {"case_version": 1, "problem": REDACTED})
    assert event_payload(fact) == (
        b'{"position":5,"stream_id":"00000000-0000-0000-0000-000000000064","topic":"BusinessCaseRevised","reason":"why",'
        b'"legal_basis":"law","remains":{"case_version":1,"problem":"Redacted"}}'
    )
    assert FACT_TYPES["FactRedacted"].version == 1


def event_payload(fact: object) -> bytes:
    return encode(Event(uuid4(), PROPOSAL, 1, MONDAY, Actor(STEWARD, Role.STEWARD), uuid4(), uuid4(), fact)).payload  # type: ignore[arg-type]
