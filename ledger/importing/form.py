"""The form of a line: JSON with the keys of the histories' schema. Keys that it does not name are let through as they are."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ledger.domain.rejected import Code, Rejected
from ledger.values import instant_text

FACTS_MAX = 10_000
TEXT_CHARACTERS_MAX = 1_000_000
PEOPLE_MAX = 250

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Title = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
People = Annotated[list[Name], Meta(max_length=PEOPLE_MAX)]
Word = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(max_length=TEXT_CHARACTERS_MAX)]
Figure = str | int | float


class AmountForm(Struct, frozen=True, gc=False):
    """An estimate or an actual figure."""

    value: Figure | None = None
    previous: Figure | None = None
    unit: Word | None = None
    stage: Word | None = None


class FactForm(Struct, frozen=True, gc=False):
    """The keys of a fact that mean something to the import."""

    seq: int
    type: Annotated[str, Meta(min_length=1, max_length=100)]
    at: Word | None = None
    recorded_at: Word | None = None
    not_after: Word | None = None
    known_by: Word | None = None
    at_is_upper_bound: bool | None = None
    at_is_lower_bound: bool | None = None
    at_source: Word | None = None
    commit: Word | None = None
    recorded_by: Name | None = None
    recorded_initials: Name | None = None
    by: People | Name | None = None
    named_approvers: People | Name | None = None
    verdict: Word | None = None
    reason: Text | None = None
    scope: Word | None = None
    estimate: AmountForm | None = None
    actual: AmountForm | None = None
    for_fact: Word | None = None
    evidence: Any = None
    superseded_by: Any = None


class CaseForm(Struct, frozen=True, gc=False):
    """The business case."""

    text: Text
    recorded_at: Word | None = None


class OriginForm(Struct, frozen=True, gc=False):
    """Where the proposal was found: `repo` names the source, whose history one team holds."""

    repo: Id
    url: Annotated[str, Meta(max_length=2000)] | None = None


class RecordForm(Struct, frozen=True, gc=False):
    """One proposal. Facts stay as they were written, since their hash is over all of their keys."""

    id: Id
    title: Title
    source: OriginForm
    facts: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=FACTS_MAX)]
    kind: Word | None = None
    proposers: People = []
    business_case: dict[str, Any] | None = None
    #: The first of these that is a word is the proposal's area.
    area: Any = None
    component: Any = None
    owner: Any = None
    topic: Any = None


_decode = msgspec.json.Decoder(RecordForm).decode
_canonical = msgspec.json.Encoder(order="sorted").encode
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def read(content: bytes) -> RecordForm:
    """This will read one line. Raises Rejected, with a sentence that says where it departs from the form."""
    try:
        record = _decode(content)
    except UnicodeDecodeError as error:
        raise refused(f"Its bytes are not UTF-8: {error.reason} at byte {error.start}. Save it as UTF-8.") from None
    except RecursionError:
        raise refused("It is nested too deeply. Flatten it.") from None
    except msgspec.ValidationError as error:
        raise refused(f"{error}. Correct that value.") from None
    except msgspec.DecodeError as error:
        raise refused(f"It is no whole JSON object: {error}. Write one object on one line.") from None
    if b"\\u0000" in content and _NUL.search(content):
        raise refused("It has a NUL character (\\u0000) in a text. Remove it.")
    return record


def converted(words: dict[str, Any], form: type[Any], what: int | str) -> Any:
    """This will check words against a form. Raises Rejected, whose sentence names the fact by its number, or what else it is."""
    try:
        return msgspec.convert(words, form)
    except msgspec.ValidationError as error:
        where = what if isinstance(what, str) else f"fact {what}"
        raise refused(f"{where}: {error}. Correct that value.") from None


def fact_forms(record: RecordForm) -> list[FactForm]:
    """This will check the facts of a line. Raises Rejected, whose sentence names the first that is wrong."""
    try:
        facts = msgspec.convert(record.facts, list[FactForm])
    except msgspec.ValidationError:
        for number, words in enumerate(record.facts, start=1):
            converted(words, FactForm, number)
        raise
    for number, fact in enumerate(facts, start=1):
        if fact.seq != number:
            raise refused(
                f"fact {number}: seq is {fact.seq}, but seq counts 1, 2, 3 … without a gap. Number it {number}.", "seq"
            )
    return facts


def content_hash(words: dict[str, Any]) -> bytes:
    """This will give the SHA-256 of all words, whatever the order in which they were written and the space between them."""
    return sha256(_canonical(words)).digest()


class Instant(Struct, frozen=True, gc=False):
    """A moment in UTC, and whether the source names its day only."""

    at: datetime
    is_day: bool


_DAY_CHARACTERS = 10


def instant(text: str) -> Instant:
    """This will read a day (its 00:00 UTC) or an RFC 3339 instant. Raises ValueError with the reason."""
    if len(text) == _DAY_CHARACTERS:
        return _day(text)
    at = msgspec.convert(text, datetime)
    if at.tzinfo is UTC:
        return Instant(at, is_day=False)
    offset = at.utcoffset()
    if offset is None:
        raise ValueError("it names no time zone")
    try:
        return Instant(at.astimezone(UTC) if offset else at.replace(tzinfo=UTC), is_day=False)
    except OverflowError:
        raise ValueError("it is out of range") from None


@lru_cache(maxsize=65_536)
def _day(text: str) -> Instant:
    day = msgspec.convert(text, date)
    return Instant(datetime(day.year, day.month, day.day, tzinfo=UTC), is_day=True)


#: A day begins so much earlier in the easternmost zone than in UTC, as whose day it is read.
EASTERNMOST = timedelta(hours=14)


def dated(text: str, number: int | None, key: str, until: datetime) -> Instant:
    """This will read a date that is not after `until`, but for the zone of a day.

    Raises Rejected; the number of the fact and the key say where it stands.
    """
    try:
        found = instant(text)
    except ValueError as error:
        reason = str(error).removeprefix("Invalid ").replace("RFC3339 encoded ", "")
        raise refused(
            f"{_where(number, key)} is {text[:40]!r}: {reason}. Write 2026-01-31, or 2026-01-31T12:00:00Z with its zone.",
            key,
        ) from None
    if found.at > until and not (found.is_day and found.at - EASTERNMOST <= until):
        raise refused(
            f"{_where(number, key)} is {text[:40]!r}, but the ledger's clock has not passed {instant_text(until)} yet."
            " Correct it, or leave the fact out until it has happened.",
            key,
        )
    return found


def _where(number: int | None, key: str) -> str:
    return key if number is None else f"fact {number}: {key}"


def refused(message: str, *path: str) -> Rejected:
    """This will make the answer to a line that can't be read."""
    return Rejected(Code.BAD_USER_INPUT, message, *path)


#: Places in the order are counted in microseconds from here.
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
