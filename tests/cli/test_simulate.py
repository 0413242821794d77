"""`decision-ledger simulate`, `sweep`, `forecast` and `calibrate`, as a product manager would use them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.replay.conftest import story_url

__all__ = ["story_url"]


def failing(table: object) -> object:
    return 1 / 0


FAILS_IN = failing.__code__.co_firstlineno + 1


def environment(url: str, folder: Path) -> dict[str, str]:
    return {**os.environ, "LEDGER_DATABASE_URL": url, "LEDGER_DATA_DIR": str(folder), "COLUMNS": "170"}


def run(url: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ledger.cli", *arguments]
    return subprocess.run(
        command, env=environment(url, folder), capture_output=True, text=True, timeout=300, check=False
    )


def simulate(url: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run(url, folder, "simulate", *arguments)


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
        (("--area", "component:default/nowhere"), "There is no area component:default/nowhere"),
        (("--runs", "1000000"), "'--runs': 1000000 is not in the range"),
        (("--every-days", "0"), "'--every-days': 0 is not in the range"),
        (("--team", " "), "There is no team"),
        (("--position", "1"), "can't be run. No review was held in this period. Widen it, or give --every-days."),
        (("--policy", "CD3", "--policy", "CD3"), "--policy: CD3 is there twice"),
        (
            ("--policy", "nowhere:policy"),
            "--policy: The policy nowhere:policy can't be loaded: No module named 'nowhere'",
        ),
        (("--policy", f"{__name__}:failing"), f"failing failed in line {FAILS_IN} of {__file__}: ZeroDivisionError"),
        (("--policy", "math:sqrt"), "The policy math:sqrt failed: TypeError"),
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


def test_an_area_is_replayed_apart_and_an_earlier_position_is_the_same_again(story_url: str, tmp_path: Path) -> None:
    given = ("--policy", "CD3", "--team", "Checkout", "--json")
    areas = simulate(story_url, tmp_path, *given, "--area", "component:default/checkout")
    whole, again = (simulate(story_url, tmp_path, *given, "--position", "900") for _ in range(2))
    assert areas.returncode == whole.returncode == 0, areas.stderr + whole.stderr
    assert whole.stdout == again.stdout
    assert json.loads(whole.stdout)["last_position"] == 900
    part = json.loads(areas.stdout)
    assert 0 < part["actual"]["chosen"] < json.loads(simulate(story_url, tmp_path, *given).stdout)["actual"]["chosen"]
    assert (part["actual"]["flips_count"], part["actual"]["hindsight_check"]) == (0, "PASSED")


def test_a_sweep_says_what_was_tried_and_what_held_later_the_same_on_two_processes(
    story_url: str, tmp_path: Path
) -> None:
    picture = tmp_path / "front.svg"
    shown = run(story_url, tmp_path, "sweep", "--policies", "60", "--plot", str(picture))
    assert shown.returncode == 0, shown.stderr
    assert "66 policies were tried" in shown.stdout
    assert picture.read_text().startswith("<?xml")
    one = run(story_url, tmp_path, "sweep", "--policies", "60", "--json")
    two = run(story_url, tmp_path, "sweep", "--policies", "60", "--json", "--processes", "2")
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    assert one.stdout == two.stdout
    assert len(json.loads(one.stdout)["best"]) == 10


def test_a_forecast_and_a_calibration_have_a_table_a_picture_and_json(story_url: str, tmp_path: Path) -> None:
    for verb, words, name in (
        (("forecast", "5"), "Checkout", "forecasts"),
        (("calibrate",), "median", "calibrations"),
    ):
        picture = tmp_path / f"{verb[0]}.png"
        shown = run(story_url, tmp_path, *verb, "--plot", str(picture))
        assert shown.returncode == 0, shown.stderr
        assert words in shown.stdout
        assert picture.read_bytes().startswith(b"\x89PNG")
        said = json.loads(run(story_url, tmp_path, *verb, "--json").stdout)
        assert {one["team"] for one in said[name]} >= {"Checkout", "Platform"}
    unknown = run(story_url, tmp_path, "forecast", "5", "--team", "Nobody")
    assert unknown.returncode == 2
    assert "There is no team Nobody" in " ".join(unknown.stderr.split())
    assert "Organisation" not in unknown.stderr


def test_ctrl_c_ends_a_sweep_and_its_workers(story_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ledger.cli", "sweep", "--policies", "50000", "--processes", "2"]
    with subprocess.Popen(
        command,
        env=environment(story_url, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while len(of_session(process.pid)) < 3:  # itself, and the workers
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Traceback" not in told
    deadline = time.monotonic() + 10
    while of_session(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def of_session(session: int) -> list[int]:
    """The processes that were started from one, by their session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found
