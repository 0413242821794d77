"""Putting an object together: a function for each selection, written as Python, which reads and checks one field after the other.

A loop over the fields does the same in twice the time: here each attribute is read where it stands, and what is sent as it is costs one
comparison. Of what a client sends nothing but the names of fields gets into the text, quoted.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

#: Puts together what is sent of an object or a row, with the people whom it names.
Assemble = Callable[[Any, Any], dict[str, Any]]


class Field(NamedTuple):
    """How a field is read and sent."""

    #: What the answer calls it.
    name: str
    #: The attribute that has it; None: it is the same for all, and `finish` is what is sent.
    attribute: str | None
    finish: Any
    #: The class whose values are sent as they are; None: all are finished.
    exact: type | None = None
    is_nullable: bool = False
    #: Does `finish` take the people besides?
    takes_people: bool = False


def assembled(fields: Sequence[Field]) -> Assemble:
    """This will write the function that puts an object together."""
    lines = ["def assemble(found, people):"]
    given: dict[str, Any] = {}
    for number, field in enumerate(fields):
        value, finish, exact = f"value{number}", f"finish{number}", f"exact{number}"
        given |= {finish: field.finish, exact: field.exact}
        if field.attribute is None:
            lines.append(f" {value} = {finish}")
            continue
        lines.append(f" {value} = found.{field.attribute}")
        conditions = [f"{value}.__class__ is not {exact}"] if field.exact is not None else []
        conditions += [f"{value} is not None"] if field.is_nullable else []
        done = f"{value} = {finish}({value}{', people' if field.takes_people else ''})"
        lines.append(f" if {' and '.join(conditions)}: {done}" if conditions else f" {done}")
    shown = ", ".join(f"{field.name!r}: value{number}" for number, field in enumerate(fields))
    lines.append(f" return {{{shown}}}")
    found: dict[str, Any] = {}
    exec("\n".join(lines), given, found)  # noqa: S102 - our own attributes, and names that GraphQL's grammar has let through
    assemble: Assemble = found["assemble"]
    return assemble
