"""What is checked of every command before it is handled: its bounds, its times, and that its text can be stored."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.commands.issued import SEEN, Issued, request_hash
from ledger.domain.rejected import Code, Rejected
from ledger.values import instant_text

C = TypeVar("C", bound=Struct)

#: msgspec ends its messages with the place at fault.
_PLACE = re.compile(r" - at `(?:key in )?\$(.*)`$")
_STEP = re.compile(r"\.(\w+)|\[([^\]]*)\]")
#: What msgspec says of a broken bound, and how a person would.
_BOUNDS = (
    (re.compile(r"^Expected `str` of length <= (\d+)$"), "has more than {} characters; shorten it"),
    (re.compile(r"^Expected `str` of length >= 1$"), "is empty; fill it in"),
    (re.compile(r"^Expected `array` of length >= 1$"), "is empty; add at least one"),
    (re.compile(r"^Expected `array` of length <= (\d+)$"), "has more than {} entries; leave some out"),
    (re.compile(r"^Expected `array` of length >= (\d+)$"), "has fewer than {} entries; add what is missing"),
    (re.compile(r"^Expected `\w+` >= (\S+)$"), "is below {}; give that or more"),
    (re.compile(r"^Expected `\w+` <= (\S+)$"), "is above {}; give that or less"),
    (re.compile(rf"^Expected `str` matching regex {re.escape(repr(SEEN))}$"), "is empty; fill it in"),
    (
        re.compile(r"^Expected `str` matching regex .*https.*$"),
        "is no link; it begins with https:, http:, urn: or mailto:",
    ),
    (re.compile(r"^Expected `str` matching regex .*$"), "is not of the form that its description gives"),
)
#: The NUL character as JSON writes it, which PostgreSQL's text cannot hold.
NUL = rb"\u0000"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
#: Half of a character that UTF-16 writes as two: UTF-8 has none.
HALF = re.compile("[\ud800-\udfff]")


def check(issued: Issued[C]) -> bytes:
    """This will give the hash of a sound request, or refuse it with the field at fault. Nothing of the ledger is looked at."""
    for name in ("at", "occurred_at"):
        instant: datetime | None = getattr(issued, name)
        if instant is not None and instant.tzinfo is None:
            raise Rejected(Code.BAD_USER_INPUT, f"`{name}` names no time zone. Add one, such as Z for UTC.", name)
    if issued.occurred_at is not None and issued.occurred_at > issued.at:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"`occurred_at` is {instant_text(issued.occurred_at)}, after the request itself: only what has happened is "
            "recorded. Leave it out, or give the time when it was true.",
            "occurred_at",
        )
    try:
        body = msgspec.json.encode(issued.command)
        msgspec.convert(
            msgspec.to_builtins(issued.command, builtin_types=(UUID, datetime)), type(issued.command), strict=False
        )
    except UnicodeEncodeError as error:
        raise _odd(issued.command, HALF, "has half of a character in it. Type it again") from error
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    if NUL in body and _NUL.search(body):  # the first is quick, and nearly always enough
        raise _odd(issued.command, re.compile("\0"), "has the character U+0000 in it. Take it out")
    return request_hash(issued)


def _odd(command: Struct, character: re.Pattern[str], told: str) -> Rejected:
    """This will refuse a command for the first of its texts that has an odd character."""
    path = next(path for path, text in _texts(msgspec.to_builtins(command)) if character.search(text))
    return Rejected(Code.BAD_USER_INPUT, f"`{'.'.join(path)}` {told}.", *path)


def _texts(value: object, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """This will give each text of a command with its place."""
    match value:
        case str():
            yield path, value
        case dict():
            for name, inside in value.items():
                yield path, name
                yield from _texts(inside, *path, name)
        case list() | tuple():
            for number, inside in enumerate(value):
                yield from _texts(inside, *path, str(number))


def _refused(message: str) -> Rejected:
    found = _PLACE.search(message)
    told, place = (message, "") if found is None else (message[: found.start()], found[1])
    path = [name or index for name, index in _STEP.findall(place)]
    for pattern, sentence in _BOUNDS:
        if (bound := pattern.match(told)) is not None:
            told = sentence.format(*bound.groups())
            return Rejected(Code.BAD_USER_INPUT, f"`{'.'.join(path)}` {told}.", *path)
    where = f"`{'.'.join(path)}`: " if path else ""
    return Rejected(Code.BAD_USER_INPUT, f"{where}{told}.", *path)
