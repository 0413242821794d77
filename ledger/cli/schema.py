"""`decision-ledger schema`."""

import rich_click as click

from ledger.api.schema import sdl
from ledger.cli.facts import page
from ledger.cli.running import answer, as_json


@click.command()
@click.option("--facts", is_flag=True, help="The catalogue of facts as Markdown instead.")
@as_json
def schema(facts: bool, json: bool) -> None:
    """Print the GraphQL schema (SDL), or the catalogue of facts.

    \b
    decision-ledger schema > schema.graphql
    decision-ledger schema --facts > docs/facts.md
    """
    text = (page() if facts else sdl()).rstrip("\n")
    answer({"facts" if facts else "sdl": text}, text, json=json)
