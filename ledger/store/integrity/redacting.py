"""Taking words out of a fact: what remains of it, and the emptying of what is stored."""

from typing import Any

import msgspec
import psycopg
from msgspec import inspect

from ledger.events.redaction import REDACTED
from ledger.events.registry import FACT_TYPES
from ledger.store.connections import Connection, patient_connection

#: Texts that say which of a known list is meant, and not what somebody wrote.
KEPT_FIELDS = frozenset({"code"})
MIGRATOR = "ledger_migrator"


def remains(topic: str, payload: bytes) -> dict[str, Any]:
    """This will give a fact's stored body with `Redacted` in place of each text; ids, figures, times and codes stay.

    A field that the fact's present version does not have loses all its texts.
    """
    body: dict[str, Any] = _without(msgspec.json.decode(payload), inspect.type_info(FACT_TYPES[topic].type))
    return body


def refuse_login(url: str) -> None:
    """This will raise psycopg.errors.InsufficientPrivilege for a login that could record a redaction and not carry it out."""
    _migrator(url).close()


def carry_out(url: str, redaction: int) -> bool:
    """This will empty what the redaction at a position names, and the space it took; False if that was done before.

    Raises psycopg.errors.InsufficientPrivilege for a login that is no member of the migrator.
    """
    with _migrator(url) as connection:
        row = connection.execute("SELECT ledger.redact(%s)", [redaction]).fetchone()
        # The old row version still has the words until it is swept.
        connection.execute("VACUUM ledger.events")
        return row == (True,)


def _migrator(url: str) -> Connection:
    connection = patient_connection(url)
    try:
        connection.execute(f"SET ROLE {MIGRATOR}")
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _without(value: Any, kind: inspect.Type | None, field: str = "") -> Any:
    kind = _one(kind)
    match value:
        case str():
            return REDACTED if _is_text(kind) and field not in KEPT_FIELDS else value
        case dict():
            fields = _fields(kind)
            inner = kind.value_type if isinstance(kind, inspect.DictType) else None
            return {name: _without(part, fields.get(name, inner), name) for name, part in value.items()}
        case list():
            item = kind.item_type if isinstance(kind, inspect.CollectionType) else None
            return [_without(part, item, field) for part in value]
        case _:
            return value


def _is_text(kind: inspect.Type | None) -> bool:
    """This will say whether a value of the type is somebody's words; one of no known type is taken for that."""
    known = (
        inspect.UUIDType,
        inspect.DateTimeType,
        inspect.DateType,
        inspect.DecimalType,
        inspect.EnumType,
        inspect.FloatType,
        inspect.IntType,
    )
    return not isinstance(kind, known)


def _one(kind: inspect.Type | None) -> inspect.Type | None:
    """This will give what may be absent as what it is when it is there."""
    if isinstance(kind, inspect.Metadata):
        return _one(kind.type)
    if isinstance(kind, inspect.UnionType):
        some = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        return some[0] if len(some) == 1 else None
    return kind


def _fields(kind: inspect.Type | None) -> dict[str, inspect.Type]:
    return {field.encode_name: field.type for field in kind.fields} if isinstance(kind, inspect.StructType) else {}
