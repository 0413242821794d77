"""One GraphQL request from who asks to the answer: which document, whether it may run, and whether the answer is known."""

import logging
from typing import Any, NamedTuple

import msgspec
from graphql import GraphQLError, OperationDefinitionNode, OperationType

from ledger.api.context import Context, Resources, Viewer
from ledger.api.cost import KEPT_POINTS, REFUSED_POINTS, Cost, cost_of, refuse_long_lists
from ledger.api.deadline import Deadline
from ledger.api.documents import Prepared, prepare, suggested
from ledger.api.errors import (
    BAD_USER_INPUT,
    ERRORS_MAX,
    FORBIDDEN,
    INTERNAL,
    OUTCOME_UNKNOWN,
    RATE_LIMITED,
    UNAVAILABLE,
    logged,
    presented,
    refusal,
)
from ledger.api.observing import asked_by, named
from ledger.api.rate import RateExceeded
from ledger.api.requests import GRAPHQL_JSON, Asked, RequestRefused, read
from ledger.api.response_cache import PURE, Kept, Question, question_of, tag_of
from ledger.api.schema import LedgerSchema
from ledger.api.snapshot import Snapshot
from ledger.api.traffic import Traffic
from ledger.directory.scopes import Scope

log = logging.getLogger(__name__)

#: Longest run of an operation, in seconds. With the time to find out who asks it is 30 s, after which nobody is kept waiting.
REQUEST_S = 20.0
NOT_MODIFIED = 304
#: What auditors see of a document that was refused for want of a scope.
UNTRUSTED = "a document that the token has no scope for"


class Reply(NamedTuple):
    """An answer over HTTP; `tag` is what a conditional request sends back. None: this answer has none."""

    status: int
    body: bytes
    media_type: str
    headers: dict[str, str]
    tag: str | None = None
    #: What a kept answer was found by; None: it was not kept.
    question: Question | None = None


class Wish(NamedTuple):
    """What is asked, as it was sent, and how the answer is wanted: its media type, and the tags of answers that the client has."""

    media_type: str
    text: bytes
    is_get: bool = False
    has: str = ""

    @property
    def not_run(self) -> int:
        """This will give the status of a request that was well formed and could not be run."""
        return 400 if self.media_type == GRAPHQL_JSON else 200


class Run(NamedTuple):
    """An operation that may run, with what was found out about it."""

    text: str
    prepared: Prepared
    operation: OperationDefinitionNode

    @property
    def name(self) -> str:
        """This will give the operation's name; empty: it has none."""
        return self.operation.name.value if self.operation.name else ""


async def answered(
    schema: LedgerSchema, resources: Resources, traffic: Traffic, viewer: Viewer, snapshot: Snapshot, wish: Wish
) -> Reply:
    """This will answer a request. Raises RequestRefused for one that is not run."""
    asked_by(viewer.client, viewer.member_id)
    question = traffic.cache.question(viewer, wish.is_get, wish.text)
    if question is not None:
        named(question.operation, question.kind)
        reply = kept_reply(traffic, question, snapshot, wish)
        if reply is not None:
            return reply
    asked = read(wish.text, is_get=wish.is_get)
    try:
        run = chosen(schema, traffic, viewer, asked, is_get=wish.is_get)
    except NotRun as refused:
        points_left(traffic, viewer.credential, REFUSED_POINTS)
        return Reply(wish.not_run, _encoded({"errors": refused.errors}), wish.media_type, {})
    except RequestRefused as refused:
        if (refused.error.extensions or {}).get("code") == FORBIDDEN:
            Context(viewer, resources).note_forbidden(UNTRUSTED)
        raise
    if (
        question is None
        and run.operation.operation is OperationType.QUERY
        and run.prepared.roots(run.operation) <= PURE
    ):
        text = question_of(run.prepared.sha256, asked.operationName, asked.variables, viewer)
        question = Question(viewer, text, run.name, run.operation.operation.value)
        traffic.cache.remember(question, wish.is_get, wish.text)
        reply = kept_reply(traffic, question, snapshot, wish)
        if reply is not None:
            return reply
    return await executed(schema, resources, traffic, run, asked, viewer, snapshot, wish, question)


