"""Several identity providers: each has its own people, keys and rules, and none can speak, or fail, for another."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from ledger.api import keys as jwks
from ledger.api.oidc import NotLetIn, Verifiers
from tests.api.provider import ADA, EC_KEY, RSA_KEYS, IdentityProvider, encoded, identity_provider, jwk, signed
from tests.api.test_jwt import key_is

Test = Callable[[Verifiers], Coroutine[Any, Any, None]]


@pytest.fixture
def staff() -> Iterator[IdentityProvider]:
    with identity_provider(RSA_KEYS[0]) as found:
        yield found


@pytest.fixture
def partners() -> Iterator[IdentityProvider]:
    with identity_provider(RSA_KEYS[1]) as found:
        yield found


def run(test: Test, *providers: IdentityProvider, **settings: Any) -> None:
    async def go() -> None:
        async with Verifiers(provider.settings(**settings) for provider in providers) as verifiers:
            await test(verifiers)

    asyncio.run(go())


async def why_not(verifiers: Verifiers, token: str) -> str | None:
    """The check that stopped a token; None: it passes."""
    try:
        await verifiers.verified(token)
    except NotLetIn as refused:
        return str(refused)
    return None


def test_each_lets_its_own_people_in_and_they_are_told_apart(
    staff: IdentityProvider, partners: IdentityProvider
) -> None:
    async def test(verifiers: Verifiers) -> None:
        assert verifiers.issuers == {staff.issuer, partners.issuer}
        for provider in (staff, partners):
            claims = await verifiers.verified(provider.token())
            assert (claims.issuer, claims.subject) == (provider.issuer, ADA)

    run(test, staff, partners)


@pytest.mark.parametrize("kid", ["first", "theirs"])
def test_no_key_of_one_is_believed_for_another(
    staff: IdentityProvider, partners: IdentityProvider, monkeypatch: pytest.MonkeyPatch, kid: str
) -> None:
    """Under the other's own name for the key as under the right one's."""
    partners.kid, partners.keys = kid, [jwk(partners.key, kid, alg="RS256")]

    async def test(verifiers: Verifiers) -> None:
        forged = partners.token(iss=staff.issuer)
        assert await why_not(verifiers, partners.token()) is None  # the key is good, and known by now
        assert await why_not(verifiers, forged) == ("signature" if kid == "first" else "unknown key")
        key_is(jwk(partners.key, kid))(monkeypatch)  # whichever provider's keys are asked
        assert await why_not(verifiers, forged) is None

    run(test, staff, partners)


def test_the_rules_of_one_are_not_those_of_another(staff: IdentityProvider, partners: IdentityProvider) -> None:
    partners.keys = [jwk(EC_KEY, "first")]

    async def test() -> None:
        strict, loose = staff.settings(), partners.settings(types=frozenset({"jwt"}), algorithms=frozenset({"ES256"}))
        async with Verifiers([strict, loose]) as verifiers:
            plain = {"typ": "JWT"}
            assert await why_not(verifiers, partners.token(key=EC_KEY, alg="ES256", headers=plain)) is None
            assert await why_not(verifiers, staff.token(headers=plain)) == "typ"
            assert await why_not(verifiers, partners.token(key=EC_KEY, alg="ES256")) == "typ"
            assert await why_not(verifiers, partners.token(headers=plain)) == "alg"

    asyncio.run(test())


def test_a_provider_gives_its_tokens_no_more_than_the_operator_lets_it(
    staff: IdentityProvider, partners: IdentityProvider
) -> None:
    everything = "openid graphql:free-form graphql:introspect graphql:mutate metrics:read"

    async def test() -> None:
        some = frozenset({"graphql:mutate"})
        async with Verifiers([staff.settings(), partners.settings(scopes=some, scopes_max=some)]) as verifiers:
            assert (await verifiers.verified(partners.token(scope=everything))).scopes == some
            assert (await verifiers.verified(partners.token())).scopes == some
            assert len((await verifiers.verified(staff.token(scope=everything))).scopes) == 4

    asyncio.run(test())


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"iss": None},
        {"iss": ["{}"]},
        {"iss": "https://evil.example"},
        {"iss": "{}/"},
        {"iss": "{} "},
        {"iss": ""},
        [1],
        "{}",
        7,
    ],
)
def test_who_is_of_no_provider_that_is_known_comes_in_by_none(
    staff: IdentityProvider, partners: IdentityProvider, says: Any
) -> None:
    claims = staff.claims() | says if isinstance(says, dict) and says else says
    if isinstance(claims, dict) and isinstance(claims.get("iss"), str):
        claims["iss"] = claims["iss"].replace("{}", staff.issuer)
    token = signed({"alg": "RS256", "typ": "at+jwt", "kid": "first"}, claims, staff.key)

    async def test(verifiers: Verifiers) -> None:
        assert await why_not(verifiers, token) == "issuer"
        for odd in ("..", "a.b.c", f"a.{encoded(b'[' * 2_000).decode()}.c", f"a.{encoded(b'{').decode()}.c"):
            assert await why_not(verifiers, odd) == "issuer"
        assert staff.requests == partners.requests == 0

    run(test, staff, partners)


def test_without_any_provider_nothing_is_a_token_of_one(staff: IdentityProvider) -> None:
    assert not Verifiers(()).may_be_theirs(staff.token())
    assert Verifiers([staff.settings()]).may_be_theirs(staff.token())


@pytest.mark.parametrize("outage", ["down", "hangs", "answers nonsense"])
def test_one_that_is_out_leaves_the_other_working(
    staff: IdentityProvider, partners: IdentityProvider, monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    monkeypatch.setattr(jwks, "FETCH_S", 1.0)
    match outage:
        case "down":
            partners.down()
        case "hangs":
            partners.answer = partners.drip
        case "answers nonsense":
            partners.keys = [{"kty": "oct", "k": "c2VjcmV0", "kid": "first"}] * 40

    async def test(verifiers: Verifiers) -> None:
        waiting = asyncio.create_task(why_not(verifiers, partners.token()))
        await asyncio.sleep(0)
        start = time.perf_counter()
        assert await why_not(verifiers, staff.token()) is None
        if outage == "hangs":
            assert not waiting.done()  # and nobody waited for it
        assert time.perf_counter() - start < 1.0
        assert await waiting == "no keys"
        assert await why_not(verifiers, staff.token()) is None

    run(test, staff, partners)
