"""Which streams a command is about, read off its fields: the one that it may change first, then all that it names."""

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
    module = type(command).__module__
    found: UUID = CATALOGUE if module == catalogue.__name__ else getattr(command, _SUBJECTS[module])
    return found


def streams(command: Struct) -> tuple[UUID, ...]:
    """This will give all streams that can be known from the command alone to be needed for deciding it, each once."""
    found = [subject(command)]
    if across_teams(type(command)):
        found.append(ORGANISATION)
    if hasattr(command, "reasons"):
        found.append(CATALOGUE)
    for name in _NAMED:
        named = getattr(command, name, None)
        if named is not None:
            found.append(named)
    for name in _NAMED_SEVERAL:
        found.extend(getattr(command, name, ()))
    found.extend(c.proposal_id for c in getattr(command, "revisit", ()) if c.proposal_id is not None)
    return tuple(dict.fromkeys(found))
