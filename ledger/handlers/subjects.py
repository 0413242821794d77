"""Which streams a command is about, read off its fields: the one that it may change first, then all that it names."""

from functools import cache
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from ledger.commands import catalogue, member, policy, proposal, review, simulation, team
from ledger.domain.authority import across_teams
from ledger.values import CATALOGUE, ORGANISATION

#: The field that names the stream, by the file that the command is in. The catalogue has but one stream.
_SUBJECTS = {
    proposal.__name__: "proposal_id",
    review.__name__: "review_id",
    team.__name__: "team_id",
    member.__name__: "member_id",
    policy.__name__: "policy_id",
    simulation.__name__: "simulation_id",
}
#: The fields that name one stream each, or several.
_NAMED = ("proposal_id", "review_id", "team_id", "policy_id", "needs", "into", "by")
_NAMED_SEVERAL = ("children", "chosen_instead", "team_ids")


def subject(command: Struct) -> UUID:
    """This will give the stream that the command is about, whose version its issuer may have seen."""
    name = _places(type(command)).subject
    found: UUID = CATALOGUE if name is None else getattr(command, name)
    return found


def streams(command: Struct) -> tuple[UUID, ...]:
    """This will give all streams that can be known from the command alone to be needed for deciding it, each once."""
    places = _places(type(command))
    if places.is_about_one:  # as most commands are
        return (subject(command),)
    found = [subject(command), *places.always]
    for name in places.named:
        named = getattr(command, name)
        if named is not None:
            found.append(named)
    for name in places.named_several:
        found.extend(getattr(command, name))
    if places.has_conditions:
        found.extend(c.proposal_id for c in getattr(command, "revisit", ()) if c.proposal_id is not None)
    return tuple(dict.fromkeys(found))


class _Places(NamedTuple):
    """Where a command names streams: the fields, and those that it needs whatever it says."""

    #: None: it is about the catalogue.
    subject: str | None
    always: tuple[UUID, ...]
    named: tuple[str, ...]
    named_several: tuple[str, ...]
    has_conditions: bool
    #: There is nothing to look at besides its subject.
    is_about_one: bool


@cache
def _places(command: type[Struct]) -> _Places:
    fields = command.__struct_fields__
    is_of_catalogue = command.__module__ == catalogue.__name__
    about = None if is_of_catalogue else _SUBJECTS[command.__module__]
    always: list[UUID] = [ORGANISATION] if across_teams(command) else []
    always += [CATALOGUE] if "reasons" in fields else []
    named = [name for name in _NAMED if name in fields and name != about]
    several = [name for name in _NAMED_SEVERAL if name in fields]
    has_conditions = "revisit" in fields
    is_about_one = not (always or named or several or has_conditions)
    return _Places(about, tuple(always), tuple(named), tuple(several), has_conditions, is_about_one)
