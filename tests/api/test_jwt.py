"""A provider's token lets in only if everything about it holds; and each check is seen to be what stops one forgery."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt
import pytest
from jwt import PyJWK

from ledger.api import keys as jwks
from ledger.api.oidc import CLAIM_CHECKS, HEADER_CHECKS, OPTIONS, Claims, NotLetIn, Verifiers
from ledger.providers import SIGNATURES, Provider
from tests.api.provider import (
    ADA,
    AUDIENCE,
    EC_KEY,
    RSA_KEYS,
    IdentityProvider,
    encoded,
    jwk,
    public_pem,
    signed,
)

TEN_YEARS_S = 10 * 365 * 86_400
Plant = Callable[[pytest.MonkeyPatch], None]


def without(checks: dict[str, Any], *names: str) -> Plant:
    """Takes checks of ours out."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for name in names:
            patch.delitem(checks, name)

    return plant


def option(**changed: Any) -> Plant:
    """Changes what PyJWT checks."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for name, value in changed.items():
            patch.setitem(OPTIONS, name, value)

    return plant


def not_required(*claims: str) -> Plant:
    return option(require=[name for name in OPTIONS["require"] if name not in claims])


def allowing(*algorithms: str) -> Plant:
    """Believes other signatures too, and those of one's own choice only, as no file of providers can say."""
    usual = IdentityProvider.settings

    def settings(provider: IdentityProvider, **more: Any) -> Provider:
        return usual(provider, algorithms=SIGNATURES | set(algorithms), **more)

    return lambda patch: patch.setattr(IdentityProvider, "settings", settings)


def key_is(found: dict[str, Any], algorithm: str | None = None) -> Plant:
    """Takes a key that is none of the provider's signing keys, whatever `kid` says."""

    async def find(_: object, kid: str) -> PyJWK:
        return PyJWK.from_dict(found, algorithm)

    return lambda patch: patch.setattr(jwks.Keys, "find", find)


def signature_unchecked(patch: pytest.MonkeyPatch) -> None:
    """PyJWT leaves out all the rest then, unless it is asked for by name, as it is."""
    option(verify_signature=False)(patch)


def a_pem_may_be_a_secret(patch: pytest.MonkeyPatch) -> None:
    """PyJWT's own last stand against key confusion."""
    patch.setattr(jwt.algorithms.HMACAlgorithm, "prepare_key", lambda _, key: key)


class Forgery(NamedTuple):
    """A token that must not pass: the check that stops it, and what has to be taken out for it to pass."""

    name: str
    token: Callable[[IdentityProvider], str]
    stopped_by: str
    passes_with: tuple[Plant, ...]


def _altered(provider: IdentityProvider) -> str:
    head, _, signature = provider.token(sub="00u-nobody").split(".")
    body = provider.token(sub=ADA).split(".")[1]
    return f"{head}.{body}.{signature}"


def _now(seconds: float) -> int:
    return int(time.time() + seconds)


SECRET = public_pem(RSA_KEYS[0])
OCT = {"kty": "oct", "k": encoded(SECRET).decode(), "kid": "first"}

