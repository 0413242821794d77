"""How a fact of an outside source is said in our facts (rule 17): as the source has it, nothing made up, nothing that matters lost.

What our own facts have no field for is kept word for word in a `SourceNoted` beside them, under the source's name for the fact.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import msgspec
from msgspec import Struct

from ledger.domain.codes import NOT_CLASSIFIED, NOT_RECORDED
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.source_fact import BUSINESS_CASE, ImportingTeam, SourceAmount, SourceFact
from ledger.events.proposal import (
    BusinessCaseRevised,
    DecisionExplained,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    ProposalReopened,
    ProposalSubmitted,
    ProposalSuperseded,
    ProposalWithdrawn,
    SourceNoted,
    WorkCompleted,
    WorkStarted,
)
from ledger.values import (
    Disposition,
    EffortUnit,
    ProposalStatus,
    Reason,
    ReopenCause,
    Verdict,
)

DUPLICATE = "DUPLICATE"

#: The source's verdict and what it is with us. Closed without judging the worth (invalid) is a no all the same: those who asked were
#: turned away, and its raw verdict keeps it apart from a judged decline.
VERDICTS = {
    "accepted": (Verdict.YES, Disposition.SCHEDULE),
    "rejected": (Verdict.NO, Disposition.DECLINE),
    "deferred": (Verdict.NO, Disposition.POSTPONE),
    "duplicate": (Verdict.NO, Disposition.DECLINE),
    "invalid": (Verdict.NO, Disposition.DECLINE),
}

_UNITS = {
    "hour": EffortUnit.HOURS,
    "hours": EffortUnit.HOURS,
    "day": EffortUnit.DAYS,
    "days": EffortUnit.DAYS,
    "point": EffortUnit.POINTS,
    "points": EffortUnit.POINTS,
    "story_points": EffortUnit.POINTS,
}
_AMOUNT_KEYS = frozenset({"value", "unit", "previous", "stage"})
_DAY_STEP = Decimal("0.0001")
_EFFORT_MAX = Decimal(10_000_000)
#: Answers after which work has no yes to rest on, by the source's own record.
_UNWANTED = frozenset(
    {ProposalStatus.DECLINED, ProposalStatus.POSTPONED, ProposalStatus.WITHDRAWN, ProposalStatus.SUPERSEDED}
)


#: What a mapping has not said yet, by the source's keys: it takes out what it says.
Rest = dict[str, object]


def decide_import(state: ProposalState | None, fact: SourceFact, team: ImportingTeam) -> list[Struct]:
    """This will say a source's fact in ours. What it can't place is kept word for word.

    Raises Rejected: CONFLICT for a second submission, NOT_FOUND for a fact before the first, BAD_USER_INPUT for one that can't be.
    """
    rest = dict(fact.words)
    if fact.type == "proposed":
        facts = _proposed(state, fact, team, rest)
    elif state is None or not state.is_submitted:
        raise Rejected(Code.NOT_FOUND, f"{fact.type} comes before the proposal itself. Put proposed first.", "type")
    else:
        mapping = _MAPPINGS.get(fact.type)
        facts = [] if mapping is None else mapping(state, fact, team, rest)
    if rest or not facts:
        facts.append(SourceNoted(fact.type, _text(rest) or "", fact.dated))
    return facts


def _proposed(state: ProposalState | None, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    if state is not None and state.is_submitted:
        raise Rejected(
            Code.CONFLICT, "It is proposed a second time. Call it reproposed, or give it another id.", "type"
        )
    about = fact.submission
    if about is None:
        raise Rejected(Code.BAD_USER_INPUT, "It is proposed without a title. Give one.", "title")
    people = tuple(dict.fromkeys((*fact.by, *about.proposers)))
    rest.pop("by", None)
    proposer = people[0] if people else None
    return [ProposalSubmitted(team.team_id, about.title, proposer, about.area, about.kind, people[1:])]


def _case(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    text = rest.pop("text", None)
    if not isinstance(text, str):
        rest.update({} if text is None else {"text": text})
        return []
    return [BusinessCaseRevised(state.case_version + 1, text, change_note=_taken(rest))]


def _estimated(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    amount, unit = _amount(fact, rest)
    if unit is None:
        return []
    days = _days(amount.value, unit, team)
    version = state.estimate_version + 1
    return [EstimateGiven(version, None, days, None, unit, amount.value, amount.stage, note=_taken(rest))]


def _re_estimated(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    amount, unit = _amount(fact, rest)
    if unit is None:
        return []
    removed = fact.type == "estimate_removed"
    value = None if removed else amount.value
    return [
        EstimateChanged(
            state.estimate_version + 1,
            None,
            _days(value, unit, team),
            None,
            unit,
            value,
            amount.previous,
            amount.stage,
            removed,
            note=_taken(rest),
        )
    ]


def _decided(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    answer = VERDICTS.get(fact.verdict or "")
    if fact.verdict is None or answer is None or fact.decision_id is None:
        given = "no verdict" if fact.verdict is None else f"the verdict {fact.verdict[:40]}"
        raise Rejected(Code.BAD_USER_INPUT, f"It is decided with {given}. Use {', '.join(VERDICTS)}.", "verdict")
    verdict, disposition = answer
    if len(fact.by) <= 1:  # the others of several would be lost
        rest.pop("by", None)
    reasons: tuple[Reason, ...] = ()
    if verdict is Verdict.NO:
        rest.pop("reason", None)
        reasons = (_reason(fact, rest),)
    rest.pop("verdict", None)
    rest.pop("scope", None)
    return [
        DecisionTaken(
            fact.decision_id,
            verdict,
            disposition,
            reasons=reasons,
            decider=fact.by[0] if fact.by else None,
            scope=fact.scope,
            verdict_raw=_verdict_raw(fact.verdict, rest),
        )
    ]


def _reason(fact: SourceFact, rest: Rest) -> Reason:
    if fact.verdict == "duplicate":
        original = rest.get("duplicate_of")
        return Reason(DUPLICATE, fact.reason or "", original if isinstance(original, str) else None)
    return Reason(NOT_CLASSIFIED, fact.reason) if fact.reason else Reason(NOT_RECORDED, "")


def _verdict_raw(verdict: str, rest: Rest) -> str:
    """This will give the source's own word; a no without judgement keeps its name, which tells it from a judged one."""
    if verdict == "invalid":
        return verdict
    raw = rest.get("verdict_raw")
    if isinstance(raw, str):
        del rest["verdict_raw"]
        return raw
    status = rest.get("status_raw")
    word = status.get("to") if isinstance(status, dict) else status
    if not isinstance(word, str):
        return verdict
    del rest["status_raw"]  # what it was before, the facts before this one say
    return word


