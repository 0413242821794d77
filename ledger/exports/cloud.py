"""Facts as CloudEvents 1.0, one a line in the structured JSON format, for whoever takes events from many systems.

The proof does not reach them: a fact is written as it reads today, an earlier version of it included, and a redacted one as what remains.
"""

from typing import Any

import msgspec
from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent

from ledger.store.codec import decode
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.export import Writer
from ledger.store.integrity.rows import Row
from ledger.values import instant_text

#: What is put before a topic, so that a type is nobody else's.
PREFIX = "decision-ledger."

_REMAINS = "SELECT ledger.remains(%s)"


def writer(connection: Connection) -> Writer:
    """This will give the function that writes a fact's line."""
    source = f"urn:uuid:{reading.ledger_id(connection)}"

    def write(row: Row, _request_hash: bytes | None) -> bytes:
        payload = row.payload or _remains(connection, row.position)
        return bytes(to_json(cloud_event(source, row, payload)))

    return write


def cloud_event(source: str, row: Row, payload: bytes | None) -> CloudEvent:
    """This will make the event of a fact.

    `sequence` orders as a text does (the extension of that name); `partitionkey` is the stream, within which the order matters.
    """
    event = decode(row.position, row.recorded_at, row.topic, row.meta, payload)
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.event_id),
        "source": source,
        "type": PREFIX + row.topic,
        "subject": row.stream_id,
        "time": instant_text(event.occurred_at),
        "datacontenttype": "application/json",
        "sequence": f"{row.position:019d}",
        "partitionkey": row.stream_id,
        "recordedat": instant_text(row.recorded_at),
        "streamversion": row.version,
        "actor": str(event.actor.member_id),
        "actorrole": event.actor.role.value,
        "commandid": str(event.command_id),
        "correlationid": str(event.correlation_id),
        "causationid": None if event.causation_id is None else str(event.causation_id),
        "origin": None if event.source is None else f"{event.source.system}/{event.source.external_id}",
    }
    body = msgspec.to_builtins(event.fact)
    return CloudEvent({name: value for name, value in attributes.items() if value is not None}, body)


def _remains(connection: Connection, position: int) -> bytes | None:
    row = connection.execute(_REMAINS, [position]).fetchone()
    return None if row is None else row[0]
