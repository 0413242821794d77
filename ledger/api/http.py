"""GraphQL over HTTP: `/graphql` by POST, and by GET for queries. Nothing without a token.

Answers are `application/graphql-response+json` where that is asked for, with 4xx for a request that could not be executed; otherwise
`application/json`, with 200 as soon as the request was well-formed, as the GraphQL-over-HTTP specification has it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from graphql import GraphQLError, OperationType
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from ledger.api.context import Context, Resources, Viewer
from ledger.api.documents import prepare
from ledger.api.errors import (
    BAD_USER_INPUT,
    ERRORS_MAX,
    INTERNAL,
    UNAUTHENTICATED,
    UNAVAILABLE,
    logged,
    presented,
    refusal,
)
from ledger.api.schema import LedgerSchema
from ledger.api.standing import standings

log = logging.getLogger(__name__)

BODY_MAX = 256 * 1024
REQUEST_S = 30.0
JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"

Authenticate = Callable[[str], Awaitable[Viewer | None]]


class Asked(Struct, frozen=True):
    """A GraphQL request as it is sent. `extensions` are read and have no meaning yet."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 - the protocol's word
    extensions: dict[str, Any] | None = None


class RequestRefused(Exception):  # noqa: N818 - named for what happened
    """A request that is not executed: its status, and what the answer says."""

    def __init__(self, status: int, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def graphql_routes(
    schema: LedgerSchema, resources: Callable[[], Resources], authenticate: Authenticate
) -> list[HTTPRouteHandler]:
    """This will make the handlers of `/graphql`."""

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        try:
            viewer = await viewer_of(request, authenticate)
            media_type = _media_type(request.headers.get("accept", ""))
            asked = await from_body(request) if request.method == "POST" else from_query(request)
            return await execute(
                schema, Context(viewer, resources()), asked, media_type, is_get=request.method == "GET"
            )
        except RequestRefused as refused:
            body = {"errors": [presented(refused.error)]}
            return _response(body, refused.status, _media_type_or_json(request), refused.headers)

    @post("/graphql", status_code=200)
    async def graphql_post(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Run an operation."""
        return await answer(request)

    @get("/graphql")
    async def graphql_get(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Run a query."""
        return await answer(request)

    return [graphql_post, graphql_get]


async def execute(
    schema: LedgerSchema, context: Context, asked: Asked, media_type: str, *, is_get: bool
) -> Response[bytes]:
    """This will run what was asked and answer it. Raises RequestRefused for a request that is not run."""
    not_run = 400 if media_type == GRAPHQL_JSON else 200
    prepared = prepare(schema, asked.query or "")
    if prepared.errors:
        return _response({"errors": [presented(error) for error in prepared.errors]}, not_run, media_type)
    try:
        operation = prepared.operation(asked.operationName)
    except GraphQLError as error:
        raise RequestRefused(400, error) from None
    if is_get and operation.operation is not OperationType.QUERY:
        raise RequestRefused(405, refusal(BAD_USER_INPUT, "A mutation is sent by POST."), Allow="POST")
    try:
        async with asyncio.timeout(REQUEST_S):
            result = await schema.execute(asked.query, asked.variables, context, None, asked.operationName)
    except TimeoutError:
        raise RequestRefused(504, refusal(UNAVAILABLE, f"This took longer than {REQUEST_S:.0f} s.")) from None
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [presented(error) for error in result.errors[:ERRORS_MAX]]
        if result.data is None and all(error.path is None for error in result.errors):
            return _response(body, not_run, media_type)
    body["data"] = result.data
    body["extensions"] = {"ledger": await _shown(context)}
    return _response(body, 200, media_type)


async def _shown(context: Context) -> dict[str, Any]:
    """This will say which state of the ledger an answer shows: the earliest of the views that it was read from."""
    if context.recorded:
        return {"position": str(context.recorded), "lagMs": 0}
    if not context.shown:
        try:
            async with context.read() as connection:
                return {"position": str((await standings(connection)).head), "lagMs": 0}
        except Exception as error:
            logged(error, "extensions.ledger")
            return {"position": None, "lagMs": None}
    shown = context.shown.values()
    return {"position": str(min(one.position for one in shown)), "lagMs": max(one.lag_ms for one in shown)}


def secret_of(request: Request[Any, Any, Any]) -> str:
    """This will give the token that a request brings; empty: none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


async def viewer_of(request: Request[Any, Any, Any], authenticate: Authenticate) -> Viewer:
    """This will find who asks. Raises RequestRefused: 401 for nobody, 503 where that can't be known now."""
    secret = secret_of(request)
    try:
        viewer = await authenticate(secret) if secret else None
    except Exception as error:
        shown = _shown_error(error)
        is_busy = (shown.extensions or {})["code"] == UNAVAILABLE
        raise RequestRefused(503 if is_busy else 500, shown, **({"Retry_After": "1"} if is_busy else {})) from None
    if viewer is None:
        message = "A valid token is needed: send the header Authorization: Bearer ldg_…"
        raise RequestRefused(401, refusal(UNAUTHENTICATED, message), WWW_Authenticate='Bearer realm="ledger"')
    return viewer


def _shown_error(error: Exception) -> GraphQLError:
    shown = presented(GraphQLError(str(error), path=["authentication"], original_error=error))
    return GraphQLError(shown["message"], extensions=shown["extensions"])


def _media_type(accept: str) -> str:
    """This will choose the media type of the answer; without a wish it is application/json."""
    if not accept.strip():
        return JSON
    wished: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.lower().split(",")):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        found = {GRAPHQL_JSON: GRAPHQL_JSON, JSON: JSON, "application/*": JSON, "*/*": JSON}.get(kind)
        if found and quality.strip("0."):
            wished.append((-float(quality) if quality.replace(".", "", 1).isdigit() else -1.0, place, found))
    if not wished:
        raise RequestRefused(406, refusal(BAD_USER_INPUT, f"Answers are {GRAPHQL_JSON} or {JSON}: accept one of them."))
    return min(wished)[2]


def _media_type_or_json(request: Request[Any, Any, Any]) -> str:
    try:
        return _media_type(request.headers.get("accept", ""))
    except RequestRefused:
        return JSON


async def from_body(request: Request[Any, Any, Any]) -> Asked:
    """This will read a request that was sent by POST. Raises RequestRefused."""
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"') if "charset" in parameters else "utf-8"
    if kind.strip() != JSON or charset not in ("utf-8", "utf8"):
        raise RequestRefused(415, refusal(BAD_USER_INPUT, "Send the request as application/json in UTF-8."))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestRefused(415, refusal(BAD_USER_INPUT, "Send the request uncompressed."))
    return asked_of(await request.body())


def from_query(request: Request[Any, Any, Any]) -> Asked:
    """This will read a request that was sent by GET. Raises RequestRefused."""
    found = {name: request.query_params.get(name) for name in ("query", "operationName", "variables", "extensions")}
    parts = {name: msgspec.json.encode(found[name]) for name in ("query", "operationName") if found[name] is not None}
    parts |= {name: str(found[name]).encode() for name in ("variables", "extensions") if found[name]}
    return asked_of(b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in parts.items()) + b"}")


def asked_of(body: bytes) -> Asked:
    """This will read the JSON of a request. Raises RequestRefused."""
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors too
        raise RequestRefused(400, refusal(BAD_USER_INPUT, f"The body is no GraphQL request: {error}.")) from None
    if not asked.query:
        raise RequestRefused(400, refusal(BAD_USER_INPUT, "The request has no `query`: send a GraphQL document in it."))
    return asked


def _response(
    body: dict[str, Any], status: int, media_type: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    try:
        content = msgspec.json.encode(body)
    except Exception as error:
        shown = {"message": "Something went wrong on our side.", "extensions": {"code": INTERNAL}}
        shown["extensions"]["reference"] = logged(error, "encoding")  # type: ignore[index]
        content, status = msgspec.json.encode({"errors": [shown]}), 500
    return Response(content, status_code=status, media_type=f"{media_type}; charset=utf-8", headers=headers or {})
