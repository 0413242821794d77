"""The second time through: what waits is appended in the order of knowing."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from time import sleep

from ledger.domain.rejected import Code, Rejected
from ledger.events import Event, event_id
from ledger.events.team import TeamFormed
from ledger.importing.counting import Counting
from ledger.importing.deciding import SourceTeam
from ledger.importing.naming import IMPORTER
from ledger.importing.staging import Staged, Staging
from ledger.store.application import Ledger, prepared
from ledger.store.batch import PackedCommand
from ledger.store.faults import AppendFault, CommandReused, LedgerBusy, VersionConflict
from ledger.store.group import Series, Waiting
from ledger.store.receipt import CommandEvents, Receipt
from ledger.values import Actor, Dating, Role, Source

#: Pages that are on their way while the next is made ready.
PAGES_SENT = 2
BUSY_TRIES = 10
BUSY_PAUSE_S = 0.5

Answers = list[Receipt | AppendFault]


def append_in_order(ledger: Ledger, staging: Staging, counting: Counting, teams: Sequence[SourceTeam]) -> None:
    """This will form the teams that are missing, then append all that waits, a page at a time.

    While pages are being appended the next is made ready. Raises LedgerUnavailable, LedgerBusy or OutcomeUnknown; what was
    appended by then stays, and the next import goes on from there.
    """
    clock = _Clock(staging.recorded_at() if ledger.identity()[1] == "story" else None)
    for team in sorted(teams, key=lambda team: (team.since, team.names.system)):
        _form(ledger, team, clock)
    refused: set[int] = set()
    done = 0
    sending = _Sending(ledger)
    pages = staging.ordered()
    sent: deque[list[tuple[int, Staged]]] = deque()
    while True:
        with counting.timed("order"):
            page = next(pages, [])
            commands = [clock.told(staged.command) for _, staged in page]
        if page:
            sending.send(commands)
            sent.append(page)
        if len(sent) == PAGES_SENT or not page:
            if not sent:
                return
            with counting.timed("append"):
                answers = sending.answers()
            _count(sent.popleft(), answers, counting, refused)
            done += len(answers)
            counting.recording(done)


class _Sending:
    """Pages on their way to the log, in order. One that finds the ledger busy is sent again, and so is what was sent after it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._series = Series()
        self._sent: deque[tuple[Sequence[PackedCommand], Sequence[Waiting]]] = deque()

    def send(self, commands: Sequence[PackedCommand]) -> None:
        self._sent.append((commands, self._ledger.send(commands, self._series)))

    def answers(self) -> Answers:
        """This will wait for the oldest page. Raises LedgerBusy after some tries, OutcomeUnknown."""
        commands, waiting = self._sent.popleft()
        answers = self._ledger.answers(waiting)
        for _ in range(BUSY_TRIES):
            again = [index for index, answer in enumerate(answers) if isinstance(answer, LedgerBusy)]
            if not again:
                return answers
            later = [page for page, sent in self._sent if self._ledger.answers(sent) is not None]
            self._sent.clear()
            sleep(BUSY_PAUSE_S)
            self._series = Series()
            waiting = self._ledger.send([commands[index] for index in again], self._series)
            for page in later:
                self.send(page)
            for index, answer in zip(again, self._ledger.answers(waiting), strict=True):
                answers[index] = answer
        raise next(answer for answer in answers if isinstance(answer, LedgerBusy))


class _Clock:
    """A story ledger records a command at its own time, which must not run backwards; here that is when the source knew."""

    def __init__(self, latest: datetime | None) -> None:
        self._latest = latest

    def told(self, command: PackedCommand) -> PackedCommand:
        if self._latest is None or command.at >= self._latest:
            return command
        return command.told_at(self._latest)


def _form(ledger: Ledger, team: SourceTeam, clock: _Clock) -> None:
    """This will form the team of a source. It has no date of its own: it stands at the first time that the source knew anything."""
    names = team.names
    assert team.since is not None  # noqa: S101  # only teams with a good line are formed
    command_id = names.command("team")
    fact = TeamFormed(names.system, team.team.hours_per_day, source=names.system)
    source = Source(names.system, "team", dating=Dating.UNDATED)
    event = Event(
        event_id(command_id, 0),
        names.team_id,
        1,
        team.since,
        Actor(IMPORTER, Role.INTEGRATOR),
        command_id,
        command_id,
        fact,
        None,
        source,
    )
    sending = _Sending(ledger)
    sending.send([clock.told(prepared(CommandEvents([event], command_id, names.team_id.bytes, team.since)))])
    (answer,) = sending.answers()
    if not isinstance(answer, (Receipt, VersionConflict)):  # somebody else may have formed it at this moment
        raise answer


def _count(page: list[tuple[int, Staged]], answers: Answers, counting: Counting, refused: set[int]) -> None:
    """This will count what was recorded. Raises a fault that is not of one line."""
    for (line, staged), answer in zip(page, answers, strict=True):
        if isinstance(answer, Receipt):
            if answer.repeated:  # another import was faster
                counting.facts_known += 1
                continue
            counting.facts_recorded += 1
            counting.events_recorded += staged.command.event_count
            counting.proposals_new += staged.is_first
        elif not isinstance(answer, (VersionConflict, CommandReused)):
            raise answer
        elif line not in refused:
            refused.add(line)
            sentence = "It was changed by somebody else while it was imported. Run the import again."
            counting.bad(line, Rejected(Code.CONFLICT, sentence, "facts"), staged.external_id)
