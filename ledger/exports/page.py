"""A document of a few kinds of parts, as Markdown and as a page that prints. All texts are somebody's words, so all are escaped."""

import re
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


class Pairs(Struct, frozen=True, tag=True):
    """Names with what they stand for."""

    pairs: tuple[tuple[str, str], ...]


class Grid(Struct, frozen=True, tag=True):
    """A table. Cells of the columns `code` are figures or hashes, set as such."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    code: tuple[int, ...] = ()


class Verbatim(Struct, frozen=True, tag=True):
    """Text as it is, for machines: a command, a signed note."""

    text: str


Part = Heading | Paragraph | Quote | Items | Pairs | Grid | Verbatim

_STYLE = """
:root { color-scheme: light; }
body { font: 11pt/1.5 Georgia, "Times New Roman", serif; color: #1a1a1a; background: #fff;
  max-width: 44em; margin: 2em auto; padding: 0 1.2em; }
h1, h2, h3 { font-family: "Helvetica Neue", Arial, sans-serif; line-height: 1.25; break-after: avoid; }
h1 { font-size: 1.7em; border-bottom: 2px solid #1a1a1a; padding-bottom: .3em; }
h2 { font-size: 1.25em; margin-top: 2em; } h3 { font-size: 1.05em; margin-top: 1.4em; }
p, li, dd, blockquote { overflow-wrap: anywhere; }
blockquote { margin: .8em 0; padding: .1em 1em; border-left: 3px solid #666; break-inside: avoid-page; }
blockquote p { white-space: pre-line; margin: .3em 0; } blockquote footer { color: #444; font-size: .9em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.2em; } dt { color: #444; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: .85em; } thead { display: table-header-group; } tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: .25em .6em .25em 0; border-bottom: 1px solid #bbb; overflow-wrap: anywhere; }
code, pre { font: .85em/1.4 "SF Mono", Consolas, monospace; } pre { white-space: pre-wrap; overflow-wrap: anywhere;
  background: #f4f4f4; padding: .7em; }
@page { size: A4; margin: 20mm 18mm; }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 10pt; } h2 { margin-top: 1.4em; }
  pre { background: none; border: 1px solid #bbb; } }
@media (max-width: 34em) { dl { grid-template-columns: 1fr; } dt { margin-top: .4em; } }
"""


def html(parts: list[Part]) -> str:
    """This will write the page: one file, with nothing fetched from elsewhere and no script."""
    title = next((part.text for part in parts if isinstance(part, Heading)), "")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(map(_html, parts))
        + "\n</body>\n</html>\n"
    )


def markdown(parts: list[Part]) -> str:
    """This will write the document as CommonMark with tables."""
    return "\n\n".join(map(_markdown, parts)) + "\n"


def _html(part: Part) -> str:
    match part:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Quote(text, by):
            footer = f"<footer>{escape(by)}</footer>" if by else ""
            return f"<blockquote><p>{escape(text)}</p>{footer}</blockquote>"
        case Items(items):
            return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Pairs(pairs):
            inner = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
            return f"<dl>\n{inner}\n</dl>"
        case Grid(head, rows, code):
            top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
            body = "\n".join(
                f"<tr>{''.join(_cell(cell, i in code) for i, cell in enumerate(row))}</tr>" for row in rows
            )
            return f"<table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        case Verbatim(text):
            return f"<pre>{escape(text)}</pre>"


def _cell(text: str, is_code: bool) -> str:
    return f"<td><code>{escape(text)}</code></td>" if is_code else f"<td>{escape(text)}</td>"


def _markdown(part: Part) -> str:
    match part:
        case Heading(level, text):
            return f"{'#' * level} {_line(text)}"
        case Paragraph(text):
            return _line(text)
        case Quote(text, by):
            lines = [f"> {_line(line)}".rstrip() for line in text.splitlines() or [""]]
            return "\n".join([*lines, *([">", f"> — {_line(by)}"] if by else [])])
        case Items(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Pairs(pairs):
            return "\n".join(f"- **{_line(name)}**: {_line(value)}" for name, value in pairs)
        case Grid(head, rows, code):
            lines = [f"| {' | '.join(map(_line, head))} |", f"|{'---|' * len(head)}"]
            for row in rows:
                cells = (f"`{cell.replace('`', '')}`" if i in code else _line(cell) for i, cell in enumerate(row))
                lines.append(f"| {' | '.join(cells)} |")
            return "\n".join(lines)
        case Verbatim(text):
            return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def _line(text: str) -> str:
    """This will give words as one line in which nothing is markup: no link, no heading, no HTML."""
    line = re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(text.split()))
    line = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)
    return re.sub(r"^([#+=-])", r"\\\1", line)
