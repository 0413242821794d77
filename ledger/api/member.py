"""Members as the schema shows them. Facts name ids only; the name is the directory's and can be erased."""

from collections.abc import Mapping
from uuid import UUID

import strawberry

from ledger.api.enums import describe
from ledger.directory.members import MemberKind, Person
from ledger.values import MemberId

describe(
    MemberKind,
    {"PERSON": "Somebody.", "SERVICE": "A portal or a robot."},
    about="Whether a member is a person or a program.",
)


@strawberry.type(description="A person, or a machine, that acts in the ledger.")
class Member:
    """Make it with `Member.of`."""

    member_id: UUID = strawberry.field(description="The id that facts name.")
    name: str | None = strawberry.field(
        description="The name in the directory; null where it is not known or was erased."
    )
    kind: MemberKind = strawberry.field(description="Whether it is a person or a program.")

    @classmethod
    def of(cls, member_id: UUID, people: Mapping[MemberId, Person | None]) -> "Member":
        """This will show a member under the name that was read, such as by `Context.members`."""
        person = people.get(MemberId(member_id))
        if person is None:
            return cls(member_id=member_id, name=None, kind=MemberKind.PERSON)
        return cls(member_id=member_id, name=person.name, kind=person.kind)

    @classmethod
    def maybe(cls, member_id: UUID | None, people: Mapping[MemberId, Person | None]) -> "Member | None":
        """This will show a member, or nothing where none is named."""
        return None if member_id is None else cls.of(member_id, people)
