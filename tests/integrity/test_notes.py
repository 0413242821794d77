"""Signed notes, checkpoints and cosignatures: what was signed is read back, and nothing else is believed."""

import string
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.store.integrity.checkpoint import Checkpoint, open_checkpoint, parse
from ledger.store.integrity.cosignature import WitnessVerifier, merged
from ledger.store.integrity.note import (
    BadKey,
    BadNote,
    Signer,
    Verifier,
    open_note,
    sign,
    split,
)
from ledger.store.integrity.tree import Frontier
from tests.integrity.independent import leaf_hash
from tests.integrity.witness import Witness

#: The example of Go's golang.org/x/mod/sumdb/note, which this format comes from.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TEXTS = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1).map(lambda text: text + "\n")


@pytest.fixture
def signer() -> Signer:
    return Signer.generate("ledger.example/log")


def test_a_note_of_the_format_s_home_is_read() -> None:
    opened = open_note(PETER_NOTE, Verifier.parse(PETER_KEY))
    assert opened.text.startswith("If you think")
    assert opened.by == ("PeterNeumann",)
    assert str(Verifier.parse(PETER_KEY)) == PETER_KEY


def test_each_byte_of_a_note_counts(signer: Signer) -> None:
    note = sign("one\ntwo\n", signer).encode()
    for at in range(len(note)):
        changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        with pytest.raises(BadNote):
            open_note(changed, signer.verifier)


@given(TEXTS)
def test_what_was_signed_is_read_back(text: str) -> None:
    signer = Signer.generate("a")
    assert open_note(sign(text, signer), signer.verifier).text == text


def test_a_note_by_another_key_of_the_same_name_is_refused(signer: Signer) -> None:
    with pytest.raises(BadNote, match="did not sign it with this key"):
        open_note(sign("text\n", Signer.generate(signer.name)), signer.verifier)


def test_a_forged_signature_under_the_right_id_is_refused(signer: Signer) -> None:
    forger = Signer.generate(signer.name)
    line = f"— {signer.name} {b64encode(signer.key_id + forger.sign(b'text' + bytes([10]))).decode()}\n"
    with pytest.raises(BadNote, match="is false"):
        open_note("text\n\n" + line, signer.verifier)


def test_unknown_signatures_are_passed_over(signer: Signer) -> None:
    stranger = Signer.generate("stranger")
    assert open_note(sign("text\n", stranger, signer), signer.verifier).by == (signer.name,)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "\n\n— a b\n",
        "text\n\n— a\n",
        "text\n\nno line\n",
        "text\n\n— a YWI=\n",
        "te\txt\n\n— a b\n",
        b"\xff\n\n",
    ],
)
def test_what_is_no_note_is_refused(note: str | bytes, signer: Signer) -> None:
    with pytest.raises(BadNote):
        open_note(note, signer.verifier)


@pytest.mark.parametrize("text", ["", "\n", "no newline", "a\tb\n"])
def test_what_can_be_no_note_is_not_signed(text: str, signer: Signer) -> None:
    with pytest.raises(BadNote):
        sign(text, signer)


def test_a_key_s_id_is_the_hash_of_its_name_and_key(signer: Signer) -> None:
    name, said, body = str(signer.verifier).split("+", 2)
    key = b64decode(body)
    assert key[0] == 1
    assert bytes.fromhex(said) == sha256(name.encode() + b"\n" + key).digest()[:4]


def test_a_private_key_is_read_back_and_not_shown(signer: Signer) -> None:
    again = Signer.parse(signer.secret)
    assert again.verifier == signer.verifier
    assert signer.secret.split("+", 4)[4] not in repr(signer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+b",
        "a+00000000+AQ==",
        "a b+00000000+AQ==",
        PETER_KEY.replace("c74f", "c74e"),
        "PRIVATE+KEY+" + PETER_KEY,
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        Verifier.parse(text)
    with pytest.raises(BadKey):
        Signer.parse(text.removeprefix("PRIVATE+KEY+"))


def test_a_private_key_with_another_s_id_is_refused(signer: Signer) -> None:
    with pytest.raises(BadKey, match="id"):
        Signer.parse(signer.secret.replace(signer.key_id.hex(), "00000000"))


def checkpoint(signer: Signer, size: int) -> Checkpoint:
    frontier = Frontier()
    frontier.extend(leaves(size))
    return Checkpoint(signer.name, size, frontier.root())


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(bytes([number])) for number in range(size)]


