"""Tables that are never cut: a figure of which half is missing is worse than none."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

#: What a column takes besides its words, and what the table's last line does.
EDGES = 3


def show(screen: Console, table: Table, *, spare: Sequence[str] = (), flows: str | None = None) -> None:
    """This will print a table so that every figure and word can be read.

    Where a terminal is too narrow, columns of `spare` are left out, the first of them first, and named below. The column `flows` takes
    the room that there is, and goes on in the next line. Where even that does not fit, each row is a list, with all its columns. What is
    no terminal, a file or a pager, gets all columns as wide as they are.
    """
    left_out = []
    if not screen.is_terminal:
        spare, flows = (), None
        screen.width = max(screen.width, width(table))
    elif _narrowest(table, spare, flows) > screen.width:
        _list(screen, table)
        return
    for heading in spare:
        if width(table, flows) <= screen.width:
            break
        table.columns = [column for column in table.columns if column.header != heading]
        left_out.append(heading)
    for column in table.columns:
        if column.header != flows:
            column.width = _least(column, flows)
    screen.print(table)
    if left_out:
        screen.print(f"Not shown for want of room: {'; '.join(left_out)}. A wider terminal has them, and --json.")


def width(table: Table, flows: str | None = None) -> int:
    """This will give the characters that a line of a table takes at least, with the column `flows` as narrow as its longest word."""
    return _narrowest(table, (), flows)


def _narrowest(table: Table, spare: Sequence[str], flows: str | None) -> int:
    return sum(_least(column, flows) + EDGES for column in table.columns if column.header not in spare) + 1


def _list(screen: Console, table: Table) -> None:
    """This will print a line for each cell that holds something, and an empty one after each row."""
    if table.title:
        screen.print(table.title)
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                screen.print(f"{column.header}: {cell}", markup=False, highlight=False)
        screen.print()
    if table.caption:
        screen.print(table.caption)


def _least(column: Column, flows: str | None) -> int:
    heading = max(map(cell_len, str(column.header).split()), default=0)
    cells = map(str, column.cells)
    words = (word for cell in cells for word in cell.split()) if column.header == flows else cells
    return max(heading, max(map(cell_len, words), default=0))
