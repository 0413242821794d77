"""A witness of outside, who cosigns as C2SP describes it (c2sp.org/tlog-cosignature); the message is put together here, not by ours."""

from datetime import datetime

from msgspec import Struct

from ledger.store.integrity.cosignature import COSIGNATURE_V1, WitnessVerifier
from ledger.store.integrity.note import Signer, key_id, signature_line, split


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
        return self.at.to_bytes(8) + self.signer.sign(b"cosignature/v1\ntime %d\n" % self.at + text)


class Witness:
    def __init__(self, name: str) -> None:
        self._signer = Signer.generate(name)

    @property
    def verifier(self) -> WitnessVerifier:
        return WitnessVerifier(self._signer.name, self._signer.verifier.public)

    def cosign(self, note: str, at: datetime) -> str:
        """This will give the note with the witness's line."""
        return note + signature_line(_AtTime(self._signer, int(at.timestamp())), split(note)[0].encode())
