"""A little identity provider on a real socket: it makes tokens, shows its keys, and can be down, slow, or worse."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from ledger.providers import Provider

AUDIENCE = "https://ledger.example"
ADA = "00u-ada"

#: Making one takes a while, and nobody minds the same one in another test.
RSA_KEYS = [rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in range(2)]
SHORT_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def public_pem(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    shown = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    found: dict[str, Any] = json.loads(shown.to_jwk(key.public_key()))
    return {**found, "kid": kid, "use": "sig", **more}


class IdentityProvider:
    """Shows `keys` at `/jwks`, unless `answer` does something else; counts the requests."""

    def __init__(self, key: Any = RSA_KEYS[0]) -> None:
        self.key, self.kid = key, "first"
        self.keys: list[dict[str, Any]] = [jwk(self.key, self.kid, alg="RS256")]
        self.requests = 0
        self.sent = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self.show
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests += 1
                try:
                    provider.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._handler = Handler
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.up()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        return f"{self.base_url}/realm"

    def settings(self, **more: Any) -> Provider:
        return Provider(self.issuer, AUDIENCE, f"{self.base_url}/jwks", **more)

    def up(self) -> None:
        """Listens, on the same port each time."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Refuses connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def show(self, request: BaseHTTPRequestHandler) -> None:
        body = json.dumps({"keys": self.keys}).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def endless(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while self._server is not None:
            request.wfile.write(b'{"keys": [' + b" " * 16_384)
            self.sent += 16_384

    def drip(self, request: BaseHTTPRequestHandler) -> None:
        """A byte now and then: each is in time, all of them never are."""
        request.send_response(200)
        request.end_headers()
        while self._server is not None:
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.02)

    def rotate(self, kid: str = "second") -> None:
        """Signs with another key from now on, and shows only that one."""
        self.key, self.kid = RSA_KEYS[1], kid
        self.keys = [jwk(self.key, kid, alg="RS256")]

    def claims(self, **more: Any) -> dict[str, Any]:
        """What a token of Ada's says; a claim that is None is left out."""
        now = int(time.time())
        found = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": ADA,
            "client_id": "portal",
            "iat": now,
            "exp": now + 600,
            "jti": str(uuid4()),
            **more,
        }
        return {name: value for name, value in found.items() if value is not None}

    def token(
        self, *, key: Any = None, alg: str = "RS256", headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token signed by the provider, unless by another `key`; a header that is None is left out."""
        found = {"typ": "at+jwt", "kid": self.kid, **(headers or {})}
        return signed({"alg": alg, **found}, self.claims(**claims), key or self.key)


def signed(header: dict[str, Any], claims: Any, key: Any) -> str:
    """A token of any header and claims, however odd."""
    alg = header["alg"]
    parts = [{name: value for name, value in header.items() if value is not None}, claims]
    text = b".".join(encoded(json.dumps(part).encode()) for part in parts)
    if str(alg).lower() == "none":
        return (text + b".").decode()
    if alg.startswith("HS"):  # PyJWT refuses a PEM as a secret; an attacker does not
        import hashlib
        import hmac

        return (text + b"." + encoded(hmac.digest(key, text, hashlib.sha256))).decode()
    algorithm = jwt.get_algorithm_by_name(alg)
    return (text + b"." + encoded(algorithm.sign(text, key))).decode()


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def identity_provider(key: Any = RSA_KEYS[0]) -> Iterator[IdentityProvider]:
    found = IdentityProvider(key)
    try:
        yield found
    finally:
        found.down()
