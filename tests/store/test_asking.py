"""Statements that tasks ask over and over: each gets its own answer, and a connection that breaks is opened again."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from ledger.store import asking
from ledger.store.asking import Asking, Statement
from ledger.store.connections import READER, AsyncConnection

STATEMENTS = {
    b"echo": Statement(b"SELECT $1", (17,)),
    b"sleep": Statement(b"SELECT pg_sleep($1)", (701,)),
    b"divide": Statement(b"SELECT 1 / $1", (23,)),
    b"who": Statement(b"SELECT pg_backend_pid()", ()),
}
SHORT = bytes.fromhex("3fe0000000000000")  # 0.5
LONG = bytes.fromhex("4024000000000000")  # 10.0


@pytest.fixture
def asked(database_url: str) -> Callable[[Callable[[Asking], Awaitable[None]]], None]:
    def run(story: Callable[[Asking], Awaitable[None]]) -> None:
        async def inside() -> None:
            one = Asking(database_url, READER, STATEMENTS)
            try:
                async with asyncio.timeout(20):
                    await story(one)
            finally:
                await one.close()

        asyncio.run(inside())

    return run


async def echo(one: Asking, text: bytes) -> bytes | None:
    return (await one.ask(b"echo", [text])).get_value(0, 0)


async def pid(one: Asking) -> int:
    return int.from_bytes((await one.ask(b"who", [])).get_value(0, 0) or b"")


Run = Callable[[Callable[[Asking], Awaitable[None]]], None]


def test_each_task_gets_its_own_answer_however_large(asked: Run) -> None:
    async def story(one: Asking) -> None:
        texts = [bytes([number]) * (3_000_000 if number % 7 == 0 else 10) for number in range(20)]
        assert await asyncio.gather(*(echo(one, text) for text in texts)) == texts

    asked(story)


def test_a_refused_statement_leaves_the_connection_as_it_is(asked: Run) -> None:
    async def story(one: Asking) -> None:
        before = await pid(one)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await one.ask(b"divide", [bytes(4)])
        assert await pid(one) == before

    asked(story)


def test_a_task_that_gives_up_leaves_no_answer_for_the_next(asked: Run) -> None:
    async def story(one: Asking) -> None:
        task = asyncio.create_task(one.ask(b"sleep", [LONG]))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await echo(one, b"mine") == b"mine"

    asked(story)


def test_a_connection_that_opens_more_slowly_than_anybody_waits_is_opened_once_and_stays(database_url: str) -> None:
    opened: list[int] = []

    async def slowly(connection: AsyncConnection) -> None:
        opened.append(connection.info.backend_pid)
        await asyncio.sleep(1)

    async def story() -> None:
        one = Asking(database_url, READER, STATEMENTS, first=slowly)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(echo(one, b"early"), 0.2)
        assert await echo(one, b"mine") == b"mine"
        with pytest.raises(TimeoutError):  # nor does who gives up on an answer take the connection along
            await asyncio.wait_for(one.ask(b"sleep", [SHORT]), 0.1)
        assert await pid(one) == opened[0]
        await one.close()

    asyncio.run(story())
    assert len(opened) == 1


def test_a_database_that_does_not_answer_is_given_up(asked: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(one: Asking) -> None:
        monkeypatch.setattr(asking, "ANSWER_S", 0.2)
        with pytest.raises(psycopg.OperationalError, match="in time"):
            await one.ask(b"sleep", [LONG])
        monkeypatch.setattr(asking, "ANSWER_S", 10.0)
        assert await echo(one, b"again") == b"again"

    asked(story)


@pytest.mark.parametrize("is_busy", [True, False])
def test_a_connection_that_the_server_ends_is_opened_again(asked: Run, database_url: str, is_busy: bool) -> None:
    async def story(one: Asking) -> None:
        before = await pid(one)
        waiting = asyncio.create_task(one.ask(b"sleep", [LONG])) if is_busy else None
        await asyncio.sleep(0.1)
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as superuser:
            await superuser.execute("SELECT pg_terminate_backend(%s)", [before])
        if waiting is not None:
            with pytest.raises(psycopg.OperationalError):
                await waiting
        await asyncio.sleep(0.2)
        assert await pid(one) not in (before, 0)

    asked(story)
