"""Histories of the schema that the import reads, made up from a seed: for measuring, and for tests that need many facts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

BEGIN = datetime(2015, 1, 1, tzinfo=UTC)
TEXT = (
    """the queue retries a lost order twice and nobody knows which of the three caches answers first when it restarts"""
)
WORDS = TEXT.split()


def records(proposals: int, seed: int) -> Iterator[dict[str, Any]]:
    """This will make up proposals with six to nine facts each."""
    random = Random(seed)
    for number in range(1, proposals + 1):
        yield _record(random, number)


def write(path: Path, proposals: int, seed: int = 1) -> int:
    """This will write a history of so many proposals, and give its number of facts with the business cases."""
    facts = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records(proposals, seed):
            facts += len(record["facts"]) + 1
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
    return facts


def _record(random: Random, number: int) -> dict[str, Any]:
    at = BEGIN + timedelta(minutes=random.randrange(60 * 24 * 2_000))
    facts: list[dict[str, Any]] = []

    def add(kind: str, **words: Any) -> None:
        nonlocal at
        at += timedelta(hours=random.randrange(1, 400))
        moment = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        person = f"engineer {random.randrange(60)}"
        facts.append({"seq": len(facts) + 1, "type": kind, "at": moment, "at_source": "commit", **words})
        facts[-1].update(recorded_at=moment, recorded_by=person, commit=f"{random.getrandbits(160):040x}")

    def text(words: int) -> str:
        return " ".join(random.choices(WORDS, k=words))

    person = f"engineer {random.randrange(60)}"
    add("proposed", by=[person])
    recorded_at = facts[0]["recorded_at"]
    hours = random.randrange(1, 200)
    add("estimated", estimate={"value": hours, "unit": "hours"})
    add("status_changed", status_raw={"from": "Draft", "to": "Review"})
    if random.random() < 0.4:
        more = hours + random.randrange(1, 80)
        add("re-estimated", estimate={"value": more, "previous": hours, "unit": "hours"})
    if random.random() < 0.2:
        add("decided", verdict="deferred", status_raw={"from": "Review", "to": "Deferred"}, reason=text(20))
        add("reproposed", status_raw={"from": "Deferred", "to": "Draft"}, commit_message=text(8))
    if random.random() < 0.7:
        add("decided", verdict="accepted", status_raw={"from": "Review", "to": "Accepted"}, by=["the board"])
        add("started")
        add("completed", actual={"value": hours * random.uniform(0.5, 2), "unit": "hours"})
    else:
        add("decided", verdict="rejected", status_raw={"from": "Review", "to": "Rejected"}, reason=text(40))
        add("evidence_recorded", resolution_raw=f"https://example.org/{number}")
        add("status_changed", status_raw={"from": "Rejected", "to": "Closed"})
    return {
        "id": f"debt-{number:06}",
        "title": text(6),
        "kind": random.choice(["code", "tests", "build"]),
        "proposers": [person],
        "component": f"component:default/{random.choice(WORDS)}",
        "source": {"repo": "example/synthetic", "url": f"https://example.org/debts/{number}"},
        "business_case": {"text": text(60), "recorded_at": recorded_at},
        "facts": facts,
    }
