"""The second time through: what waits is appended in the order of knowing."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from time import sleep

from msgspec.structs import replace

from ledger.domain.rejected import Code, Rejected
from ledger.events import Event, event_id
from ledger.events.team import TeamFormed
from ledger.importing.counting import Counting
from ledger.importing.deciding import SourceTeam
from ledger.importing.naming import IMPORTER
from ledger.importing.staging import Staged, Staging, command
from ledger.store.application import Ledger
from ledger.store.faults import AppendFault, CommandReused, LedgerBusy, VersionConflict
from ledger.store.receipt import CommandEvents, Receipt
from ledger.values import Actor, Dating, Role, Source

BUSY_TRIES = 10
BUSY_PAUSE_S = 0.5

Answers = list[Receipt | AppendFault]


def append_in_order(ledger: Ledger, staging: Staging, counting: Counting, teams: Sequence[SourceTeam]) -> None:
    """This will form the teams that are missing, then append all that waits, a page at a time.

    While one page is being appended the next is made ready. Raises LedgerUnavailable, LedgerBusy or OutcomeUnknown; what was
    appended by then stays, and the next import goes on from there.
    """
    clock = _Clock(staging.recorded_at() if ledger.identity()[1] == "story" else None)
    for team in sorted(teams, key=lambda team: (team.since, team.names.system)):
        _form(ledger, team, clock)
    refused: set[int] = set()
    done = 0
    with ThreadPoolExecutor(1, thread_name_prefix="import-append") as sender:
        sent: tuple[list[tuple[int, Staged]], Future[Answers]] | None = None
        pages = staging.ordered()
        while True:
            with counting.timed("order"):
                page = next(pages, [])
                commands = [clock.told(command(staged)) for _, staged in page]
            if sent is not None:
                with counting.timed("append"):
                    answers = sent[1].result()
                _count(sent[0], answers, counting, refused)
                done += len(answers)
                counting.recording(done)
            if not page:
                return
            sent = page, sender.submit(_append, ledger, commands)


class _Clock:
    """A story ledger records a command at its own time, which must not run backwards; here that is when the source knew."""

    def __init__(self, latest: datetime | None) -> None:
        self._latest = latest

    def told(self, command: CommandEvents) -> CommandEvents:
        if self._latest is None or command.at >= self._latest:
            return command
        return replace(command, at=self._latest)


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
    (answer,) = _append(ledger, [clock.told(CommandEvents([event], command_id, names.team_id.bytes, team.since))])
    if not isinstance(answer, (Receipt, VersionConflict)):  # somebody else may have formed it at this moment
        raise answer


def _append(ledger: Ledger, commands: Sequence[CommandEvents]) -> Answers:
    """This will append a page; one that finds the ledger busy is sent again, which records nothing twice."""
    for _ in range(BUSY_TRIES):
        answers = ledger.append_many(commands)
        busy = next((answer for answer in answers if isinstance(answer, LedgerBusy)), None)
        if busy is None:
            return answers
        sleep(BUSY_PAUSE_S)
    raise busy or LedgerBusy("the ledger is busy")


def _count(page: list[tuple[int, Staged]], answers: Answers, counting: Counting, refused: set[int]) -> None:
    """This will count what was recorded. Raises a fault that is not of one line."""
    for (line, staged), answer in zip(page, answers, strict=True):
        if isinstance(answer, Receipt):
            if answer.repeated:  # another import was faster
                counting.facts_known += 1
                continue
            counting.facts_recorded += 1
            counting.events_recorded += len(staged.facts)
            counting.proposals_new += staged.version == 1
        elif not isinstance(answer, (VersionConflict, CommandReused)):
            raise answer
        elif line not in refused:
            refused.add(line)
            sentence = "It was changed by somebody else while it was imported. Run the import again."
            counting.bad(line, Rejected(Code.CONFLICT, sentence, "facts"), staged.source.external_id.rpartition("#")[0])