def kept_reply(traffic: Traffic, question: Question, snapshot: Snapshot, wish: Wish) -> Reply | None:
    """This will answer with what is kept, or say that nothing has changed; None: nothing is kept. Raises RequestRefused."""
    key = question.key(snapshot.fingerprint)
    tag = tag_of(key)
    if wish.is_get and tag.removeprefix("W/") in wish.has:  # compared weakly: some proxy may have taken the W/ away
        traffic.cache.unchanged += 1
        points_left(traffic, question.viewer.credential, KEPT_POINTS)
        return Reply(NOT_MODIFIED, b"", wish.media_type, {}, tag, question)
    kept = traffic.cache.get(key)
    if kept is None:
        return None
    left = points_left(traffic, question.viewer.credential, KEPT_POINTS)
    cost = _cost(Cost(KEPT_POINTS, kept.nodes), left)
    return Reply(200, _joined(kept.data, cost, _shown_of(kept, snapshot)), wish.media_type, {}, tag, question)


async def executed(
    schema: LedgerSchema,
    resources: Resources,
    traffic: Traffic,
    run: Run,
    asked: Asked,
    viewer: Viewer,
    snapshot: Snapshot,
    wish: Wish,
    question: Question | None,
) -> Reply:
    """This will run an operation, and keep its answer under the question. Raises RequestRefused."""
    reckoning = reckoned(schema, run, asked.variables)
    left = points_left(traffic, viewer.credential, reckoning.points)
    context = Context(viewer, resources, known=snapshot.standings, plans=run.prepared.plans, names=snapshot.names)
    try:
        with Deadline(REQUEST_S):
            result = await schema.execute(run.text, asked.variables, context, None, asked.operationName)
    except TimeoutError:
        raise too_long(run.operation.operation) from None
    errors = [presented(error) for error in (result.errors or ())[:ERRORS_MAX]]
    if errors and result.data is None and all(error.path is None for error in result.errors or ()):
        return Reply(wish.not_run, _encoded({"errors": errors}), wish.media_type, {})
    data, cost, shown = _encoded_data(result.data), _cost(reckoning, left), _shown(context, snapshot)
    if errors:
        return Reply(200, _joined(data, cost, shown, _encoded(errors)), wish.media_type, {})
    if question is None or not context.shown:
        return Reply(200, _joined(data, cost, shown), wish.media_type, {})
    # It was read after the snapshot: it may know more than that, never less.
    key = question.key(snapshot.fingerprint)
    traffic.cache.put(key, Kept(data, shown["position"], tuple(context.shown), reckoning.nodes))
    return Reply(200, _joined(data, cost, shown), wish.media_type, {}, tag_of(key))


def too_long(kind: OperationType) -> RequestRefused:
    """This will make the refusal of what ran out of time. A mutation goes on without whoever asked, and nobody knows how it ends."""
    took = f"This took longer than {REQUEST_S:.0f} s."
    if kind is OperationType.MUTATION:
        more = (
            "Whether it was recorded is not known. Send it again with the same commandId: it is recorded at most once."
        )
        return RequestRefused(504, refusal(OUTCOME_UNKNOWN, f"{took} {more}"))
    return RequestRefused(504, refusal(UNAVAILABLE, f"{took} Nothing was done; try again."))