FORGERIES = (
    Forgery("another's signature", _altered, "signature", (signature_unchecked,)),
    Forgery("another's key under our kid", lambda p: p.token(key=RSA_KEYS[1]), "signature", (signature_unchecked,)),
    Forgery("an empty signature", lambda p: p.token().rsplit(".", 1)[0] + ".", "signature", (signature_unchecked,)),
    *(
        Forgery(
            f"alg {alg}",
            lambda p, alg=alg: signed({"alg": alg, "typ": "at+jwt", "kid": p.kid}, p.claims(), b""),
            "alg",
            (without(HEADER_CHECKS, "alg"), signature_unchecked),
        )
        for alg in ("none", "None", "nOnE")
    ),
    Forgery(
        "the public key as a secret",
        lambda p: p.token(alg="HS256", key=SECRET),
        "alg",
        (without(HEADER_CHECKS, "alg"), allowing("HS256"), key_is(OCT), a_pem_may_be_a_secret),
    ),
    Forgery(
        "another algorithm with the same key",
        lambda p: p.token(alg="RS512"),
        "alg",
        (key_is(jwk(RSA_KEYS[0], "first"), "RS512"),),
    ),
    Forgery(
        "jku, and the key that is there",
        lambda p: p.token(key=RSA_KEYS[1], headers={"jku": f"{p.base_url}/evil", "kid": "evil"}),
        "foreign key",
        (without(HEADER_CHECKS, "foreign key"), key_is(jwk(RSA_KEYS[1], "evil"))),
    ),
    Forgery(
        "an embedded jwk",
        lambda p: p.token(key=RSA_KEYS[1], headers={"jwk": jwk(RSA_KEYS[1], "evil"), "kid": "evil"}),
        "foreign key",
        (without(HEADER_CHECKS, "foreign key"), key_is(jwk(RSA_KEYS[1], "evil"))),
    ),
    *(
        Forgery(
            f"a header {name}, though well signed",
            lambda p, name=name, value=value: p.token(headers={name: value}),
            "foreign key",
            (without(HEADER_CHECKS, "foreign key"),),
        )
        for name, value in (
            ("jku", "https://evil.example"),
            ("jwk", {}),
            ("x5u", "https://evil.example"),
            ("x5c", ["x"]),
        )
    ),
    Forgery("expired", lambda p: p.token(iat=_now(-900), exp=_now(-60)), "expired", (option(verify_exp=False),)),
    Forgery("not yet valid", lambda p: p.token(nbf=_now(300)), "not yet valid", (option(verify_nbf=False),)),
    Forgery(
        "issued in the future",
        lambda p: p.token(iat=_now(300), exp=_now(900)),
        "not yet valid",
        (option(verify_iat=False),),
    ),
    Forgery(
        "a foreign audience", lambda p: p.token(aud="https://other.example"), "audience", (option(verify_aud=False),)
    ),
    Forgery(
        "our audience among others", lambda p: p.token(aud=[AUDIENCE, "x"]), "audience", (option(strict_aud=False),)
    ),
    Forgery("an array of our audience", lambda p: p.token(aud=[AUDIENCE]), "audience", (option(strict_aud=False),)),
    Forgery("an empty audience", lambda p: p.token(aud=""), "claim missing", (option(verify_aud=False),)),
    Forgery("another issuer", lambda p: p.token(iss="https://evil.example"), "issuer", (option(verify_iss=False),)),
    Forgery("the issuer with a slash", lambda p: p.token(iss=f"{p.issuer}/"), "issuer", (option(verify_iss=False),)),
    *(
        Forgery(f"no {claim}", lambda p, claim=claim: p.token(**{claim: None}), "claim missing", plants)
        for claim, plants in (
            ("iat", (not_required("iat"), without(CLAIM_CHECKS, "life"))),
            ("iss", (not_required("iss"), option(verify_iss=False))),
            ("aud", (not_required("aud"), option(verify_aud=False))),
            ("sub", (not_required("sub"), without(CLAIM_CHECKS, "subject"))),
        )
    ),
    Forgery("an empty sub", lambda p: p.token(sub="  "), "subject", (without(CLAIM_CHECKS, "subject"),)),
    Forgery("a NUL in sub", lambda p: p.token(sub="a\0b"), "subject", (without(CLAIM_CHECKS, "subject"),)),
    Forgery(
        "half a character in sub", lambda p: p.token(sub="a\ud800"), "subject", (without(CLAIM_CHECKS, "subject"),)
    ),
    Forgery("a very long sub", lambda p: p.token(sub="x" * 256), "subject", (without(CLAIM_CHECKS, "subject"),)),
    Forgery(
        "a number as sub",
        lambda p: p.token(sub=7),
        "malformed",
        (option(verify_sub=False), without(CLAIM_CHECKS, "subject")),
    ),
    Forgery("ten years of life", lambda p: p.token(exp=_now(TEN_YEARS_S)), "life", (without(CLAIM_CHECKS, "life"),)),
    Forgery("an hour and a minute", lambda p: p.token(exp=_now(3_660)), "life", (without(CLAIM_CHECKS, "life"),)),
    Forgery("a text as exp", lambda p: p.token(exp=str(_now(60))), "numbers", (without(CLAIM_CHECKS, "numbers"),)),
    Forgery("an ID token", lambda p: p.token(headers={"typ": "JWT"}), "typ", (without(HEADER_CHECKS, "typ"),)),
    Forgery("no typ", lambda p: p.token(headers={"typ": None}), "typ", (without(HEADER_CHECKS, "typ"),)),
    Forgery("a list as typ", lambda p: p.token(headers={"typ": ["at+jwt"]}), "typ", (without(HEADER_CHECKS, "typ"),)),
    Forgery(
        "an unknown kid",
        lambda p: p.token(headers={"kid": "third"}),
        "unknown key",
        (key_is(jwk(RSA_KEYS[0], "first")),),
    ),
    Forgery(
        "no kid",
        lambda p: p.token(headers={"kid": None}),
        "kid",
        (without(HEADER_CHECKS, "kid"), key_is(jwk(RSA_KEYS[0], "first"))),
    ),
    Forgery(
        "a very long kid",
        lambda p: p.token(headers={"kid": "k" * 300}),
        "kid",
        (without(HEADER_CHECKS, "kid"), key_is(jwk(RSA_KEYS[0], "first"))),
    ),
    Forgery(
        "crit that PyJWT knows",
        lambda p: p.token(headers={"crit": ["b64"], "b64": True}),
        "crit",
        (without(HEADER_CHECKS, "crit"),),
    ),
    Forgery(
        "crit that nobody knows",
        lambda p: p.token(headers={"crit": ["exp2"], "exp2": 1}),
        "malformed",
        (
            without(HEADER_CHECKS, "crit"),
            lambda patch: patch.setattr(jwt.api_jws.PyJWS, "_validate_crit", lambda *_: None),
        ),
    ),
)


