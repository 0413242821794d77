"""A superuser who gets round every guard: what they did is found and named, and where."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.integrity import checking, reading, verifying
from tests.cli.conftest import Cli
from tests.faults.figures import Figures
from tests.faults.oracle import Book, examine
from tests.faults.outside import Outside
from tests.faults.test_oracle import remember
from tests.integrity.conftest import do
from tests.integrity.test_tampering import REHASH


class Deed(NamedTuple):
    """What was done, and what must be said of it."""

    statements: tuple[str, ...]
    position: int
    says: str
    #: The parts of the oracle that see it too.
    parts: set[str]


DEEDS = {
    "edit": Deed(
        (
            "UPDATE ledger.events SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE position = 120",
            REHASH,
        ),
        120,
        "it is not the fact that the checkpoint was signed over",
        {"once", "root"},
    ),
    "delete": Deed(
        ("DELETE FROM ledger.events WHERE position = 120",), 120, "the fact is missing", {"once", "order", "root"}
    ),
    "truncation": Deed(("TRUNCATE ledger.events",), 1, "the facts up to 160 are missing", {"once", "order", "root"}),
    "truncation, tidied up": Deed(
        (
            "TRUNCATE ledger.events",
            "TRUNCATE ledger.commands",
            "UPDATE ledger.head SET position = 0, recorded_at = '-infinity'",
        ),
        1,
        "the tail is cut off",
        {"once", "root"},
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        name if name in ("edit", "truncation, tidied up") else pytest.param(name, marks=pytest.mark.faults)
        for name in DEEDS
    ],
)
def test_it_is_found_and_named(
    database_url: str, ledger: Ledger, outside: Outside, tmp_path: Path, figures: Figures, name: str
) -> None:
    deed, book = DEEDS[name], Book()
    for _ in range(80):
        remember(book, ledger)
    outside.seal(database_url)
    with psycopg.connect(database_url, autocommit=True) as superuser:
        do(superuser, deed.statements)
    begun = time.monotonic()
    cli = Cli({"LEDGER_DATABASE_URL": database_url, "LEDGER_DATA_DIR": str(tmp_path)})
    found = cli.run("verify", "--json", "--folder", str(outside.kept.folder))
    took_s = time.monotonic() - begun
    assert found.code == 1
    fault = found.json()["fault"]
    assert fault["position"] == deed.position
    assert deed.says in fault["message"]
    seen = examine(database_url, book, checkpoint=outside.checkpoint())
    assert seen.parts == deed.parts
    figures.named(f"a superuser's {name}", f"found: position {fault['position']}: {fault['message']}", after_s=took_s)


# So that the test above can fail.


def nothing_wrong(*_: Any, **__: Any) -> None:
    """A part of the verifier that looks at nothing."""


NO_CHECKPOINT = ("checkpoint", verifying, "against", nothing_wrong)
#: By deed: what a verifier would have to leave out, or take on trust, for it to stay unnamed or be named elsewhere.
LEFT_OUT: dict[str, tuple[tuple[str, Any, str, Any], ...]] = {
    "edit": (NO_CHECKPOINT,),
    "delete": (("order", checking, "_hold", lambda *_: True), ("neighbours", checking, "_follow", nothing_wrong)),
    "truncation": (NO_CHECKPOINT, ("head", reading, "head", reading.last)),
    "truncation, tidied up": (NO_CHECKPOINT,),
}


@pytest.mark.parametrize("name", DEEDS)
def test_a_verifier_that_leaves_something_out_is_found_out(
    database_url: str, ledger: Ledger, outside: Outside, figures: Figures, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    deed = DEEDS[name]
    for _ in range(80):
        remember(Book(), ledger)
    outside.seal(database_url)
    with psycopg.connect(database_url, autocommit=True) as superuser:
        do(superuser, deed.statements)

    def named() -> None:
        fault = verifying.verify(database_url, checkpoint=outside.checkpoint(), kept=outside.kept.tiles).fault
        at = fault and fault.position
        assert at == deed.position

    named()
    for _, module, part, left in LEFT_OUT[name]:
        monkeypatch.setattr(module, part, left)
    parts = " and ".join(part for part, *_ in LEFT_OUT[name])
    figures.found_out(f"a verifier that looks at no {parts}, and a superuser's {name}", f"== {deed.position}", named)
