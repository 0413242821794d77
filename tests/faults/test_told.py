"""Webhooks of a log that is put back under them: each decision that is in the log is told, or it is said that somebody has to look."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger.events.proposal import DecisionTaken, ProposalSubmitted
from ledger.store.application import Ledger
from ledger.values import DecisionId, Disposition, TeamId, Verdict
from ledger.webhooks import endpoints, sender
from ledger.webhooks.endpoints import Endpoint
from ledger.webhooks.messages import MessageType
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.api.conftest import PEPPER
from tests.faults.cluster import until
from tests.faults.figures import Figures
from tests.faults.oracle import Found
from tests.faults.test_oracle import follow
from tests.faults.test_restoring import PUT_BACK
from tests.integrity.conftest import do
from tests.projections.recording import Recorder
from tests.webhooks.test_webhooks import Receiver, receiver

__all__ = ["receiver"]

BLIND = sender._DUE.replace("COALESCE(leaf <>", "false AND COALESCE(leaf <>")
_DECISIONS = """
SELECT left(replace(i.ledger_id::text, '-', ''), 12) || '-' || position || '-' || replace(command_id::text, '-', ''), position
  FROM ledger.events, ledger.identity AS i WHERE topic = 'DecisionTaken' ORDER BY position"""


def untold(url: str, receiver: Receiver) -> tuple[str, ...]:
    """How what a receiver took is not each decision of the log, in their order; (): it is. One that is told again counts once."""
    with psycopg.connect(url) as connection:
        wanted = dict(connection.execute(_DECISIONS).fetchall())
    got = [headers["webhook-id"] for headers, _, status in receiver.got if status < 300]
    took = [wanted[one] for one in dict.fromkeys(got) if one in wanted]
    said = [f"told: the decision at {position} was never told" for one, position in wanted.items() if one not in got]
    return (*said, *(["told: they were told out of order"] if took != sorted(took) else []))


class Telling:
    """A log with decisions of which one endpoint is told."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.url, self.receiver = url, receiver
        with psycopg.connect(url, autocommit=True) as directory:
            _, made = endpoints.add(directory, PEPPER, receiver.url, [MessageType.DECISION_TAKEN], None)
        self.id = made.endpoint_id

    def now(self) -> Endpoint:
        with psycopg.connect(self.url) as directory:
            return endpoints.every(directory)[0]

    def decide(self, count: int) -> int:
        """This will record decisions and let the views follow: the last position."""
        with Ledger(self.url) as ledger:
            recorder = Recorder(ledger)
            for _ in range(count):
                stream = uuid4()
                recorder.record((stream, ProposalSubmitted(TeamId(UUID(int=1)), "One price engine", None)))
                recorder.record((stream, DecisionTaken(DecisionId(uuid4()), Verdict.NO, Disposition.DECLINE)))
            follow(self.url, ledger)
            return ledger.head()

    def put_back(self, position: int) -> None:
        """This will end the log at a position, and build the views of what is left."""
        with psycopg.connect(self.url, autocommit=True) as superuser:
            do(superuser, [statement.format(position) for statement in PUT_BACK])
        with Ledger(self.url) as ledger:
            rebuild(self.url, ledger, VIEWS)

    def replay(self, after: int) -> None:
        with psycopg.connect(self.url, autocommit=True) as directory:
            endpoints.replay(directory, self.id, after)

    @contextmanager
    def sending(self) -> Iterator[None]:
        with sender.Sender(self.url, PEPPER, private=True):
            yield

    def send_until(self, position: int) -> None:
        with self.sending():
            until(lambda: self.now().position == position)


@pytest.fixture
def telling(database_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setattr(sender, "POLL_S", 0.05)
    return Telling(database_url, receiver)


def told_of_what_is_gone(telling: Telling, growing: int) -> tuple[int, int]:
    """Four decisions are told, two of them are gone, and others are taken: what was kept, and the last position."""
    telling.send_until(telling.decide(4))
    telling.put_back(4)
    return 4, telling.decide(growing)


@pytest.mark.parametrize(
    ("growing", "why"),
    [
        (1, "It was told up to 8, and the ledger ends at 6: an older state was restored."),
        (3, "It was told up to 8, and another fact stands there: another state was restored."),
    ],
    ids=["ahead", "passed again"],
)
def test_they_are_paused_and_told_again_from_where_somebody_says(
    telling: Telling, receiver: Receiver, figures: Figures, growing: int, why: str
) -> None:
    kept, head = told_of_what_is_gone(telling, growing)
    with telling.sending():
        until(lambda: telling.now().paused_at is not None)
        assert (telling.now().fault or "").startswith(why)
        assert len(untold(telling.url, receiver)) == growing
        telling.replay(kept)
        until(lambda: telling.now().position == head)
    assert untold(telling.url, receiver) == ()
    figures.named(f"webhooks that were told what is gone, {'ahead' if growing == 1 else 'passed again'}", why)


def test_a_sender_that_looks_only_at_how_far_the_log_goes_is_found_out(
    telling: Telling, receiver: Receiver, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can fail."""
    _, head = told_of_what_is_gone(telling, 3)
    monkeypatch.setattr(sender, "_DUE", BLIND)
    telling.send_until(head)
    seen = Found(0, 0, 0, 0, 0, untold(telling.url, receiver))
    figures.caught("told", "a sender that does not know the fact again up to which it told", seen)


def test_a_cursor_that_jumps_over_what_was_not_taken_is_found_out(
    telling: Telling, receiver: Receiver, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is moved on before the answer, and not after it."""
    monkeypatch.setattr(sender, "PAUSES_S", (0.05,))
    fail = iter([503])
    receiver.answer = lambda _: next(fail, 204)
    telling.send_until(telling.decide(2))
    assert untold(telling.url, receiver) == ()

    async def jumping(self: sender.Telling, to: Endpoint, message: sender.Message, made: sender.Attempt) -> bool:
        return await self._advance(to.endpoint_id, to.position, message.position or to.position)

    monkeypatch.setattr(sender.Telling, "_failed", jumping)
    fail = iter([503])
    telling.send_until(telling.decide(2))
    seen = Found(0, 0, 0, 0, 0, untold(telling.url, receiver))
    figures.caught("told", "a cursor that jumps over what was not taken", seen)
