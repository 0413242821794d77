"""A row of which only some attributes are read gives them as the whole row does."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from msgspec import Raw, Struct

from ledger.values import (
    BenefitCode,
    ConcernId,
    DecisionId,
    Disposition,
    EffortUnit,
    ImpactMethod,
    MemberId,
    MomentumLevel,
    ProposalId,
    Risk,
    TeamId,
    Verdict,
)
from projections.backlog.queries import Listed
from projections.backlog.structs import CaseShort, ConcernShort, DecisionShort, EstimateShort, ImpactShort, Origin
from projections.partial import fields_of, partial

AT = datetime(2026, 1, 2, tzinfo=UTC)
ADA, BEN = MemberId(UUID(int=1)), MemberId(UUID(int=2))
DECISION = DecisionShort(
    DecisionId(UUID(int=3)), Verdict.NO, Disposition.POSTPONE, AT, 7, None, ADA, ("OTHER",), told_at=AT, audience=(ADA,)
)
FULL = Listed(
    ProposalId(UUID(int=4)),
    TeamId(UUID(int=5)),
    "Pay it",
    proposer=ADA,
    co_proposers=(BEN, ADA),
    submitted_at=AT,
    submitted_position=7,
    score=1.5,
    case=CaseShort(1, "Slow", False, (BenefitCode.EASES_CHANGE,), (Risk("Worse", 0.5, Decimal(8), 4),)),
    estimate=EstimateShort(1, Decimal(1), Decimal(2), Decimal(3), EffortUnit.DAYS, None, None, None, 2.0),
    impact=ImpactShort(1, MomentumLevel.M2, ImpactMethod.SURVEYED, 0.8, Decimal(2), Decimal(1), None, False),
    concerns=(ConcernShort(ConcernId(UUID(int=6)), BEN, AT, True),),
    decision=DECISION,
    ranked_in=TeamId(UUID(int=5)),
    rank=3,
)
ROWS = {
    "full": FULL,
    "least": Listed(ProposalId(UUID(int=4))),
    "imported": msgspec.structs.replace(FULL, origin=Origin("pep", "8")),
}
ATTRIBUTES = sorted(
    {*Listed.__struct_fields__, *(name for name in dir(Listed) if isinstance(getattr(Listed, name), property))}
)


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_attribute_by_itself_is_that_of_the_whole_row(row: Listed, attribute: str) -> None:
    struct = partial(Listed, frozenset({attribute}))
    text = msgspec.json.encode(row)
    found, whole = (msgspec.json.decode(text, type=kind) for kind in (struct, Listed))
    assert getattr(found, attribute) == getattr(whole, attribute)
    assert isinstance(found, Listed)


def test_a_row_that_was_written_before_its_last_fields_were_there_can_be_read() -> None:
    early = b'["00000000-0000-0000-0000-000000000004",null,"Pay it"]'
    found = msgspec.json.decode(early, type=partial(Listed, frozenset({"title", "concerns_open", "proposers"})))
    assert (found.title, found.concerns_open, found.proposers) == ("Pay it", 0, ())


class Marks(Struct, frozen=True, array_like=True):
    marks: tuple[int, ...]
    least: int
    name: str

    @property
    def passed(self) -> tuple[int, ...]:
        return tuple(mark for mark in self.marks if mark >= self.least)

    @property
    def passes(self) -> bool:
        return bool(self.passed)


def test_a_property_may_look_at_fields_inside_of_a_loop_and_by_another_property() -> None:
    found = msgspec.json.decode(b'[[1,2,3],2,"Ada"]', type=partial(Marks, frozenset({"passes"})))
    assert (found.passes, found.passed) == (True, (2, 3))
    assert isinstance(found.name, Raw)


def test_what_nobody_asks_for_stays_text() -> None:
    struct = partial(Listed, frozenset({"title", "drag"}))
    found = msgspec.json.decode(msgspec.json.encode(FULL), type=struct)
    assert fields_of(Listed, {"title", "drag"}) == {"title", "impact"}
    assert {name for name in Listed.__struct_fields__ if not isinstance(getattr(found, name), Raw)} == {
        "title",
        "impact",
    }
