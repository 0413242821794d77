"""The README does what it says: its commands run, and its queries get the answers that stand beside them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
#: What a test of the tests can't run whole: `make test` is this very run, and the containers have their own trial.
ELSEWHERE = (
    "make ",
    "docker-compose ",
    "python3 -m ",
    ".venv/bin/decision-ledger demo",
    ".venv/bin/decision-ledger serve",
)
#: What docker-compose.yml asks for.
SECRETS = ("POSTGRES_PASSWORD", "LEDGER_LOGIN_PASSWORD", "LEDGER_TOKEN_PEPPER")


class Demo(NamedTuple):
    graphql: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    environment = {**os.environ, "LEDGER_DATA_DIR": str(tmp_path_factory.mktemp("readme"))}
    environment.pop("LEDGER_DATABASE_URL", None)
    command = [BIN / "decision-ledger", "demo", "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        yield Demo(document["graphql"], document["tokens"])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def pairs() -> list[tuple[str, Any]]:
    kinds = [kind for kind, _ in BLOCKS]
    return [
        (text, json.loads(BLOCKS[index + 1][1]))
        for index, (kind, text) in enumerate(BLOCKS)
        if kind == "graphql" and kinds[index + 1] == "json"
    ]


def commands() -> list[str]:
    return [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]


def test_each_query_has_the_answer_that_stands_beside_it(demo: Demo) -> None:
    assert len(pairs()) == len([kind for kind, _ in BLOCKS if kind == "graphql"]) >= 4
    for query, expected in pairs():
        role = "ENGINEER" if "mutation" in query else "AUDITOR"
        headers = {"Authorization": f"Bearer {demo.tokens[role]}"}
        answer = httpx.post(demo.graphql, json={"query": query}, headers=headers, timeout=30).json()
        assert answer.get("errors") is None, query
        assert answer["data"] == expected, query


@pytest.mark.parametrize("command", [line for line in commands() if not line.startswith(ELSEWHERE)])
def test_each_command_runs(command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.getbasetemp() / "readme-commands"
    environment = {**os.environ, "LEDGER_DATA_DIR": str(data)}
    environment.pop("LEDGER_DATABASE_URL", None)
    run = subprocess.run(
        command.replace(".venv/bin/", f"{BIN}/"),
        shell=True,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_each_make_target_is_there() -> None:
    targets = [line.split()[1] for line in commands() if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_plain_pip_lines_are_those_of_the_makefile() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8").replace("$(PYTHON)", "python3").replace("$(BIN)", ".venv/bin")
    lines = [line for line in commands() if line.startswith("python3 -m ")]
    assert len(lines) == 3
    for line in lines:
        assert line in recipe.replace("--quiet ", "")


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="no docker-compose here")
def test_the_composition_is_well_formed_and_asks_for_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "no.env").touch()
    plain = {name: value for name, value in os.environ.items() if name not in SECRETS}
    secrets = {**plain, **dict.fromkeys(SECRETS, "0" * 64)}
    config = ["docker-compose", "--env-file", str(tmp_path / "no.env"), "config", "-q"]
    assert subprocess.run(config, cwd=ROOT, env=secrets, check=False, capture_output=True).returncode == 0
    refused = subprocess.run(config, cwd=ROOT, env=plain, check=False, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "make env" in refused.stderr


def test_each_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
