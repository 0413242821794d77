"""One line of a history as facts of its source, each with its times, its place in the order of knowing, and its provenance."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from ledger.domain.rejected import Code, Rejected
from ledger.domain.source_fact import BUSINESS_CASE, SourceAmount, SourceFact, SourceSubmission
from ledger.events import event_id
from ledger.importing.form import (
    AmountForm,
    CaseForm,
    FactForm,
    Figure,
    RecordForm,
    content_hash,
    converted,
    dated,
    fact_forms,
    refused,
)
from ledger.importing.naming import Names, Person, decision_id, named_at_once
from ledger.importing.places import Times, places, times_of
from ledger.values import Dating, DecisionId, MemberId, ProposalId, Source

#: Keys that the envelope holds, so that they are no words of the fact.
_ENVELOPE = frozenset(
    {"seq", "type", "at", "recorded_at", "not_after", "known_by", "at_is_upper_bound", "at_is_lower_bound", "at_source"}
    | {"commit", "recorded_by"}
)
#: Facts that take a decision, or give the reason for one.
_DECIDING = frozenset({"decided", "reason_recorded"})
_WORD_MAX = 200
_NUMBERED = re.compile(r"(.*?)(\d+)")


class Entry(Struct, frozen=True, gc=False):
    """One fact of the source on its way in: one command."""

    command_id: UUID
    #: The id of the first event that the command records.
    event_id: UUID
    content_hash: bytes
    #: When it may be known to the ledger: the order of recording.
    known: datetime
    occurred_at: datetime
    source: Source
    fact: SourceFact


class Record(Struct, frozen=True):
    """One proposal, its facts in the order of knowing, and the people it names."""

    external_id: str
    names: Names
    proposal_id: ProposalId
    entries: tuple[Entry, ...]
    people: dict[MemberId, str]

    @property
    def first_command(self) -> UUID:
        """This will give the command that submits the proposal."""
        return self.entries[0].command_id

    @property
    def system(self) -> str:
        """This will give the name of the source."""
        return self.names.system


def record(form: RecordForm, names: Names, until: datetime) -> Record:
    """This will turn a line into entries, none of them from after `until`. Raises Rejected, whose sentence says which fact is wrong."""
    return _Reading(form, names, until).record()


class _Reading:
    """The reading of one line."""

    def __init__(self, form: RecordForm, names: Names, until: datetime) -> None:
        self.form = form
        self.names = names
        self.until = until
        self.people: dict[MemberId, str] = {}
        self.facts = fact_forms(form)
        self.external_ids = [f"{form.id}#{fact.seq}" for fact in self.facts]
        self.commands = names.commands(self.external_ids)
        self.first_events = named_at_once([command.bytes + b"0" for command in self.commands])

    def record(self) -> Record:
        proposals = [fact.seq - 1 for fact in self.facts if fact.type == "proposed"]
        if len(proposals) != 1:
            raise refused(
                f"It has {len(proposals)} facts of the type proposed; it needs exactly one. Call a later one reproposed.",
                "facts",
            )
        times = [times_of(fact, self.until) for fact in self.facts]
        known_places = places(times, proposals[0])
        last: datetime | None = next((t.occurred for t in times if t.occurred is not None), None)
        #: What says the place of an entry is never the same twice, so that entries themselves are not compared.
        entries: list[tuple[datetime, bool, int, Entry]] = []
        for number, (fact, words, time, known) in enumerate(
            zip(self.facts, self.form.facts, times, known_places, strict=True)
        ):
            if time.occurred is not None:
                last = time.occurred
            assert last is not None  # noqa: S101  # `places` refuses a line without any date
            entry = self._entry(number, fact, words, time, known, last)
            entries.append((known, number != proposals[0], number, entry))
        if self.form.business_case is not None:
            entries.append(self._case(self.form.business_case, known_places, proposals[0], last))
        entries.sort()
        ordered = tuple([placed[3] for placed in entries])
        return Record(self.form.id, self.names, self.names.proposal(self.form.id), ordered, self.people)

    def _entry(
        self, number: int, fact: FactForm, words: dict[str, Any], time: Times, known: datetime, last: datetime
    ) -> Entry:
        digest = content_hash(words)
        source, said = self._source(fact, self.external_ids[number], digest, time)
        rest = {key: value for key, value in words.items() if key not in said and value is not None}
        people: tuple[MemberId, ...] = ()
        if fact.by:
            named = self._people(fact.by)
            people = tuple([person.member_id for person in named])
            rest["by"] = _listed(named)
        if fact.named_approvers:
            rest["named_approvers"] = _listed(self._people(fact.named_approvers))
        amount = fact.actual or fact.estimate
        source_fact = SourceFact(
            fact.type,
            rest,
            people,
            fact.verdict,
            fact.reason,
            fact.scope,
            None if amount is None else _amount(amount),
            self._submission() if fact.type == "proposed" else None,
            self._decision(number, fact) if fact.type in _DECIDING else None,
            None if fact.superseded_by is None else self._successor(fact.superseded_by),
            time.occurred if time.dating is Dating.NOT_AFTER and fact.at is None else None,
        )
        return Entry(self.commands[number], self.first_events[number], digest, known, last, source, source_fact)

    def _case(
        self, words: dict[str, Any], places: list[datetime], proposed: int, last: datetime | None
    ) -> tuple[datetime, bool, int, Entry]:
        form: CaseForm = converted(words, CaseForm, BUSINESS_CASE)
        recorded = None
        if form.recorded_at is not None:
            recorded = dated(form.recorded_at, None, "business_case.recorded_at", self.until)
        # Without a date it is only sure to have been there in the end: earlier would be hindsight.
        known = max(places) if recorded is None else max(recorded.at, places[proposed])
        occurred = last if recorded is None else recorded.at
        assert occurred is not None  # noqa: S101  # there is a fact with a date
        dating = Dating.UNDATED if recorded is None else Dating.DAY if recorded.is_day else None
        digest = content_hash(words)
        source = Source(
            self.names.system,
            f"{self.form.id}#{BUSINESS_CASE}",
            self.form.source.url,
            digest.hex(),
            None if recorded is None else recorded.at,
            dating,
        )
        rest = {key: value for key, value in words.items() if key != "recorded_at" and value is not None}
        command = self.names.command(source.external_id)
        order = proposed if recorded is not None else len(places)
        entry = Entry(command, event_id(command, 0), digest, known, occurred, source, SourceFact(BUSINESS_CASE, rest))
        return (known, True, order, entry)

    def _source(self, fact: FactForm, external_id: str, digest: bytes, time: Times) -> tuple[Source, frozenset[str]]:
        said = _ENVELOPE
        recorded_by = fact.recorded_by
        if recorded_by is None and fact.recorded_initials is not None:
            recorded_by, said = fact.recorded_initials, said | {"recorded_initials"}
        url = self.form.source.url
        if isinstance(fact.evidence, str) and fact.evidence.startswith(("https://", "http://")):
            url, said = fact.evidence, said | {"evidence"}
        source = Source(
            self.names.system,
            external_id,
            url,
            digest.hex(),
            time.known,
            time.dating,
            fact.at_source,
            fact.commit,
            self._person(recorded_by).member_id if recorded_by else None,
        )
        return source, said

    def _submission(self) -> SourceSubmission:
        form = self.form
        areas = (form.area, form.component, form.owner, form.topic)
        area = next((word for word in areas if isinstance(word, str) and 0 < len(word) <= _WORD_MAX), None)
        proposers = tuple([person.member_id for person in self._people(form.proposers)])
        return SourceSubmission(form.title, proposers, area, form.kind)

    def _decision(self, number: int, fact: FactForm) -> DecisionId | None:
        """This will name the decision that a fact takes, or the last one before it that its reason is for."""
        if fact.type == "decided":
            return decision_id(self.commands[number])
        if fact.for_fact not in (None, "decided"):
            return None
        for earlier in reversed(range(number)):
            other = self.facts[earlier]
            if other.type == "decided" and fact.verdict in (None, other.verdict):
                return decision_id(self.commands[earlier])
        return None

    def _successor(self, raw: object) -> ProposalId | None:
        """This will name the one proposal of the same source that took its place, where the source names exactly one."""
        if isinstance(raw, list) and len(raw) == 1:
            raw = raw[0]
        own = _NUMBERED.fullmatch(self.form.id)
        if not isinstance(raw, str) or len(raw) > _WORD_MAX or own is None:
            return None
        other = _NUMBERED.fullmatch(raw.strip())
        if other is None or other[1].casefold() not in ("", own[1].casefold()):
            return None
        return self.names.proposal(own[1] + other[2].zfill(len(own[2])))

    def _people(self, given: list[str] | str) -> list[Person]:
        return [self._person(name) for name in ([given] if isinstance(given, str) else given)]

    def _person(self, name: str) -> Person:
        person = self.names.person(name)
        self.people[person.member_id] = name
        return person


def _amount(form: AmountForm) -> SourceAmount:
    return SourceAmount(_figure(form.value), form.unit, _figure(form.previous), form.stage)


def _figure(value: Figure | None) -> str | None:
    return None if value is None else str(value)


def _listed(people: list[Person]) -> str:
    return ", ".join([person.reference for person in people])


def ids(record: Record) -> Iterator[UUID]:
    """This will give the ids of all commands of a record."""
    return (entry.command_id for entry in record.entries)


def conflicting(entry: Entry) -> Rejected:
    """This will make the answer to a fact that was imported before with other words."""
    return Rejected(
        Code.CONFLICT,
        f"{entry.source.external_id} was imported before with other content, and what is recorded stays. "
        "Give what is new a seq of its own.",
        "facts",
    )
