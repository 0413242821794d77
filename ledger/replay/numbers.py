"""The numbers by which the columns of a replay call what the log names."""

import sys
from typing import Any
from uuid import UUID

import numpy as np
from msgspec import Struct

from ledger.events import TOPICS
from ledger.events.proposal import ProposalSubmitted
from ledger.events.redaction import FactRedacted
from ledger.events.team import TeamFormed
from ledger.ranking import Formula
from ledger.replay.history import Names
from ledger.values import ORGANISATION

_SUBMITTED, _FORMED = TOPICS[ProposalSubmitted], TOPICS[TeamFormed]


class Numbers(Struct):
    """Those that were given so far, by the bytes of an id: from 0, in the order in which the log names things. Texts are by number."""

    proposals: dict[bytes, int] = {}
    titles: dict[int, str] = {}
    areas: dict[int, str] = {}
    teams: dict[bytes, int] = {}
    team_names: dict[int, str] = {}
    reviews: dict[bytes, int] = {}
    policies: dict[bytes, int] = {}
    formulas: list[Formula] = []
    open_concerns: set[bytes] = set()

    def proposal(self, stream_id: UUID) -> int:
        """This will number a proposal."""
        return self.proposals.setdefault(stream_id.bytes, len(self.proposals))

    def team(self, stream_id: UUID) -> int:
        """This will number a team."""
        return self.teams.setdefault(stream_id.bytes, len(self.teams))

    def review(self, stream_id: UUID) -> int:
        """This will number a review."""
        return self.reviews.setdefault(stream_id.bytes, len(self.reviews))

    def policy(self, stream_id: UUID) -> int:
        """This will number a policy."""
        return self.policies.setdefault(stream_id.bytes, len(self.policies))

    def formula(self, formula: Formula) -> int:
        """This will keep a formula and give its number."""
        self.formulas.append(formula)
        return len(self.formulas) - 1

    def blocking(self, concern_id: UUID, *, raised: bool) -> bool:
        """This will note a blocking concern, or say whether an ended one was blocking; it ends once."""
        if raised:
            self.open_concerns.add(concern_id.bytes)
            return True
        known = concern_id.bytes in self.open_concerns
        self.open_concerns.discard(concern_id.bytes)
        return known

    def call(self, number: int, fact: Struct) -> None:
        """This will keep what a proposal or a team is called, where the fact says it; the organisation is no team to ask for."""
        if isinstance(fact, ProposalSubmitted):
            self.titles[number] = fact.title
            self.areas[number] = fact.area or ""
        elif isinstance(fact, TeamFormed) and number != self.teams.get(ORGANISATION.bytes):
            self.team_names[number] = fact.name

    def redact(self, fact: FactRedacted) -> None:
        """This will put what remains of a name in the place of the name: it may have been read before it was redacted."""
        key = fact.stream_id.bytes
        if fact.topic == _SUBMITTED and key in self.proposals:
            self.titles[self.proposals[key]] = fact.remains.get("title", "")
            self.areas[self.proposals[key]] = fact.remains.get("area") or ""
        elif fact.topic == _FORMED and key in self.teams:
            self.team_names[self.teams[key]] = fact.remains.get("name", "")

    def names(self) -> Names:
        """This will give what the numbers stand for."""
        return Names(
            _ids(self.proposals),
            tuple(self.titles.get(number, "") for number in range(len(self.proposals))),
            _ids(self.teams),
            tuple(self.team_names.get(number, "") for number in range(len(self.teams))),
            _ids(self.reviews),
            _ids(self.policies),
            tuple(self.formulas),
            tuple(sys.intern(self.areas.get(number, "")) for number in range(len(self.proposals))),
        )


def _ids(numbers: dict[bytes, int]) -> Any:
    return np.frombuffer(b"".join(numbers), np.uint8).reshape(-1, 16)
