"""The report of one proposal: a story that can be read from top to bottom, in which no text is markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest

from ledger.directory import members
from ledger.directory.members import Person
from ledger.exports import page
from ledger.exports.page import Grid, Heading, Items, Lead, Pairs, Paragraph, Quote, Verbatim
from ledger.exports.report import NotTold, report
from ledger.importing import import_histories
from ledger.store.application import Ledger
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.projections import story
from tests.projections.recording import Recorder

HISTORIES = Path(__file__).parents[3] / "shared/histories"
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) | `a` **b** &lt;\n# no heading\n<img src=x onerror=y>"


class Seen(HTMLParser):
    """The elements and the words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def name(url: str, *persons: Person) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        members.put(connection, persons)


def in_order(text: str, *parts: str) -> bool:
    at = 0
    for part in parts:
        at = text.index(part, at) + len(part)
    return True


def test_a_declined_proposal_is_told_from_the_question_to_the_proof(database_url: str, told: int) -> None:
    name(database_url, Person(story.ANA, "Ana Example"), Person(story.BEN, "Ben Example"))
    found = report(database_url, story.DECLINED, checkpoint="origin\n1\nroot\n\n— origin sig\n")
    text = Seen(page.html(found.parts)).text
    assert in_order(
        text,
        "NO, declined. Ben Example said so on",
        "Ana Example",
        "What was asked",
        "Two price engines: hours lost every week",
        "The estimates",
        "Concerns, and how they were met",
        "Answer 1: NO, declined",
        "Ben Example decided it on",
        "product review",
        "The case as it read then",
        "It read as in version 1, above.",
        "The reasons",
        story.TEXT,
        "How it was told",
        "Appeal, dismissed",
        "It is late by a month only.",
        "What has changed since",
        "What would bring it back",
        "The proof",
        "— origin sig",
        "decision-ledger verify",
    )
    with psycopg.connect(database_url) as connection:
        leaves = connection.execute(
            "SELECT encode(leaf, 'hex') FROM ledger.events WHERE stream_id = %s", [story.DECLINED]
        ).fetchall()
    assert leaves
    assert all(leaf in text for (leaf,) in leaves)
    assert all(leaf in page.markdown(found.parts) for (leaf,) in leaves)


def test_a_past_state_is_told_without_what_came_later(database_url: str, told: int) -> None:
    (decided,) = re.findall(r"\(position (\d+)\)", Seen(page.html(report(database_url, story.DECLINED).parts)).text)
    before = Seen(page.html(report(database_url, story.DECLINED, as_of=int(decided) - 1).parts)).text
    assert "No answer yet." in before
    assert story.TEXT not in before
    # The command that decided recorded one fact more, of the review; a state ends with a command.
    then = Seen(page.html(report(database_url, story.DECLINED, as_of=int(decided) + 1).parts)).text
    assert story.TEXT in then
    assert "Appeal" not in then
    with pytest.raises(NotTold, match="Give an earlier one"):
        report(database_url, story.DECLINED, as_of=told + 1)
    with pytest.raises(NotTold, match="There is no proposal"):
        report(database_url, story.TEAM)


def test_every_proposal_of_the_story_is_told(database_url: str, told: int) -> None:
    proposals = (story.POSTPONED, story.ACCEPTED, story.CARRIED, story.REDIRECTED, story.UNSEEN, story.OLD)
    for proposal_id in proposals:
        text = Seen(page.html(report(database_url, proposal_id).parts)).text
        assert "None" not in text.replace("None was given", "")
        assert "The proof" in text


def test_before_the_views_are_built_it_says_so(database_url: str, ledger: Ledger) -> None:
    with pytest.raises(NotTold, match="project --once"):
        report(database_url, story.DECLINED)


def test_no_text_is_markup_in_the_page(database_url: str, recorder: Recorder) -> None:
    recorder.record((story.TEAM, story.team.TeamFormed(HOSTILE)))
    recorder.record((story.UNSEEN, story.submitted(HOSTILE)), (story.UNSEEN, story.case(1, HOSTILE)))
    rebuild(database_url, recorder.ledger, VIEWS)
    name(database_url, Person(story.ANA, HOSTILE))
    parts = report(database_url, story.UNSEEN).parts
    seen = Seen(page.html(parts))
    allowed = {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "strong", "blockquote", "footer", "ul", "li",
        "dl", "dt", "dd", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "wbr", "code", "pre",
    }  # fmt: skip
    assert {tag for tag, _ in seen.tags} <= allowed
    assert {attribute for _, attributes in seen.tags for attribute in attributes} <= {
        "lang", "charset", "http-equiv", "content", "name", "scope", "class", "role", "aria-label", "tabindex",
    }  # fmt: skip
    assert "<script>alert(1)</script>" in seen.text
    written = page.markdown(parts)
    assert not re.search(r"(?<!\\)<(script|img)", written)
    assert not re.search(r"(?<!\\)\]\(", written)
    assert len(re.findall(r"^# ", written, re.MULTILINE)) == 1


