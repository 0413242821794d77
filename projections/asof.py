"""The condition by which a query reads the present or a past state of a table: the same statement for both."""

from typing import LiteralString

#: The rows that stand now. A table's partial indexes serve it.
NOW: LiteralString = "valid_to IS NULL"
#: The rows that stood once the position was recorded; it takes the position as `as_of`.
THEN: LiteralString = "valid_from <= %(as_of)s AND (valid_to IS NULL OR valid_to > %(as_of)s)"


def standing(as_of: int | None) -> LiteralString:
    """This will give the condition for a state: a position, or None for the present. The statement's parameters then need `as_of`."""
    return NOW if as_of is None else THEN


def standing_in(alias: LiteralString, as_of: int | None) -> LiteralString:
    """This will give the same condition for a table under an alias."""
    if as_of is None:
        return alias + ".valid_to IS NULL"
    return alias + ".valid_from <= %(as_of)s AND (" + alias + ".valid_to IS NULL OR " + alias + ".valid_to > %(as_of)s)"
