"""The first time through: lines are checked, and the domain decides each of them whole."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ledger.domain.rejected import Code, Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.events import Event
from ledger.events.team import TeamFormed
from ledger.importing.counting import Counting
from ledger.importing.deciding_line import decided
from ledger.importing.draft import Draft, Drafts, Teams
from ledger.importing.form import read, refused
from ledger.importing.lines import LINE_BYTES_MAX, Line
from ledger.importing.naming import Names
from ledger.importing.ordering import Chunk
from ledger.importing.placed import Placed
from ledger.importing.record import Record, ids, record
from ledger.importing.runs import Runs
from ledger.importing.staging import Staging
from ledger.store.application import Ledger
from ledger.values import MemberId

#: Most sources in one file: each has a team of its own.
SOURCES_MAX = 1_000


class SourceTeam(Struct):
    """The team of one source, and the earliest time that its file tells of."""

    names: Names
    team: ImportingTeam
    is_new: bool
    #: The ledger had no such team when its source was met, and so nothing of that source.
    had_nothing: bool
    since: datetime | None = None


class _Chosen:
    """What of a chunk is to wait for its turn, and whom it names."""

    def __init__(self) -> None:
        self.people: dict[MemberId, str] = {}
        self.rows: list[Placed] = []
        self.size_bytes = 0


class Deciding:
    """The deciding of one file, chunk by chunk."""

    def __init__(self, ledger: Ledger, staging: Staging, runs: Runs, counting: Counting, until: datetime) -> None:
        self._ledger = ledger
        self._staging = staging
        self._runs = runs
        self._counting = counting
        self._until = until
        self._teams: dict[str, SourceTeam] = {}

    def new_teams(self) -> list[SourceTeam]:
        """This will give the teams that the ledger does not have yet, in the order in which they begin."""
        found = [(team.since, system, team) for system, team in self._teams.items() if team.is_new and team.since]
        return [team for _, _, team in sorted(found, key=lambda one: one[:2])]

    def importing_teams(self) -> Teams:
        """This will give the teams of the sources that were met so far, by the sources' names."""
        return {system: team.team for system, team in self._teams.items()}

    def decide(self, chunk: Chunk, drafts: Drafts) -> bool:
        """This will keep what the lines of a chunk say, and count those that can't be. False: a draft was of no use."""
        with self._counting.timed("decode"):
            found = self._read(chunk.lines, drafts)
        with self._counting.timed("order"):
            found = self._unrepeated(found) if chunk.is_repeated else found
            known = self._staging.known(
                [one.first_command for _, one in found if not self._teams[one.system].had_nothing]
            )
        mistaken = {number for number, one in found if isinstance(one, Draft) and one.first_command in known}
        if mistaken:
            with self._counting.timed("decode"):
                redone = dict(
                    self._read([line for line in chunk.lines if line.number in mistaken], [None] * len(mistaken))
                )
                self._counting.lines -= len(mistaken)
                found = [(number, redone.get(number, one)) for number, one in found]
        with self._counting.timed("order"):
            again = [one for _, one in found if isinstance(one, Record) and one.first_command in known]
            known.update(self._staging.known([command_id for r in again for command_id in ids(r)]) if again else {})
            begun = [r.proposal_id for r in again if any(c not in known for c in ids(r))]
            streams = self._ledger.streams(begun) if begun else {}
        chosen = _Chosen()
        with self._counting.timed("decide"):
            for number, one in found:
                if isinstance(one, Draft):
                    self._keep(one, dict(one.people), one.earliest, one.rows, one.size_bytes, chosen)
                else:
                    self._line(number, one, known, streams.get(one.proposal_id, []), chosen)
        with self._counting.timed("order"):
            self._staging.add_people(chosen.people)
            self._runs.add(chosen.rows, chosen.size_bytes)
        self._counting.reading(sum([line.size for line in chunk.lines]), is_last=chunk.next_begins is None)
        return not mistaken

    def _read(self, chunk: Sequence[Line], drafts: Drafts) -> list[tuple[int, Record | Draft]]:
        found: list[tuple[int, Record | Draft]] = []
        for line, draft in zip(chunk, drafts, strict=True):
            self._counting.lines += 1
            if draft is not None:
                found.append((line.number, draft))
                continue
            external_id = None
            try:
                if line.content is None:
                    raise refused(f"It is longer than {LINE_BYTES_MAX // 1024**2} MiB. Shorten its texts.")
                form = read(line.content)
                external_id = form.id
                names = self._team(form.source.repo).names
                found.append((line.number, record(form, names, self._until)))
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
                names, ImportingTeam(names.team_id, default if hours is None else hours), hours is None, hours is None
            )
        return team

    def _unrepeated(self, found: list[tuple[int, Record | Draft]]) -> list[tuple[int, Record | Draft]]:
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
            rows = decided(one, number, team.team, known, events)
        except Rejected as rejected:
            self._counting.bad(number, rejected, one.external_id)
            return
        except RecursionError:
            self._counting.bad(number, refused("It is nested too deeply. Flatten it."), one.external_id)
            return
        self._counting.facts_known += len(one.entries) - len(rows)
        self._keep(one, one.people, one.entries[0].known, rows, sum([len(row.rendered) for row in rows]), chosen)

    def _keep(
        self,
        one: Record | Draft,
        people: dict[MemberId, str],
        earliest: datetime,
        rows: list[Placed],
        size_bytes: int,
        chosen: _Chosen,
    ) -> None:
        team = self._teams[one.system]
        self._counting.proposals += 1
        self._counting.facts_staged += len(rows)
        team.since = earliest if team.since is None else min(team.since, earliest)
        if rows:
            chosen.people.update(people)
            chosen.rows += rows
            chosen.size_bytes += size_bytes
