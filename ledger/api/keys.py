"""An identity provider's public keys (JWKS), fetched from the one address that the operator named, and kept.

They are fetched when they are first needed, again every five minutes while they are used, and for a key that is not among them; never more
than once a minute, whether it works or not, and by one request at a time however many wait. While the provider is down the kept keys do
for an hour; after that nobody comes in by them.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import msgspec
from jwt import PyJWK

log = logging.getLogger(__name__)

#: At most one fetch in so many seconds.
FETCH_EVERY_S = 60.0
#: Kept keys are fetched again when they are this old, in seconds; those who ask meanwhile get the kept ones.
FRESH_S = 300.0
#: How long kept keys do while the provider can't be reached, in seconds.
KEPT_S = 3_600.0
#: Longest that one fetch may take from beginning to end, in seconds.
FETCH_S = 5.0
#: Most bytes of an answer, and most keys in it.
BYTES_MAX = 64 * 1024
KEYS_MAX = 32
RSA_BITS_MIN, RSA_BITS_MAX = 2_048, 8_192
#: What a key may be. A symmetric one (`oct`) is never one of them: its secret would be public.
KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
#: What only the provider may know of a key. Whoever reads it can sign as the provider, so a key that shows it opens nothing.
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
HTTP_OK = 200


class KeysUnavailable(Exception):  # noqa: N818 - named for what happened
    """There are no keys, or none that are young enough, and the provider can't be reached."""


class Keys:
    """One provider's keys. All is done on the event loop."""

    def __init__(self, url: str, algorithms: frozenset[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._algorithms, self._clock = url, algorithms, clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> PyJWK | None:
        """This will give the key of an id; None: the provider has none of that id. Raises KeysUnavailable."""
        age = self._clock() - self._fetched_at
        key = self._keys.get(kid)
        if key is not None and age < KEPT_S:
            if age >= FRESH_S:
                self._begin()  # and not wait for it
            return key
        fetching = self._begin()
        if fetching is not None:
            await asyncio.shield(fetching)
        if self._clock() - self._fetched_at >= KEPT_S:
            raise KeysUnavailable
        return self._keys.get(kid)

    async def close(self) -> None:
        """This will end a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _begin(self) -> "asyncio.Task[None] | None":
        """This will begin a fetch, or join the one under way; None: it is too early for another."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._clock() - self._tried_at < FETCH_EVERY_S:
            return None
        self._tried_at = self._clock()
        self._fetching = asyncio.create_task(self._fetch(), name="jwks")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_S):
                body = await _read(self._url)
            keys = parsed(body, self._algorithms)
        except Exception as error:  # whatever it is, the kept keys stay
            log.warning("the identity provider's keys could not be had: %s: %s", type(error).__name__, str(error)[:200])
            return
        self._keys, self._fetched_at = keys, self._clock()


async def _read(url: str) -> bytes:
    """This will read an answer of bounded size; a redirect is none."""
    async with (
        httpx.AsyncClient(follow_redirects=False, timeout=FETCH_S) as client,
        client.stream("GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}) as response,
    ):
        if response.status_code != HTTP_OK:
            raise ValueError(f"it answered {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ValueError("it answered compressed")
        found = bytearray()
        async for piece in response.aiter_raw():
            found += piece
            if len(found) > BYTES_MAX:
                raise ValueError(f"it answered more than {BYTES_MAX:,} bytes")
    return bytes(found)


def parsed(body: bytes, algorithms: frozenset[str]) -> dict[str, PyJWK]:
    """This will give the keys by their ids: those to check signatures with, by an algorithm that is allowed. Raises ValueError."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])["keys"]
    except (msgspec.DecodeError, KeyError, RecursionError) as error:
        raise ValueError(f"it answered no set of keys: {type(error).__name__}") from error
    if not isinstance(found, list) or len(found) > KEYS_MAX:
        raise ValueError(f"it answered no list of up to {KEYS_MAX} keys")
    keys: dict[str, PyJWK] = {}
    for each in found:
        key = _usable(each, algorithms)
        if key is not None:
            if key.key_id in keys:
                raise ValueError("it answered two keys of one id")
            keys[str(key.key_id)] = key
    return keys


def _usable(found: Any, algorithms: frozenset[str]) -> PyJWK | None:
    if not isinstance(found, dict) or str(found.get("kty")) not in KEY_TYPES or not _is_for_signatures(found):
        return None
    if not isinstance(found.get("kid"), str) or not found["kid"]:
        return None
    if not PRIVATE.isdisjoint(found):
        log.error("the identity provider shows a private key, %.60r: it is not used", found["kid"])
        return None
    try:
        key = PyJWK.from_dict(found)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError):
        return None
    if found["kty"] == "RSA" and not RSA_BITS_MIN <= key.key.key_size <= RSA_BITS_MAX:
        return None
    return key if key.algorithm_name in algorithms else None


def _is_for_signatures(found: dict[str, Any]) -> bool:
    operations = found.get("key_ops", ["verify"])
    return found.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
