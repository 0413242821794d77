"""The identity providers whose tokens let people in: a TOML file of the operator's, one table each. See docs/access.md."""

import re
from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct

#: Signatures that are believed: by a private key that the provider alone has. Never `none`, never a shared secret.
SIGNATURES = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
TYPES = frozenset({"at+jwt", "jwt"})
SCOPES = frozenset({"graphql:free-form", "graphql:introspect", "graphql:mutate"})
#: What a claim `scope` may say besides; no provider has it for all of its tokens.
SCOPES_MAX = SCOPES | {"metrics:read"}
PROVIDERS_MAX = 16


class Provider(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider. Nothing that a token says chooses where its keys are, or what of it is believed."""

    #: Letter by letter as its tokens have it.
    issuer: str
    #: What its tokens for this ledger have as their one audience.
    audience: str
    #: Where its public keys are.
    jwks_url: str
    #: Which `typ` its tokens have: at+jwt (RFC 9068), or jwt for a provider that says no more than that.
    types: frozenset[str] = frozenset({"at+jwt"})
    #: With which algorithms it signs; a key is good for its own one alone.
    algorithms: frozenset[str] = SIGNATURES
    #: What each of its tokens may be used for besides what its claim `scope` says.
    scopes: frozenset[str] = frozenset({"graphql:free-form", "graphql:mutate"})
    #: What they may be used for at most, whatever that claim says.
    scopes_max: frozenset[str] = SCOPES_MAX


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    provider: tuple[Provider, ...] = ()


def read(path: str) -> tuple[Provider, ...]:
    """This will read a file of providers. Raises ValueError, which says what the file must be and is not."""
    try:
        found = msgspec.toml.decode(Path(path).expanduser().read_bytes(), type=_File).provider
    except OSError as error:
        raise ValueError(
            f"must be a TOML file of identity providers, and {path} can't be read: {error.strerror}"
        ) from error
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors too
        raise ValueError(f"must be a TOML file of identity providers, and {path} is none: {error}") from error
    if not 1 <= len(found) <= PROVIDERS_MAX:
        raise ValueError(f"must have 1 to {PROVIDERS_MAX} tables [[provider]], and has {len(found)}")
    for issuer, times in Counter(one.issuer for one in found).items():
        if times > 1:
            raise ValueError(f"must have each issuer once, and has {issuer} {times} times")
    for number, one in enumerate(found, 1):
        if wrong := _wrong(one):
            raise ValueError(f"must be a TOML file of identity providers; in its provider {number}, {wrong}")
    return found


def _wrong(one: Provider) -> str | None:
    """This will say what is wrong with a provider; None: nothing is."""
    for name in ("issuer", "jwks_url"):
        if not re.match(r"https://[^\s/]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|$)", getattr(one, name)):
            return f"{name} must be an https address (http on this machine only)"
    if not one.audience.strip():
        return "audience is empty"
    for name, allowed in (("types", TYPES), ("algorithms", SIGNATURES), ("scopes", SCOPES), ("scopes_max", SCOPES_MAX)):
        found = getattr(one, name)
        if not found <= allowed or (not found and not name.startswith("scopes")):
            return f"{name} must be some of {', '.join(sorted(allowed))}"
    return None
