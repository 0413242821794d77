from uuid import UUID, uuid4, uuid5

from hypothesis import given
from hypothesis import strategies as st

from ledger.importing.naming import named


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_is_the_standard_uuid_of_version_5(space: UUID, name: str) -> None:
    found = named(space.bytes, name)
    assert found == uuid5(space, name)
    assert (found.version, str(found), hash(found)) == (5, str(uuid5(space, name)), hash(uuid5(space, name)))


def test_a_name_of_another_space_differs() -> None:
    assert named(uuid4().bytes, "x") != named(uuid4().bytes, "x")
