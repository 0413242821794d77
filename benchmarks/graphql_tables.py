"""The same proposals twice: as the backlog view keeps them, and as plain tables, for servers that know nothing of the ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import psycopg
from msgspec.structs import replace

from benchmarks.backlog import BEGIN, TEAMS, _cards
from ledger.app.composition import begin
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import (
    ORGANISATION,
    DecisionId,
    Disposition,
    MemberId,
    ReviewId,
    TeamId,
    Verdict,
)
from projections import schema
from projections.backlog.structs import Card, DecisionShort
from projections.backlog.tables import CARDS
from projections.catalogue import VIEWS
from projections.copying import copy, packer

PEPPER = bytes(range(32))
MEMBERS = 200

PLAIN = """
CREATE SCHEMA bench;
CREATE TABLE bench.members (member_id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE bench.decisions (
    decision_id uuid PRIMARY KEY, verdict text NOT NULL, disposition text NOT NULL, decided_at timestamptz NOT NULL
);
CREATE TABLE bench.proposals (
    proposal_id uuid PRIMARY KEY, title text NOT NULL, area text, kind text, status text NOT NULL, submitted_at timestamptz NOT NULL,
    score double precision NOT NULL, carried_over int NOT NULL, critical boolean NOT NULL, paused boolean NOT NULL,
    proposer_id uuid NOT NULL REFERENCES bench.members, decision_id uuid REFERENCES bench.decisions
);
"""
INDEXES = """
CREATE INDEX ON bench.proposals (score DESC, proposal_id);
CREATE INDEX ON bench.proposals (proposer_id);
CREATE INDEX ON bench.proposals (decision_id);
GRANT USAGE ON SCHEMA bench TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA bench TO PUBLIC;
VACUUM ANALYZE bench.proposals, bench.members, bench.decisions, views.backlog;
"""


def cards(count: int) -> Iterator[Card]:
    """This will make pending proposals that were postponed once, each with a proposer and its last decision."""
    random = Random(count)
    teams = [TeamId(UUID(int=random.getrandbits(128), version=4)) for _ in range(TEAMS)]
    for number, card in enumerate(_cards(random, teams, count)):
        decision = DecisionShort(
            DecisionId(UUID(int=random.getrandbits(128), version=4)),
            Verdict.NO,
            Disposition.POSTPONE,
            BEGIN,
            number + 1,
            ReviewId(UUID(int=number)),
            MemberId(UUID(int=1 + number % MEMBERS)),
            (),
        )
        yield replace(card, proposer=MemberId(UUID(int=1 + number % MEMBERS)), decision=decision)


def fill(url: str, count: int) -> str:
    """This will make the ledger's tables and the plain ones, and give a token that may ask for all."""
    migrate(url)
    ledger = Ledger(url)
    begin(ledger)
    head = ledger.head()
    ledger.close()
    member_id, at = MemberId(uuid4()), datetime.now(UTC)
    with psycopg.connect(url, autocommit=True) as connection:
        schema.ensure(connection, VIEWS)
        connection.execute("UPDATE views.positions SET position = %s, updated_at = %s", [head, at])
        connection.execute(
            "INSERT INTO views.team_members (team_id, member_id, roles, valid_from, doc) SELECT %s, %s, '{AUDITOR}', %s, ''",
            [ORGANISATION, member_id, head],
        )
        people = [Person(MemberId(UUID(int=1 + number)), f"Person {number}") for number in range(MEMBERS)]
        members.put(connection, [Person(member_id, "A portal"), *people])
        secret, _ = tokens.create(connection, PEPPER, member_id, "benchmark")
        made = list(cards(count))
        copy(connection, CARDS, schema.LIVE, packer(CARDS)([(head, None, card) for card in made]))
        connection.execute(PLAIN)
        _plain(connection, made)
        for statement in INDEXES.strip().splitlines():
            connection.execute(statement.encode())
    return secret


def _plain(connection: psycopg.Connection, made: list[Card]) -> None:
    cursor = connection.cursor()
    with cursor.copy("COPY bench.members FROM STDIN") as rows:
        for number in range(MEMBERS):
            rows.write_row((UUID(int=1 + number), f"Person {number}"))
    with cursor.copy("COPY bench.decisions FROM STDIN") as rows:
        for card in made:
            if card.decision is not None:
                found = card.decision
                rows.write_row((found.decision_id, found.verdict, found.disposition, found.decided_at))
    with cursor.copy("COPY bench.proposals FROM STDIN") as rows:
        for card in made:
            decision = card.decision and card.decision.decision_id
            shown = (card.id, card.title, card.area, card.kind, card.status, card.submitted_at, card.score)
            rows.write_row((*shown, card.carried_over, card.critical, card.paused, card.proposer, decision))
