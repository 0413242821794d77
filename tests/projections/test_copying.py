"""Versions packed for COPY: the bytes of a row do not depend on which others are packed with it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec import Struct
from msgspec.structs import replace

from projections.copying import packer
from projections.rows import Version
from projections.table import Column, Table


class Found(Struct, frozen=True):
    """A row with a column of every type that is as wide in every row, any of which may be None in some."""

    id: UUID
    at: datetime | None
    count: int | None
    share: float | None
    is_open: bool | None
    name: str | None


FOUND = Table(
    "found",
    Found,
    key=("id",),
    columns=(
        Column("id", "uuid"),
        Column("name", "text"),
        Column("at", "timestamptz"),
        Column("count", "bigint"),
        Column("share", "float8"),
        Column("is_open", "boolean"),
    ),
)
WHOLE = Found(UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), -3, 0.25, False, "wall")
LACKING = {name: replace(WHOLE, **{name: None}) for name in ("at", "count", "share", "is_open", "name")}


@pytest.mark.parametrize("lacks", LACKING)
@pytest.mark.parametrize("until", [(9, 9), (None, None), (9, None), (None, 9)])
def test_rows_packed_together_are_the_rows_packed_alone(lacks: str, until: tuple[int | None, int | None]) -> None:
    pack = packer(FOUND)
    versions: list[Version] = [(5, until[0], WHOLE), (6, until[1], LACKING[lacks]), (8, until[0], WHOLE)]
    assert pack(versions) == b"".join(pack([version]) for version in versions)
    assert len({pack([(5, end, row)]) for end in (9, None) for row in (WHOLE, *LACKING.values())}) == 12


def test_a_none_takes_a_length_of_minus_one_and_no_bytes() -> None:
    pack = packer(FOUND)
    none, wide = b"\xff\xff\xff\xff", b"\x00\x00\x00\x08" + (-3).to_bytes(8, signed=True)
    whole, lacking = pack([(5, None, WHOLE)]), pack([(5, None, LACKING["count"])])
    doc = FOUND.encode(WHOLE), FOUND.encode(LACKING["count"])
    assert all(
        len(encoded).to_bytes(4) + encoded in found for encoded, found in zip(doc, (whole, lacking), strict=True)
    )
    heads = whole[: whole.index(doc[0]) - 4], lacking[: lacking.index(doc[1]) - 4]
    assert heads[0].replace(wide, none) == heads[1]
