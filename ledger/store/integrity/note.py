"""Signed notes as C2SP describes them (c2sp.org/signed-note): a text, a blank line, and signature lines, here by Ed25519.

Keys are written as Go's `sumdb/note` writes them, so that its tools read ours: `name+id+key` for whoever verifies,
`PRIVATE+KEY+name+id+key` for whoever signs.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

#: The kind of a key, as its first byte says.
ED25519 = 1
KEY_BYTES = 32
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100

_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_ID_BYTES = 4


class BadNote(ValueError):  # noqa: N818 - named for what it is
    """A note that is no note, or one that the wanted key did not sign. The message says which."""


class BadKey(ValueError):  # noqa: N818
    """A text that is no key."""


class Verifies(Protocol):
    """Whoever can say whether a signature is theirs."""

    @property
    def name(self) -> str:
        """The name that signature lines begin with."""

    @property
    def key_id(self) -> bytes:
        """The four bytes that each signature begins with."""

    def verify(self, text: bytes, signature: bytes) -> bool:
        """This will say whether the signature, without the key's id, is over the text."""


class Signs(Protocol):
    """Whoever can sign."""

    @property
    def name(self) -> str:
        """The name that the signature line begins with."""

    @property
    def key_id(self) -> bytes:
        """The four bytes that the signature begins with."""

    def sign(self, text: bytes) -> bytes:
        """This will give the signature over the text, without the key's id."""


class Verifier(Struct, frozen=True):
    """A public key with its owner's name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """This will give the first bytes of a hash over name and key, by which a signature says whose it is."""
        return key_id(self.name, ED25519, self.public)

    def verify(self, text: bytes, signature: bytes) -> bool:
        """This will say whether the signature is over the text."""
        return verified(self.public, signature, text)

    def __str__(self) -> str:
        return written(self.name, ED25519, self.public)

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """This will read `name+id+key`. Raises BadKey."""
        return cls(*parsed(text, ED25519))


class Signer:
    """A private key with its owner's name. Its repr shows no secret."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        if not _NAME.fullmatch(name):
            raise BadKey(f"{name!r} can't be a key's name: it needs a character, and no space and no plus sign")
        self.name = name
        self._private = private
        self.verifier = Verifier(name, private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """This will give the id of the key."""
        return self.verifier.key_id

    def sign(self, text: bytes) -> bytes:
        """This will sign the text."""
        return self._private.sign(text)

    @property
    def secret(self) -> str:
        """This will write the private key down. Keep it where only the signer reads."""
        return _PRIVATE + written(self.name, ED25519, self._private.private_bytes_raw(), self.key_id)

    @classmethod
    def generate(cls, name: str) -> "Signer":
        """This will make a new key. Raises BadKey for a name that can't be one."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """This will read what `secret` wrote. Raises BadKey, which repeats nothing of it."""
        if not text.startswith(_PRIVATE):
            raise BadKey("this is no private key")
        name, seed, said = _split(text.removeprefix(_PRIVATE).strip(), ED25519)
        found = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if found.key_id != said:
            raise BadKey("the private key's id is not that of the key")
        return found

    def __repr__(self) -> str:
        return f"Signer({self.name})"


class Opened(Struct, frozen=True):
    """A note whose signatures were looked at."""

    text: str
    #: Who signed it, of those that were asked about.
    by: tuple[str, ...]


def sign(text: str, *signers: Signs) -> str:
    """This will make a note of a text that ends with a newline. Raises BadNote for a text that can't be one."""
    if not text.endswith("\n") or not text.strip("\n") or any(ord(c) < ord(" ") and c != "\n" for c in text):
        raise BadNote("a note's text has a character, ends with a newline, and has no other control characters")
    return text + "\n" + "".join(signature_line(signer, text.encode()) for signer in signers)


def signature_line(signer: Signs, text: bytes) -> str:
    """This will give the line that a signer adds to a note."""
    return f"— {signer.name} {b64encode(signer.key_id + signer.sign(text)).decode()}\n"


def open_note(note: str | bytes, wanted: Verifies, *others: Verifies) -> Opened:
    """This will give a note's text if the wanted key signed it. Signatures of keys that nobody asked about are passed over.

    Raises BadNote: it is no note, the wanted signature is missing, or one of a key that was asked about is false.
    """
    text, lines = split(note)
    known = {(one.name, one.key_id): one for one in (wanted, *others)}
    by = []
    for line in lines:
        name, id_, signature = signature_of(line)
        verifier = known.pop((name, id_), None)
        if verifier is None:
            continue
        if not verifier.verify(text.encode(), signature):
            raise BadNote(f"the signature of {name} is false: the note was changed, or was signed by somebody else")
        by.append((verifier, name))
    if all(verifier is not wanted for verifier, _ in by):
        raise BadNote(f"{wanted.name} did not sign it with this key")
    return Opened(text, tuple(name for _, name in by))


def split(note: str | bytes) -> tuple[str, list[str]]:
    """This will take a note apart into its text and its signature lines. Raises BadNote."""
    if len(note) > NOTE_BYTES_MAX:
        raise BadNote("it is too long")
    try:
        whole = note if isinstance(note, str) else note.decode()
    except UnicodeDecodeError as error:
        raise BadNote("it is not UTF-8") from error
    if any(ord(c) < ord(" ") and c != "\n" for c in whole):
        raise BadNote("it has control characters")
    text, blank, block = whole.rpartition("\n\n")
    lines = block.split("\n")
    if not blank or not text or lines.pop() or not lines:
        raise BadNote("it does not end with a blank line and signatures")
    if len(lines) > SIGNATURES_MAX:
        raise BadNote("it has too many signatures")
    return text + "\n", lines


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """This will give the id of a key: the first four bytes of SHA-256 over name, newline, kind and key."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_ID_BYTES]


def verified(public: bytes, signature: bytes, text: bytes) -> bool:
    """This will say whether an Ed25519 signature is good."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def written(name: str, kind: int, key: bytes, id_: bytes | None = None) -> str:
    """This will write a key down: name, id and key, with plus signs between."""
    return f"{name}+{(id_ or key_id(name, kind, key)).hex()}+{b64encode(bytes([kind]) + key).decode()}"


def parsed(text: str, kind: int) -> tuple[str, bytes]:
    """This will read the name and the public key of what `written` wrote. Raises BadKey."""
    name, public, said = _split(text.strip(), kind)
    if key_id(name, kind, public) != said:
        raise BadKey("the key's id is not that of the key")
    return name, public


def _split(text: str, kind: int) -> tuple[str, bytes, bytes]:
    parts = text.split("+", 2)
    try:
        name, said, key = parts[0], bytes.fromhex(parts[1]), b64decode(parts[2], validate=True)
    except (IndexError, ValueError) as error:
        raise BadKey("a key is written name+id+key") from error
    if not _NAME.fullmatch(name) or len(said) != _ID_BYTES or len(key) != 1 + KEY_BYTES or key[0] != kind:
        raise BadKey("a key is written name+id+key, and this is not one of the wanted kind")
    return name, key[1:], said


def signature_of(line: str) -> tuple[str, bytes, bytes]:
    """This will take a signature line apart: name, id of the key, signature. Raises BadNote."""
    found = _LINE.fullmatch(line)
    try:
        body = b64decode(found[2], validate=True) if found else b""
    except NotBase64:
        body = b""
    # One signature has one text: what base64 leaves unused at its end must be zero.
    if found is None or len(body) <= _ID_BYTES or b64encode(body).decode() != found[2]:
        raise BadNote("a signature line is not of the form: — name signature")
    return found[1], body[:_ID_BYTES], body[_ID_BYTES:]
