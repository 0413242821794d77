"""The facts as columns, in the order in which they became known."""

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ledger.ranking import Formula
from ledger.replay.kinds import LAST_OF_PROPOSAL, Kind

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.integer[Any]]
Small: TypeAlias = NDArray[np.int32]
Bools: TypeAlias = NDArray[np.bool_]
Ids: TypeAlias = NDArray[np.uint8]

COLUMNS = ("kind", "subject", "positions", "known", "occurred", "imported", "figures")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
WEEK_US = 7 * 86_400 * 1_000_000
DAY_US = 86_400 * 1_000_000
#: Of a fact whose source does not say when it knew it.
UNSAID = np.iinfo(np.int64).min


def micros(at: datetime) -> int:
    """This will give an instant as microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def instant(at_us: int) -> datetime:
    """This will give microseconds since 1970 as an instant in UTC."""
    return EPOCH + timedelta(microseconds=int(at_us))


@dataclass(frozen=True)
class Names:
    """What the numbers in the columns stand for. Rows of `proposals` and the others are the 16 bytes of an id."""

    proposals: Ids
    titles: tuple[str, ...]
    teams: Ids
    team_names: tuple[str, ...]
    reviews: Ids
    policies: Ids
    formulas: tuple[Formula, ...]
    #: The area of each proposal; empty: not read.
    areas: tuple[str, ...] = ()

    def in_areas(self, wanted: tuple[str, ...]) -> Bools:
        """This will mark the proposals of some areas; none wanted: all."""
        if not wanted:
            return np.ones(len(self.proposals), dtype=bool)
        kept = frozenset(wanted)
        return np.fromiter((area in kept for area in self.areas), dtype=bool, count=len(self.proposals))

    def proposal(self, number: int) -> UUID:
        """This will give a proposal's id."""
        return UUID(bytes=self.proposals[number].tobytes())

    def number_of(self, proposal: UUID) -> int | None:
        """This will give a proposal's number; None: the log names no such proposal."""
        rows = np.flatnonzero((self.proposals == np.frombuffer(proposal.bytes, np.uint8)).all(axis=1))
        return int(rows[0]) if len(rows) else None

    def team(self, number: int) -> UUID:
        """This will give a team's id."""
        return UUID(bytes=self.teams[number].tobytes())

    def review(self, number: int) -> UUID:
        """This will give a review's id."""
        return UUID(bytes=self.reviews[number].tobytes())