def _explained(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    if fact.decision_id is None or state.decision(fact.decision_id) is None or not fact.reason:
        return []  # of a withdrawal, say
    for key in ("reason", "for_fact", "verdict"):
        rest.pop(key, None)
    return [DecisionExplained(fact.decision_id, (Reason(NOT_CLASSIFIED, fact.reason),))]


def _withdrawn(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    amount, unit = _amount(fact, rest)
    spent = None if unit is None else _days(amount.value, unit, team)
    if amount.value is not None:  # the fact has room for the days only
        key = "actual" if "actual" in fact.words else "estimate"
        rest[key] = fact.words[key]
    rest.pop("reason", None)
    return [ProposalWithdrawn(fact.reason, spent)]


def _superseded(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    rest.pop("reason", None)
    return [ProposalSuperseded(fact.successor, fact.reason)]


def _reproposed(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    return [ProposalReopened(ReopenCause.REPROPOSED, _taken(rest))]


def _started(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    # Rule 14 where the source itself records a no. Where it records no answer, it does not say that there was none.
    return [WorkStarted(without_yes=state.status in _UNWANTED, note=_taken(rest))]


def _completed(state: ProposalState, fact: SourceFact, team: ImportingTeam, rest: Rest) -> list[Struct]:
    amount, unit = _amount(fact, rest)
    days = None if unit is None else _days(amount.value, unit, team)
    return [WorkCompleted(days, unit or EffortUnit.DAYS, amount.value if unit else None, _taken(rest))]


_Mapping = Callable[[ProposalState, SourceFact, ImportingTeam, Rest], list[Struct]]
#: The source's names that our facts can say. Put into a sprint (scheduled) is not begun, and retired is not taken back by those who asked.
_MAPPINGS: dict[str, _Mapping] = {
    BUSINESS_CASE: _case,
    "estimated": _estimated,
    "re-estimated": _re_estimated,
    "estimate_removed": _re_estimated,
    "decided": _decided,
    "reason_recorded": _explained,
    "withdrawn": _withdrawn,
    "superseded": _superseded,
    "reproposed": _reproposed,
    "started": _started,
    "completed": _completed,
}


def _amount(fact: SourceFact, rest: Rest) -> tuple[SourceAmount, EffortUnit | None]:
    """This will give the figure and our unit for it, None where we have none; one that can be placed is taken out of the rest."""
    amount = fact.amount
    if amount is None or amount.unit is None:
        return SourceAmount(), None
    word = amount.unit.lower()
    unit = EffortUnit.TARGET if word.startswith("target") else _UNITS.get(word)
    if unit is not None:
        key = "actual" if "actual" in rest else "estimate"
        said = rest.pop(key, None)
        if isinstance(said, dict):
            for name, value in said.items():
                if name not in _AMOUNT_KEYS:
                    rest[f"{key}.{name}"] = value
        if unit is EffortUnit.TARGET and word != "target":
            rest[f"{key}.unit"] = amount.unit
    return amount, unit


def _days(value: str | None, unit: EffortUnit, team: ImportingTeam) -> Decimal | None:
    """This will turn hours into engineer-days, to 0.0001; None where no days follow from the unit."""
    if value is None or unit not in (EffortUnit.HOURS, EffortUnit.DAYS):
        return None
    try:
        figure = Decimal(value)
    except InvalidOperation:
        figure = Decimal("NaN")
    if not figure.is_finite() or not 0 <= figure <= _EFFORT_MAX:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"An effort of {value[:40]} {unit.lower()} cannot be. Give a number from 0 to {_EFFORT_MAX}.",
            "value",
        )
    days = figure / team.hours_per_day if unit is EffortUnit.HOURS else figure
    return days.quantize(_DAY_STEP, ROUND_HALF_EVEN).normalize() + 0


def _taken(rest: Rest) -> str | None:
    """This will take all that is left as a text."""
    if not rest:
        return None
    text = _text(rest)
    rest.clear()
    return text


def _text(words: Rest) -> str | None:
    """This will write words line by line, each under the source's key; what changed stands as before → after."""
    return "\n".join([f"{key}: {_word(value)}" for key, value in words.items()]) or None


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value and value.keys() <= {"from", "to"}:
        return f"{value.get('from', '')} → {value.get('to', '')}".strip()
    return msgspec.json.encode(value).decode()
