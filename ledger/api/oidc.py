"""JSON Web Tokens of identity providers, checked one thing at a time; a token that fails any check lets nobody in.

Issuers, audiences and the addresses of keys are the operator's. A token's `iss` chooses among those issuers, letter by letter, and `kid`
among the keys of that one; nothing else that it says chooses anything, and no issuer's key is looked at for another's token.
RFC 8725 (best practices) and RFC 9068 (access tokens) are what it goes by. Each check has a name, so that a test can take one out and see
the token pass that only this one stops.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
import msgspec
from jwt.utils import base64url_decode
from msgspec import Struct

from ledger.api.keys import Keys, KeysUnavailable
from ledger.directory import scopes
from ledger.providers import Provider

#: Longest life of a token, in seconds, and how far clocks may differ.
LIFE_S_MAX = 3_600
LEEWAY_S = 10
LENGTH_MAX = 8_192
TEXT_MAX = 255
SEGMENTS = 3
#: Headers by which a token would bring its own key, or change what its text means.
FOREIGN_KEY_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c"})
#: Claims without which a token is none.
REQUIRED = ("exp", "iat", "iss", "sub", "aud")
#: What PyJWT checks of the claims.
OPTIONS: dict[str, Any] = {
    "verify_signature": True,
    "verify_exp": True,
    "verify_nbf": True,
    "verify_iat": True,
    "verify_aud": True,
    "verify_iss": True,
    "verify_sub": True,
    "strict_aud": True,
    "enforce_minimum_key_length": True,
    "require": list(REQUIRED),
}

Header = Mapping[str, Any]


class NotLetIn(Exception):  # noqa: N818 - named for what happened
    """The name of the check that failed; it says nothing of the token."""


class Claims(Struct, frozen=True):
    """What a token says, all of it checked."""

    issuer: str
    subject: str
    client: str
    scopes: frozenset[str]
    expires_at: datetime


def _alg(header: Header, provider: Provider) -> bool:
    alg = header.get("alg")
    return isinstance(alg, str) and alg in provider.algorithms


def _typ(header: Header, provider: Provider) -> bool:
    typ = header.get("typ")
    return isinstance(typ, str) and typ.lower().removeprefix("application/") in provider.types


def _kid(header: Header, _: Provider) -> bool:
    kid = header.get("kid")
    return isinstance(kid, str) and 0 < len(kid) <= TEXT_MAX


#: By name: what must be true of a header, before its key is looked up.
HEADER_CHECKS: dict[str, Callable[[Header, Provider], bool]] = {
    "alg": _alg,
    "typ": _typ,
    "kid": _kid,
    "crit": lambda header, _: "crit" not in header and "b64" not in header,
    "foreign key": lambda header, _: FOREIGN_KEY_HEADERS.isdisjoint(header),
}


def _is_text(found: object) -> bool:
    """This will say whether a claim is a text that the directory can keep: no NUL, no half of a character, nothing that can't be seen."""
    return isinstance(found, str) and 0 < len(found) <= TEXT_MAX and found.isprintable()


#: By name: what must be true of the claims besides what PyJWT checks.
CLAIM_CHECKS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "subject": lambda claims: _is_text(claims["sub"]) and bool(claims["sub"].strip()),
    "numbers": lambda claims: all(type(claims.get(name, 0)) in (int, float) for name in ("exp", "iat", "nbf")),
    "life": lambda claims: 0 < float(claims["exp"]) - float(claims["iat"]) <= LIFE_S_MAX,
}
#: How a failed check of PyJWT's is named.
NAMES: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not yet valid"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.MissingRequiredClaimError, "claim missing"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidAlgorithmError, "alg"),
)


class Verifier:
    """Checks the tokens of one provider."""

    def __init__(self, provider: Provider, keys: Keys | None = None) -> None:
        self.provider = provider
        self.keys = keys or Keys(provider.jwks_url, provider.algorithms)

    async def verified(self, secret: str) -> Claims:
        """This will give what a token says if everything about it holds. Raises NotLetIn, also where no keys can be had."""
        try:
            header = jwt.get_unverified_header(secret)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NotLetIn("malformed") from None
        for name, holds in HEADER_CHECKS.items():
            if not holds(header, self.provider):
                raise NotLetIn(name)
        try:
            key = await self.keys.find(str(header.get("kid")))
        except KeysUnavailable:
            raise NotLetIn("no keys") from None
        if key is None:
            raise NotLetIn("unknown key")
        return self._claims(secret, key)

    def _claims(self, secret: str, key: jwt.PyJWK) -> Claims:
        try:
            claims = jwt.decode(
                secret,
                key,
                algorithms=sorted(self.provider.algorithms),
                options=OPTIONS,  # type: ignore[arg-type]  # PyJWT's own type knows the names
                audience=self.provider.audience,
                issuer=self.provider.issuer,
                leeway=LEEWAY_S,
            )
            for name, holds in CLAIM_CHECKS.items():
                if not holds(claims):
                    raise NotLetIn(name)
            return Claims(
                str(claims.get("iss")),
                str(claims.get("sub")),
                _client(claims),
                (self.provider.scopes | scopes.known(_words(claims.get("scope")))) & self.provider.scopes_max,
                datetime.fromtimestamp(float(claims["exp"]), UTC),
            )
        except jwt.PyJWTError as error:
            raise NotLetIn(next((name for kind, name in NAMES if isinstance(error, kind)), "malformed")) from None
        except (TypeError, ValueError, KeyError, OverflowError, OSError, RecursionError):
            raise NotLetIn("malformed") from None


class Verifiers:
    """Checks the tokens of several providers, each by its own keys and rules alone: one that is down or evil is so for its own people."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._by_issuer = {provider.issuer: Verifier(provider) for provider in providers}

    async def __aenter__(self) -> "Verifiers":
        return self

    async def __aexit__(self, *_: object) -> None:
        for verifier in self._by_issuer.values():
            await verifier.keys.close()

    @property
    def issuers(self) -> frozenset[str]:
        """This will give the issuers whose tokens may let somebody in."""
        return frozenset(self._by_issuer)

    def may_be_theirs(self, secret: str) -> bool:
        """This will say whether a text has a token's form, three parts and not too long, and there is anybody to have made it."""
        return (
            bool(self._by_issuer)
            and secret.count(".") == SEGMENTS - 1
            and len(secret) <= LENGTH_MAX
            and secret.isascii()
        )

    async def verified(self, secret: str) -> Claims:
        """This will give what a token says if everything about it holds. Raises NotLetIn."""
        verifier = self._by_issuer.get(_issuer(secret))
        if verifier is None:
            raise NotLetIn("issuer")
        return await verifier.verified(secret)


class _Issuer(Struct):
    iss: str


def _issuer(secret: str) -> str:
    """This will give who a token says that it is of: nothing is believed of that but whose keys and rules it must stand up to."""
    try:
        return msgspec.json.decode(base64url_decode(secret.split(".")[1]), type=_Issuer).iss
    except (ValueError, IndexError, RecursionError):  # msgspec's own errors are ValueErrors too
        raise NotLetIn("issuer") from None


def _client(claims: Mapping[str, Any]) -> str:
    """This will name the program that the provider gave the token to; "oidc" where the token does not say."""
    for name in ("client_id", "azp"):
        found = claims.get(name)
        if _is_text(found):
            return str(found)
    return "oidc"


def _words(found: object) -> list[str]:
    return found.split() if isinstance(found, str) else []
