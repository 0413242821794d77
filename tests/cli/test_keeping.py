"""migrate, import, project, rebuild and schema."""

import signal
from pathlib import Path

import psycopg

from benchmarks.synthetic_histories import write
from ledger.cli import facts
from ledger.store.migrations import migrations
from tests.cli.conftest import Cli, until

SAMPLE = Path(__file__).parents[1] / "importing/samples/orchard.jsonl"
VIEWS = ["teams", "backlog", "audit", "outcomes", "reviews", "sources", "transparency"]


def test_migrating_again_does_nothing(empty_cli: Cli) -> None:
    first = empty_cli.run("migrate", "--json")
    assert (first.code, first.json()) == (0, {"applied": [step.name for step in migrations()]})
    assert first.err == ""
    again = empty_cli.run("migrate")
    assert (again.code, again.out) == (0, "Nothing to do.\n")


def test_a_ledger_keeps_the_clock_that_it_was_made_with(empty_cli: Cli, empty_database_url: str) -> None:
    assert empty_cli.run("migrate", "--clock", "story").code == 0
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT clock FROM ledger.identity").fetchone() == ("story",)
    other = empty_cli.run("migrate", "--clock", "wall", "--json")
    assert other.code == 1
    assert "story" in other.err
    assert other.out == ""


def test_importing_again_adds_nothing(cli: Cli) -> None:
    first = cli.run("import", str(SAMPLE), "--json")
    assert first.code == 0, first.err
    assert first.err == ""
    (file,) = first.json()["files"]
    assert file["proposals"] == file["proposals_new"] > 0
    assert file["facts_recorded"] > 0
    again = cli.run("import", str(SAMPLE), "--json")
    assert again.code == 0
    assert (again.json()["files"][0]["facts_recorded"], again.json()["files"][0]["events_recorded"]) == (0, 0)
    assert "0 events recorded" in cli.run("import", str(SAMPLE)).out


def test_ctrl_c_in_an_import_says_what_is_recorded_and_how_to_go_on(
    cli: Cli, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    write(path, 12_000, seed=5)
    with psycopg.connect(database_url, autocommit=True) as connection, cli.running("import", str(path)) as importing:

        def has_begun() -> bool:
            return connection.execute("SELECT position > 2000 FROM ledger.head").fetchone() == (True,)

        until(has_begun, importing)
        assert importing.end(signal.SIGINT) == 1
        importing.finish()
    said = "".join(importing.err)
    assert "Interrupted in long.jsonl. Recorded so far: " in said
    assert "Run the same command again: it goes on from there." in said
    assert "Aborted" not in said


def test_a_bad_line_is_named_and_the_rest_goes_on(cli: Cli, database_url: str, tmp_path: Path) -> None:
    good = SAMPLE.read_text().splitlines()
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join([good[0], "{this is no JSON", *good[1:]]) + "\n")
    strict = cli.run("import", str(path), "--strict", "--json")
    assert strict.code == 1
    assert f"{path}:2" in strict.err
    assert strict.json()["stopped"]
    with psycopg.connect(database_url) as connection:
        recorded = "SELECT count(*) FROM ledger.events WHERE topic = 'ProposalSubmitted'"
        assert connection.execute(recorded).fetchone() == (0,)
    found = cli.run("import", str(path), "--json")
    assert found.code == 1
    assert f"{path}:2" in found.err
    (file,) = found.json()["files"]
    assert (file["lines"], file["bad_line_count"], file["proposals_new"]) == (len(good) + 1, 1, len(good))


def test_views_are_followed_once_and_built_again(cli: Cli) -> None:
    assert cli.run("import", str(SAMPLE)).code == 0
    followed = cli.run("project", "--once", "--json")
    assert followed.code == 0, followed.err
    head = followed.json()["position"]
    assert head > 0
    assert followed.json()["views"] == dict.fromkeys(VIEWS, head)
    one = cli.run("rebuild", "backlog")
    assert one.code == 0, one.err
    assert f"backlog: built from {head} facts" in one.out
    every = cli.run("rebuild", "--json")
    assert every.code == 0, every.err
    assert (every.json()["views"], every.json()["position"]) == (VIEWS, head)


def test_following_goes_on_until_it_is_ended(cli: Cli) -> None:
    with cli.running("project", "--json") as process:
        until(lambda: "leads the views" in "".join(process.err), process)
        assert process.end(signal.SIGTERM) == 0
        process.finish()
        assert set(process.document()["views"]) == set(VIEWS)


def test_a_database_without_a_ledger_is_said_to_be_so(empty_cli: Cli) -> None:
    for arguments in (("token", "list"), ("import", str(SAMPLE)), ("serve", "--port", "0")):
        found = empty_cli.run(*arguments, "--json")
        assert (found.code, found.out) == (1, "")
        assert "Run: decision-ledger migrate" in found.err
        assert "Traceback" not in found.err


def test_the_schema_and_the_facts_are_printed(tmp_path: Path) -> None:
    cli = Cli({"LEDGER_DATA_DIR": str(tmp_path)})
    schema = cli.run("schema")
    assert schema.code == 0
    assert "type Query" in schema.out
    catalogue = cli.run("schema", "--facts", "--json")
    assert (catalogue.code, catalogue.err) == (0, "")
    assert catalogue.json() == {"facts": facts.page().rstrip("\n")}
    assert list(tmp_path.iterdir()) == []
