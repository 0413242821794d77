"""Clients that ask over HTTP until they have an answer, each thing always under its own command id."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from projections.catalogue import VIEWS
from tests.api.conftest import Api, Client
from tests.faults.cluster import until
from tests.faults.oracle import Book

#: What a client may be told when nothing is wrong with what it asks; it then asks again.
TRANSIENT = {"UNAVAILABLE", "OUTCOME_UNKNOWN", "RATE_LIMITED"}
FORM_TEAM = (
    "mutation M($input: FormTeamInput!) { formTeam(input: $input) { userErrors { code message }"
    " repeated receipt { facts { position leaf } } } }"
)
#: All that was asked for must be answered within this, in seconds.
ANSWERED_S = 60
_THERE = "SELECT count(*) FROM views.positions, ledger.head WHERE positions.position = head.position"
PAUSE_S = 0.05
#: Longer than any answer may take: 30 s for a request.
PATIENCE_S = 35.0


class Asker(threading.Thread):
    """One client that founds one team after another."""

    def __init__(self, base_url: str, token: str, book: Book, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.base_url, self.token, self.book, self.stopping = base_url, token, book, stop
        self.acknowledged_at: list[float] = []
        #: How often each code was answered, and TRANSPORT where there was no answer at all.
        self.codes: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            headers = {"Authorization": f"Bearer {self.token}"}
            with httpx.Client(base_url=self.base_url, headers=headers, timeout=PATIENCE_S) as http:
                while not self.stopping.is_set():
                    command = uuid4()
                    self.book.ask(command, 1)
                    while not self.told(http, command):
                        time.sleep(PAUSE_S)
        except BaseException as error:
            self.error = error

    def told(self, http: httpx.Client, command: UUID) -> bool:
        """This will ask once; true: it was acknowledged. An answer that is neither that nor transient fails the test."""
        begun = time.monotonic()
        code, facts = ask(http, command)
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        if code is not None:
            assert code in {*TRANSIENT, "TRANSPORT"}, code
            self.codes[code] += 1
            return False
        positions = [int(fact["position"]) for fact in facts]
        leaves = [bytes.fromhex(fact["leaf"]) for fact in facts]
        self.book.acknowledge(command, positions[0], positions[-1], leaves)
        self.acknowledged_at.append(time.monotonic())
        return True


def ask(http: httpx.Client, command: UUID) -> tuple[str | None, list[dict[str, Any]]]:
    """This will found a team under a command id, and give the code of an error or the facts of the receipt."""
    try:
        body = http.post("/graphql", json={"query": FORM_TEAM, "variables": {"input": team(command)}}).json()
    except httpx.TransportError:
        return "TRANSPORT", []
    if "errors" in body:
        return body["errors"][0]["extensions"]["code"], []
    payload = body["data"]["formTeam"]
    if payload["userErrors"]:
        return payload["userErrors"][0]["code"], []
    return None, payload["receipt"]["facts"]


def team(command: UUID) -> dict[str, str]:
    """This will say what is asked under a command id: always the same for the same one."""
    return {"commandId": str(command), "teamId": str(UUID(int=command.int ^ 1)), "name": f"Team {command.hex[:8]}"}


class Asking:
    """Several clients at once."""

    def __init__(self, askers: list[Asker]) -> None:
        self.askers = askers

    @property
    def acknowledged(self) -> int:
        """How many commands were acknowledged so far."""
        return sum(len(asker.acknowledged_at) for asker in self.askers)

    @property
    def codes(self) -> Counter[str]:
        """What the clients were told besides."""
        return sum((asker.codes for asker in self.askers), Counter())

    @property
    def slowest_s(self) -> float:
        """The longest that any client waited for an answer of whatever kind."""
        return max(asker.slowest_s for asker in self.askers)

    def told(self) -> str:
        """What the clients were told besides, in words."""
        return ", ".join(f"{count} × {code}" for code, count in sorted(self.codes.items())) or "every first answer came"

    def first_after(self, instant: float) -> float | None:
        """When the first command after an instant was acknowledged; None: none was yet."""
        later = [at for asker in self.askers for at in list(asker.acknowledged_at) if at > instant]
        return min(later, default=None)


@contextmanager
def asking(client: Client, base_url: str, book: Book, clients: int = 6) -> Iterator[Asking]:
    """This will have so many clients at work inside the block; after it all that they asked for is answered."""
    stop = threading.Event()
    found = Asking([Asker(base_url, client.token, book, stop) for _ in range(clients)])
    for asker in found.askers:
        asker.start()
    try:
        yield found
    finally:
        stop.set()
        ends = time.monotonic() + ANSWERED_S
        for asker in found.askers:
            asker.join(max(0.0, ends - time.monotonic()))
    for asker in found.askers:
        assert not asker.is_alive(), (
            f"a client got no answer; {found.acknowledged} were acknowledged, and told was: {found.told()}"
        )
        if asker.error is not None:
            raise asker.error


def known(api: Api, book: Book) -> Book:
    """This will enter all that is in the ledger already into a book, so that only what comes later can be strange."""
    for (command,) in api.sql("SELECT command_id FROM ledger.commands"):
        book.ask(command)
    return book


def caught_up(api: Api) -> None:
    """This will wait until every view is where the ledger is."""

    def is_there() -> bool:
        with suppress(psycopg.errors.UndefinedTable):  # the follower has yet to make them
            return api.sql(_THERE) == [(len(VIEWS),)]
        return False

    until(is_there, what="catching up")
