"""Where the store, the handlers, the views, the directory and the web meet: what a running process has, and in which order it comes up."""

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from uuid import uuid4

import anyio
from litestar import Litestar
from msgspec import Struct

from ledger.api import metrics, schema, subscription
from ledger.api.authentication import by_token
from ledger.api.context import Resources
from ledger.api.feed import Feed
from ledger.api.linking import Linking
from ledger.api.oidc import Verifiers
from ledger.api.persisted import DocumentsInvalid, TrustedDocuments
from ledger.api.snapshot import moments
from ledger.api.standing import Pool
from ledger.api.traffic import Traffic
from ledger.api.web import web
from ledger.app.erasing import erasing
from ledger.app.lookups import ViewLookups
from ledger.commands.issued import Issued
from ledger.commands.member import EraseMember
from ledger.handlers import Handlers, bootstrap
from ledger.handlers.outcome import Outcome
from ledger.replay.jobs import JOBS, Jobs
from ledger.replay.keeping import CACHE
from ledger.settings import Settings, SettingsError
from ledger.store.application import Ledger
from ledger.store.connections import READER, WRITER, async_pool
from ledger.store.disk import Disk
from ledger.store.integrity import guard
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.remembering import Memory
from ledger.store.streams import StreamReader
from ledger.webhooks.sender import Sender
from projections.catalogue import VIEWS
from projections.follower import Follower

#: Connections for tokens, besides those that read.
DIRECTORY_POOL_SIZE = 2
#: New objects after which the youngest are looked through: an answer makes thousands, and nearly all of them go by themselves.
COLLECTED_AFTER = 50_000
#: How long a stopping server waits for requests that are under way, in seconds.
GRACE_S = 10


@dataclass
class Parts:
    """What the running application has at hand; there is nothing before it has started."""

    resources: Resources
    directory: Pool


def create_app(settings: Settings, *, follow: bool = True) -> Litestar:
    """This will make the application for a migrated database. `follow`: keep the views up to date in this process too.

    Any number of processes may follow one database: one leads, the others take over when it ends.
    """
    if settings.database_url is None:
        raise ValueError("the application needs a database's URL; `serve` starts one of its own")
    url, pepper = settings.database_url, settings.pepper()
    parts: list[Parts] = []
    verifiers = Verifiers(settings.oidc)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with (
            running(url, settings, verifiers.issuers, follow=follow) as found,
            found.resources.attempts.recording(found.directory),
            verifiers,
        ):
            parts.append(found)
            _settle_memory()
            is_other = found.resources.memory.fault
            sender = (
                Sender(url, pepper, private=settings.webhooks_private, is_other=is_other) if follow else nullcontext()
            )
            with sender:
                yield
            parts.clear()

    traffic = Traffic(_trusted(settings), settings.points_per_minute)
    authenticate = by_token(lambda: parts[0].directory, pepper, lambda: parts[0].resources.attempts, verifiers)
    return web(
        schema.build(),
        lambda: parts[0].resources,
        authenticate,
        lifespan,
        settings.seal_folder,
        settings.origins,
        traffic,
    )


def _trusted(settings: Settings) -> TrustedDocuments:
    """This will read the trusted documents. Raises SettingsError for a folder with one that can't be run."""
    if settings.documents is None:
        return TrustedDocuments()
    try:
        return TrustedDocuments.read(settings.documents, schema.build())
    except DocumentsInvalid as error:
        raise SettingsError(f"LEDGER_DOCUMENTS: {error}") from error


@asynccontextmanager
async def running(
    url: str, settings: Settings, issuers: frozenset[str] = frozenset(), *, follow: bool
) -> AsyncIterator[Parts]:
    """This will bring up what a process needs, and take it down again in the opposite order."""
    async with AsyncExitStack() as stack:
        sealed, size = settings.seal_folder, settings.pool_size
        memory = Memory(url, None if sealed is None else Kept(sealed))
        await anyio.to_thread.run_sync(memory.start)
        stack.push_async_callback(anyio.to_thread.run_sync, memory.stop)
        disk = None if settings.disk_folder is None else Disk(settings.disk_folder, settings.disk_percent_max)
        stops = [memory.fault, *(() if disk is None else (disk.fault,))]
        ledger = await anyio.to_thread.run_sync(lambda: Ledger(url, pool_size=size, stops=stops))
        stack.push_async_callback(anyio.to_thread.run_sync, ledger.close)
        watch = guard.Watch(url, event_triggers=settings.event_triggers)
        await anyio.to_thread.run_sync(watch.start)
        stack.push_async_callback(anyio.to_thread.run_sync, watch.stop)
        await anyio.to_thread.run_sync(begin, ledger)
        if follow:
            follower = Follower(url, ledger, VIEWS)
            follower.start()
            stack.push_async_callback(anyio.to_thread.run_sync, follower.stop)
        reads = await stack.enter_async_context(async_pool(url, READER, size, memory.recognise))
        asking = moments(url, memory.recognise)
        stack.push_async_callback(asking.close)
        directory = await stack.enter_async_context(async_pool(url, WRITER, DIRECTORY_POOL_SIZE))
        lookups = ViewLookups(url)
        stack.push_async_callback(anyio.to_thread.run_sync, lookups.close)
        handlers = Handlers(ledger, lookups)
        jobs = Jobs(url, ledger, settings.data_dir / CACHE)
        jobs.start()
        stack.push_async_callback(anyio.to_thread.run_sync, jobs.stop)
        handle = metrics.counted(erasing(url, jobs.handling(handlers.handle)))
        streams = StreamReader(url)
        stack.push_async_callback(streams.close)
        await stack.enter_async_context(handlers.forgetting(streams))

        @metrics.counted_at_once
        async def handle_at_once(issued: Issued[Struct], head: int) -> Outcome | None:
            return (
                None
                if isinstance(issued.command, (*JOBS, EraseMember))
                else await handlers.handle_at_once(issued, streams, head)
            )

        feed = Feed(reads, subscription.read)
        stack.push_async_callback(feed.stop)
        stack.enter_context(_told_of_the_end(feed))
        commands, linking = anyio.CapacityLimiter(size), Linking(url, ledger, issuers)
        resources = Resources(reads, asking, handle_at_once, handle, commands, feed, memory, linking, settings.wait_s)
        yield Parts(resources, directory)


@contextmanager
def _told_of_the_end(feed: Feed) -> Iterator[None]:
    """This will end the streams as soon as a signal ends the process: a server waits for what is open, and they never end by themselves."""
    if threading.current_thread() is not threading.main_thread():  # only there can signals be listened for
        yield
        return
    loop, former = asyncio.get_running_loop(), {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}

    def end(sig: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(lambda: loop.create_task(feed.stop()))
        if callable(handle := former[signal.Signals(sig)]):
            handle(sig, frame)

    for sig in former:
        signal.signal(sig, end)
    try:
        yield
    finally:
        for sig, handle in former.items():
            signal.signal(sig, handle)


def _settle_memory() -> None:
    """This will keep the collector from looking at the schema and the modules again and again: they stay as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)


def begin(ledger: Ledger) -> None:
    """This will see to it that the organisation and the reason catalogue are there; a story begins with its own commands."""
    _, clock = ledger.identity()
    if clock == "wall":
        bootstrap(ledger, datetime.now(UTC), uuid4())
