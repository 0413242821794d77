"""What was decided is appended in the order of knowing, while the rest is decided."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from time import sleep

import msgspec
import psycopg

from ledger.domain.rejected import Code, Rejected
from ledger.events import Event, event_id
from ledger.events.team import TeamFormed
from ledger.importing.counting import Counting
from ledger.importing.deciding import SourceTeam
from ledger.importing.form import MICROSECOND, UNIX_EPOCH
from ledger.importing.naming import IMPORTER
from ledger.importing.placed import Placed
from ledger.importing.runs import Runs
from ledger.importing.staging import Staging
from ledger.store.application import Ledger, prepared
from ledger.store.batch import PackedCommand
from ledger.store.codec import Meta
from ledger.store.faults import AppendFault, CommandReused, LedgerBusy, VersionConflict
from ledger.store.pages import Lost
from ledger.store.receipt import CommandEvents, Receipt
from ledger.store.rendering import taken_apart
from ledger.store.waiting import Series
from ledger.values import Actor, Dating, Role, Source

#: Pages that are on their way while the next is made ready.
PAGES_SENT = 2
BUSY_TRIES = 10
BUSY_PAUSE_S = 0.5

#: What became of each command of a page; None: all of them were recorded.
Answers = list[Receipt | AppendFault] | None
Page = list[Placed]
_known = attrgetter("known")


class Appending:
    """The appending of one file: the teams that are missing, each before its first fact, and all that waits, a page at a time."""

    def __init__(
        self, ledger: Ledger, staging: Staging, runs: Runs, counting: Counting, teams: Callable[[], list[SourceTeam]]
    ) -> None:
        is_story = ledger.identity()[1] == "story"
        self._runs = runs
        self._counting = counting
        self._teams = teams
        self._one_by_one = _OneByOne(ledger, staging.recorded_at() if is_story else None)
        self._sending = _Sending(ledger, self._one_by_one, in_pages=not is_story)
        self._sent: deque[Page] = deque()
        self._refused: set[int] = set()
        self._done = 0
        self._is_last = False

    def append(self, before: int | None) -> None:
        """This will append what was known before a time, in microseconds since the Unix epoch; None: all that waits.

        It waits for most of what is sent, and for all of it at the end. Raises LedgerUnavailable, LedgerBusy or OutcomeUnknown; what was
        appended by then stays, and the next import goes on from there.
        """
        self._is_last = before is None
        pages = self._runs.before(before)
        while True:
            with self._counting.timed("order"):
                page = next(pages, None)
            if page is None:
                break
            for team in self._teams():
                begins = (team.since - UNIX_EPOCH) // MICROSECOND if team.since else 0
                if begins > page[-1].known:
                    break
                first = bisect_left(page, begins, key=_known)
                self._send(page[:first])
                self._form(team)
                page = page[first:]
            self._send(page)
        if before is None:
            self._wait(0)

    def close(self) -> None:
        """This will close the connection for pages."""
        self._sending.close()

    def _send(self, page: Page) -> None:
        if page:
            with self._counting.timed("append"):
                self._sending.send(page)
            self._sent.append(page)
            self._wait(PAGES_SENT - 1)

    def _wait(self, most: int) -> None:
        """This will wait until no more than so many pages are on their way."""
        while len(self._sent) > most:
            with self._counting.timed("append"):
                answers = self._sending.answers()
            page = self._sent.popleft()
            _count(page, answers, self._counting, self._refused)
            self._done += len(page)
            if self._is_last:
                self._counting.recording(self._done)

    def _form(self, team: SourceTeam) -> None:
        self._wait(0)
        _form(self._one_by_one, team)
        team.is_new = False


class _Sending:
    """Pages on their way to the log, in order. What is refused as a page goes command by command, and so does what was sent after it."""

    def __init__(self, ledger: Ledger, one_by_one: "_OneByOne", *, in_pages: bool) -> None:
        self._pages = ledger.pages()
        self._one_by_one = one_by_one
        self._in_pages = in_pages
        self._sent: deque[Page] = deque()
        self._answered: deque[Answers] = deque()

    def send(self, page: Page) -> None:
        """This will hand over the next page. Raises as `answers` does."""
        self._sent.append(page)
        if not self._in_pages:
            return
        try:
            self._pages.send([one.rendered for one in page], sum([one.event_count for one in page]))
        except (Lost, psycopg.OperationalError):
            self._go_one_by_one()

    def answers(self) -> Answers:
        """This will wait for the oldest page. Raises LedgerBusy after some tries, LedgerUnavailable, OutcomeUnknown."""
        if not self._answered:
            try:
                recorded = self._in_pages and self._pages.recorded()
            except Lost:
                recorded = False
            if recorded:
                self._sent.popleft()
                return None
            self._go_one_by_one()
        return self._answered.popleft()

    def close(self) -> None:
        """This will close the connection for pages."""
        self._pages.start_over()

    def _go_one_by_one(self) -> None:
        self._pages.start_over()
        while self._sent:
            commands = [taken_apart(one.rendered) for one in self._sent.popleft()]
            self._answered.append(self._one_by_one.append(commands))


class _OneByOne:
    """The way of all commands, each of which is answered. One that finds the ledger busy is sent again, and so is what comes after it.

    A story ledger records a command at its own time, which must not run backwards; here that is when the source knew.
    """

    def __init__(self, ledger: Ledger, latest: datetime | None) -> None:
        self._ledger = ledger
        self._latest = latest

    def append(self, commands: Sequence[PackedCommand]) -> list[Receipt | AppendFault]:
        """This will append commands in order. Raises LedgerBusy after some tries, OutcomeUnknown."""
        latest = self._latest
        if latest is not None:
            commands = [c if c.at >= latest else c.told_at(latest) for c in commands]
        answers = self._ledger.answers(self._ledger.send(commands, Series()))
        for _ in range(BUSY_TRIES):
            again = [index for index, answer in enumerate(answers) if isinstance(answer, LedgerBusy)]
            if not again:
                return answers
            sleep(BUSY_PAUSE_S)
            sent = self._ledger.send([commands[index] for index in again], Series())
            for index, answer in zip(again, self._ledger.answers(sent), strict=True):
                answers[index] = answer
        raise next(answer for answer in answers if isinstance(answer, LedgerBusy))


def _form(one_by_one: _OneByOne, team: SourceTeam) -> None:
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
    (answer,) = one_by_one.append([prepared(CommandEvents([event], command_id, names.team_id.bytes, team.since))])
    if not isinstance(answer, (Receipt, VersionConflict)):  # somebody else may have formed it at this moment
        raise answer


def _count(page: Page, answers: Answers, counting: Counting, refused: set[int]) -> None:
    """This will count what was recorded. Raises a fault that is not of one line."""
    if answers is None:
        counting.facts_recorded += len(page)
        counting.events_recorded += sum([one.event_count for one in page])
        counting.proposals_new += sum([one.is_first for one in page])
        return
    for one, answer in zip(page, answers, strict=True):
        if isinstance(answer, Receipt):
            if answer.repeated:  # another import was faster
                counting.facts_known += 1
                continue
            counting.facts_recorded += 1
            counting.events_recorded += one.event_count
            counting.proposals_new += one.is_first
        elif not isinstance(answer, (VersionConflict, CommandReused)):
            raise answer
        elif one.line not in refused:
            refused.add(one.line)
            sentence = "It was changed by somebody else while it was imported. Run the import again."
            counting.bad(one.line, Rejected(Code.CONFLICT, sentence, "facts"), _external_id(one))


def _external_id(one: Placed) -> str | None:
    (meta, *_) = taken_apart(one.rendered).metas()
    source = msgspec.json.decode(meta, type=Meta).source
    return None if source is None else source.external_id.rpartition("#")[0]
