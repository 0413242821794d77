"""The ids of what comes from a source: always the same for the same source and its own name, so that nothing is recorded twice."""

from uuid import UUID, uuid5

from msgspec import Struct

from ledger.values import NAMESPACE, DecisionId, MemberId, ProposalId, TeamId, named

#: Who records what is imported.
IMPORTER = MemberId(uuid5(NAMESPACE, "importer"))
IMPORTER_NAME = "Importer"

#: Most people whose ids are kept at hand.
PEOPLE_KEPT = 50_000


class Person(Struct, frozen=True, gc=False):
    """Somebody whom a source names: their id, their name there, and how a text refers to them without it."""

    member_id: MemberId
    name: str
    reference: str


class Names:
    """The ids of one source."""

    def __init__(self, system: str) -> None:
        self.system = system
        self._space = uuid5(NAMESPACE, f"source:{system}").bytes
        self.team_id = TeamId(self.of("team"))
        self._people: dict[str, Person] = {}

    def of(self, name: str) -> UUID:
        """This will name anything of the source."""
        return named(self._space, name)

    def proposal(self, external_id: str) -> ProposalId:
        """This will name a proposal by the source's id for it."""
        return ProposalId(self.of("proposal:" + external_id))

    def person(self, name: str) -> Person:
        """This will give a person by the source's own name for them."""
        person = self._people.get(name)
        if person is None:
            if len(self._people) >= PEOPLE_KEPT:
                self._people.clear()
            member_id = MemberId(self.of("member:" + name))
            person = self._people[name] = Person(member_id, name, f"member:{member_id}")
        return person

    def command(self, external_fact_id: str) -> UUID:
        """This will name the command that records one fact of the source."""
        return named(self._space, "fact:" + external_fact_id)


def decision_id(command_id: UUID) -> DecisionId:
    """This will name the decision that a command records."""
    return DecisionId(named(command_id.bytes, "decision"))
