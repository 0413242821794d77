"""A document of a few kinds of parts, as Markdown and as a page that prints. All texts are somebody's words, so all are escaped."""

import re
from collections.abc import Iterator
from html import escape

from msgspec import Struct


class Heading(Struct, frozen=True, tag=True):
    """A title; level 1 is the document's."""

    level: int
    text: str


class Paragraph(Struct, frozen=True, tag=True):
    """A few sentences."""

    text: str


class Quote(Struct, frozen=True, tag=True):
    """Somebody's own words, with their line breaks, and whose they are."""

    text: str
    by: str = ""


class Items(Struct, frozen=True, tag=True):
    """A list."""

    items: tuple[str, ...]


class Lead(Struct, frozen=True, tag=True):
    """What a hurried reader takes away: a few words that stand out, and a sentence or two."""

    strong: str
    text: str


class Pairs(Struct, frozen=True, tag=True):
    """Names with what they stand for: each one thing or several."""

    pairs: tuple[tuple[str, str | tuple[str, ...]], ...]


class Grid(Struct, frozen=True, tag=True):
    """A table. Cells of the columns `code` are hashes, set as such."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    code: tuple[int, ...] = ()
    caption: str = ""


class Verbatim(Struct, frozen=True, tag=True):
    """Text as it is, for machines: a command, a signed note."""

    text: str


Part = Heading | Lead | Paragraph | Quote | Items | Pairs | Grid | Verbatim

_STYLE = """
:root { color-scheme: light; --quiet: #4a4a4a; --line: #b8b8b8; --sans: "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif; }
body { font: 1.0625rem/1.55 Georgia, "Times New Roman", "DejaVu Serif", serif; color: #1a1a1a; background: #fff; margin: 0; }
main { max-width: 42rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1, h2, h3 { font-family: var(--sans); line-height: 1.25; break-after: avoid; text-wrap: balance; }
h1 { font-size: 1.75rem; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.25rem 0 .75rem; padding-top: .75rem; border-top: 2px solid #1a1a1a; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
h1, h2, h3, p, li, dt, dd, th, td { unicode-bidi: plaintext; overflow-wrap: anywhere; }
p { margin: .6rem 0; }
p, li, dd, blockquote { orphans: 3; widows: 3; }
a { color: #0b4a80; }
.lead { font-family: var(--sans); font-size: 1.05rem; margin: 0 0 1.25rem; padding: .75rem 1rem; border: 1px solid var(--line);
  border-left: .4rem solid #1a1a1a; break-inside: avoid; }
blockquote { margin: .8rem 0; padding: .1rem 0 .1rem 1rem; border-left: 3px solid #767676; }
blockquote p { white-space: pre-wrap; margin: .3rem 0; }
blockquote footer { color: var(--quiet); font: .85em/1.4 var(--sans); break-before: avoid; }
ul { margin: .6rem 0; padding-left: 1.3rem; } li { margin: .25rem 0; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .3rem 1.25rem; margin: .8rem 0; }
dt { color: var(--quiet); font: .85em/1.8 var(--sans); grid-column: 1; } dd { margin: 0; grid-column: 2; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font: .8rem/1.4 var(--sans); }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
td + td { min-width: 5rem; }
thead { display: table-header-group; } tr { break-inside: avoid; }
code, pre { font: .75rem/1.45 "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
td code { display: block; min-width: 17ch; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f3f3; padding: .75rem; border: 1px solid var(--line); }
@media (max-width: 34rem) {
  dl { display: block; } dd { margin: 0 0 .3rem; } dt { margin-top: .5rem; }
}
@media print {
  @page { margin: 20mm 18mm 22mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #4a4a4a; } }
  :root { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  h2 { margin-top: 1.75rem; }
  a { color: inherit; }
  .wide { overflow: visible; } table { font-size: 7.5pt; } code, pre { font-size: 7pt; }
  pre { background: none; break-inside: avoid; }
}
"""

#: What looks like an address; one that may be followed has plain letters only, so that what is read is where it leads.
_ADDRESS = re.compile(r"""https?://[^\s<>"“”|`\\]*[^\s<>"“”|`\\.,;:!?)'\]]""")
_FOLLOWED = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?([/?#][!-~]*)?")
#: What is not seen, and may make a text read otherwise than it is: control characters, and those that turn the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

#: Where a name such as ProposalSubmitted may go on in the next line.
_CONJOINED = re.compile(r"(?<=[a-z])(?=[A-Z])")


def html(parts: list[Part]) -> str:
    """This will write the page: one file, with nothing fetched from elsewhere and no script."""
    title = next((part.text for part in parts if isinstance(part, Heading)), "")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{_safe(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(map(_html, parts))
        + "\n</main>\n</body>\n</html>\n"
    )


def markdown(parts: list[Part]) -> str:
    """This will write the document as CommonMark with tables."""
    return "\n\n".join(map(_markdown, parts)) + "\n"


def _html(part: Part) -> str:
    match part:
        case Heading(level, text):
            return f"<h{level}>{_safe(text)}</h{level}>"
        case Lead(strong, text):
            return f'<p class="lead"><strong>{_safe(strong)}</strong> {_linked(text)}</p>'
        case Paragraph(text):
            return f"<p>{_linked(text)}</p>"
        case Quote(text, by):
            footer = f"<footer>{_linked(by)}</footer>" if by else ""
            return f"<blockquote><p>{_linked(text)}</p>{footer}</blockquote>"
        case Items(items):
            return "<ul>\n" + "\n".join(f"<li>{_linked(item)}</li>" for item in items) + "\n</ul>"
        case Pairs(pairs):
            return "<dl>\n" + "\n".join(_pair(name, _several(values)) for name, values in pairs) + "\n</dl>"
        case Grid():
            return _table(part)
        case Verbatim(text):
            return f"<pre>{_safe(text)}</pre>"


def _several(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values


def _pair(name: str, values: tuple[str, ...]) -> str:
    return f"<dt>{_safe(name)}</dt>" + "".join(f"<dd>{_linked(value)}</dd>" for value in values)


def _table(grid: Grid) -> str:
    top = "".join(f'<th scope="col">{_safe(cell)}</th>' for cell in grid.head)
    body = "\n".join(
        f"<tr>{''.join(_cell(cell, i in grid.code) for i, cell in enumerate(row))}</tr>" for row in grid.rows
    )
    # What is wider than a telephone is moved sideways by itself, also from a keyboard.
    return (
        f'<div class="wide" role="region" aria-label="{_safe(grid.caption)}" tabindex="0">\n<table>\n'
        f"<caption>{_safe(grid.caption)}</caption>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _cell(text: str, is_code: bool) -> str:
    shown = _safe(text)
    return f"<td><code>{shown}</code></td>" if is_code else f"<td>{_CONJOINED.sub('<wbr>', shown)}</td>"


def _markdown(part: Part) -> str:
    match part:
        case Heading(level, text):
            return f"{'#' * level} {_line(text)}"
        case Lead(strong, text):
            return f"**{_line(strong)}** {_line(text)}"
        case Paragraph(text):
            return _line(text)
        case Quote(text, by):
            lines = [f"> {_line(line)}".rstrip() for line in text.splitlines() or [""]]
            return "\n".join([*lines, *([">", f"> — {_line(by)}"] if by else [])])
        case Items(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Pairs(pairs):
            return "\n".join(f"- **{_line(name)}**: {_line(value)}" for name, of in pairs for value in _several(of))
        case Grid(head, rows, code):
            lines = [f"| {' | '.join(map(_line, head))} |", f"|{'---|' * len(head)}"]
            for row in rows:
                cells = (f"`{cell.replace('`', '')}`" if i in code else _line(cell) for i, cell in enumerate(row))
                lines.append(f"| {' | '.join(cells)} |")
            return "\n".join(lines)
        case Verbatim(text):
            return "\n".join(f"    {line}".rstrip() for line in _seen(text).splitlines())


def _seen(text: str) -> str:
    """This will show by its number what would not be seen."""
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def _safe(text: str) -> str:
    """This will give words as HTML in which nothing is markup."""
    return escape(_seen(text))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """This will part words from addresses that may be followed: each piece, and whether it is one."""
    shown, at = _seen(text), 0
    for found in _ADDRESS.finditer(shown):
        if _FOLLOWED.fullmatch(found[0]):
            yield shown[at : found.start()], False
            yield found[0], True
            at = found.end()
    yield shown[at:], False


def _linked(text: str) -> str:
    return "".join(
        f'<a href="{escape(piece)}">{escape(piece)}</a>' if is_address else escape(piece)
        for piece, is_address in _pieces(text)
    )


def _line(text: str) -> str:
    """This will give words as one line in which nothing is markup but addresses: no heading, no HTML, no words that are a link."""
    joined = " ".join(text.split())
    line = "".join(
        f"<{piece}>" if is_address else re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", piece)
        for piece, is_address in _pieces(joined)
    )
    line = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)
    return re.sub(r"^([#+=-])", r"\\\1", line)
