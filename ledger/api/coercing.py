"""What turns the variables of a mutation into its input: an input type is compiled once to a function.

graphql-core and strawberry walk over the type for each value that comes in. Here it is walked over once. Whatever is irregular (a value
that doesn't fit, one value where a list is wanted, a field that is unknown or missing) makes the function give up, and the standard way
says what is wrong, or takes it all the same.
"""

from collections.abc import Callable
from dataclasses import MISSING
from math import isfinite
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
)
from strawberry import UNSET

from ledger.api.compiler import DEFINITION
from ledger.api.completing import INT_MAX, Irregular, maybe

Coerce = Callable[[Any], Any]
#: Defaults that nobody can change.
PLAIN_DEFAULTS = (bool, int, float, str, type(None))
#: Levels of input types inside each other.
DEPTH_MAX = 12


def coercion(kind: GraphQLInputType, depth: int = 0) -> Coerce:
    """This will compile what takes a value of a type. Raises Irregular for a type that has no fast way."""
    if depth > DEPTH_MAX:
        raise Irregular(str(kind))
    is_nullable = not isinstance(kind, GraphQLNonNull)
    bare = kind if is_nullable else kind.of_type  # type: ignore[union-attr]
    return maybe(_of_value(bare, depth), is_nullable=is_nullable)


def _of_value(kind: GraphQLInputType, depth: int) -> Coerce:
    if isinstance(kind, GraphQLList):
        return _listed(coercion(kind.of_type, depth + 1))
    if isinstance(kind, GraphQLInputObjectType):
        return _object(kind, depth)
    if isinstance(kind, (GraphQLScalarType, GraphQLEnumType)):
        return _leaf(kind)
    raise Irregular(str(kind))


def _listed(coerce: Coerce) -> Coerce:
    def coerce_list(given: Any) -> list[Any]:
        if given.__class__ is not list:
            raise Irregular
        return [coerce(one) for one in given]

    return coerce_list


def _leaf(kind: GraphQLScalarType | GraphQLEnumType) -> Coerce:
    coerce = kind.coerce_input_value

    def complete(given: Any) -> Any:
        found = None if given is None else coerce(given)
        if found is None or found is Undefined:
            raise Irregular
        return found

    if kind is GraphQLString:
        return lambda given: given if given.__class__ is str else complete(given)
    if kind is GraphQLBoolean:
        return lambda given: given if given.__class__ is bool else complete(given)
    if kind is GraphQLInt:
        return lambda given: given if given.__class__ is int and -INT_MAX <= given < INT_MAX else complete(given)
    if kind is GraphQLFloat:
        return lambda given: given if given.__class__ is float and isfinite(given) else complete(given)
    if kind.name == "ID":  # it may be a global id, which strawberry takes apart
        raise Irregular(kind.name)
    return complete


def _object(kind: GraphQLInputObjectType, depth: int) -> Coerce:
    definition = kind.extensions.get(DEFINITION)
    if definition is None or definition.from_input is not None:
        raise Irregular(kind.name)
    fields = []
    for name, field in kind.fields.items():
        default = field.extensions[DEFINITION].default_value
        if default not in (UNSET, MISSING) and default.__class__ not in PLAIN_DEFAULTS:
            raise Irregular(name)
        fields.append((name, field.extensions[DEFINITION].python_name, coercion(field.type, depth + 1)))
    origin, names, is_one_of = definition.origin, kind.fields.keys(), definition.is_one_of

    def coerce_object(given: Any) -> Any:
        if given.__class__ is not dict or not given.keys() <= names:
            raise Irregular
        if is_one_of and (len(given) != 1 or None in given.values()):
            raise Irregular
        # What is left out, the class fills in, or refuses to be without.
        return origin(**{field: coerce(given[name]) for name, field, coerce in fields if name in given})

    return coerce_object
