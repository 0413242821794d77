"""The provider's keys: fetched rarely, by one request at a time, within bounds, and kept for an hour while it is down."""

import asyncio
import base64
import gzip
import json
import time
from collections.abc import Callable, Coroutine
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from jwt import PyJWK
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from ledger.api import keys as jwks
from ledger.api.keys import BYTES_MAX, FETCH_EVERY_S, FRESH_S, KEPT_S, Keys, KeysUnavailable, parsed
from ledger.providers import SIGNATURES
from tests.api.provider import EC_KEY, RSA_KEYS, SHORT_KEY, IdentityProvider, jwk


class Clock:
    """Time as the test has it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


Test = Callable[[Keys, Clock], Coroutine[Any, Any, None]]


def run(provider: IdentityProvider, test: Test) -> None:
    async def go() -> None:
        clock = Clock()
        keys = Keys(f"{provider.base_url}/jwks", SIGNATURES, clock)
        try:
            await test(keys, clock)
        finally:
            await keys.close()

    asyncio.run(go())


async def settled(keys: Keys) -> None:
    """A fetch in the background is over."""
    if keys._fetching is not None:
        await asyncio.wait([keys._fetching])


def test_a_hundred_who_come_at_once_are_one_request(provider: IdentityProvider) -> None:
    async def test(keys: Keys, _: Clock) -> None:
        found = await asyncio.gather(*(keys.find("first") for _ in range(100)))
        assert all(isinstance(key, PyJWK) for key in found)
        assert provider.requests == 1

    run(provider, test)


def test_keys_rotate_and_what_is_not_shown_any_more_opens_nothing(provider: IdentityProvider) -> None:
    async def test(keys: Keys, clock: Clock) -> None:
        assert await keys.find("first")
        provider.rotate()
        assert await keys.find("second") is None  # it is too early to ask again
        clock.now += FETCH_EVERY_S
        assert await keys.find("second")
        assert await keys.find("first") is None
        assert provider.requests == 2

    run(provider, test)


def test_unknown_ids_are_no_storm(provider: IdentityProvider) -> None:
    async def test(keys: Keys, clock: Clock) -> None:
        for minute in range(1, 4):
            found = await asyncio.gather(*(keys.find(f"unknown {number}") for number in range(200)))
            assert found == [None] * 200
            assert provider.requests == minute
            clock.now += FETCH_EVERY_S

    run(provider, test)


def test_kept_keys_are_fetched_again_behind_whoever_uses_them(provider: IdentityProvider) -> None:
    async def test(keys: Keys, clock: Clock) -> None:
        await keys.find("first")
        provider.answer = provider.drip
        clock.now += FRESH_S
        start = time.perf_counter()
        assert await keys.find("first")
        assert time.perf_counter() - start < 2  # and not the five seconds of a fetch
        for _ in range(1_000):
            if provider.requests == 2:
                break
            await asyncio.sleep(0.005)
        assert provider.requests == 2

    run(provider, test)


def test_kept_keys_do_for_an_hour_while_the_provider_is_down_and_then_nobody_comes_in(
    provider: IdentityProvider,
) -> None:
    async def test(keys: Keys, clock: Clock) -> None:
        await keys.find("first")
        provider.down()
        clock.now += KEPT_S - 1
        assert await keys.find("first")
        await settled(keys)
        clock.now += 1
        with pytest.raises(KeysUnavailable):
            await keys.find("first")
        provider.up()
        with pytest.raises(KeysUnavailable):  # once a minute, and not more often because it is closed
            await keys.find("first")
        clock.now += FETCH_EVERY_S
        assert await keys.find("first")

    run(provider, test)


def test_without_any_keys_nobody_comes_in(provider: IdentityProvider) -> None:
    provider.down()

    async def test(keys: Keys, clock: Clock) -> None:
        with pytest.raises(KeysUnavailable):
            await keys.find("first")
        provider.up()
        clock.now += FETCH_EVERY_S
        assert await keys.find("first")

    run(provider, test)


def test_an_answer_that_never_ends_is_given_up(provider: IdentityProvider) -> None:
    provider.answer = provider.endless

    async def test(keys: Keys, _: Clock) -> None:
        with pytest.raises(KeysUnavailable):
            await keys.find("first")
        await asyncio.sleep(0.1)
        # What the sockets' own buffers took is beyond counting; it is bounded, and far from what would have been sent in that time.
        assert provider.sent < 8 * 1_024 * 1_024

    run(provider, test)
    assert BYTES_MAX == 65_536


def test_a_slow_provider_is_given_up_as_a_whole(provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_S", 0.3)
    provider.answer = provider.drip

    async def test(keys: Keys, _: Clock) -> None:
        start = time.perf_counter()
        with pytest.raises(KeysUnavailable):
            await keys.find("first")
        assert 0.25 < time.perf_counter() - start < 3

    run(provider, test)


def answered(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        answered(500, b'{"keys": []}'),
        answered(302, Location="/elsewhere"),
        answered(200, gzip.compress(b'{"keys": []}'), Content_Encoding="gzip"),
        answered(200, b"<html>"),
        answered(200, b"[]"),
        answered(200, b'{"keys": {}}'),
        answered(200, b"[" * 50_000),
        answered(200, b'{"keys": [' + b"{}," * 40 + b"{}]}"),
    ],
    ids=["500", "redirect", "gzip", "html", "list", "no list", "deep", "many"],
)
def test_an_answer_that_is_none_leaves_the_kept_keys(
    provider: IdentityProvider, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    async def test(keys: Keys, clock: Clock) -> None:
        await keys.find("first")
        provider.answer = answer
        clock.now += FETCH_EVERY_S
        assert await keys.find("second") is None
        assert await keys.find("first")
        assert provider.requests == 2  # a redirect is not followed

    run(provider, test)


def test_only_keys_that_sign_and_are_strong_enough_are_taken() -> None:
    import msgspec

    found = [
        jwk(RSA_KEYS[0], "good"),
        jwk(EC_KEY, "curve"),
        jwk(SHORT_KEY, "short"),
        {**jwk(RSA_KEYS[0], "encrypts"), "use": "enc"},
        {**jwk(RSA_KEYS[0], "odd"), "alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {"kty": "RSA", "kid": "broken", "n": "AQAB"},
        {name: value for name, value in jwk(RSA_KEYS[0], "nameless").items() if name != "kid"},
        "no key at all",
        json.loads(RSAAlgorithm.to_jwk(RSA_KEYS[0])) | {"kid": "its private part", "alg": "RS256"},
        json.loads(ECAlgorithm.to_jwk(EC_KEY)) | {"kid": "its private part too"},
        jwk(RSA_KEYS[0], "encrypts too", key_ops=["encrypt"]),
        jwk(RSA_KEYS[0], "odd operations", key_ops="verify"),
        jwk(RSA_KEYS[0], "endless", n=base64.urlsafe_b64encode(b"\xff" * 1_025).decode()),
        jwk(RSA_KEYS[0], "odd kind", kty=["RSA"]),
        jwk(RSA_KEYS[0], "none", alg="none"),
        jwk(RSA_KEYS[0], "list", alg=["RS256"]),
    ]
    assert parsed(msgspec.json.encode({"keys": found}), SIGNATURES).keys() == {"good", "curve"}


def test_two_keys_of_one_id_are_a_fault_of_the_provider() -> None:
    import msgspec

    with pytest.raises(ValueError, match="one id"):
        parsed(msgspec.json.encode({"keys": [jwk(key, "same") for key in RSA_KEYS]}), SIGNATURES)
