"""`decision-ledger report`."""

from pathlib import Path
from uuid import UUID

import rich_click as click

from ledger.cli import outside
from ledger.cli.running import Failed, answer, as_json, database, record_export
from ledger.exports import files, page
from ledger.exports.report import NotTold
from ledger.exports.report import report as run
from ledger.importing.naming import Names
from ledger.settings import Settings

#: How the file of a page ends, and of Markdown.
PAGES, TEXTS = (".html", ".htm"), (".md", ".markdown", ".txt")


@click.command()
@click.argument("proposal", metavar="PROPOSAL_ID")
@click.option(
    "--source", help="PROPOSAL_ID is what this source calls an imported one, such as python/peps its pep-0315."
)
@click.option("--as-of", type=click.IntRange(1), help="As it was at this position; left out: as it is.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="report.html, which prints well, or report.md; left out: Markdown on stdout.",
)
@outside.folder
@as_json
def report(
    proposal: str, source: str | None, as_of: int | None, out: Path | None, folder: Path | None, json: bool
) -> None:
    """Tell the story of a proposal from top to bottom: the case as it read then, the answer, how it was told, and how to check that.

    \b
    decision-ledger report 924dc5bd-… --out report.html
    decision-ledger report 924dc5bd-… --as-of 300
    decision-ledger report pep-0315 --source python/peps --out pep-0315.html
    """
    if out is not None and out.suffix.lower() not in (*PAGES, *TEXTS):
        raise click.BadParameter(f"Give a file that ends in {PAGES[0]} or {TEXTS[0]}.", param_hint="'--out'")
    proposal_id = Names(source).proposal(proposal) if source else _id(proposal)
    settings = Settings.from_environment()
    with database(settings, migrated=True) as url:
        try:
            found = run(url, proposal_id, as_of=as_of, checkpoint=outside.kept(folder, settings).note())
            is_page = out is not None and out.suffix.lower() in PAGES
            text = page.html(found.parts) if is_page else page.markdown(found.parts)
            subject = f"report of proposal {proposal_id} at position {found.position}"
            if out is not None:
                with files.whole(out) as part:
                    part.write_text(text, "utf-8")
                    record_export(url, subject)
            else:
                record_export(url, subject)
        except (NotTold, files.AlreadyThere) as error:
            called = f"{proposal} of the source {source}" if source else str(proposal_id)
            raise Failed(f"{str(error).removesuffix('.').replace(str(proposal_id), called)}.") from error
    document = {"proposal_id": proposal_id, "position": found.position, "title": found.title}
    if out is None:
        answer({**document, "markdown": text}, text.rstrip("\n"), json=json)
    else:
        answer({**document, "file": str(out)}, f"{out}: as at position {found.position:,}.", json=json)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no id of the ledger. What a source calls it goes with --source.", param_hint="PROPOSAL_ID"
        ) from None
