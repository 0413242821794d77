"""Receipts: what a mutation answered, held against the ledger as it is now."""

from typing import Any

import msgspec
from msgspec import Struct

from ledger.store.codec import leaf
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.tree import BadProof, verify_inclusion


class NoReceipt(ValueError):  # noqa: N818 - named for what it is
    """A text that holds no receipt."""


class Held(Struct, frozen=True):
    """What became of one fact of a receipt. `wrong` None: it is there as it was recorded."""

    position: int
    wrong: str | None
    #: It is proven to be under the checkpoint; False: that does not reach so far, or there is none.
    sealed: bool = False


class _Fact(Struct):
    position: str
    leaf: str


class _Receipt(Struct):
    facts: list[_Fact]


def receipt(text: bytes) -> list[tuple[int, bytes]]:
    """This will find the receipt in an answer of the API, however deep, and give positions and leaves. Raises NoReceipt."""
    try:
        found = _find(msgspec.json.decode(text))
        facts = msgspec.convert(found, _Receipt).facts
        return [(int(fact.position), bytes.fromhex(fact.leaf)) for fact in facts]
    except (msgspec.DecodeError, ValueError) as error:
        raise NoReceipt(
            'it needs {"facts": [{"position": "…", "leaf": "…"}]}, as `receipt` of a mutation answers'
        ) from error


def check(
    connection: Connection, facts: list[tuple[int, bytes]], checkpoint: Checkpoint | None, tree: LogTree
) -> list[Held]:
    """This will say of each fact whether it is there as it was recorded, and whether it is under the checkpoint."""
    return [_held(connection, position, wanted, checkpoint, tree) for position, wanted in facts]


def _held(connection: Connection, position: int, wanted: bytes, checkpoint: Checkpoint | None, tree: LogTree) -> Held:
    rows = next(reading.rows(connection, position - 1, position), [])
    if not rows:
        return Held(position, "it is lost: the ledger has no fact there")
    (row,) = rows
    if leaf(position, row.recorded_at, row.meta) != wanted:
        return Held(position, "it was altered: another fact is there than the one that was recorded")
    if checkpoint is None or position > checkpoint.size:
        return Held(position, None)
    try:
        proof = tree.inclusion(connection, position, checkpoint.size)
        verify_inclusion(wanted, position - 1, checkpoint.size, proof, checkpoint.root)
    except (BadProof, ValueError) as error:
        return Held(position, f"it is there, but the checkpoint does not cover it: {error}")
    return Held(position, None, sealed=True)


def _find(body: Any) -> Any:
    if isinstance(body, dict):
        if "facts" in body:
            return body
        for value in body.values():
            if (found := _find(value)) is not None:
                return found
    return None
