"""Bad scenarios get one clear sentence each, with its place, and nothing is started."""

from pathlib import Path

import pytest

from ledger.replay.history import History
from ledger.replay.scenario import PolicyChoice, Scenario, ScenarioError, parse, read
from ledger.replay.simulating import simulate
from tests.replay.tale import Tale, proposal_id

FIFO = '[[policies]]\nmethod = "FIFO"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("policies = []", "policies: It names no policy."),
        ("", "missing required field `policies`"),
        ("policies = [", "It is no TOML"),
        (FIFO + "[[policies]]\nmethod = 'FIFO'", r"policies\.1: FIFO is there twice"),
        ("capacity_days = -1.0\n" + FIFO, r"capacity_days: -1\.0 cannot be"),
        ("capacity_days = nan\n" + FIFO, "capacity_days: nan cannot be"),
        ("capacity_share = 0.5\ncapacity_days = 2.0\n" + FIFO, "both days and a share"),
        ("runs = 1000000\n" + FIFO, "runs: 1000000 cannot be. Give 0 to 10000"),
        ("every_days = 0\n" + FIFO, "every_days: 0 cannot be"),
        ("from = 2026-01-01T00:00:00Z\nto = 2025-01-01T00:00:00Z\n" + FIFO, "The period is empty"),
        ("from = 2026-01-01T00:00:00\n" + FIFO, "from: It names no time zone"),
        ("weather = 'fine'\n" + FIFO, "unknown field `weather`"),
        ("effort = 'GUESSED'\n" + FIFO, "Invalid enum value 'GUESSED'"),
        ("runs = 'many'\n" + FIFO, "Expected `int`, got `str`"),
        (
            "[[policies]]\nmethod = 'WEIGHTED'\nweights = { drag = 0.5, risk = 0.4 }",
            r"policies\.0\.weights: The weights sum to 0\.9\. Make them sum to 1",
        ),
        ("[[policies]]\nmethod = 'WEIGHTED'", "The weights sum to 0"),
        ("[[policies]]\nmethod = 'WEIGHTED'\nweights = { joy = 1.0 }", "There is no feature joy"),
        (
            "[[policies]]\nmethod = 'WEIGHTED'\nweights = { drag = 1.5, risk = -0.5 }",
            r"policies\.0\.weights\.risk: -0\.5 cannot be",
        ),
        ("[[policies]]\nmethod = 'CD3'\nweights = { drag = 1.0 }", "CD3 weighs nothing"),
        ("[[policies]]\nmethod = 'CD3'\nengineers = 0.0", "engineers: 0.0 cannot be"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        parse(text.encode())


def told() -> History:
    tale = Tale()
    tale.submit(1, 0, days=4, drag=4)
    tale.review(10, yes=(0,))
    return tale.history()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[policies]]\nmethod = 'BEST'", r"policies\.method: There is no policy BEST"),
        ("teams = ['Nobody']\n" + FIFO, r"teams\.0: There is no team Nobody\. There are Team 0"),
        ("from = 2030-01-01T00:00:00Z\n" + FIFO, "from: No review was held in this period"),
        (f"{FIFO}[[forced]]\nproposal = '{proposal_id(0)}'\nreview = 7\nverdict = 'YES'", "held no review 7"),
        (f"{FIFO}[[forced]]\nproposal = '{proposal_id(9)}'\nreview = 1\nverdict = 'YES'", "There is no proposal"),
        (f"{FIFO}[[hypothetical]]\nproposal = '{proposal_id(9)}'\ndays = 2.0", "There is no proposal"),
    ],
)
def test_what_this_log_can_not_give_is_refused_before_anything_runs(text: str, sentence: str) -> None:
    started: list[str] = []
    with pytest.raises(ScenarioError, match=sentence):
        simulate(told(), parse(text.encode()), progress=lambda what, done, total: started.append(what))
    assert started == []


def test_a_yes_to_what_is_not_there_is_refused() -> None:
    tale = Tale()
    tale.review(10)
    tale.submit(15, 0, days=4, drag=4)
    tale.review(20)
    text = f"{FIFO}[[forced]]\nproposal = '{proposal_id(0)}'\nreview = 1\nverdict = 'YES'"
    with pytest.raises(ScenarioError, match="not pending at review 1"):
        simulate(tale.history(), parse(text.encode()))


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml, json = tmp_path / "s.toml", tmp_path / "s.json"
    toml.write_text('name = "n"\nevery_days = 28\nfrom = 2025-01-01T00:00:00Z\n' + FIFO)
    json.write_text('{"name": "n", "every_days": 28, "from": "2025-01-01T00:00:00Z", "policies": [{"method": "FIFO"}]}')
    assert read(toml) == read(json)
    assert read(toml).digest() == read(json).digest()


def test_a_scenario_is_named_by_what_it_says() -> None:
    one, other = Scenario((PolicyChoice("FIFO"),)), Scenario((PolicyChoice("FIFO"),), seed=2)
    assert one.digest() == Scenario((PolicyChoice("FIFO"),)).digest()
    assert one.digest() != other.digest()
    said = Scenario((PolicyChoice("FIFO", engineers=float("1.0")),), capacity_share=float("1.0"))
    assert said.digest() == one.digest()  # what is said is what is left out
