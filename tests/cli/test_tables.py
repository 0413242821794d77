"""A table can be read in a terminal of any width: nothing in it is cut, and what has no room is named."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from ledger.cli.tables import show

ROWS = (("MOMENTUM", "8,312", "6,432 … 9,311", "262 of 540"), ("what was done", "10,012", "9,999 … 10,311", "7 of 540"))
HEADINGS = ("policy", "net hours", "low … high", "used days")


def shown(width: int, *, terminal: bool = True, spare: tuple[str, ...] = ("low … high", "used days")) -> list[str]:
    screen = Console(file=StringIO(), width=width, force_terminal=terminal, color_system=None)
    table = Table(*HEADINGS)
    for row in ROWS:
        table.add_row(*row)
    show(screen, table, spare=spare, flows="policy")
    return screen.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def whole(lines: list[str]) -> set[str]:
    """The cells of one line each."""
    return {cell.strip() for line in lines if line.startswith("│") for cell in line.strip("│").split("│")}


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80, 200])
def test_no_figure_is_cut_in_a_terminal_and_what_is_left_out_is_named(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    told = " ".join(lines).partition("Not shown for want of room: ")[2].partition(". A wider")[0]
    for column, heading in enumerate(HEADINGS[1:], 1):
        is_there = {row[column] for row in ROWS} <= whole(lines)
        assert is_there != (heading in " ".join(told.split())), heading
    assert (told == "") == (width >= 60)


def test_where_not_even_one_figure_fits_beside_another_each_row_is_a_list() -> None:
    lines = shown(20)
    assert lines[:4] == ["policy: MOMENTUM", "net hours: 8,312", "low … high: 6,432 … ", "9,311"]
    assert lines[6:9] == ["", "policy: what was ", "done"]
    assert "Not shown" not in " ".join(lines)


def test_a_file_gets_all_of_it_as_wide_as_it_is() -> None:
    lines = shown(30, terminal=False)
    assert {cell for row in ROWS for cell in row} <= whole(lines)
    assert "Not shown" not in " ".join(lines)
