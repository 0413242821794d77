"""What the verbs about replays share: the history, bars, workers, and their errors as sentences."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.cli.running import USAGE, Failed, console, database
from ledger.replay import History, Report, ScenarioError, SchedulerError, Swept, executor, load
from ledger.replay.keeping import CACHE
from ledger.replay.picture import PlotError, check
from ledger.replay.scenario import EVERY_DAYS_MAX
from ledger.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", Report, Swept)
Moved = Callable[[str, int, int], None]
#: The options that set a scenario's keys.
OPTIONS = {"policies": "--policy", "teams": "--team", "areas": "--area", "every_days": "--every-days", "runs": "--runs"}


def upto(command: F) -> F:
    """This will give a verb its `--position`."""
    return click.option(
        "--position", type=click.IntRange(1), help="Replay the facts up to this position only: the same again later."
    )(command)


def workers(command: F) -> F:
    """This will give a verb its `--processes` and `--scheduler`."""
    command = click.option("--scheduler", help="A Dask scheduler's address, such as tcp://host:8786.")(command)
    return click.option("--processes", type=click.IntRange(1, 256), help="Processes; left out: this one alone.")(
        command
    )


@contextmanager
def replaying(position: int | None, json: bool, scenario: Path | None = None) -> Iterator[tuple[History, Moved]]:
    """This will give the history and the function that moves the bars; what can't be run ends with a sentence."""
    settings = Settings.from_environment()
    with sentences(scenario=scenario), database(settings, migrated=True) as url, bars(json) as moved:
        yield (
            load(
                url,
                settings.data_dir / CACHE,
                lambda done, total: moved("Reading the log", done, total),
                upto=position,
            ),
            moved,
        )


def reviewing(command: F) -> F:
    """This will give a verb its `--every-days`."""
    return click.option(
        "--every-days",
        type=click.IntRange(1, EVERY_DAYS_MAX),
        help="A review every so many days, instead of those that were.",
    )(command)


@contextmanager
def sentences(picture: Path | None = None, scenario: Path | None = None) -> Iterator[None]:
    """This will tell what is wrong with a scenario, the workers or a picture's name, and end with the code for that.

    Without a scenario's file its keys are called by the options that set them.
    """
    try:
        if picture is not None:
            check(picture)
        yield
    except ScenarioError as error:
        said = str(error) if scenario is not None else _of_options(error)
        raise Failed(f"The scenario can't be run. {said}", USAGE) from error
    except (SchedulerError, PlotError) as error:
        raise Failed(str(error), USAGE) from error


def _of_options(error: ScenarioError) -> str:
    said = str(error).removeprefix(f"{'.'.join(error.path)}: ").replace("every_days", "--every-days")
    option = OPTIONS.get(error.path[0]) if error.path else None
    return said if option is None else f"{option}: {said}"


@contextmanager
def pool(processes: int | None, scheduler: str | None) -> Iterator[Executor | None]:
    """This will give the workers, or None: this process alone."""
    with executor(processes, scheduler) if processes or scheduler else nullcontext() as found:
        yield found


def give(found: R, out: Path | None, show: Callable[[R], None], *, json: bool) -> None:
    """This will write a result to a file where one is named, and print it: whole as JSON, or as `show` has it."""
    encoded = found.encoded()
    if out is not None:
        out.write_bytes(encoded)
    if json:
        click.echo(encoded.decode())
    else:
        show(found)


@contextmanager
def bars(json: bool) -> Iterator[Moved]:
    """This will show a bar for each thing that is being done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=json or not console.is_terminal) as bar:
        tasks: dict[str, object] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield move
