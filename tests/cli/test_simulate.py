"""`decision-ledger simulate`, as a product manager would use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.conftest import story_url

__all__ = ["story_url"]


def simulate(url: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LEDGER_DATABASE_URL": url, "LEDGER_DATA_DIR": str(folder), "COLUMNS": "170"}
    command = [sys.executable, "-m", "ledger.cli", "simulate", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_scenario_gives_a_table_a_picture_and_the_same_bytes_again(story_url: str, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('name = "Would cost of delay have done better?"\n[[policies]]\nmethod = "CD3"\n')
    picture, out = tmp_path / "out.svg", tmp_path / "out.json"
    shown = simulate(story_url, tmp_path, str(scenario), "--plot", str(picture), "--out", str(out))
    assert shown.returncode == 0, shown.stderr
    assert "Would cost of delay have done better?" in shown.stdout
    assert "what was done" in shown.stdout
    assert "passed" in shown.stdout
    assert picture.read_text().startswith("<?xml")
    first, drawn = out.read_bytes(), picture.read_bytes()
    again = simulate(story_url, tmp_path, str(scenario), "--json", "--plot", str(picture))
    assert again.stdout.encode().strip() == first
    assert picture.read_bytes() == drawn
    assert json.loads(first)["results"][0]["hindsight_check"] == "PASSED"


def test_a_policy_that_peeks_ends_with_1(story_url: str, tmp_path: Path) -> None:
    found = simulate(story_url, tmp_path, "--policy", "tests.replay.peekers:actuals")
    assert found.returncode == 1
    assert "failed" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--policy", "BEST"), "There is no policy BEST"),
        (("--team", "Nobody"), "There is no team Nobody"),
        (("--runs", "1000000"), "1000000 cannot be"),
        (("--policy", "CD3", "--plot", "picture.txt"), "neither .svg nor .png"),
        (("--policy", "CD3", "--scheduler", "nowhere"), "No Dask scheduler answers"),
    ],
)
def test_what_can_not_be_is_one_sentence_and_2(
    story_url: str, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    found = simulate(story_url, tmp_path, *arguments)
    assert found.returncode == 2
    assert sentence in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
