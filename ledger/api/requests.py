"""GraphQL requests as they come over HTTP: how they are read, which answer they wish for, and how one is refused.

What is odd is refused here, before anything is done for it: other content types, compressed or endless bodies, what is no JSON object.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from graphql import GraphQLError
from litestar.types import HTTPScope, Receive
from msgspec import Struct
from msgspec.structs import replace

from ledger.api.context import Viewer
from ledger.api.deadline import Deadline
from ledger.api.errors import BAD_USER_INPUT, UNAUTHENTICATED, UNAVAILABLE, presented, refusal

BODY_MAX = 256 * 1024
#: How long a body may take to come, in seconds.
BODY_S = 10.0
JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Where a request's digest is, among the extensions of its scope.
DIGEST = "ledger.digest"
#: Headers that may come in several lines, and are one list then.
LISTS = frozenset({"accept", "if-none-match"})
IN_QUERY = ("query", "operationName", "documentId", "variables", "extensions")

Authenticate = Callable[[str], Awaitable[Viewer | None]]


class Asked(Struct, frozen=True):
    """A GraphQL request as it is sent. `documentId`, or `extensions.persistedQuery`, names a trusted document in place of `query`."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 - the protocol's word
    extensions: dict[str, Any] | None = None
    documentId: str | None = None  # noqa: N815


class RequestRefused(Exception):  # noqa: N818 - named for what happened
    """A request that is not executed: its status, and what the answer says."""

    def __init__(self, status: int, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def _lists(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """This will join the headers of one name that are one list, as RFC 9110, 5.3 has it."""
    found: dict[str, str] = {}
    for name, text in headers:
        if (known := name.decode("latin-1")) in LISTS:
            found[known] = f"{found[known]}, {text.decode('latin-1')}" if known in found else text.decode("latin-1")
    return found


class Incoming:
    """A request as it comes: of several headers of one name the first counts, if they are no list; names are in small letters."""

    __slots__ = ("_receive", "digest", "headers", "is_post", "method", "query")

    def __init__(self, scope: HTTPScope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.is_post = self.method == "POST"
        self.query: bytes = scope["query_string"]
        headers = [*scope["headers"]]
        self.headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in reversed(headers)}
        if len(self.headers) < len(headers):
            self.headers |= _lists(headers)
        #: SHA-256 of all of its bytes, where it can come again word for word (`ledger.app.repeating`); None: it can't.
        self.digest: Any = (scope.get("extensions") or {}).get(DIGEST)
        self._receive = receive

    @property
    def secret(self) -> str:
        """This will give the token that the request brings; empty: none."""
        scheme, _, secret = self.headers.get("authorization", "").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else ""

    async def asked(self) -> bytes:
        """This will give the text in which the request is: its body, or of a GET the query string. Raises RequestRefused."""
        if not self.is_post:
            return self.query
        refuse_odd(self.headers.get("content-type", ""), self.headers.get("content-encoding", "identity"))
        try:
            with Deadline(BODY_S):
                return await self._body()
        except TimeoutError:
            message = f"The body took longer than {BODY_S:.0f} s to come."
            raise RequestRefused(408, refusal(BAD_USER_INPUT, message)) from None

    async def _body(self) -> bytes:
        body, has_more = b"", True
        while has_more:
            piece = await self._receive()
            if piece["type"] != "http.request":
                raise RequestRefused(400, refusal(BAD_USER_INPUT, "The body did not come to its end."))
            body += piece["body"]
            if len(body) > BODY_MAX:
                message = f"The body is larger than {BODY_MAX // 1024} KiB."
                raise RequestRefused(413, refusal(BAD_USER_INPUT, message))
            has_more = piece["more_body"]
        return body


async def viewer_of(secret: str, authenticate: Authenticate) -> Viewer:
    """This will find who asks. Raises RequestRefused: 401 for nobody, 503 where that can't be known now."""
    try:
        viewer = await authenticate(secret) if secret else None
    except Exception as error:
        raise not_knowable(error) from None
    if viewer is None:
        raise stranger()
    return viewer


def stranger() -> RequestRefused:
    """This will make the refusal of one whose token lets nobody in, or who has none."""
    message = "A valid token is needed: send the header Authorization: Bearer ldg_…"
    return RequestRefused(401, refusal(UNAUTHENTICATED, message), WWW_Authenticate='Bearer realm="ledger"')


def not_knowable(error: Exception) -> RequestRefused:
    """This will make the refusal for when it can't be known who asks; an unexpected error is logged once and masked."""
    found = presented(GraphQLError(str(error), path=["authentication"], original_error=error))
    shown = GraphQLError(found["message"], extensions=found["extensions"])
    is_busy = (shown.extensions or {})["code"] == UNAVAILABLE
    return RequestRefused(503 if is_busy else 500, shown, **({"Retry_After": "1"} if is_busy else {}))


@lru_cache(maxsize=256)
def media_type_of(accept: str) -> str:
    """This will choose the media type of the answer; without a wish it is application/json. Raises RequestRefused.

    What a wish says of a type itself counts before what it says of a range that the type is in (RFC 9110, 12.5.1); of two that are as
    welcome the one that is named earlier, and of both in one range application/json.
    """
    if not accept.strip():
        return JSON
    wished: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(accept.lower().split(",")):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        wished.setdefault(kind, (_quality(parameters), place))
    welcome: list[tuple[float, int, str]] = []
    for offered in (JSON, GRAPHQL_JSON):
        quality, place = next((wished[kind] for kind in (offered, "application/*", "*/*") if kind in wished), (0.0, 0))
        if quality:
            welcome.append((-quality, place, offered))
    if not welcome:
        raise RequestRefused(406, refusal(BAD_USER_INPUT, f"Answers are {GRAPHQL_JSON} or {JSON}: accept one of them."))
    return min(welcome, key=lambda wish: wish[:2])[2]


def _quality(parameters: Iterable[str]) -> float:
    """This will give how welcome something is, from 0; 1 where that is not said in a number."""
    said = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    return float(said) if said.isascii() and said.replace(".", "", 1).isdecimal() else 1.0


@lru_cache(maxsize=256)
def refuse_odd(content_type: str, encoding: str) -> None:
    """This will raise RequestRefused for a body of another kind than uncompressed JSON in UTF-8."""
    kind, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charsets = {part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset")}
    if kind != JSON or not charsets <= {"utf-8", "utf8"}:
        raise RequestRefused(415, refusal(BAD_USER_INPUT, "Send the request as application/json in UTF-8."))
    if encoding.lower() != "identity":
        raise RequestRefused(415, refusal(BAD_USER_INPUT, "Send the request uncompressed."))


def _of_query(query: bytes) -> Asked:
    """This will read what a query string asks: `variables` and `extensions` are JSON, each by itself. Of one name the first counts."""
    pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    found: dict[str, Any] = {name: text for name, text in reversed(pairs) if name in IN_QUERY}
    found |= {name: msgspec.json.decode(found[name] or "null") for name in IN_QUERY[3:] if name in found}
    return msgspec.convert(found, Asked)


def read(text: bytes, *, is_get: bool) -> Asked:
    """This will read what `Incoming.asked` gave; an empty `operationName` names none. Raises RequestRefused."""
    try:
        asked = _of_query(text) if is_get else msgspec.json.decode(text, type=Asked)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors too
        raise RequestRefused(400, refusal(BAD_USER_INPUT, f"The body is no GraphQL request: {error}.")) from None
    return replace(asked, operationName=None) if asked.operationName == "" else asked
