"""The bytes of an event: what they are for good, and how older ones are read."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.events import FACT_TYPES, TOPICS, Event
from ledger.events.registry import Cause, FactType
from ledger.events.team import MemberJoined
from ledger.store import codec
from ledger.store.application import Ledger
from ledger.store.faults import UnknownTopic
from ledger.values import Source
from tests.store.examples import MONDAY, STEWARD, append, command, joined

COMMAND = UUID("11111111-1111-4111-8111-111111111111")
TEAM = UUID("22222222-2222-4222-8222-222222222222")

GOLDEN_PAYLOAD = b'{"member_id":"00000000-0000-0000-0000-000000000001"}'
GOLDEN_META = (
    b'{"event_id":"c09c0359-59c7-5f10-8f5b-86a795c831fe","stream_id":"22222222-2222-4222-8222-222222222222","version":1,'
    b'"topic":"MemberJoined","class_version":1,"occurred_at":"2026-03-02T09:00:00Z",'
    b'"actor":{"member_id":"00000000-0000-0000-0000-000000000007","role":"STEWARD"},'
    b'"command_id":"11111111-1111-4111-8111-111111111111","correlation_id":"11111111-1111-4111-8111-111111111111",'
    b'"payload_sha256":"%s"}'
)
GOLDEN_SOURCED = (
    b'"causation_id":"33333333-3333-4333-8333-333333333333","source":{"system":"peps","external_id":"315",'
    b'"known_at":"2003-04-25T00:00:00Z"}}'
)


class Moved(Struct, frozen=True):
    """A fact in its third version: it once had one place, as a number, then as a text, now there may be several."""

    places: tuple[str, ...]


class MovedOnce(Struct, frozen=True):
    """The same in its first version."""

    place: int


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fact type that is registered in its first version, to be replaced by its third."""
    monkeypatch.setattr(codec, "_decoders", {})
    monkeypatch.setitem(FACT_TYPES, "test.Moved", FactType("test.Moved", MovedOnce, Cause.EXOGENOUS, 1, {}))
    monkeypatch.setitem(cast("dict[type, str]", TOPICS), MovedOnce, "test.Moved")


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_text(body: dict[str, Any]) -> dict[str, Any]:
        return {"place": f"room {body['place']}"}

    def as_list(body: dict[str, Any]) -> dict[str, Any]:
        return {"places": [body["place"]]}

    monkeypatch.setattr(codec, "_decoders", {})
    third = FactType("test.Moved", Moved, Cause.EXOGENOUS, 3, {1: as_text, 2: as_list})
    monkeypatch.setitem(FACT_TYPES, "test.Moved", third)
    monkeypatch.setitem(cast("dict[type, str]", TOPICS), Moved, "test.Moved")


def test_the_meta_s_bytes_are_golden() -> None:
    encoded = codec.encode(joined(COMMAND, TEAM, 1))
    commitment = sha256(encoded.salt + encoded.payload).hexdigest().encode()
    assert encoded.payload == GOLDEN_PAYLOAD
    assert encoded.meta == GOLDEN_META % commitment


def test_the_meta_s_bytes_with_a_source_are_golden() -> None:
    source = Source("peps", "315", known_at=datetime(2003, 4, 25, tzinfo=UTC))
    cause = UUID("33333333-3333-4333-8333-333333333333")
    encoded = codec.encode(replace(joined(COMMAND, TEAM, 1), causation_id=cause, source=source))
    assert encoded.meta.endswith(b'",' + GOLDEN_SOURCED)


def test_the_leaf_s_bytes_are_golden() -> None:
    envelope = bytes.fromhex("000000000000000300064c06cfcb8401") + b"{}"
    at = datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)
    assert int.from_bytes(envelope[8:16]) == 1_772_442_000_000_001
    assert codec.leaf(3, at, b"{}") == sha256(b"\x00" + envelope).digest()


def test_each_salt_is_fresh() -> None:
    event = joined(COMMAND, TEAM, 1)
    first, second = codec.encode(event), codec.encode(event)
    assert len(first.salt) == codec.SALT_BYTES
    assert first.salt != second.salt
    assert first.meta != second.meta


def test_an_event_survives_its_encoding() -> None:
    source = Source("peps", "315", "https://example.org/315", "ab" * 32, MONDAY)
    event = replace(joined(COMMAND, TEAM, 1), causation_id=uuid4(), source=source)
    encoded = codec.encode(event)
    decoded = codec.decode(5, MONDAY, encoded.topic, encoded.meta, encoded.payload)
    assert decoded == replace(event, position=5, recorded_at=MONDAY)


