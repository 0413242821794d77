"""Gathers the verbs, and turns what can go wrong into a sentence and an exit code."""

import sys

import psycopg
import rich_click as click
from psycopg_pool import PoolTimeout

from ledger.cli.demo import demo
from ledger.cli.imports import import_
from ledger.cli.migrate import migrate
from ledger.cli.project import project
from ledger.cli.rebuild import rebuild
from ledger.cli.schema import schema
from ledger.cli.serve import serve
from ledger.cli.token import token
from ledger.settings import SettingsError, masked
from ledger.store.embedded import EmbeddedPostgresError
from ledger.store.faults import LedgerUnavailable, StoreFault

CHECK_FAILED, USAGE, UNREACHABLE = 1, 2, 3

click.rich_click.COMMAND_GROUPS = {
    "decision-ledger": [
        {"name": "Run it", "commands": ["demo", "serve", "project"]},
        {"name": "Keep it", "commands": ["migrate", "import", "rebuild", "token", "schema"]},
    ]
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="decision-ledger", message="%(version)s")
def cli() -> None:
    """An event-sourced ledger of technical-debt decisions.

    Without LEDGER_DATABASE_URL a PostgreSQL of its own is started under LEDGER_DATA_DIR, and ends with the last command that uses it.
    """


for verb in (demo, serve, project, migrate, import_, rebuild, token, schema):
    cli.add_command(verb)


def main() -> None:
    """This will run the command line and exit with its code."""
    try:
        cli(prog_name="decision-ledger")
    except SettingsError as error:
        _end(str(error), USAGE)
    except EmbeddedPostgresError as error:
        _end(str(error), UNREACHABLE)
    except (psycopg.OperationalError, PoolTimeout, LedgerUnavailable) as error:
        told = masked(str(error)).strip()
        _end(f"The database can't be reached: {told}\nIs it running, and is LEDGER_DATABASE_URL right?", UNREACHABLE)
    except psycopg.errors.UndefinedTable:
        _end("This database holds no ledger yet. Run: decision-ledger migrate", CHECK_FAILED)
    except StoreFault as error:
        _end(str(error), CHECK_FAILED)


def _end(sentence: str, code: int) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(code)
