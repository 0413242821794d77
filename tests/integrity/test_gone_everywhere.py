"""After a redaction the words are in no table of any schema, no view, no index on the disk, no message and no dump."""

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from ledger.events import proposal
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.store.integrity.verifying import verify
from ledger.values import SYSTEM, DecisionId, Disposition, ProposalId, Reason, Verdict
from ledger.webhooks import endpoints, messages
from projections.audit.facts import LedgerEvent, facts_after
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.databases import dumped
from tests.projections import story
from tests.projections.recording import NOON, Recorder, ledger_of

#: A word as no dictionary has it: English takes no ending off.
SECRET = "Zzyzxqvorp"
ODD, ODD_NO = ProposalId(story.named("odd")), DecisionId(story.named("odd no"))
WHY = {"reason": "a customer's number was in it", "legal_basis": "GDPR Article 17(1)(d)"}


@pytest.fixture
def recorder(database_url: str) -> Iterator[Recorder]:
    with ledger_of(database_url) as ledger:
        yield Recorder(ledger)


def tell(recorder: Recorder) -> list[int]:
    """A NO whose title, case and reason have the word; the positions of these facts."""
    no = proposal.DecisionTaken(ODD_NO, Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_CLASSIFIED", SECRET),))
    last = recorder.record((ODD, story.submitted(SECRET)), (ODD, story.case(1, f"Ask {SECRET}.")), (ODD, no))
    return [last - 2, last - 1, last]


def events(url: str) -> list[LedgerEvent]:
    async def read() -> list[LedgerEvent]:
        async with await AsyncConnection.connect(url) as connection:
            return await facts_after(connection, 0, 1_000, 1_000)

    return asyncio.run(read())


def refused(url: str, ledger_id: UUID) -> int:
    """Has an endpoint refuse every message that there is; how many."""
    told = [message for event in events(url) if (message := messages.of_fact(ledger_id, event)) is not None]
    with psycopg.connect(url, autocommit=True) as connection:
        kinds = list(messages.MessageType)
        _, endpoint = endpoints.add(connection, bytes(32), "https://portal.example/hook", kinds, None)
        for message in told:
            connection.execute(
                "INSERT INTO webhooks.dead_letters (endpoint_id, message_id, type, position, body, attempts, fault)"
                " VALUES (%s, %s, %s, %s, %s, 1, 'answered 400')",
                [endpoint.endpoint_id, message.message_id, message.type, message.position, message.body],
            )
    return len(told)


def on_disk(url: str, kind: str) -> dict[str, bytes]:
    """The files of all tables (r) or indexes (i) of the ledger's own schemas."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        found = connection.execute(
            "SELECT c.relname, pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = %s"
            " AND (n.nspname IN ('ledger', 'directory', 'webhooks') OR n.nspname LIKE 'views%%')",
            [kind],
        ).fetchall()
    return dict(found)


def lexemes(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT word FROM ts_stat('SELECT words FROM views.audit_texts')")}


def holders(files: dict[str, bytes]) -> list[str]:
    """Which files have the word, as it was written or as the search has it."""
    return [name for name, held in files.items() if SECRET.encode() in held or SECRET.lower().encode() in held]


def test_the_words_are_nowhere_and_every_proof_holds(database_url: str, recorder: Recorder) -> None:
    story.tell(recorder)
    positions = tell(recorder)
    ledger = recorder.ledger
    rebuild(database_url, ledger, VIEWS)
    assert refused(database_url, uuid4()) > 0
    before = dumped(database_url)
    shapes = (SECRET.encode(), SECRET.encode().hex().encode(), SECRET.lower().encode())
    assert all(shape in before for shape in shapes)
    assert SECRET.lower() in lexemes(database_url)
    # The search finds the word by its index, so this oracle sees what it is to see.
    assert "audit_texts" in holders(on_disk(database_url, "r"))
    assert any("words" in name for name in holders(on_disk(database_url, "i")))

    for position in positions:
        redact(ledger, database_url, RedactionAsked(position, SYSTEM, **WHY), command_id=uuid4(), at=NOON)
    rebuild(database_url, ledger, VIEWS)

    after = dumped(database_url)
    assert [shape for shape in shapes if shape in after] == []
    assert SECRET.lower() not in lexemes(database_url)
    assert holders(on_disk(database_url, "i")) == []
    assert holders(on_disk(database_url, "r")) == []
    found = verify(database_url)
    assert (found.fault, found.redacted) == (None, 3)
    with psycopg.connect(database_url) as connection:
        letters = connection.execute("SELECT convert_from(body, 'UTF8') FROM webhooks.dead_letters").fetchall()
    assert any(str(ODD_NO) in body for (body,) in letters)
