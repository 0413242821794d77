"""`decision-ledger webhook add|list|remove|replay|dead`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import rich_click as click

from ledger.cli.running import USAGE, Failed, answer, as_json, connected
from ledger.cli.who import team_known
from ledger.settings import Settings
from ledger.store.connections import Connection
from ledger.webhooks import endpoints
from ledger.webhooks.destination import DestinationRefused, checked
from ledger.webhooks.messages import MessageType

TYPES = [kind.value for kind in MessageType]


@click.group()
def webhook() -> None:
    """Tell other programs what happens: signed by Standard Webhooks, at least once, in order.

    \b
    decision-ledger webhook add https://portal.example/hooks --type decision.taken --type appeal.lodged
    decision-ledger webhook list
    decision-ledger webhook replay 4d0c… --after 1200
    """


@webhook.command()
@click.argument("url")
@click.option("--type", "types", type=click.Choice(TYPES), multiple=True, help="Only these messages; left out: all.")
@click.option("--team", help="Only of this team, its name or id; left out: of every team.")
@as_json
def add(url: str, types: tuple[str, ...], team: str | None, json: bool) -> None:
    """Have URL told of everything from now on, and show the secret that its messages are signed with, this once.

    \b
    decision-ledger webhook add https://portal.example/hooks
    decision-ledger webhook add https://portal.example/hooks --type decision.taken --team Checkout
    """
    settings = Settings.from_environment()
    try:
        checked(url, private=settings.webhooks_private)
    except DestinationRefused as error:
        raise Failed(str(error), USAGE) from error
    with connected(settings) as connection:
        try:
            wanted = [MessageType(kind) for kind in types or TYPES]
            team_id = None if team is None else team_known(connection, team)
            secret, made = endpoints.add(connection, settings.pepper(), url, wanted, team_id)
        except endpoints.TooManyEndpoints as error:
            raise Failed(str(error)) from error
    answer(
        {"secret": secret, "endpoint": _shown(made)}, f"{secret}\n{made.endpoint_id} is told from now on.", json=json
    )


@webhook.command("list")
@as_json
def list_(json: bool) -> None:
    """List all endpoints, how far each has been told, and what is wrong with it.

    \b
    decision-ledger webhook list
    decision-ledger webhook list --json
    """
    with connected(Settings.from_environment()) as connection:
        found = endpoints.every(connection)
    lines = [
        f"{one.endpoint_id}  {one.url}  {' '.join(one.types)}  at {one.position}  {_standing(one)}" for one in found
    ]
    answer({"endpoints": [_shown(one) for one in found]}, "\n".join(lines) or "Nobody is told.", json=json)


@webhook.command()
@click.argument("endpoint", type=click.UUID)
@as_json
def remove(endpoint: UUID, json: bool) -> None:
    """Tell ENDPOINT nothing more, and forget its dead letters.

    \b
    decision-ledger webhook remove 7f0c…
    """
    with _on_endpoints() as connection:
        endpoints.remove(connection, endpoint)
    answer({"endpoint_id": endpoint, "removed": True}, f"{endpoint} is told nothing more.", json=json)


@webhook.command()
@click.argument("endpoint", type=click.UUID)
@click.option("--after", type=click.IntRange(0), help="Send everything after this position again; left out: go on.")
@as_json
def replay(endpoint: UUID, after: int | None, json: bool) -> None:
    """Tell ENDPOINT again from a position, dead letters included, or have a paused one go on where it stopped.

    \b
    decision-ledger webhook replay 7f0c… --after 1200
    decision-ledger webhook replay 7f0c…
    """
    with _on_endpoints() as connection:
        endpoints.replay(connection, endpoint, after)
    answer({"endpoint_id": endpoint, "after": after}, f"{endpoint} is told again.", json=json)


@webhook.command()
@click.argument("endpoint", type=click.UUID, required=False)
@as_json
def dead(endpoint: UUID | None, json: bool) -> None:
    """List what ENDPOINT, or any, refused for good: the latest first.

    \b
    decision-ledger webhook dead
    decision-ledger webhook dead 7f0c… --json
    """
    with _on_endpoints() as connection:
        found = endpoints.dead_letters(connection, endpoint)
    lines = [
        f"{one.died_at:%Y-%m-%d %H:%M}  {one.endpoint_id}  {one.type}  {one.message_id}  {one.fault}" for one in found
    ]
    answer({"dead_letters": found}, "\n".join(lines) or "There are no dead letters.", json=json)


@contextmanager
def _on_endpoints() -> Iterator[Connection]:
    with connected(Settings.from_environment()) as connection:
        try:
            yield connection
        except endpoints.NoSuchEndpoint as error:
            raise Failed(str(error)) from error


def _shown(one: endpoints.Endpoint) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__ if name != "secret"}


def _standing(one: endpoints.Endpoint) -> str:
    if one.paused_at is not None:
        return f"paused: {one.fault}"
    return f"tried {one.failures} times: {one.fault}" if one.fault else "well"
