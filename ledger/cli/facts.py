"""The catalogue of facts as a page: each topic with its meaning, fields and cause, from the code itself."""

import inspect
import re
from collections import defaultdict
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from ledger.events import FACT_TYPES, FactType

KINDS = {
    "proposal": "Proposal",
    "review": "Review",
    "team": "Team",
    "policy": "Policy",
    "catalogue": "Reason catalogue",
    "redaction": "Redaction",
    "member": "Member",
    "simulation": "Simulation",
}


def page() -> str:
    """This will write the catalogue as Markdown, in the order of the streams' lives."""
    by_kind: dict[str, list[FactType]] = defaultdict(list)
    for found in FACT_TYPES.values():
        by_kind[found.type.__module__.rsplit(".", 1)[1]].append(found)
    parts = [
        "# The facts",
        "",
        "Made from the code by `decision-ledger schema --facts`; a test fails when this page and the code differ.",
        "*Exogenous* facts would have happened under any prioritisation; *endogenous* ones follow from a decision.",
    ]
    for kind, title in KINDS.items():
        parts += ["", f"## {title}"]
        for found in by_kind.pop(kind):
            parts += ["", *_entry(found)]
    if by_kind:
        raise ValueError(f"no chapter for the facts of {', '.join(by_kind)}")
    return "\n".join(parts) + "\n"


def _entry(found: FactType) -> list[str]:
    lines = [
        f"### {found.topic}",
        f"{inspect.getdoc(found.type)}",
        "",
        f"Version {found.version}, {found.cause.lower()}.",
    ]
    hints = get_type_hints(found.type)
    notes = _notes(found.type)
    rows = [
        f"| `{field.name}` | {_type(hints[field.name])} | {notes.get(field.name, '')} |" for field in fields(found.type)
    ]
    return [*lines, "", "| field | type | meaning |", "|---|---|---|", *rows] if rows else lines


def _notes(kind: type[Struct]) -> dict[str, str]:
    """This will give the `#:` comment before each field that has one."""
    source = inspect.getsource(kind)
    return {name: note.strip() for note, name in re.findall(r"^ +#:(.*)\n +(\w+):", source, re.MULTILINE)}


def _type(hint: object) -> str:
    if get_origin(hint) in (Union, UnionType):
        inner = [_type(part) for part in get_args(hint) if part is not type(None)]
        return f"{' or '.join(inner)}, or absent"
    if get_origin(hint) is tuple:
        return f"list of {_type(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return f"{_type(get_args(hint)[1])} by {_type(get_args(hint)[0])}"
    return getattr(hint, "__name__", str(hint))