def test_each_part_as_markdown_and_as_html() -> None:
    parts: list[page.Part] = [
        Heading(1, "A & B"),
        Paragraph("1. no list"),
        Quote("one\ntwo", "Ana"),
        Items(("- a", "b\nc")),
        Pairs((("x", "y|z"),)),
        Grid(("h",), (("a|b",), ("c",)), code=(0,)),
        Verbatim("a <b>\nc"),
    ]
    assert page.markdown(parts) == (
        "# A \\& B\n\n1\\. no list\n\n> one\n> two\n>\n> — Ana\n\n- \\- a\n- b c\n\n- **x**: y\\|z\n\n"
        "| h |\n|---|\n| `a|b` |\n| `c` |\n\n    a <b>\n    c\n"
    )
    html = page.html(parts)
    assert "<h1>A &amp; B</h1>\n<p>1. no list</p>\n<blockquote><p>one\ntwo</p><footer>Ana</footer></blockquote>" in html
    assert "<pre>a &lt;b&gt;\nc</pre>" in html


def test_only_an_address_may_be_followed_and_what_is_not_seen_is_shown() -> None:
    parts: list[page.Part] = [
        Lead("NO.", "See https://a.example/x_y?b=1&c, (https://b.example) or https://bank.example@evil.example."),
        Pairs(
            (("Links", ("javascript:alert(1)", "https://b\N{CYRILLIC SMALL LETTER A}nk.example/", "a\u202eb\x00c")),)
        ),
    ]
    assert page.markdown(parts) == (
        "**NO.** See <https://a.example/x_y?b=1&c>, (<https://b.example>) or https://bank.example@evil.example.\n\n"
        "- **Links**: javascript:alert(1)\n- **Links**: https://b\N{CYRILLIC SMALL LETTER A}nk.example/\n"
        "- **Links**: a\\[U+202E\\]b\\[U+0000\\]c\n"
    )
    links = [attributes["href"] for tag, attributes in Seen(page.html(parts)).tags if tag == "a"]
    assert links == ["https://a.example/x_y?b=1&c", "https://b.example"]


@pytest.mark.skipif(not (HISTORIES / "peps.jsonl").exists(), reason="the histories are not beside this checkout")
def test_pep_315_reads_like_its_source(database_url: str, ledger: Ledger, tmp_path: Path) -> None:
    lines = (HISTORIES / "peps.jsonl").read_text("utf-8").splitlines()
    file = tmp_path / "peps.jsonl"
    file.write_text(next(line for line in lines if line.startswith('{"id":"pep-0315"')) + "\n", "utf-8")
    import_histories(ledger, database_url, [file])
    rebuild(database_url, ledger, VIEWS)
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT proposal_id FROM views.audit_proposals WHERE valid_to IS NULL").fetchall()
    ((proposal_id,),) = found
    text = Seen(page.html(report(database_url, proposal_id).parts)).text
    assert in_order(
        text,
        "Enhanced While Loop",
        "Proposed 2003-04-25 by W Isaac Carroll, Raymond Hettinger",
        'This PEP proposes adding an optional "do" clause to the beginning of the while loop',
        "Answer 1: NO, not now",
        "2006-02-24 22:43 UTC",
        "It came back on 2009-04-26 00:34 UTC (reproposed)",
        "Revive PEP 315.",
        "Answer 2: NO, not now",
        "2009-05-29 07:02 UTC",
        "Answer 3: NO, declined",
        "2013-08-04 08:46 UTC",
        "The source calls it “Rejected”.",
        "Rejected; see http://mail.python.org/pipermail/python-ideas/2013-June/021610.html",
        "Not classified",
    )
    assert "Proposal Submitted" in text[text.index("The proof") :]
    assert text.count('This PEP proposes adding an optional "do" clause') == 1
