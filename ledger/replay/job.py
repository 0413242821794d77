"""One simulation in a process of its own: a request on stdin, lines of JSON on stdout, and an end when its parent ends.

`python -m ledger.replay.job`. The parent keeps stdin open: when that closes, this process ends at once.
"""

import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ledger.replay.loading import load
from ledger.replay.report import Check, Report
from ledger.replay.scenario import Scenario, ScenarioError
from ledger.replay.simulating import simulate

#: Others go first.
NICE = 10
#: Shortest time between two words about progress, in seconds.
TELL_S = 0.1


class Request(Struct, frozen=True):
    """What is to be run, and in how much memory."""

    url: str
    scenario: Scenario
    cache: str | None
    memory_bytes: int


class Said(Struct, frozen=True, omit_defaults=True):
    """One line: what is being done; or why it can't be; or the report, with what is recorded of it."""

    doing: str = ""
    done: int = 0
    total: int = 0
    refused: str = ""
    report: Report | None = None


def untitled(report: Report) -> Report:
    """This will take out of a report what is read from the log whenever it is shown: the titles of proposals, and the scenario's name."""
    results = [
        replace(
            result,
            flips=tuple(replace(flip, title="") for flip in result.flips),
            starved=tuple(replace(item, title="") for item in result.starved),
        )
        for result in (report.actual, *report.results)
    ]
    return replace(report, scenario=replace(report.scenario, name=""), actual=results[0], results=tuple(results[1:]))


def passed(report: Report) -> bool:
    """This will say whether no policy knew at any review what came later."""
    return all(result.hindsight_check is not Check.FAILED for result in (report.actual, *report.results))


def main() -> None:
    """This will run what stdin asks for."""
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):
        os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (request.memory_bytes, request.memory_bytes))
    try:
        moved = _teller()
        history = load(
            request.url,
            None if request.cache is None else Path(request.cache),
            lambda done, total: moved("Reading the log", done, total),
        )
        report = simulate(history, request.scenario, own_policies=False, progress=moved)
        _say(Said(report=untitled(report)))
    except ScenarioError as error:
        _say(Said(refused=str(error)))
    except MemoryError:
        _say(
            Said(refused="It needs more memory than a simulation may have. Ask for a shorter period or fewer policies.")
        )


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _teller() -> Callable[[str, int, int], None]:
    last, before = 0.0, ""

    def moved(what: str, done: int, total: int) -> None:
        nonlocal last, before
        if what != before or done == total or monotonic() - last >= TELL_S:
            last, before = monotonic(), what
            _say(Said(what, done, total))

    return moved


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
