"""When a fact of a source was true, when it was known, and where it therefore stands among the others."""

from datetime import datetime

from msgspec import Struct

from ledger.importing.form import FactForm, Instant, dated, refused
from ledger.values import Dating


class Times(Struct, frozen=True, gc=False):
    """When a fact was true and known. `known` None: no date at all."""

    occurred: datetime | None
    dating: Dating | None
    known: datetime | None
    #: The source says itself when it recorded it.
    is_recorded: bool


def times_of(fact: FactForm, until: datetime) -> Times:
    """This will read a fact's times: known when it was recorded, else at its own time, else by its bound.

    Raises Rejected for a bad one, and for one after `until`, which can be known to nobody yet.
    """
    written, recorded_at = fact.at, fact.recorded_at
    at = None if written is None else dated(written, fact.seq, "at", until)
    if at is not None and recorded_at == written and fact.not_after is None and fact.known_by is None:  # as most are
        return Times(at.at, _dating(fact, at), at.at, True)
    recorded = None if recorded_at is None else dated(recorded_at, fact.seq, "recorded_at", until)
    bound = None
    if fact.not_after is not None:
        bound = dated(fact.not_after, fact.seq, "not_after", until)
    elif fact.known_by is not None:
        bound = dated(fact.known_by, fact.seq, "known_by", until)
    known = recorded or at or bound
    if known is None:
        return Times(None, Dating.UNDATED, None, False)
    if at is not None:
        return Times(at.at, _dating(fact, at), known.at, recorded is not None)
    return Times((bound or known).at, Dating.NOT_AFTER, known.at, recorded is not None)


def _dating(fact: FactForm, at: Instant) -> Dating | None:
    if fact.at_is_upper_bound:
        return Dating.NOT_AFTER
    if fact.at_is_lower_bound:
        return Dating.NOT_BEFORE
    return Dating.DAY if at.is_day else None


def places(times: list[Times], proposed: int) -> list[datetime]:
    """This will put each fact where it became known.

    Facts that the source recorded stand at that time. The others never stand before one another against their numbers: where dates
    disagree with the order, the order is the source's own logic, and later is safe from hindsight. Nothing stands before the proposal
    itself. Raises Rejected where no fact has a date.
    """
    first = next((time.known for time in times if time.known is not None), None)
    if first is None:
        raise refused(
            "None of its facts has a date: no at, recorded_at, not_after or known_by. Date one of them.", "facts"
        )
    found: list[datetime] = []
    latest = latest_unrecorded = None
    for time in times:
        if time.known is None:
            place = latest or first
        elif time.is_recorded or latest_unrecorded is None:
            place = time.known
        else:
            place = max(time.known, latest_unrecorded)
        if not time.is_recorded:
            latest_unrecorded = place
        latest = place if latest is None else max(latest, place)
        found.append(place)
    start = found[proposed]
    return [max(place, start) for place in found]
