"""Whoever takes a copy out leaves a trace of it."""

from pathlib import Path

import psycopg

from tests.cli.conftest import Cli


def test_an_export_is_recorded_before_its_file_is_there(cli: Cli, database_url: str, tmp_path: Path) -> None:
    exported = cli.run("export", str(tmp_path / "facts.jsonl"), "--json")
    assert exported.code == 0, exported.err
    again = cli.run("export", str(tmp_path / "facts.jsonl"))
    assert again.code == 1
    assert cli.run("export", "-").code == 0
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT kind, subject, member_id FROM directory.access ORDER BY access_id"
        ).fetchall()
    assert found == [("EXPORTED", "0 facts, all there are, as JSON Lines", None)] * 2