def test_a_fact_is_read_for_projecting_as_it_is_read_whole(ledger: Ledger) -> None:
    source = Source("peps", "315", "https://example.org/315", "ab" * 32, MONDAY)
    for version, known in ((1, None), (2, source)):
        event = replace(joined(uuid4(), TEAM, version), source=known)
        append(ledger, replace(command(TEAM, version), events=[event], command_id=event.command_id))
    read, placed = ledger.read(0, 10), ledger.placed(0, 10)
    names = ("position", "stream_id", "occurred_at", "fact", "source", "event_id", "actor", "recorded_at")
    assert [[getattr(one, name) for name in names] for one in placed] == [
        [getattr(one, name) for name in names] for one in read
    ]
    assert [one.command_id for one in placed] == [str(one.command_id) for one in read]
    assert [one.position for one in ledger.placed(1, 1)] == [2]


def test_a_stored_fact_of_an_earlier_version_is_brought_up(
    ledger: Ledger, versions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = replace(joined(COMMAND, TEAM, 1), fact=MovedOnce(12))
    append(ledger, replace(command(TEAM, 1), events=[event], command_id=COMMAND))
    upgrade(monkeypatch)
    (stored,) = ledger.events(TEAM)
    assert stored.fact == Moved(("room 12",))
    later = replace(joined(uuid4(), TEAM, 2), fact=Moved(("here", "there")))
    append(ledger, replace(command(TEAM, 2), events=[later], command_id=later.command_id))
    assert [event.fact for event in ledger.read(0, 10)] == [Moved(("room 12",)), Moved(("here", "there"))]
    assert [event.fact for event in ledger.placed(0, 10)] == [Moved(("room 12",)), Moved(("here", "there"))]


def test_a_fact_of_a_later_version_is_not_guessed_at(
    ledger: Ledger, versions: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = dict(FACT_TYPES)
    upgrade(monkeypatch)
    event = replace(joined(COMMAND, TEAM, 1), fact=Moved(("here",)))
    append(ledger, replace(command(TEAM, 1), events=[event], command_id=COMMAND))
    monkeypatch.setitem(FACT_TYPES, "test.Moved", old["test.Moved"])
    monkeypatch.setattr(codec, "_decoders", {})
    for reading in (lambda: ledger.events(TEAM), lambda: ledger.placed(0, 10)):
        with pytest.raises(UnknownTopic, match=r"test\.Moved version 3"):
            reading()


def test_a_stored_topic_that_nobody_knows_is_named(ledger: Ledger, versions: None) -> None:
    event = replace(joined(COMMAND, TEAM, 1), fact=MovedOnce(1))
    append(ledger, replace(command(TEAM, 1), events=[event], command_id=COMMAND))
    del FACT_TYPES["test.Moved"]
    codec._decoders.clear()
    with pytest.raises(UnknownTopic) as fault:
        ledger.read(0, 10)
    assert fault.value.topic == "test.Moved"


def test_a_fact_without_a_topic_is_never_stored(ledger: Ledger) -> None:
    event = replace(joined(COMMAND, TEAM, 1), fact=MovedOnce(1))
    with pytest.raises(UnknownTopic, match="MovedOnce"):
        append(ledger, replace(command(TEAM, 1), events=[event], command_id=COMMAND))
    assert ledger.head() == 0


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        codec.encode(joined(COMMAND, TEAM, 1, at=datetime(2026, 3, 2)))  # noqa: DTZ001


def test_the_columns_agree_with_the_meta(ledger: Ledger, superuser: psycopg.Connection) -> None:
    sent = command(TEAM, 1, 2)
    append(ledger, sent)
    rows = superuser.execute(
        "SELECT stream_id, version, topic, occurred_at, command_id, meta, salt, payload FROM ledger.events ORDER BY position"
    ).fetchall()
    for stream_id, version, topic, occurred_at, command_id, meta_bytes, salt, payload in rows:
        meta = msgspec.json.decode(meta_bytes, type=codec.Meta)
        assert (meta.stream_id, meta.version, meta.topic) == (stream_id, version, topic)
        assert (meta.occurred_at, meta.command_id, meta.actor) == (occurred_at, command_id, STEWARD)
        assert meta.payload_sha256 == sha256(salt + payload).hexdigest()
    assert [row[1] for row in rows] == [1, 2]


def test_the_topic_of_the_example_is_the_registered_one() -> None:
    event: Event = joined(COMMAND, TEAM, 1)
    assert TOPICS[type(event.fact)] == "MemberJoined"
    assert FACT_TYPES["MemberJoined"].type is MemberJoined
