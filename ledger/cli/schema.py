"""`decision-ledger schema`."""

import rich_click as click

from ledger.cli import facts as catalogue
from ledger.cli.running import answer, as_json


@click.command()
@click.option("--facts", is_flag=True, help="The catalogue of facts as Markdown instead.")
@click.option("--roles", is_flag=True, help="Who may issue which mutation, as Markdown instead.")
@as_json
def schema(facts: bool, roles: bool, json: bool) -> None:
    """Print the GraphQL schema (SDL), the catalogue of facts, or who may do what.

    \b
    decision-ledger schema > schema.graphql
    decision-ledger schema --facts > docs/facts.md
    decision-ledger schema --roles > docs/roles.md
    """
    if facts and roles:
        raise click.UsageError("--facts and --roles are two pages; ask for one of them.")
    from ledger.api.schema import sdl  # noqa: PLC0415 - as in `serve`
    from ledger.cli import roles as permissions  # noqa: PLC0415

    what, text = ("facts", catalogue.page()) if facts else ("roles", permissions.page()) if roles else ("sdl", sdl())
    text = text.rstrip("\n")
    answer({what: text}, text, json=json)