class NotRun(Exception):  # noqa: N818 - named for what happened
    """A document that can't be run; the errors are as the client gets them."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors


def chosen(schema: LedgerSchema, traffic: Traffic, viewer: Viewer, asked: Asked, *, is_get: bool) -> Run:
    """This will find the operation that is meant, and whether it may run. Raises NotRun and RequestRefused."""
    try:
        text = traffic.documents.chosen(asked.query, asked.documentId, asked.extensions, viewer)
    except GraphQLError as error:
        is_forbidden = (error.extensions or {})["code"] == FORBIDDEN
        raise RequestRefused(403 if is_forbidden else 400, error) from None
    prepared = prepare(schema, text)
    may_introspect = Scope.INTROSPECT in viewer.scopes
    if prepared.errors:
        errors = suggested(schema, text) if may_introspect else prepared.errors
        raise NotRun([presented(error) for error in errors])
    if prepared.introspects and not may_introspect:
        message = "This token may not ask for the schema: it lacks the scope graphql:introspect."
        raise RequestRefused(403, refusal(FORBIDDEN, message))
    try:
        operation = prepared.operation(asked.operationName)
        run = Run(text, prepared, operation)
        named(run.name, operation.operation.value)
        if is_get and operation.operation is not OperationType.QUERY:
            raise RequestRefused(405, refusal(BAD_USER_INPUT, "A mutation is sent by POST."), Allow="POST")
        if operation.operation is OperationType.SUBSCRIPTION:
            message = "A subscription is followed at /graphql/stream, or over WebSocket."
            raise RequestRefused(400, refusal(BAD_USER_INPUT, message))
        refuse_long_lists(asked.variables)
    except GraphQLError as error:
        raise RequestRefused(400, error) from None
    return run


def reckoned(schema: LedgerSchema, run: Run, variables: dict[str, Any] | None) -> Cost:
    """This will give what an operation may cost. Raises RequestRefused for one that may answer too much."""
    try:
        return cost_of(schema, run.prepared, run.operation, variables)
    except GraphQLError as error:
        raise RequestRefused(400, error) from None


def points_left(traffic: Traffic, credential: str, points: int) -> int:
    """This will take points from the token's measure and give what is left. Raises RequestRefused."""
    try:
        return traffic.rates.take(credential, points)
    except RateExceeded as exceeded:
        message = f"This token asks for more than it may: {traffic.rates.per_minute} points a minute. Wait {exceeded.after_s} s."
        error = refusal(RATE_LIMITED, message, points=points, retryAfterS=exceeded.after_s)
        raise RequestRefused(429, error, Retry_After=str(exceeded.after_s)) from None


def _cost(cost: Cost, left: int) -> dict[str, int]:
    return {"points": cost.points, "pointsLeft": left, "nodes": cost.nodes}


def _shown(context: Context, snapshot: Snapshot) -> dict[str, Any]:
    """This will say which state of the ledger an answer shows: the earliest of the views that it was read from."""
    if context.recorded:
        return {"position": str(context.recorded), "lagMs": 0}
    if not context.shown:
        return {"position": str(snapshot.standings.head), "lagMs": 0}
    shown = context.shown.values()
    return {"position": str(min(one.position for one in shown)), "lagMs": max(one.lag_ms for one in shown)}


def _shown_of(kept: Kept, snapshot: Snapshot) -> dict[str, Any]:
    return {"position": kept.position, "lagMs": max(snapshot.standings.of(view).lag_ms for view in kept.views)}


def _joined(data: bytes, cost: dict[str, int], shown: dict[str, Any], errors: bytes = b"") -> bytes:
    before = b'{"errors":%s,"data":' % errors if errors else b'{"data":'
    return b'%s%s,"extensions":%s}' % (before, data, msgspec.json.encode({"cost": cost, "ledger": shown}))


def _encoded_data(data: Any) -> bytes:
    try:
        return msgspec.json.encode(data)
    except Exception as error:
        shown: dict[str, Any] = {"message": "Something went wrong on our side.", "extensions": {"code": INTERNAL}}
        shown["extensions"]["reference"] = logged(error, "encoding")
        raise RequestRefused(500, GraphQLError(shown["message"], extensions=shown["extensions"])) from None


def _encoded(body: Any) -> bytes:
    return msgspec.json.encode(body)
