"""The table at the end of a run: what each fault did to a ledger, and what each part of the oracle caught."""

import json
from collections.abc import Callable, Iterator
from textwrap import shorten
from typing import Any

import pytest

from tests.faults.oracle import Found

#: Of what else there is to say, in characters.
SHOWN = 110
FAULT, CAUGHT = "ledger-fault", "ledger-caught"


class Figures:
    """Takes one test's figures. They travel with its report, so that the first process can print those of all workers."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def survived(self, fault: str, found: Found, *, recovered_s: float | None = None, more: str = "") -> None:
        """This will note a fault that was survived, and fail if it was not."""
        figures = {
            "fault": fault,
            "acknowledged": found.acknowledged,
            "lost": found.lost,
            "repeated": found.repeated,
            "gaps": found.gaps,
            "recovered_s": recovered_s,
            "more": more,
        }
        self._record(FAULT, json.dumps(figures))
        assert found.faults == (), found.faults

    def named(self, fault: str, sentence: str, *, after_s: float | None = None) -> None:
        """This will note a fault that is no accident, and what was said of it."""
        self._record(FAULT, json.dumps({"fault": fault, "recovered_s": after_s, "more": sentence}))

    def caught(self, part: str, mutation: str, found: Found) -> None:
        """This will note what a part of the oracle caught, and fail if it did not."""
        said = next((fault for fault in found.faults if fault.startswith(part)), "")
        self._record(CAUGHT, json.dumps({"part": part, "mutation": mutation, "said": said}))
        assert said, f"the mutation {mutation!r} was not seen by {part}: {found}"

    def found_out(self, mutation: str, says: str, check: Callable[..., object], *given: Any) -> None:
        """This will have a fault's own test fail on a product that is broken, for the reason that `says` is a pattern of, and no other.

        `check` is that test. It gets what is given, and figures that nobody sees.
        """
        quiet = Figures(lambda *_: None)
        with pytest.raises((Exception, pytest.fail.Exception), match=says) as seen:
            check(*[quiet if one is self else one for one in given])
        said = " ".join(str(seen.value).split())
        self._record(CAUGHT, json.dumps({"part": "check", "mutation": mutation, "said": f"check: {said[:160]}"}))

    def seen_by_model(self, mutation: str, said: str) -> None:
        """This will note what the model of the rules caught."""
        self._record(CAUGHT, json.dumps({"part": "model", "mutation": mutation, "said": f"model: {said[:160]}"}))


def reported(terminalreporter: Any, name: str) -> Iterator[dict[str, Any]]:
    """This will give what the passed tests recorded under a name, each once."""
    seen = set()
    for report in terminalreporter.stats.get("passed", []):
        for key, value in getattr(report, "user_properties", ()):
            if key == name and (report.nodeid, value) not in seen:
                seen.add((report.nodeid, value))
                yield json.loads(value)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """This will print the tables, where any test of a fault was run."""
    faults = sorted(reported(terminalreporter, FAULT), key=lambda found: str(found["fault"]))
    if faults:
        terminalreporter.section("faults")
        for line in table(faults):
            terminalreporter.write_line(line)
    if caught := sorted(reported(terminalreporter, CAUGHT), key=lambda found: (found["part"], found["mutation"])):
        terminalreporter.section("what the oracle caught")
        for found in caught:
            terminalreporter.write_line(f"{found['part']:<6} {found['mutation']}")
            terminalreporter.write_line(f"       → {found['said'].partition(': ')[2]}")


def table(faults: list[dict[str, Any]]) -> Iterator[str]:
    """This will lay the figures out in columns."""
    width = max(len(str(found["fault"])) for found in faults)
    yield f"{'':<{width}} {'acknowledged':>12} {'lost':>5} {'repeated':>8} {'gaps':>5} {'back after':>11}"
    for found in faults:
        counts = [f"{found[name]:,}" if name in found else "" for name in ("acknowledged", "lost", "repeated", "gaps")]
        back = "" if found["recovered_s"] is None else f"{found['recovered_s']:.2f} s"
        line = f"{found['fault']:<{width}} {counts[0]:>12} {counts[1]:>5} {counts[2]:>8} {counts[3]:>5} {back:>11}"
        yield f"{line}  {shorten(found['more'], SHOWN, placeholder=' …')}".rstrip()


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    return Figures(record_property)
