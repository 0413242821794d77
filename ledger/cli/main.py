"""Gathers the verbs, and turns what can go wrong into a sentence and an exit code."""

import sys
from importlib import import_module

import psycopg
import rich_click as click
from psycopg_pool import PoolTimeout

from ledger.cli.running import CHECK_FAILED, UNREACHABLE, USAGE, Failed
from ledger.settings import SettingsError, masked
from ledger.store.embedded import EmbeddedPostgresError
from ledger.store.faults import LedgerUnavailable, StoreFault

#: Each verb's module under `ledger.cli`, and its name there. One is loaded when it is asked for: the web alone takes a second.
VERBS = {
    "demo": ("demo", "demo"),
    "serve": ("serve", "serve"),
    "project": ("project", "project"),
    "migrate": ("migrate", "migrate"),
    "import": ("imports", "import_"),
    "rebuild": ("rebuild", "rebuild"),
    "token": ("token", "token"),
    "member": ("member", "member"),
    "webhook": ("webhook", "webhook"),
    "seal": ("seal", "seal"),
    "verify": ("verify", "verify"),
    "receipt": ("receipt", "receipt"),
    "export": ("export", "export"),
    "report": ("report", "report"),
    "redact": ("redact", "redact"),
    "simulate": ("simulate", "simulate_"),
    "sweep": ("sweep", "sweep_"),
    "forecast": ("forecast", "forecast_"),
    "calibrate": ("forecast", "calibrate"),
    "schema": ("schema", "schema"),
}

click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
# What an option takes stands behind its words: a column of its own leaves a narrow terminal no room for the option's name.
click.rich_click.OPTIONS_TABLE_COLUMN_TYPES = ["required", "opt_long", "opt_short", "help"]
click.rich_click.OPTIONS_TABLE_HELP_SECTIONS = ["help", "deprecated", "metavar", "default", "required"]
click.rich_click.COMMAND_GROUPS = {
    "decision-ledger": [
        {"name": "Run it", "commands": ["demo", "serve", "project"]},
        {
            "name": "Keep it",
            "commands": ["migrate", "import", "export", "report", "rebuild", "token", "member", "webhook", "schema"],
        },
        {"name": "Look back", "commands": ["simulate", "sweep", "forecast", "calibrate"]},
        {"name": "Prove it", "commands": ["seal", "verify", "receipt", "redact"]},
    ]
}


class Verbs(click.RichGroup):
    """The verbs, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """This will name all verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """This will load a verb; None: there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module, name = VERBS[cmd_name]
        found: click.Command = getattr(import_module(f"ledger.cli.{module}"), name)
        return found


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="decision-ledger", message="%(version)s")
def cli() -> None:
    """An event-sourced ledger of technical-debt decisions.

    Without LEDGER_DATABASE_URL a PostgreSQL of its own is started under LEDGER_DATA_DIR, and ends with the last command that uses it.

    \b
    decision-ledger demo                  a story of three teams, served
    decision-ledger import peps.jsonl     a history of one's own
    decision-ledger serve                 the API
    """


def main() -> None:
    """This will run the command line and exit with its code."""
    try:
        cli(prog_name="decision-ledger")
    except Failed as failed:
        _end(str(failed), failed.code)
    except SettingsError as error:
        _end(str(error), USAGE)
    except EmbeddedPostgresError as error:
        _end(str(error), UNREACHABLE)
    except (psycopg.OperationalError, PoolTimeout, LedgerUnavailable) as error:
        told, _, _ = masked(str(error)).strip().partition("\n")
        _end(f"The database can't be reached: {told}\nIs it running, and is LEDGER_DATABASE_URL right?", UNREACHABLE)
    except psycopg.errors.UndefinedTable:
        _end("This database holds no ledger yet. Run: decision-ledger migrate", CHECK_FAILED)
    except psycopg.errors.InsufficientPrivilege as error:
        told, _, _ = str(error).partition("\n")
        _end(
            f"This login of the database may not do that: {told}. What it needs is in docs/operations.md.", CHECK_FAILED
        )
    except StoreFault as error:
        _end(str(error), CHECK_FAILED)
    except OSError as error:
        if error.strerror is None:
            raise
        place = "The answer can't be written" if error.filename is None else error.filename
        _end(f"{place}: {error.strerror}. Choose another place, or make this one fit.", USAGE)


def _end(sentence: str, code: int) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(code)