@dataclass(frozen=True)
class History:
    """The facts of a ledger up to `position`, a row each, in the order of knowing: by `known`, then by position.

    A native fact is known when it was recorded; an imported one when its source recorded it, and where that is not said, by when it was
    known for sure: with the next that its source dates of the same proposal, or else at the end of what was imported. Nothing about a
    proposal is known before the proposal itself. `known` and `occurred` are microseconds since 1970, UTC; `subject` is the number of
    the proposal, review, team or policy; a figure that is not said is NaN. A fact takes 94 bytes, a proposal 16 and its title.
    """

    ledger_id: UUID
    position: int
    kind: NDArray[np.uint8]
    subject: Small
    positions: Ints
    known: Ints
    occurred: Ints
    imported: Bools
    figures: Floats
    names: Names = field(repr=False)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def size_bytes(self) -> int:
        """This will give the memory that the columns take."""
        columns = [getattr(self, f.name) for f in fields(self)]
        return sum(c.nbytes for c in columns if isinstance(c, np.ndarray)) + self.names.proposals.nbytes

    def of(self, *kinds: Kind) -> NDArray[np.intp]:
        """This will give the rows of some kinds, in order."""
        return np.flatnonzero(np.isin(self.kind, [int(kind) for kind in kinds]))

    def submission_of(self, proposal: int) -> NDArray[np.intp]:
        """This will give the row of a proposal's submission: one, or none."""
        return np.flatnonzero((self.kind == Kind.SUBMITTED) & (self.subject == proposal))

    def known_by(self, at_us: int) -> int:
        """This will give how many facts were known by an instant."""
        return int(np.searchsorted(self.known, at_us, side="right"))

    def until(self, count: int) -> "History":
        """This will give a view of the first `count` facts: nothing is copied, and the names are all there."""
        return replace(self, **{name: getattr(self, name)[:count] for name in COLUMNS})

    def cut(self, count: int, named: "tuple[NDArray[np.intp], Ints] | None" = None) -> "History":
        """This will give the history as it was when only its first `count` facts were known: copies, and no trace of the rest.

        Proposals that were not named by then have no number; titles of the others are kept. `named`: what `named_by` says, if at hand.
        """
        columns = {name: getattr(self, name)[:count].copy() for name in COLUMNS}
        kept, renumbered = named or self.named_by(count)
        of_proposal = columns["kind"] <= LAST_OF_PROPOSAL
        columns["subject"][of_proposal] = renumbered[columns["subject"][of_proposal]]
        pointing = np.isin(columns["kind"], [Kind.NEEDS, Kind.NEEDS_NOT, Kind.MERGED])
        columns["figures"][pointing, 0] = renumbered[columns["figures"][pointing, 0].astype(np.int64)]
        names = replace(
            self.names,
            proposals=self.names.proposals[kept].copy(),
            titles=tuple(map(self.names.titles.__getitem__, kept.tolist())),
            areas=tuple(map(self.names.areas.__getitem__, kept.tolist())) if self.names.areas else (),
        )
        position = int(columns["positions"].max()) if count else 0
        return History(self.ledger_id, position, names=names, **columns)

    def named_by(self, count: int) -> tuple[NDArray[np.intp], Ints]:
        """This will give the proposals that the first `count` facts name, and for each proposal its number among them (or −1)."""
        is_named = np.zeros(len(self.names.proposals), dtype=bool)
        kinds = self.kind[:count]
        is_named[self.subject[:count][kinds <= LAST_OF_PROPOSAL]] = True
        pointing = np.isin(kinds, [Kind.NEEDS, Kind.NEEDS_NOT, Kind.MERGED])
        is_named[self.figures[:count][pointing, 0].astype(np.int64)] = True
        kept = np.flatnonzero(is_named)
        renumbered = np.full(len(is_named), -1, dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        return kept, renumbered


def ordered(
    ledger_id: UUID,
    position: int,
    kind: NDArray[np.uint8],
    subject: Small,
    positions: Ints,
    known: Ints,
    occurred: Ints,
    imported: Bools,
    figures: Floats,
    names: Names,
) -> History:
    """This will put columns that stand in the order of the log into the order of knowing."""
    known = _after_submission(kind, subject, _said(kind, subject, known, imported))
    order = np.lexsort((positions, known))
    return History(
        ledger_id,
        position,
        kind[order],
        subject[order],
        positions[order],
        known[order],
        occurred[order],
        imported[order],
        figures[order],
        names,
    )


def _after_submission(kind: NDArray[np.uint8], subject: Small, known: Ints) -> Ints:
    """This will let nothing about a proposal be known before the proposal itself, as an import does: later is safe from hindsight."""
    is_submission = kind == Kind.SUBMITTED
    begun = np.full(int(subject.max(initial=0)) + 1, np.iinfo(np.int64).min)
    begun[subject[is_submission]] = known[is_submission]
    of_proposal = kind <= LAST_OF_PROPOSAL
    return np.where(of_proposal, np.maximum(known, begun[np.where(of_proposal, subject, 0)]), known)


def _said(kind: NDArray[np.uint8], subject: Small, known: Ints, imported: Bools) -> Ints:
    """This will date what has no date of knowing: no earlier than what stands before it in its stream, nor than the first dated after it.

    What nothing dated follows was known by the end of what was imported: later is safe from hindsight. A stream without any date, such
    as the team that an import forms, is as old as the log.
    """
    unsaid = np.flatnonzero(known == UNSAID)
    if not len(unsaid):
        return known
    stream = np.where(kind <= LAST_OF_PROPOSAL, 0, kind // 10).astype(np.int64) * (int(subject.max()) + 1) + subject
    by_stream = np.argsort(stream, kind="stable")
    said = known[by_stream].copy()
    is_said = known != UNSAID
    oldest = int(known[is_said].min(initial=np.iinfo(np.int64).max)) if is_said.any() else 0
    last = int(known[is_said & imported].max(initial=oldest))
    streams = stream[by_stream]
    starts = np.flatnonzero(np.r_[True, streams[1:] != streams[:-1]])
    filled = said.copy()
    ends = np.r_[starts[1:], len(said)]
    touched = np.unique(np.searchsorted(starts, np.flatnonzero(said == UNSAID), side="right") - 1)
    for index in touched:
        start, end = starts[index], ends[index]
        own = said[start:end]
        dated = np.flatnonzero(own != UNSAID)
        if not len(dated):
            filled[start:end] = oldest
            continue
        following = np.searchsorted(dated, np.arange(len(own)))
        after = np.where(following < len(dated), own[dated[np.minimum(following, len(dated) - 1)]], last)
        filled[start:end] = np.where(own == UNSAID, np.maximum(after, np.maximum.accumulate(own)), own)
    result = known.copy()
    result[by_stream] = filled
    return result
