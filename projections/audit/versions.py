"""What changed between two versions of a case, an estimate or an impact: field by field, in a text word by word."""

import re
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.audit.version_structs import KINDS, RECORDED, Version, VersionKind, version_of
from projections.conditions import Conditions, Connection, Teams, rows


class WordChange(StrEnum):
    """What became of a run of words."""

    KEPT = "KEPT"
    REMOVED = "REMOVED"
    ADDED = "ADDED"


class Words(Struct, frozen=True):
    """A run of words, with the blanks between them, that was kept, removed or added."""

    change: WordChange
    text: str


class FieldChange(Struct, frozen=True):
    """One field that reads otherwise: `before` and `after` as text, None where it was absent; `words` where both are texts."""

    field: str
    before: str | None
    after: str | None
    words: tuple[Words, ...] = ()


class Comparison(Struct, frozen=True):
    """Two versions of the same part of a proposal, and each field that differs, in the order of the fields."""

    kind: VersionKind
    before: Version | None
    after: Version | None
    changes: tuple[FieldChange, ...]


async def compared(
    connection: Connection,
    teams: Teams,
    proposal_id: UUID,
    kind: VersionKind,
    numbers: tuple[int, int],
    *,
    as_of: int | None = None,
) -> Comparison | None:
    """This will compare two versions; None: the proposal, or one of them, is not there or may not be seen."""
    where = Conditions(as_of).readable("p", teams).add("p.proposal_id = %(proposal)s", proposal=proposal_id)
    where.given("e.position <= %(as_of)s", as_of=as_of)
    where.among("e.topic", "topics", [topic for topic, of in KINDS.items() if of is kind])
    found = await rows(
        connection,
        f"SELECT {RECORDED} FROM views.audit_proposals AS p JOIN ledger.events AS e ON e.stream_id = p.proposal_id"
        f" WHERE {where} ORDER BY e.version",
        where.values,
    )
    by_number = {version.version: version for version in (version_of(*row) for row in found)}
    if not set(numbers) <= by_number.keys():
        return None
    before, after = (by_number[number] for number in numbers)
    return compare(kind, before, after)


def compare(kind: VersionKind, before: Version | None, after: Version | None) -> Comparison:
    """This will compare two versions; None stands for there having been none."""
    old, new = _fields(before), _fields(after)
    changes = tuple(
        FieldChange(name, old.get(name), new.get(name), words(old.get(name), new.get(name)))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )
    return Comparison(kind, before, after, changes)


def words(before: str | None, after: str | None) -> tuple[Words, ...]:
    """This will give the runs of words that were kept, removed and added; nothing where one of the texts is absent."""
    if before is None or after is None or before == after:
        return ()
    old, new = re.findall(r"\S+\s*", before), re.findall(r"\S+\s*", after)
    found: list[Words] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(a=old, b=new).get_opcodes():
        if tag == "equal":
            found.append(Words(WordChange.KEPT, "".join(new[j1:j2])))
            continue
        if i2 > i1:
            found.append(Words(WordChange.REMOVED, "".join(old[i1:i2])))
        if j2 > j1:
            found.append(Words(WordChange.ADDED, "".join(new[j1:j2])))
    return tuple(found)


def _fields(version: Version | None) -> dict[str, str]:
    if version is None:
        return {}
    body = version.case or version.estimate or version.impact
    found = {name: _text(value) for name, value in msgspec.structs.asdict(body).items()} if body is not None else {}
    return {name: text for name, text in found.items() if text is not None}


def _text(value: Any) -> str | None:
    """This will give a field as a person reads it: a line for each entry of a list, its own fields after one another."""
    match value:
        case None | () | "":
            return None
        case tuple():
            return "\n".join(filter(None, map(_text, value)))
        case Struct():
            parts = {name: _text(part) for name, part in msgspec.structs.asdict(value).items()}
            return "; ".join(f"{name}: {part}" for name, part in parts.items() if part is not None)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
