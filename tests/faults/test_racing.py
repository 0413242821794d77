"""Many at once: 32 writers on one proposal, and one command id 32 times in parallel."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest

from ledger.handlers import authorising
from ledger.values import Role
from projections.catalogue import VIEWS
from tests.api.conftest import Api, Client, case
from tests.faults import breaking
from tests.faults.asking import ask, caught_up, known
from tests.faults.figures import Figures
from tests.faults.oracle import Book, examine

WRITERS = 32
CONCERN = (
    "mutation M($input: RaiseConcernInput!) { raiseConcern(input: $input) { userErrors { code message } version"
    " receipt { facts { position leaf } } } }"
)


def noted(book: Book, payload: dict[str, Any], command: str) -> None:
    """This will enter a receipt into the book."""
    facts = payload["receipt"]["facts"]
    places = [int(fact["position"]) for fact in facts]
    book.acknowledge(UUID(command), places[0], places[-1], [bytes.fromhex(fact["leaf"]) for fact in facts])


def test_of_32_writers_on_one_proposal_one_wins_each_version(api: Api, figures: Figures) -> None:
    team = api.team()
    people = [api.client(Role.ENGINEER, team, name=f"Person {n}") for n in range(4)]
    proposal = str(uuid4())
    submitted = people[0].do("submitProposal", proposalId=proposal, teamId=str(team), title="Debt", businessCase=case())
    assert submitted["userErrors"] == []
    book, barrier, outcomes = known(api, Book()), Barrier(WRITERS), Counter[str]()

    def raise_concern(client: Client, number: int, expected: int | None) -> tuple[str, int | None]:
        command = uuid4()
        book.ask(command, 1)
        given = {"proposalId": proposal, "text": f"Concern {number}.", "commandId": str(command)}
        barrier.wait()
        found = client.answer(CONCERN, input=given if expected is None else {**given, "expectedVersion": expected})
        payload = found["data"]["raiseConcern"]
        if payload["userErrors"]:
            return payload["userErrors"][0]["code"], None
        noted(book, payload, str(command))
        return "WON", payload["version"]

    version = submitted["version"]
    with ThreadPoolExecutor(WRITERS) as threads:
        for _ in range(4):
            before = version
            found = [*threads.map(lambda n, before=before: raise_concern(people[n % 4], n, before), range(WRITERS))]
            codes = Counter(code for code, _ in found)
            assert codes == {"WON": 1, "CONFLICT": WRITERS - 1}
            outcomes += codes
            (version,) = [won for _, won in found if won is not None]
            assert version == before + 1
        free = [*threads.map(lambda n: raise_concern(people[n % 4], n, None), range(WRITERS))]
    # Without an expected version they take turns: each that was recorded has a version of its own, and nobody fails otherwise.
    won = sorted(got for _, got in free if got is not None)
    assert won == list(range(version + 1, version + 1 + len(won)))
    assert {code for code, _ in free} <= {"WON", "CONFLICT"}
    outcomes += Counter(code for code, _ in free)
    caught_up(api)
    figures.survived(
        f"{WRITERS} writers on one proposal",
        examine(api.database_url, book, views=VIEWS),
        more=f"5 rounds: {outcomes['WON']} recorded, {outcomes['CONFLICT']} × CONFLICT",
    )


def test_one_command_id_sent_32_times_at_once_is_done_once(api: Api, figures: Figures) -> None:
    steward = api.client(Role.STEWARD)
    book, barrier = known(api, Book()), Barrier(WRITERS)
    commands = [uuid4() for _ in range(3)]
    for command in commands:
        book.ask(command, 1)

        def send(_: int, command: Any = command) -> tuple[int, ...]:
            barrier.wait()
            code, facts = ask(steward.http, command)
            assert code is None, code
            places = [int(fact["position"]) for fact in facts]
            book.acknowledge(command, places[0], places[-1], [bytes.fromhex(fact["leaf"]) for fact in facts])
            return tuple(places)

        with ThreadPoolExecutor(WRITERS) as threads:
            assert len(set(threads.map(send, range(WRITERS)))) == 1
    caught_up(api)
    found = examine(api.database_url, book, views=VIEWS)
    figures.survived(
        f"one command id {WRITERS} × in parallel", found, more=f"{3 * WRITERS} answers, all the first one's"
    )


# So that the tests above can fail.


def test_a_server_that_asks_for_no_version_is_found_out(
    api: Api, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorising, "_expect", lambda *_: None)
    figures.found_out(
        "a server that does not look at the expected version",
        r"'WON': \d+",
        test_of_32_writers_on_one_proposal_one_wins_each_version,
        api,
        figures,
    )


def test_a_ledger_that_does_not_know_its_commands_again_is_found_out(api: Api, figures: Figures) -> None:
    breaking.rewrite(api.database_url, breaking.DOES_NOT_KNOW_ITS_COMMANDS_AGAIN)
    figures.found_out(
        "an append() that does not know a command id again",
        "ALREADY|CONFLICT|EXISTS|WRONG_STATE|DUPLICATE",
        test_one_command_id_sent_32_times_at_once_is_done_once,
        api,
        figures,
    )
