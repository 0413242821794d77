"""The first time through: lines are checked, and the domain decides each of them whole."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.domain.imported import decide_import
from ledger.domain.proposal.evolving import evolve
from ledger.domain.proposal.state import ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.events import Event
from ledger.events.team import TeamFormed
from ledger.importing.counting import Counting
from ledger.importing.form import read, refused
from ledger.importing.lines import LINE_BYTES_MAX, Line
from ledger.importing.naming import IMPORTER, Names
from ledger.importing.record import Entry, Record, conflicting, ids, record
from ledger.importing.staging import Staged, Staging, encoded, rows
from ledger.store.application import Ledger
from ledger.values import Actor, MemberId, Role

#: Most sources in one file: each has a team of its own.
SOURCES_MAX = 1_000

_ACTOR = Actor(IMPORTER, Role.INTEGRATOR)


class SourceTeam(Struct):
    """The team of one source, and the earliest time that its file tells of."""

    names: Names
    team: ImportingTeam
    is_new: bool
    since: datetime | None = None


class _Chosen:
    """What of a chunk is to be staged, and whom it names."""

    def __init__(self) -> None:
        self.people: dict[MemberId, str] = {}
        self.rows: list[bytes] = []


class Deciding:
    """The deciding of one file, chunk by chunk."""

    def __init__(self, ledger: Ledger, staging: Staging, counting: Counting) -> None:
        self._ledger = ledger
        self._staging = staging
        self._counting = counting
        self._teams: dict[str, SourceTeam] = {}

    def teams(self) -> list[SourceTeam]:
        """This will give the teams that the ledger does not have yet."""
        return [team for team in self._teams.values() if team.is_new and team.since is not None]

    def decide(self, chunk: Sequence[Line]) -> None:
        """This will stage what the lines of a chunk say, and count those that can't be."""
        if not chunk:
            return
        with self._counting.timed("decode"):
            read_lines = self._read(chunk)
        with self._counting.timed("order"):
            found = self._unrepeated(read_lines)
            known = self._staging.known([c for _, r in found for c in (r.entries[0].command_id,)])
            again = [r for _, r in found if r.entries[0].command_id in known]
            known.update(self._staging.known([command_id for r in again for command_id in ids(r)]) if again else {})
            begun = [r.proposal_id for r in again if any(c not in known for c in ids(r))]
            streams = self._ledger.streams(begun) if begun else {}
        chosen = _Chosen()
        with self._counting.timed("decide"):
            for number, one in found:
                self._line(number, one, known, streams.get(one.proposal_id, []), chosen)
        with self._counting.timed("order"):
            if chosen.rows:
                self._staging.add_people(chosen.people)
                self._staging.copy(chosen.rows)
        self._counting.reading(chunk[-1].end)

    def _read(self, chunk: Sequence[Line]) -> list[tuple[int, Record]]:
        found: list[tuple[int, Record]] = []
        for line in chunk:
            self._counting.lines += 1
            external_id = None
            try:
                if line.content is None:
                    raise refused(f"It is longer than {LINE_BYTES_MAX // 1024**2} MiB. Shorten its texts.")
                form = read(line.content)
                external_id = form.id
                found.append((line.number, record(form, self._team(form.source.repo).names)))
            except Rejected as rejected:
                self._counting.bad(line.number, rejected, external_id)
            except RecursionError:
                self._counting.bad(line.number, refused("It is nested too deeply. Flatten it."), external_id)
        return found

    def _team(self, system: str) -> SourceTeam:
        team = self._teams.get(system)
        if team is None:
            if len(self._teams) >= SOURCES_MAX:
                raise refused(f"It is of another source than the {SOURCES_MAX} before it. Split the file.", "source")
            names = Names(system)
            formed = self._ledger.streams([names.team_id])[names.team_id]
            hours = next((e.fact.hours_per_day for e in formed if isinstance(e.fact, TeamFormed)), None)
            default = TeamFormed(system).hours_per_day
            team = self._teams[system] = SourceTeam(
                names, ImportingTeam(names.team_id, default if hours is None else hours), hours is None
            )
        return team

    def _unrepeated(self, found: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
        """This will leave out the lines whose proposal another line of the file has."""
        first = self._staging.first_lines([(one.proposal_id, number) for number, one in found])
        kept = []
        for number, one in found:
            if first[one.proposal_id] == number:
                kept.append((number, one))
            else:
                answer = Rejected(
                    Code.CONFLICT,
                    f"Line {first[one.proposal_id]} has the id {one.external_id} already. Keep one of them.",
                    "id",
                )
                self._counting.bad(number, answer, one.external_id)
        return kept

    def _line(self, number: int, one: Record, known: dict[UUID, bytes], events: list[Event], chosen: _Chosen) -> None:
        team = self._teams[one.names.system]
        try:
            staged = _decided(one, team.team, known, events)
        except Rejected as rejected:
            self._counting.bad(number, rejected, one.external_id)
            return
        except RecursionError:
            self._counting.bad(number, refused("It is nested too deeply. Flatten it."), one.external_id)
            return
        self._counting.proposals += 1
        self._counting.facts_staged += len(staged)
        self._counting.facts_known += len(one.entries) - len(staged)
        earliest = one.entries[0].known
        team.since = earliest if team.since is None else min(team.since, earliest)
        if staged:
            chosen.people.update(one.people)
            chosen.rows.append(rows(number, staged))


def _decided(one: Record, team: ImportingTeam, known: dict[UUID, bytes], events: list[Event]) -> list[Staged]:
    """This will decide the facts of a line that the ledger does not have, after those that it has. Raises Rejected."""
    state: ProposalState | None = None
    for event in events:
        state = evolve(state, event)
    version = len(events)
    staged: list[Staged] = []
    for entry in one.entries:
        recorded = known.get(entry.command_id)
        if recorded is not None:
            if recorded != entry.content_hash:
                raise conflicting(entry)
            continue
        try:
            facts = decide_import(state, entry.fact, team)
        except Rejected as rejected:
            where = entry.source.external_id.rpartition("#")[2]
            raise Rejected(rejected.code, f"fact {where}: {rejected.message}", *rejected.path) from None
        for index, fact in enumerate(facts):
            state = evolve(state, _event(one, entry, version + index + 1, fact))
        staged.append(
            Staged(
                entry.command_id,
                entry.content_hash,
                one.proposal_id,
                version + 1,
                entry.known,
                entry.occurred_at,
                entry.source,
                [encoded(fact) for fact in facts],
            )
        )
        version += len(facts)
    return staged


def _event(one: Record, entry: Entry, version: int, fact: Struct) -> Event:
    """This will give a fact the envelope that folding asks for; its id is given when it is appended."""
    command_id = entry.command_id
    return Event(
        command_id,
        one.proposal_id,
        version,
        entry.occurred_at,
        _ACTOR,
        command_id,
        command_id,
        fact,
        None,
        entry.source,
    )