def test_a_checkpoint_s_bytes_are_as_specified() -> None:
    found = Checkpoint("ledger.example/log", 8, bytes(range(32)))
    assert found.text == "ledger.example/log\n8\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert parse(found.text) == found
    assert parse(found.text + "an extension\n") == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\n1\n",
        "a\n01\n" + "A" * 43 + "=\n",
        "a\n-1\n" + "A" * 43 + "=\n",
        "a\n1\nAAAA\n",
        "\n1\n" + "A" * 43 + "=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        parse(text)


def test_a_checkpoint_of_another_log_is_refused(signer: Signer) -> None:
    other = Checkpoint("another/log", 8, bytes(32))
    with pytest.raises(BadNote, match="another/log"):
        open_checkpoint(other.signed(signer), signer.verifier)


def test_a_witness_cosigns_at_a_time(signer: Signer) -> None:
    witness = Witness("witness.example")
    note = witness.cosign(checkpoint(signer, 3).signed(signer), NOON)
    assert open_checkpoint(note, signer.verifier, witness.verifier) == checkpoint(signer, 3)
    (_, line) = split(note)[1]
    signature = b64decode(line.split(" ")[2])
    assert len(signature) == 4 + 8 + 64
    assert signature[:4] == sha256(b"witness.example\n\x04" + witness.verifier.public).digest()[:4]
    assert int.from_bytes(signature[4:12]) == int(NOON.timestamp())
    assert WitnessVerifier.parse(str(witness.verifier)) == witness.verifier


def test_a_checkpoint_without_the_wanted_cosignature_is_refused(signer: Signer) -> None:
    witness = Witness("witness.example")
    with pytest.raises(BadNote, match=r"witness\.example did not cosign"):
        open_checkpoint(checkpoint(signer, 3).signed(signer), signer.verifier, witness.verifier)


def test_a_cosignature_whose_time_was_changed_is_false(signer: Signer) -> None:
    witness = Witness("witness.example")
    note = witness.cosign(checkpoint(signer, 3).signed(signer), NOON)
    (_, line) = split(note)[1]
    body = bytearray(b64decode(line.split(" ")[2]))
    body[11] ^= 1
    forged = note.replace(line, f"— witness.example {b64encode(body).decode()}")
    with pytest.raises(BadNote, match="is false"):
        open_checkpoint(forged, signer.verifier, witness.verifier)


def test_cosignatures_are_gathered_on_the_kept_checkpoint(signer: Signer) -> None:
    kept = checkpoint(signer, 3).signed(signer)
    witnesses = [Witness(f"witness{number}.example") for number in range(3)]
    verifiers = [witness.verifier for witness in witnesses[:2]]
    for witness in witnesses:
        kept = merged(kept, witness.cosign(checkpoint(signer, 3).signed(signer), NOON), signer.verifier, verifiers)
    assert open_checkpoint(kept, signer.verifier, *verifiers) == checkpoint(signer, 3)
    assert len(split(kept)[1]) == 3  # the log's own, and not the third, whom nobody knows
    assert merged(kept, kept, signer.verifier, verifiers) == kept
    with pytest.raises(BadNote, match="another checkpoint"):
        merged(kept, checkpoint(signer, 4).signed(signer), signer.verifier, verifiers)


def test_a_signature_has_one_text_only(signer: Signer) -> None:
    note = sign("one\ntwo\n", signer)
    head, _, line = note.rstrip("\n").rpartition("\n")
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    last = line.rstrip("=")[-1]
    twin = alphabet[alphabet.index(last) + 1]  # the same bytes: its last bits are not looked at
    assert b64decode(line.split(" ")[2]) == b64decode(line.replace(f"{last}=", f"{twin}=").split(" ")[2])
    with pytest.raises(BadNote):
        open_note(f"{head}\n{line.replace(f'{last}=', f'{twin}=')}\n", signer.verifier)
