"""Facts as bytes and back: a payload with the fact alone, and the meta that the proof commits to.

The envelope whose hash is the leaf is position ‖ recorded_at ‖ meta: 8 bytes each, big-endian, the second in microseconds since the
Unix epoch, then the meta as it is stored. Nothing of it is ever encoded again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from os import register_at_fork, urandom
from struct import Struct as Packing
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.events import FACT_TYPES, TOPICS, Event
from ledger.store.faults import PayloadMissing, UnknownTopic
from ledger.values import SYSTEM, Actor, Role, Source, utc

#: Bytes of salt in front of a payload, so that its commitment does not give a short text away.
SALT_BYTES = 16

#: How SQL reads a payload: one that was emptied by a redaction is what remains of it, with `Redacted` for each text.
PAYLOAD: LiteralString = "CASE WHEN payload = '' THEN ledger.remains(position) ELSE payload END"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What PostgreSQL counts from in what it sends.
_SENT_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAF_HEAD = Packing(">xqq")


class Meta(Struct, frozen=True, omit_defaults=True):
    """All of the envelope that is known before the database has stored the event. The order of fields is the order of bytes."""

    event_id: UUID
    stream_id: UUID
    version: int
    topic: str
    class_version: int
    occurred_at: datetime
    actor: Actor
    command_id: UUID
    correlation_id: UUID
    #: SHA-256, hexadecimal, of salt ‖ payload.
    payload_sha256: str
    causation_id: UUID | None = None
    source: Source | None = None


class Known(Struct, frozen=True, gc=False):
    """As much of the meta as every projection reads. The rest is passed over, which takes a quarter of the time."""

    stream_id: UUID
    class_version: int
    occurred_at: datetime
    command_id: str
    source: Source | None = None


class Acted(Struct, frozen=True, gc=False):
    """The part of the meta that few projections read."""

    event_id: UUID
    actor: Actor


class Placed(Struct, frozen=True, gc=False):
    """A recorded fact as projections read it: what an `Event` has, less what none of them needs, and the rarely needed on demand."""

    position: int
    stream_id: UUID
    occurred_at: datetime
    #: As text: it is compared with its neighbours' and nothing else.
    command_id: str
    fact: Struct
    source: Source | None
    meta: bytes
    #: As the database sends it: microseconds since 2000.
    recorded: bytes

    @property
    def event_id(self) -> UUID:
        """This will give the event's id."""
        return _decode_acted(self.meta).event_id

    @property
    def actor(self) -> Actor:
        """This will say who acted, and in which role."""
        return _decode_acted(self.meta).actor

    @property
    def recorded_at(self) -> datetime:
        """This will give when the ledger stored the event."""
        return _SENT_EPOCH + int.from_bytes(self.recorded, signed=True) * _MICROSECOND


class EncodedEvent(Struct, frozen=True, gc=False):
    """An event as the database takes it."""

    stream_id: UUID
    version: int
    topic: str
    occurred_at: datetime
    meta: bytes
    salt: bytes
    payload: bytes


_encode = msgspec.json.Encoder().encode
_decode_meta = msgspec.json.Decoder(Meta).decode
_decode_known = msgspec.json.Decoder(Known).decode
_decode_acted = msgspec.json.Decoder(Acted).decode
_decoders: dict[str, tuple[int, msgspec.json.Decoder[Any]]] = {}
#: Fresh salts, each taken once; a forked process must draw its own.
_salts: list[bytes] = []
register_at_fork(after_in_child=_salts.clear)


def encode(event: Event) -> EncodedEvent:
    """This will turn an event into bytes, under a fresh salt.

    Raises UnknownTopic if the type of its fact has none, ValueError if `occurred_at` names no time zone.
    """
    fact = event.fact
    topic = TOPICS.get(type(fact))
    if topic is None:
        raise UnknownTopic(type(fact).__qualname__)
    payload = _encode(fact)
    salt = _salt()
    occurred_at = event.occurred_at
    if occurred_at.tzinfo is not UTC:
        occurred_at = utc(occurred_at)
    stream_id, version = event.stream_id, event.version
    meta = Meta(
        event.event_id,
        stream_id,
        version,
        topic,
        FACT_TYPES[topic].version,
        occurred_at,
        event.actor,
        event.command_id,
        event.correlation_id,
        sha256(salt + payload).hexdigest(),
        event.causation_id,
        event.source,
    )
    return EncodedEvent(stream_id, version, topic, occurred_at, _encode(meta), salt, payload)


