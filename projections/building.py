"""One run of a rebuild: what it is told, whom it tells, and how several processes share it."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from projections.log import Log
from projections.projector import View


class Progress(NamedTuple):
    """How far a rebuild is: facts folded of those there were, and what is being done (`fold`, `index`, `catch up`, `switch`)."""

    step: str
    done: int
    total: int


class Cancelled(Exception):  # noqa: N818 - named for what happened
    """The rebuild was called off; the live views are as they were."""


class BuildFailed(RuntimeError):  # noqa: N818 - named for what happened
    """A process of the rebuild failed; the message is its error. The live views are as they were."""


Report = Callable[[Progress], None]


class Build(NamedTuple):
    """One run: where it is built, from how many facts, whom it tells and who may call it off."""

    url: str
    log: Log
    schema: str
    total: int
    progress: Report
    cancelled: Callable[[], bool]
    #: One of several processes that build at once, each some of the views.
    shared: bool = False

    def check(self) -> None:
        """This will raise Cancelled if the build was called off."""
        if self.cancelled():
            raise Cancelled


Work = Callable[[Build, Sequence[View]], None]


def fold_apart(build: Build, views: Sequence[View], processes: int, work: Work) -> None:
    """This will do the work for the views in several processes, this one among them.

    Each of the others has a log of its own: `type(build.log)(build.url)`. Raises what the work raises here, BuildFailed for what it
    raises in another process, and Cancelled; either way all the others have ended.
    """
    context = multiprocessing.get_context("spawn")
    opened: list[Connection[Any, Any]] = []
    running = []
    done: dict[Any, int] = {}
    mine, *others = shares(views, processes)

    def cancelled() -> bool:
        _hear_all(opened, done, 0.0)
        return build.cancelled()

    def progress(found: Progress) -> None:
        done[None] = found.done
        build.progress(Progress("fold", min(done.values()), build.total))

    try:
        for group in others:
            ours, theirs = context.Pipe(duplex=False)
            names = [view.name for view in group]
            arguments = (theirs, work, type(build.log), build.url, build.schema, build.total, names)
            process = context.Process(target=_worker, args=arguments, daemon=True)
            process.start()
            theirs.close()
            running.append(process)
            opened.append(ours)
            done[ours] = 0
        work(build._replace(progress=progress, cancelled=cancelled, shared=True), mine)
        while opened:
            build.check()
            _hear_all(opened, done, 0.2)
            build.progress(Progress("fold", min(done.values()), build.total))
    finally:
        for process in running:
            process.terminate()
            process.join()


def shares(views: Sequence[View], processes: int) -> list[list[View]]:
    """This will deal the views out so that the heaviest share is light."""
    groups: list[list[View]] = [[] for _ in range(min(processes, len(views)))]
    for view in sorted(views, key=lambda view: -view.weight):
        min(groups, key=lambda group: sum(other.weight for other in group)).append(view)
    return groups


def _hear_all(opened: "list[Connection[Any, Any]]", done: dict[Any, int], timeout_s: float) -> None:
    for pipe in wait(opened, timeout=timeout_s):
        _hear(pipe, opened, done)  # type: ignore[arg-type]


def _hear(pipe: "Connection[Any, Any]", opened: "list[Connection[Any, Any]]", done: dict[Any, int]) -> None:
    try:
        heard = pipe.recv()
    except EOFError:
        raise BuildFailed("a process of the rebuild was killed") from None
    if heard is None:
        opened.remove(pipe)
    elif isinstance(heard, str):
        raise BuildFailed(heard)
    else:
        done[pipe] = heard


def _worker(
    pipe: "Connection[Any, Any]", work: Work, log_type: Any, url: str, schema: str, total: int, names: list[str]
) -> None:
    """This will be the main function of a process: it tells the pipe each position, then None, or the text of an error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends this one
    log = log_type(url)
    try:
        views = [import_module(f"projections.{name}.projector").VIEW for name in names]
        work(
            Build(url, log, schema, total, lambda progress: pipe.send(progress.done), lambda: False, shared=True), views
        )
        pipe.send(None)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
    finally:
        log.close()
