"""Input types made from the command structs: their fields, bounds and descriptions are the commands' own.

Bounds are not checked here: the handlers check every command, so that the sentence is the same whoever asks.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import strawberry
from msgspec import NODEFAULT, Meta, Struct
from strawberry import UNSET

from ledger.api.enums import RankingFeature
from ledger.commands.proposal import BusinessCase
from ledger.ranking import Formula
from ledger.values import Benefit, Evidence, Reason, RevisitCondition, Risk

#: What the fields of shared structs mean: those have no `Meta` of their own.
DESCRIBED: dict[type[Struct], dict[str, str]] = {
    Benefit: {"code": "What fixing would bring.", "text": "In words: what gets better, for whom, by how much."},
    Risk: {
        "text": "What may happen if it is left.",
        "probability": "How likely it is within the window, 0 to 1; left out: not judged.",
        "loss_hours": "Engineer-hours lost if it happens; left out: not judged.",
        "window_weeks": "Within how many weeks; left out: not judged.",
    },
    Evidence: {
        "url": "Where it can be seen.",
        "sha256": "SHA-256, hexadecimal, of what it showed; left out: not taken.",
        "note": "What it shows.",
    },
    Reason: {
        "code": "A code of the reason catalogue.",
        "text": "The reason for those who asked, in at least 40 characters.",
        "companion": "What the code asks for besides its text, such as a link.",
    },
    RevisitCondition: {
        "kind": "What brings it back; exactly the one field that it needs is given.",
        "on": "DATE: the first day on which it is due, at 00:00 UTC.",
        "count": "AFTER_REVIEWS and INCIDENTS_AT_LEAST: how many.",
        "proposal_id": "ITEM_DELIVERED: the proposal that is waited for.",
        "hours": "DRAG_ABOVE: engineer-hours per week.",
        "days": "ESTIMATE_BELOW: likely engineer-days.",
    },
    Formula: {
        "method": "How the score is made.",
        "weights": "WEIGHTED: how much each feature counts, 0 or more.",
        "scale": "WEIGHTED: the figure of each feature that counts as 1.",
        "engineers": "CD3: how many work on an item at once.",
    },
    BusinessCase: {},
}
#: Types of command fields whose input is made by hand, with the function that makes the value.
SPECIAL: dict[object, "Part"] = {}
SCALAR_TYPES = (str, bool, int, float, UUID, Decimal, datetime)

Build = Callable[[Any], Any]


@strawberry.input(description="A figure for one feature of a WEIGHTED policy.")
class FeatureFigure:
    """GraphQL has no maps: a map from feature to figure is a list of these."""

    feature: RankingFeature = strawberry.field(description="The feature.")
    value: float = strawberry.field(description="The figure.")


class Part(NamedTuple):
    """One field of an input: its GraphQL type, how its value becomes the command's, and what there is to say about it."""

    annotation: Any
    build: Build
    bounds: str = ""


class InputField(NamedTuple):
    """One field of a command as an input has it. `needed`: it has no default and may not be left out."""

    name: str
    part: Part
    description: str
    needed: bool
    default: Any
    takes_null: bool


@cache
def fields_of(struct: type[Struct], optional: frozenset[str] = frozenset()) -> tuple[InputField, ...]:
    """This will give the fields of a command's or a shared struct's input; `optional` names those that may be left out besides."""
    hints = get_type_hints(struct, include_extras=True)
    found = []
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        part = part_of(hint)
        described = DESCRIBED.get(struct, {}).get(field.name) or _described(hint)
        needed = field.default is NODEFAULT and field.default_factory is NODEFAULT and field.name not in optional
        found.append(
            InputField(
                field.name,
                part,
                " ".join(filter(None, (described, part.bounds))),
                needed,
                field.default if isinstance(field.default, (bool, int, float)) else UNSET,
                NoneType in get_args(_bare(hint)),
            )
        )
    return tuple(found)


def input_fields(fields: tuple[InputField, ...]) -> dict[str, tuple[Any, Any]]:
    """This will give annotation and strawberry field by name, as a class body needs them; those that are needed come first."""
    found: dict[str, tuple[Any, Any]] = {}
    for field in sorted(fields, key=lambda field: not field.needed):
        annotation, more = field.part.annotation, {}
        if not field.needed:
            more["default"] = field.default
            annotation = annotation if field.default is not UNSET else annotation | None
        found[field.name] = (annotation, strawberry.field(description=field.description, **more))
    return found


def make(kind: Callable[..., type], name: str, body: dict[str, tuple[Any, Any]], *bases: type, about: str) -> type:
    """This will make a strawberry type from a table of fields."""
    attributes = {field: value for field, (_, value) in body.items()}
    annotations = {field: annotation for field, (annotation, _) in body.items()}
    made = type(name, bases, {**attributes, "__annotations__": annotations, "__module__": __name__, "__doc__": about})
    return kind(made, description=about)


@cache
def input_of(struct: type[Struct]) -> type:
    """This will make the input type of a shared struct."""
    about = (struct.__doc__ or "").split("\n\n")[0].strip()
    return make(strawberry.input, f"{struct.__name__}Input", input_fields(fields_of(struct)), about=about)


def values_of(fields: tuple[InputField, ...], given: Any) -> dict[str, Any]:
    """This will give the values of an input by the command's own names; what was left out is absent."""
    found = {}
    for field in fields:
        value = getattr(given, field.name)
        if value is UNSET or (value is None and not field.takes_null):
            continue
        found[field.name] = None if value is None else field.part.build(value)
    return found


def part_of(hint: Any) -> Part:
    """This will find the GraphQL type of a field's annotation. Raises TypeError for one that no input can have."""
    bare, metas = _bare(hint), _metas(hint)
    if bare in SPECIAL:
        return SPECIAL[bare]
    origin = get_origin(bare)
    if origin in (Union, UnionType):
        (inner,) = (one for one in get_args(bare) if one is not NoneType)
        part = part_of(inner)
        return Part(part.annotation, part.build, " ".join(filter(None, (part.bounds, _bounds(metas, inner)))))
    if origin is tuple:
        element = part_of(get_args(bare)[0])
        return Part(list[element.annotation], lambda value: tuple(map(element.build, value)), _bounds(metas, bare))  # type: ignore[name-defined]
    if origin is dict:
        return Part(list[FeatureFigure], lambda value: {one.feature.value: one.value for one in value})
    bare = getattr(bare, "__supertype__", bare)
    if isinstance(bare, type) and issubclass(bare, Struct):
        fields = fields_of(bare)
        return Part(input_of(bare), lambda value: bare(**values_of(fields, value)))
    if isinstance(bare, type) and (issubclass(bare, Enum) or bare in SCALAR_TYPES):
        return Part(bare, lambda value: value, _bounds(metas, bare))
    raise TypeError(f"no input type for {hint}")


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _metas(hint: Any) -> list[Meta]:
    return [meta for meta in get_args(hint)[1:] if isinstance(meta, Meta)] if get_origin(hint) is Annotated else []


def _described(hint: Any) -> str:
    return next((meta.description for meta in reversed(_metas(hint)) if meta.description), "")


def _bounds(metas: list[Meta], bare: Any) -> str:
    """This will say the bounds of a field in words."""
    found = []
    unit = "" if get_origin(bare) is tuple else " characters"
    for meta in metas:
        if meta.max_length is not None:
            least = f"{meta.min_length} to " if meta.min_length else "At most "
            found.append(f"{least}{meta.max_length}{unit}.")
        if meta.ge is not None:
            found.append(f"{meta.ge} to {meta.le}." if meta.le is not None else f"{meta.ge} or more.")
    return " ".join(found)