def plain(
    *,
    event_id: UUID,
    stream_id: UUID,
    version: int,
    topic: str,
    occurred_at: datetime,
    command_id: UUID,
    payload: bytes,
) -> EncodedEvent:
    """This will give a payload that is not ours an envelope: the system as its actor, and class version 1."""
    salt = _salt()
    commitment = sha256(salt + payload).hexdigest()
    actor = Actor(SYSTEM, Role.INTEGRATOR)
    meta = Meta(event_id, stream_id, version, topic, 1, occurred_at, actor, command_id, command_id, commitment)
    return EncodedEvent(stream_id, version, topic, occurred_at, _encode(meta), salt, payload)


def decode(position: int, recorded_at: datetime, topic: str, meta: bytes, payload: bytes | None) -> Event:
    """This will read a stored event, bringing a fact of an earlier version up to the present one. `payload` as PAYLOAD gives it.

    Raises UnknownTopic if the topic, or the version of it, is not of this program, and PayloadMissing for None.
    """
    if payload is None:
        raise PayloadMissing(position)
    known = _decode_meta(meta)
    decoder = _decoders.get(topic) or _decoder(topic)
    fact = (
        decoder[1].decode(payload)
        if known.class_version == decoder[0]
        else _upcast(topic, known.class_version, decoder[0], payload)
    )
    return Event(
        known.event_id,
        known.stream_id,
        known.version,
        known.occurred_at,
        known.actor,
        known.command_id,
        known.correlation_id,
        fact,
        known.causation_id,
        known.source,
        position,
        recorded_at,
    )


def placed(after: int, rows: Iterable[tuple[str, bytes, bytes | None, bytes]]) -> list[Placed]:
    """This will read the facts that follow a position in the log: topic, meta, payload as PAYLOAD gives it, and recorded_at as sent.

    They are those that `decode` gives, at about half its cost. Raises what it raises.
    """
    found, position = [], after
    for topic, meta, payload, recorded in rows:
        position += 1  # the log has no gaps
        if payload is None:
            raise PayloadMissing(position)
        known = _decode_known(meta)
        version, decoder = _decoders.get(topic) or _decoder(topic)
        fact = (
            decoder.decode(payload)
            if known.class_version == version
            else _upcast(topic, known.class_version, version, payload)
        )
        found.append(
            Placed(position, known.stream_id, known.occurred_at, known.command_id, fact, known.source, meta, recorded)
        )
    return found


def leaf(position: int, recorded_at: datetime, meta: bytes) -> bytes:
    """This will give the Merkle leaf of an event: SHA-256 over a zero byte and its envelope (RFC 6962, 2.1)."""
    return sha256(_LEAF_HEAD.pack(position, (recorded_at - _EPOCH) // _MICROSECOND) + meta).digest()


def leaves(first_position: int, recorded_at: datetime, metas: Sequence[bytes]) -> list[bytes]:
    """This will give the leaves of events that follow each other and were recorded at once."""
    at, pack = (recorded_at - _EPOCH) // _MICROSECOND, _LEAF_HEAD.pack
    return [sha256(pack(position, at) + meta).digest() for position, meta in enumerate(metas, first_position)]


def leaves_at(positions: Sequence[int], times: Sequence[int], metas: Sequence[bytes]) -> list[bytes]:
    """This will give the leaves of events at positions, recorded at times in microseconds since the Unix epoch."""
    pack = _LEAF_HEAD.pack
    return [
        sha256(pack(position, at) + meta).digest() for position, at, meta in zip(positions, times, metas, strict=True)
    ]


def envelope(position: int, recorded_at: datetime, meta: bytes) -> bytes:
    """This will give the exact bytes that the proof is over: position, time in microseconds since the Unix epoch, meta."""
    return _LEAF_HEAD.pack(position, (recorded_at - _EPOCH) // _MICROSECOND)[1:] + meta


def _salt() -> bytes:
    # Asking the system for each one lets go of the interpreter each time, which costs more than all else here.
    try:
        return _salts.pop()
    except IndexError:
        block = urandom(SALT_BYTES * 256)
        _salts.extend(block[start : start + SALT_BYTES] for start in range(SALT_BYTES, len(block), SALT_BYTES))
        return block[:SALT_BYTES]


def _decoder(topic: str) -> tuple[int, msgspec.json.Decoder[Any]]:
    fact_type = FACT_TYPES.get(topic)
    if fact_type is None:
        raise UnknownTopic(topic)
    decoder = _decoders[topic] = (fact_type.version, msgspec.json.Decoder(fact_type.type))
    return decoder


def _upcast(topic: str, stored: int, present: int, payload: bytes) -> Struct:
    if stored > present:
        raise UnknownTopic(topic, stored)
    fact_type = FACT_TYPES[topic]
    body = msgspec.json.decode(payload)
    for version in range(stored, present):
        body = fact_type.upcasters[version](body)
    fact: Struct = msgspec.convert(body, fact_type.type)
    return fact
