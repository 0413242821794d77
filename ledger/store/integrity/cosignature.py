"""Witness cosignatures as C2SP describes them (c2sp.org/tlog-cosignature, cosignature/v1).

A witness vouches that it has seen no other history of the log: it keeps the last checkpoint that it cosigned, and cosigns a later one only
after a proof of consistency between the two.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from struct import Struct as Packing

from msgspec import Struct

from ledger.store.integrity.checkpoint import Checkpoint, open_checkpoint
from ledger.store.integrity.note import (
    BadNote,
    Signer,
    Verifies,
    key_id,
    open_note,
    parsed,
    signature_line,
    signature_of,
    split,
    verified,
    written,
)
from ledger.store.integrity.tree import verify_consistency

#: The kind of a witness's key.
COSIGNATURE_V1 = 4

_TIME = Packing(">Q")
_SIGNATURE_BYTES = 64


def _message(at: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n" % at + text


class WitnessVerifier(Struct, frozen=True):
    """A witness's public key with its name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """This will give the id of the key."""
        return key_id(self.name, COSIGNATURE_V1, self.public)

    def verify(self, text: bytes, signature: bytes) -> bool:
        """This will say whether it is a cosignature over the text, at the time that it names."""
        if len(signature) != _TIME.size + _SIGNATURE_BYTES:
            return False
        (at,) = _TIME.unpack(signature[: _TIME.size])
        return verified(self.public, signature[_TIME.size :], _message(at, text))

    def __str__(self) -> str:
        return written(self.name, COSIGNATURE_V1, self.public)

    @classmethod
    def parse(cls, text: str) -> "WitnessVerifier":
        """This will read `name+id+key`. Raises BadKey."""
        return cls(*parsed(text, COSIGNATURE_V1))


class _AtTime(Struct, frozen=True):
    signer: Signer
    at: int

    @property
    def name(self) -> str:
        return self.signer.name

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, COSIGNATURE_V1, self.signer.verifier.public)

    def sign(self, text: bytes) -> bytes:
        return _TIME.pack(self.at) + self.signer.sign(_message(self.at, text))


class Witness:
    """Cosigns the checkpoints of one log, each consistent with the one before."""

    def __init__(self, signer: Signer, log: Verifies) -> None:
        self._signer = signer
        self._log = log
        self.seen: Checkpoint | None = None

    @property
    def verifier(self) -> WitnessVerifier:
        """This will give what others verify it by."""
        return WitnessVerifier(self._signer.name, self._signer.verifier.public)

    def cosign(self, note: str, proof: Sequence[bytes], at: datetime) -> str:
        """This will give the note with the witness's line. `proof`: of consistency with the last one seen; none for the first.

        Raises BadNote for a note that the log did not sign, and BadProof for one that is not consistent with the last.
        """
        found = open_checkpoint(note, self._log)
        if self.seen is not None:
            verify_consistency(self.seen.size, found.size, self.seen.root, found.root, proof)
        self.seen = found
        signer = _AtTime(self._signer, int(at.timestamp()))
        return note + signature_line(signer, found.text.encode())


def cosigned_at(note: str, witness: WitnessVerifier) -> datetime | None:
    """This will give when a witness says that it cosigned a note, None if it did not or the signature is false."""
    text, lines = split(note)
    for line in lines:
        name, id_, signature = signature_of(line)
        if (name, id_) == (witness.name, witness.key_id) and witness.verify(text.encode(), signature):
            return datetime.fromtimestamp(_TIME.unpack(signature[: _TIME.size])[0], UTC)
    return None


def merged(kept: str, brought: str, log: Verifies, witnesses: Sequence[WitnessVerifier]) -> str:
    """This will add to a kept checkpoint what known witnesses signed of the very same one, and leave out everything else.

    Raises BadNote when the two are not the same checkpoint, or either is not the log's, or a witness's signature is false.
    """
    text, lines = split(kept)
    if text != split(brought)[0]:
        raise BadNote("it is another checkpoint than the one that is kept")
    open_note(brought, log, *witnesses)
    wanted = {(witness.name, witness.key_id) for witness in witnesses} - {signature_of(line)[:2] for line in lines}
    lines += [line for line in split(brought)[1] if signature_of(line)[:2] in wanted]
    return text + "\n" + "".join(line + "\n" for line in lines)
