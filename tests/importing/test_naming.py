from uuid import RFC_4122, UUID, uuid4, uuid5

from hypothesis import given
from hypothesis import strategies as st

from ledger.importing.naming import named_at_once
from ledger.values import named


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_is_the_standard_uuid_of_version_5(space: UUID, name: str) -> None:
    found = named(space.bytes, name)
    assert found == uuid5(space, name)
    assert (found.version, str(found), hash(found)) == (5, str(uuid5(space, name)), hash(uuid5(space, name)))


def test_a_name_of_another_space_differs() -> None:
    assert named(uuid4().bytes, "x") != named(uuid4().bytes, "x")


@given(st.lists(st.tuples(st.uuids(), st.text(st.characters(exclude_categories=["Cs"]))), max_size=20))
def test_names_at_once_are_those_one_by_one(given_names: list[tuple[UUID, str]]) -> None:
    found = named_at_once([space.bytes + name.encode() for space, name in given_names])
    assert found == [uuid5(space, name) for space, name in given_names]
    assert all((name.version, name.variant) == (5, RFC_4122) for name in found)
