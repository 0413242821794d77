"""`decision-ledger serve`, and the options that it shares with `demo`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import rich_click as click

from ledger.cli.running import USAGE, Failed, answer, as_json, database
from ledger.settings import PORT_MAX, WORKERS_MAX, Settings

F = TypeVar("F", bound=Callable[..., Any])


def listening(command: F) -> F:
    """This will give a verb `--host`, `--port` and `--workers`, which go before the environment."""
    for option in (
        click.option(
            "--workers", type=click.IntRange(1, WORKERS_MAX), help="Processes that answer (LEDGER_WORKERS, 1)."
        ),
        click.option("--port", type=click.IntRange(0, PORT_MAX), help="Port; 0: any that is free (LEDGER_PORT, 8000)."),
        click.option("--host", help="Address to listen on (LEDGER_HOST, 127.0.0.1)."),
    ):
        command = option(command)
    return command


def settled(host: str | None, port: int | None, workers: int | None) -> Settings:
    """This will give the environment's settings with what the command line says instead."""
    given = {"host": host, "port": port, "workers": workers}
    return replace(Settings.from_environment(), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


@click.command()
@listening
@as_json
def serve(host: str | None, port: int | None, workers: int | None, json: bool) -> None:
    """Serve the GraphQL API until Ctrl-C. It follows the facts itself unless LEDGER_FOLLOW=no.

    \b
    decision-ledger serve                     on a PostgreSQL of its own
    LEDGER_DATABASE_URL=postgresql://… decision-ledger serve --host 0.0.0.0 --workers 4
    """
    settings = settled(host, port, workers)
    with database(settings, migrated=True) as url:
        served(
            replace(settings, database_url=url),
            lambda address: answer(
                {"address": address, "graphql": f"{address}/graphql"},
                f"The ledger answers at {address}/graphql. Make a token with: decision-ledger token create --help",
                json=json,
            ),
        )


def served(settings: Settings, ready: Callable[[str], None]) -> None:
    """This will serve until Ctrl-C or a plain kill, both of which are a proper end. Raises Failed."""
    from ledger import app  # noqa: PLC0415 - the web takes a second to load, and nobody's help needs it

    try:
        app.serve(settings, follow=settings.follow, ready=ready)
    except KeyboardInterrupt:
        pass  # uvicorn raises it again once it has ended
    except app.NotListening as error:
        raise Failed(str(error), USAGE) from error
    except (app.NotStarted, app.NotMigrated) as error:
        raise Failed(str(error)) from error
