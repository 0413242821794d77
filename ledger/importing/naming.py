"""The ids of what comes from a source: always the same for the same source and its own name, so that nothing is recorded twice."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha1
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from ledger.values import NAMESPACE, DecisionId, MemberId, ProposalId, TeamId, named

#: Who records what is imported.
IMPORTER = MemberId(uuid5(NAMESPACE, "importer"))
IMPORTER_NAME = "Importer"

#: A UUID in MessagePack: two bytes that say so, and its sixteen.
_UUID_HEAD = b"\xc4\x10"
_UUID_BYTES = 18
_uuids = msgspec.msgpack.Decoder(list[UUID]).decode


def named_at_once(texts: Sequence[bytes]) -> list[UUID]:
    """This will give what `named` gives of each text, which begins with the space, in half the time."""
    count = len(texts)
    keep, set_ = _version_and_variant(count)
    digests = b"".join([_UUID_HEAD + sha1(text, usedforsecurity=False).digest()[:16] for text in texts])
    marked = int.from_bytes(digests) & keep | set_
    return _uuids(b"\xdd" + count.to_bytes(4) + marked.to_bytes(count * _UUID_BYTES))


@lru_cache(maxsize=1_024)
def _version_and_variant(count: int) -> tuple[int, int]:
    """This will give the bits to keep and those to set in so many digests, to make UUIDs of version 5 of them."""
    keep = (b"\xff" * 8 + b"\x0f\xff\x3f" + b"\xff" * 7) * count
    set_ = (b"\0" * 8 + b"\x50\0\x80" + b"\0" * 7) * count
    return int.from_bytes(keep), int.from_bytes(set_)


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
        self._fact_space = self._space + b"fact:"
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
        return named(self._fact_space, external_fact_id)

    def commands(self, external_fact_ids: Sequence[str]) -> list[UUID]:
        """This will name the commands that record facts of the source."""
        space = self._fact_space
        return named_at_once([space + external_id.encode() for external_id in external_fact_ids])


def decision_id(command_id: UUID) -> DecisionId:
    """This will name the decision that a command records."""
    return DecisionId(named(command_id.bytes, "decision"))
