"""Witness cosignatures as C2SP describes them (c2sp.org/tlog-cosignature, cosignature/v1).

A witness vouches that it has seen no other history of the log: it keeps the last checkpoint that it cosigned, and cosigns a later one only
after a proof of consistency between the two.
"""

from collections.abc import Sequence
from struct import Struct as Packing

from msgspec import Struct

from ledger.store.integrity.note import (
    BadNote,
    Verifies,
    key_id,
    open_note,
    parsed,
    signature_of,
    split,
    verified,
    written,
)

#: The kind of a witness's key.
COSIGNATURE_V1 = 4

_TIME = Packing(">Q")
_SIGNATURE_BYTES = 64


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
        return verified(self.public, signature[_TIME.size :], b"cosignature/v1\ntime %d\n" % at + text)

    def __str__(self) -> str:
        return written(self.name, COSIGNATURE_V1, self.public)

    @classmethod
    def parse(cls, text: str) -> "WitnessVerifier":
        """This will read `name+id+key`. Raises BadKey."""
        return cls(*parsed(text, COSIGNATURE_V1))


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
