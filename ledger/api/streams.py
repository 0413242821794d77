"""What both ways of streaming share: a subscription's answers one by one, who may hold how many, and the end of one whose token ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, TypeAlias

from graphql import GraphQLError, OperationType
from msgspec.structs import replace

from ledger.api.answering import UNTRUSTED, points_left
from ledger.api.context import Context, Viewer
from ledger.api.cost import REFUSED_POINTS, cost_of, refuse_long_lists
from ledger.api.documents import prepare
from ledger.api.errors import BAD_USER_INPUT, FORBIDDEN, RATE_LIMITED, UNAVAILABLE, not_reconciled, presented, refusal
from ledger.api.requests import Asked, RequestRefused
from ledger.api.schema import LedgerSchema
from ledger.api.traffic import Traffic
from ledger.meanwhile import meanwhile

#: Streams that one token may hold in a process, and all tokens together.
PER_TOKEN_MAX = 20
STREAMS_MAX = 1_000
#: How often a stream's token is looked at again, in seconds.
RECHECK_S = 10.0
#: A reader that takes nothing for so long is dropped; it can go on from the position that it has.
SEND_S = 20.0

Shown: TypeAlias = dict[str, Any]
Revive = Callable[[], Awaitable[Viewer | None]]


class StreamRefused(Exception):  # noqa: N818 - named for what happened
    """A subscription that does not begin; `errors` are as the client gets them, `status` and `headers` as one over HTTP does."""

    def __init__(self, errors: list[Shown], status: int = 400, **headers: str) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors
        self.status = status
        self.headers = headers


class StreamBroken(Exception):  # noqa: N818 - named for what happened
    """A subscription that can't go on now: whoever follows it takes it up again from the last position that they have."""


def admitted(schema: LedgerSchema, asked: Asked, context: Context, places: "Places") -> Asked:
    """This will give the request with its document, which may be a trusted one that it names, and take its points.

    Raises StreamRefused for a document that can't run or may not, is no subscription, or is one too many.
    """
    viewer = context.viewer
    try:
        text = places.documents.chosen(asked.query, asked.documentId, asked.extensions, viewer)
        prepared = prepare(schema, text)
        if prepared.errors:
            places.take(viewer, REFUSED_POINTS)
            raise StreamRefused([presented(error) for error in prepared.errors])
        operation = prepared.operation(asked.operationName or None)
        refuse_long_lists(asked.variables)
        places.take(viewer, cost_of(schema, prepared, operation, asked.variables).points)
    except GraphQLError as error:
        if (error.extensions or {}).get("code") != FORBIDDEN:
            raise StreamRefused([presented(error)]) from None
        context.note_forbidden(UNTRUSTED)
        raise StreamRefused([presented(error)], 403) from None
    if operation.operation is not OperationType.SUBSCRIPTION:
        message = "Only subscriptions are streamed. Send queries and mutations to /graphql by POST."
        raise StreamRefused([presented(refusal(BAD_USER_INPUT, message))])
    return replace(asked, query=text, operationName=asked.operationName or None)


async def answers(schema: LedgerSchema, context: Context, asked: Asked) -> AsyncGenerator[Shown, None]:
    """This will run an admitted subscription and give its answers as they come. Raises StreamRefused in place of the first,
    and in place of any where the ledger is not the one any more that was seen; StreamBroken where it can't be read now.
    """
    has_begun, memory = False, context.resources.memory
    if (fault := memory.fault()) is not None:
        raise StreamRefused([presented(not_reconciled(fault))], 503)
    found = await schema.subscribe(asked.query, asked.variables, context, None, asked.operationName)
    async with aclosing(found):
        async for result in found:
            if (fault := memory.fault()) is not None:
                raise StreamRefused([presented(not_reconciled(fault))])
            errors = [presented(_placed(error)) for error in result.errors or ()]
            if any(error["extensions"]["code"] == UNAVAILABLE for error in errors) and result.data is None:
                raise StreamBroken
            if errors and not has_begun and result.data is None:
                raise StreamRefused(errors)
            has_begun = True
            yield {**({"errors": errors} if errors else {}), "data": result.data}


def _placed(error: GraphQLError) -> GraphQLError:
    """This will give an error that came of no field and of no part of the document, but of following itself, a place like a field's."""
    if error.path is not None or error.nodes is not None or error.original_error is None:
        return error
    return GraphQLError(error.message, path=["subscription"], original_error=error.original_error)


class Places:
    """Counts the streams of a process. What a token may ask for and how much, streams share with its requests."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic, self.documents, self.gate = traffic, traffic.documents, traffic.gate
        self.held: Counter[tuple[str, str]] = Counter()

    def take(self, viewer: Viewer, points: int) -> None:
        """This will take points from the viewer's token. Raises StreamRefused when it has too few."""
        try:
            points_left(self._traffic, viewer.credential, points)
        except RequestRefused as refused:
            raise StreamRefused([presented(refused.error)], refused.status, **refused.headers) from None

    @contextmanager
    def held_by(self, viewer: Viewer) -> Iterator[None]:
        """This will hold one place for the viewer's token. Raises StreamRefused when it, or all together, hold too many."""
        key = (str(viewer.member_id), viewer.client)
        if self.held[key] >= PER_TOKEN_MAX or self.held.total() >= STREAMS_MAX:
            message = f"A token may hold {PER_TOKEN_MAX} streams, and all together {STREAMS_MAX}. End one first."
            raise StreamRefused([presented(refusal(RATE_LIMITED, message))], 429, **{"Retry-After": "10"})
        self.held[key] += 1
        try:
            yield
        finally:
            self.held[key] -= 1
            self.held += Counter()  # drops what is down to nothing


@asynccontextmanager
async def watched(
    contexts: Callable[[], Iterable[Context]], revive: Revive, ended: Callable[[], Awaitable[None]]
) -> AsyncGenerator[None, None]:
    """This will look at the viewer's token and roles again while the block runs, and call `ended` once it lets nobody in any more."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            try:
                viewer = await revive()
            except Exception:  # noqa: S112 - the database is away: no new fact can be read either
                continue
            if viewer is None:
                return await ended()
            for context in contexts():
                if viewer.roles_at >= context.viewer.roles_at:
                    context.viewer = viewer

    async with meanwhile(watch()):
        yield
