"""Help, mistakes in what was typed, and a database that isn't there."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import rich_click as click
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.cli.main import VERBS, cli
from tests.cli.conftest import PROGRAM, Cli, environment

SECRET = "open-sesame"
#: Nothing listens on port 1.
DEAD = f"postgresql://ledger:{SECRET}@127.0.0.1:1/ledger"


def paths() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in VERBS:
        verb = cli.get_command(click.Context(cli), name)
        found += [(name, below) for below in verb.commands] if isinstance(verb, click.Group) else [(name,)]
    return found


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_each_verb_says_what_it_does_with_examples(path: tuple[str, ...]) -> None:
    found = CliRunner().invoke(cli, [*path, "--help"], prog_name="decision-ledger", env={"COLUMNS": "200"})
    assert found.exit_code == 0
    assert f"decision-ledger {' '.join(path)}" in found.output.replace("Usage: decision-ledger", "")
    assert "--json" in found.output


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_each_option_is_named_whole_in_a_narrow_terminal(path: tuple[str, ...]) -> None:
    verb: click.Command = cli
    for name in path:
        verb = verb.get_command(click.Context(verb), name)  # type: ignore[attr-defined]
    found = CliRunner().invoke(cli, [*path, "--help"], prog_name="decision-ledger", env={"COLUMNS": "80"})
    names = {name for option in verb.params for name in option.opts if name.startswith("--")}
    assert {name for name in names if not re.search(rf"{name}\s", found.output)} == set()
    assert "…" not in found.output.split("─ Options ─")[1]
    assert "%Y" not in found.output


def test_the_program_lists_its_verbs(tmp_path: Path) -> None:
    found = Cli({"LEDGER_DATA_DIR": str(tmp_path)}).run("--help")
    assert found.code == 0
    assert all(f" {verb} " in found.out for verb in VERBS)


def test_the_list_of_verbs_loads_no_web() -> None:
    script = """
import sys
from ledger.cli.main import cli
cli(["--help"], standalone_mode=False)
print(sorted({"litestar", "strawberry", "uvicorn", "matplotlib"} & set(sys.modules)), file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nonsense",), "nonsense"),
        (("migrate", "--clock", "sun"), "wall"),
        (("import",), "FILES"),
        (("import", "no-such-file.jsonl"), "no-such-file.jsonl"),
        (("import", str(Path(__file__)), "--format", "csv"), "histories"),
        (("rebuild", "nonsense"), "backlog"),
        (("serve", "--port", "65536"), "65536"),
        (("schema", "--facts", "--roles"), "one of them"),
        (("token", "create", " "), "NAME"),
        (("token", "create", "Ada", "--role", "ENGINEER"), "--team"),
        (("token", "create", "Ada", "--role", "STEWARD", "--team", "7f0c0000-0000-4000-8000-000000000000"), "leave"),
        (("token", "create", "Ada", "--team", "7f0c0000-0000-4000-8000-000000000000"), "--role"),
        (("token", "create", "Ada", "--days", "0"), "366"),
        (("token", "revoke", "nonsense"), "UUID"),
        (("member", "link", "Ada", "--subject", ""), "1 to 255 characters"),
        (("report", "924dc5bd-6b32-56b8-b6ca-874aeab220d4", "--out", "story.pdf"), ".html or .md"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_mistake_in_what_was_typed_is_2(arguments: tuple[str, ...], says: str) -> None:
    found = CliRunner().invoke(cli, list(arguments), prog_name="decision-ledger", env={"COLUMNS": "200"})
    assert found.exit_code == 2
    assert says in found.stderr
    assert found.stdout == ""


def test_a_pipe_or_a_compressed_file_is_no_history(tmp_path: Path) -> None:
    packed, pipe = tmp_path / "history.jsonl.gz", tmp_path / "pipe"
    packed.write_bytes(gzip.compress(b"{}\n"))
    os.mkfifo(pipe)
    for path, says in ((packed, "is compressed. Unpack it first."), (pipe, "Write it to a file first.")):
        found = Cli({"LEDGER_DATABASE_URL": DEAD, "LEDGER_DATA_DIR": str(tmp_path)}).run("import", str(path))
        assert (found.code, found.out) == (2, "")
        assert found.err.startswith(f"Error: {path} ")
        assert says in found.err


def test_a_setting_that_cannot_be_is_2(tmp_path: Path) -> None:
    cli = Cli({"LEDGER_DATA_DIR": str(tmp_path)})
    found = cli.run("migrate", "--json", LEDGER_PORT="eighty", LEDGER_DATABASE_URL=f"mysql://me:{SECRET}@here/x")
    assert found.code == 2
    assert "LEDGER_PORT" in found.err
    assert "LEDGER_DATABASE_URL" in found.err
    assert SECRET not in found.err
    assert found.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("migrate",),
        ("import", str(Path(__file__).parents[1] / "importing/samples/orchard.jsonl")),
        ("project", "--once"),
        ("token", "list"),
        ("serve", "--port", "0"),
    ],
    ids=" ".join,
)
def test_a_database_that_cannot_be_reached_is_3(arguments: tuple[str, ...], tmp_path: Path) -> None:
    found = Cli({"LEDGER_DATABASE_URL": DEAD, "LEDGER_DATA_DIR": str(tmp_path)}).run(*arguments, "--json")
    assert found.code == 3
    assert "can't be reached" in found.err
    assert "Traceback" not in found.err
    assert SECRET not in found.err
    assert found.out == ""


def test_an_answer_that_cannot_be_written_is_2() -> None:
    with open("/dev/full", "wb") as full:
        found = subprocess.run(
            [*PROGRAM, "schema"], env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert found.returncode == 2
    assert found.stderr.startswith("Error: The answer can't be written: No space left on device.")


@pytest.mark.parametrize(
    "arguments",
    [("export", "{}/facts.jsonl"), ("seal", "--once", "--folder", "{}/sealed"), ("seal", "--once", "--key", "{}/key")],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_named_and_is_2(cli: Cli, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    found = cli.run(*(each.format(tmp_path / "file") for each in arguments))
    assert (found.code, found.out) == (2, "")
    assert f"Error: {tmp_path / 'file'}" in found.err
    assert "Traceback" not in found.err


def test_a_login_that_may_not_is_told_so(cli: Cli, database_url: str) -> None:
    login = f"stranger_{uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'p'")  # type: ignore[arg-type]
        try:
            url = make_conninfo(database_url, user=login, password="p")
            parts = conninfo_to_dict(url)
            stranger = f"postgresql://{login}:p@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"
            found = cli.run("token", "list", LEDGER_DATABASE_URL=stranger)
        finally:
            connection.execute(f"DROP ROLE {login}")  # type: ignore[arg-type]
    assert (found.code, found.out) == (1, "")
    assert "Error: This login of the database may not do that: permission denied" in found.err
    assert "Traceback" not in found.err
