"""docs/replay.md tells what the code does: its figures come out again, its notebook runs, its pictures say nothing of anybody's."""

import re
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from ledger.replay.history import History

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "replay.md").read_text("utf-8")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = spec_from_file_location("make_replay_page", DOCS / "replay" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures() -> Any:
    return msgspec.json.decode((DOCS / "replay" / "figures.json").read_bytes())


def test_the_demo_gives_the_figures_and_digests_of_the_page(make: ModuleType, figures: Any, story: History) -> None:
    for name, report in make.of_demo(story).items():
        assert make.figures(report) == figures[name], "Make it again: python docs/replay/make.py"
    assert figures["sweep"]["sha256"] == sha256(make.tuned(story).encoded()).hexdigest()


def test_the_page_has_these_figures(make: ModuleType, figures: Any) -> None:
    assert make.page(PAGE, figures) == PAGE
    assert "| KNAPSACK | 8,583 |" in PAGE
    for method in make.read(DOCS / "replay" / "demo.toml").policies:
        assert re.search(rf"^\| {method.method} \|", PAGE, re.MULTILINE), method


def test_one_forced_verdict_is_one_flip(figures: Any) -> None:
    assert figures["one_verdict"]["policies"]["AS_DECIDED"]["flips"] == 1
    assert figures["demo"]["policies"]["AS_DECIDED"] == figures["demo"]["policies"]["what was done"]


def test_every_picture_is_there_and_has_no_letters_of_a_source() -> None:
    named = re.findall(r"!\[[^]]+\]\(replay/(\w+\.svg)\)", PAGE)
    assert len(named) == 7
    for name in named:
        drawn = (DOCS / "replay" / name).read_text("utf-8")
        assert drawn.startswith("<?xml")
        assert "<text" not in drawn  # letters are drawn as paths, and those are of headings and policies only


def test_the_notebook_runs_as_it_stands(story_url: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"url": story_url}
    for block in blocks:
        exec(compile(block, "docs/replay.md", "exec"), names)
    assert names["results"].loc["KNAPSACK", "gain_hours"] > 0
    assert list(names["curves"].columns) == ["CD3", "KNAPSACK", "what was done"]
    assert len(names["curves"]) == len(names["report"].weeks)
    assert len(names["costly"]) == 3
    assert names["costly"]["contribution"].is_monotonic_increasing
