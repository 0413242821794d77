"""The scalars: instants in UTC, ids, exact figures, and positions in the ledger."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NewType, NoReturn
from uuid import UUID

import msgspec
import strawberry
from graphql import (
    SKIP,
    ArgumentNode,
    GraphQLError,
    GraphQLInputType,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
)
from graphql.utilities import validate_input_literal
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.scalar import ScalarDefinition

from ledger.values import instant_text

#: A place in the whole ledger, from 1; 0 is before the first fact. A string in the schema: it outgrows 32 bits.
Position = NewType("Position", int)

POSITION_MAX = 2**63 - 1
#: Longer figures than any that the ledger keeps.
DECIMAL_LENGTH_MAX = 40
SHOWN_LENGTH_MAX = 60


def _refusal(value: object, wanted: str) -> StrawberryInputCoercionError:
    shown = value if isinstance(value, str) else type(value).__name__
    return StrawberryInputCoercionError(f"{shown[:SHOWN_LENGTH_MAX]!r} is not {wanted}.")


def parse_instant(value: Any) -> datetime:
    """This will read an RFC 3339 instant, which needs a time zone, and give it in UTC."""
    try:
        found: datetime = msgspec.convert(value, datetime) if isinstance(value, str) else _no(value)
        return (found if found.tzinfo else _no(value)).astimezone(UTC)
    except (msgspec.ValidationError, ValueError, OverflowError):
        raise _refusal(value, "an instant with a time zone, such as 2026-01-31T12:00:00Z") from None


def parse_uuid(value: Any) -> UUID:
    """This will read a UUID in its usual form: 32 hexadecimal digits in five groups."""
    try:
        found: UUID = msgspec.convert(value, UUID) if isinstance(value, str) else _no(value)
    except (msgspec.ValidationError, ValueError):
        raise _refusal(value, "a UUID") from None
    return found


def parse_decimal(value: Any) -> Decimal:
    """This will read an exact figure from a string, or from a number as it was written."""
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    try:
        found = Decimal(text) if len(text) <= DECIMAL_LENGTH_MAX else _no(value)
        return found if found.is_finite() else _no(value)
    except (InvalidOperation, ValueError):
        raise _refusal(value, 'an exact figure, such as "2.25"') from None


def parse_position(value: Any) -> Position:
    """This will read a position from a string of digits, or from a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        number = int(value)
    else:
        number = -1
    if not 0 <= number <= POSITION_MAX:
        raise _refusal(value, 'a position in the ledger, such as "1024"')
    return Position(number)


class PlacedValues(ValuesOfCorrectTypeRule):
    """graphql-core's rule, which says of what these scalars refuse in a document for what it was given, and where that stands."""

    _holder = ""

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        """This will note whose value comes."""
        self._holder = node.name.value

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: object) -> None:
        """This will note whose value comes: the default of a variable."""
        self._holder = f"${node.variable.name.value}"

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> Any:
        """This will report what is wrong with a value and all that is in it."""

        def report(error: GraphQLError, path: list[str | int]) -> None:
            place = ".".join(map(str, (self._holder, *path)))
            if isinstance(error, StrawberryInputCoercionError):
                error = GraphQLError(f"{place}: {error.message}", node)
            elif isinstance(error.original_error, ValueError):  # Python reads no number of so many digits
                error = GraphQLError(f"{place}: The number has too many digits.", node)
            self.report_error(error)

        if input_type:
            validate_input_literal(node, input_type, report, None, None, self.context.hide_suggestions)
        return SKIP


def _no(value: object) -> NoReturn:
    raise ValueError(value)


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339, answered in UTC: 2026-01-31T12:00:00Z.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=instant_text,
        parse_value=parse_instant,
    ),
    UUID: strawberry.scalar(
        name="UUID",
        description="A universally unique id: 32 hexadecimal digits in five groups.",
        specified_by_url="https://tools.ietf.org/html/rfc4122",
        serialize=str,
        parse_value=parse_uuid,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact figure as a string: "2.25". Numbers are taken too.',
        serialize=lambda value: format(value, "f"),
        parse_value=parse_decimal,
    ),
    Position: strawberry.scalar(
        name="Position",
        description='A place in the whole ledger, from 1, as a string of digits: "1024". "0" is before the first fact.',
        serialize=str,
        parse_value=parse_position,
    ),
}