def _headed(provider: IdentityProvider, **header: Any) -> str:
    """A token whose header says anything."""
    found = {"alg": "RS256", "typ": "at+jwt", "kid": provider.kid, **header}
    return encoded(json.dumps(found).encode()).decode() + "." + provider.token().split(".", 1)[1]


#: Refused because they are no token at all; there is nothing to take out.
ODD = {
    "a list as alg": lambda p: _headed(p, alg=["RS256"]),
    "an object as alg": lambda p: _headed(p, alg={"RS256": 1}),
    "no alg": lambda p: _headed(p, alg=None),
    "two parts": lambda p: ".".join(p.token().split(".")[:2]),
    "five parts, as one that is encrypted": lambda p: p.token() + ".a.b",
    "a header that is no JSON": lambda p: "e30x." + p.token().split(".", 1)[1],
    "a header that is a list": lambda p: encoded(b"[]").decode() + "." + p.token().split(".", 1)[1],
    "a header nested 2,000 deep": lambda p: encoded(b"[" * 2_000).decode() + "." + p.token().split(".", 1)[1],
    "claims that are a list": lambda p: signed({"alg": "RS256", "typ": "at+jwt", "kid": p.kid}, [1], p.key),
    "no exp": lambda p: p.token(exp=None),
    "an infinite exp": lambda p: p.token(exp=float("inf")),
    "an exp that is no number": lambda p: p.token(exp=float("nan")),
    "an exp before its iat": lambda p: p.token(iat=_now(5), exp=_now(3)),
    "true as exp": lambda p: p.token(exp=True, iat=0),
    "a huge token": lambda p: p.token(extra="x" * 9_000),
    "letters beyond ASCII": lambda p: p.token() + "é",
    "nothing between the dots": lambda p: "..",
}


def verified(provider: IdentityProvider, token: str, **settings: Any) -> Claims:
    async def run() -> Claims:
        async with Verifiers([provider.settings(**settings)]) as verifiers:
            if not verifiers.may_be_theirs(token):
                raise NotLetIn("no token")
            (verifier,) = verifiers._by_issuer.values()
            return await verifier.verified(token)

    return asyncio.run(run())


def test_a_token_of_the_provider_passes(provider: IdentityProvider) -> None:
    claims = verified(provider, provider.token(scope="openid graphql:introspect graphql:sudo"))
    assert (claims.issuer, claims.subject, claims.client) == (provider.issuer, ADA, "portal")
    assert claims.scopes == {"graphql:free-form", "graphql:mutate", "graphql:introspect"}
    assert 590 < claims.expires_at.timestamp() - time.time() <= 600
    assert provider.requests == 1


@pytest.mark.parametrize("client", ["", "x" * 256, "a\0b", "a\ud800", "a\r\nb", 7, ["portal"]])
def test_a_program_whose_name_cannot_be_kept_has_none(provider: IdentityProvider, client: object) -> None:
    assert verified(provider, provider.token(client_id=client)).client == "oidc"


def test_a_provider_may_sign_with_less_than_all_algorithms(provider: IdentityProvider) -> None:
    provider.keys = [jwk(EC_KEY, "curve"), *provider.keys]
    by_curve = provider.token(alg="ES256", key=EC_KEY, headers={"kid": "curve"})
    assert verified(provider, by_curve, algorithms=frozenset({"ES256"})).subject == ADA
    for token in (provider.token(), provider.token(headers={"kid": "curve"})):
        with pytest.raises(NotLetIn, match="alg"):
            verified(provider, token, algorithms=frozenset({"ES256"}))


def test_a_provider_may_sign_with_a_curve_and_say_less_of_the_type(provider: IdentityProvider) -> None:
    provider.keys = [jwk(EC_KEY, "curve")]
    token = provider.token(alg="ES256", key=EC_KEY, headers={"kid": "curve", "typ": "JWT"})
    assert verified(provider, token, types=frozenset({"jwt"})).subject == ADA
    with pytest.raises(NotLetIn, match="typ"):
        verified(provider, token)


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forgery_is_stopped_and_by_the_check_that_is_for_it(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch, forgery: Forgery
) -> None:
    with pytest.raises(NotLetIn) as refused:
        verified(provider, forgery.token(provider))
    assert str(refused.value) == forgery.stopped_by
    assert provider.requests <= 1  # and nothing was asked of an address that a token brings

    for plant in forgery.passes_with:
        plant(monkeypatch)
    assert isinstance(verified(provider, forgery.token(provider)), Claims)


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_token_is_refused(provider: IdentityProvider, odd: str) -> None:
    with pytest.raises(NotLetIn):
        verified(provider, ODD[odd](provider))


def test_every_check_has_a_forgery_that_only_it_stops() -> None:
    alone = [forgery for forgery in FORGERIES if len(forgery.passes_with) == 1]
    layered = {forgery.stopped_by for forgery in FORGERIES}
    assert HEADER_CHECKS.keys() | CLAIM_CHECKS.keys() <= layered
    assert {
        "signature",
        "expired",
        "not yet valid",
        "audience",
        "issuer",
        "typ",
        "life",
        "subject",
        "crit",
        "foreign key",
    } <= {forgery.stopped_by for forgery in alone}
