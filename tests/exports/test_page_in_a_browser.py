"""The report as people see it: opened in a real browser, on a desk and on a telephone, and printed."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from ledger.directory import members
from ledger.directory.members import Person
from ledger.exports import page
from ledger.exports.page import Grid, Heading, Items, Lead, Pairs, Paragraph, Part, Quote, Verbatim
from ledger.exports.report import report
from tests.exports import chromium, pdf
from tests.exports.chromium import Browser
from tests.exports.test_report import HOSTILE
from tests.projections import story

pytestmark = pytest.mark.skipif(bool(chromium.LACKING), reason=chromium.LACKING)

DESK, TELEPHONE = (1280, 900), (390, 844)
#: Turns the direction of writing around, and is in right-to-left script itself.
TURNED = "\u202egnp.exe invoice\u202c חוב טכני 🧾 شيفرة قديمة"
ADDRESS = "https://portal.example/a?b=1&c=%22x"
#: Elements that hold text themselves, with how far it stands out from what is behind it (WCAG 2's ratio).
CONTRASTS = """
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (colour !== 'rgba(0, 0, 0, 0)') return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    return [...document.querySelectorAll('main *')]
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .map(e => {
            const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
            return [e.tagName, (a + .05) / (b + .05)];
        });
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.browser() as found:
        yield found


def opened(browser: Browser, folder: Path, parts: list[Part]) -> str:
    """Opens the page from a file, as whoever gets it by mail does, and gives its address."""
    file = folder / "report.html"
    file.write_text(page.html(parts), "utf-8")
    browser.requests()
    browser.complaints()
    browser.open(file.as_uri())
    return file.as_uri()


def bare(text: str) -> str:
    """A text without its spaces and ligatures: both depend on where a line ends."""
    return "".join(unicodedata.normalize("NFKC", text).split())


@pytest.fixture(scope="module")
def kept() -> dict[str, list[Part]]:
    return {}


@pytest.fixture
def declined(request: pytest.FixtureRequest, kept: dict[str, list[Part]]) -> list[Part]:
    """The report of a declined proposal; its story is told once for all tests here."""
    if "declined" not in kept:
        request.getfixturevalue("told")
        url = request.getfixturevalue("database_url")
        with psycopg.connect(url, autocommit=True) as connection:
            members.put(connection, [Person(story.ANA, "Ana Example"), Person(story.BEN, "Ben Example")])
        kept["declined"] = report(url, story.DECLINED, checkpoint="origin\n1\nroot\n\n— origin sig\n").parts
    return kept["declined"]


@pytest.mark.parametrize("screen", [DESK, TELEPHONE])
def test_the_page_is_quiet_and_fits_the_screen(
    browser: Browser, tmp_path: Path, declined: list[Part], screen: tuple[int, int]
) -> None:
    browser.sized(*screen)
    address = opened(browser, tmp_path, declined)
    assert browser.complaints() == []
    assert browser.requests() == [address]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    # Nothing is cut off: what is wider than its place can be moved into sight.
    assert (
        browser.run("""
        return [...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
            && getComputedStyle(e).display !== 'inline' && getComputedStyle(e).overflowX !== 'auto').map(e => e.outerHTML)
    """)
        == []
    )


def test_the_page_can_be_read_by_everybody(browser: Browser, tmp_path: Path, declined: list[Part]) -> None:
    browser.sized(*DESK)
    opened(browser, tmp_path, declined)
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.run("return document.title") == browser.run("return document.querySelector('h1').innerText")
    levels = browser.run("return [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(e => +e.tagName[1])")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    assert browser.run("return document.querySelectorAll('main').length") == 1
    tables = browser.run("""
        return [...document.querySelectorAll('table')].map(t => [t.caption.innerText, t.tHead.rows[0].cells.length,
            [...t.tHead.rows[0].cells].every(c => c.tagName === 'TH' && c.scope === 'col'), t.tBodies[0].rows[0].cells.length])
    """)
    assert tables
    assert all(caption and heads and marked and heads == cells for caption, heads, marked, cells in tables)
    contrasts = browser.run(CONTRASTS)
    assert {"H1", "P", "DT", "FOOTER", "TD", "CAPTION", "PRE"} <= {name for name, _ in contrasts}
    assert [each for each in contrasts if each[1] < 4.5] == []


def test_hostile_words_are_shown_as_words(browser: Browser, tmp_path: Path) -> None:
    browser.sized(*DESK)
    words = f"{HOSTILE}\n{TURNED}"
    parts: list[Part] = [
        Heading(1, words), Lead("NO.", words), Paragraph(words), Quote(words, words), Items((words,)), Pairs(((words, (words, words)),)),
        Grid(("h",), ((words,),), caption=words), Verbatim(words), Paragraph(f"See {ADDRESS}, or https://bank.example@evil.example."),
    ]  # fmt: skip
    address = opened(browser, tmp_path, parts)
    assert browser.complaints() == []
    assert browser.requests() == [address]
    assert (
        browser.run("return document.querySelectorAll('main :is(script, img, iframe, svg, object, style)').length") == 0
    )
    shown = browser.run("return document.body.innerText")
    assert shown.count("<script>alert(1)</script>") == 12
    assert "\u202e" not in shown
    assert shown.count("[U+202E]gnp.exe invoice[U+202C] חוב טכני 🧾 شيفرة قديمة") == 12
    # Only an address may be followed, and only to where it says.
    links = browser.run("return [...document.links].map(a => [a.innerText, a.getAttribute('href')])")
    assert links == [[ADDRESS, ADDRESS]]


def test_words_that_run_from_right_to_left_begin_at_the_right(browser: Browser, tmp_path: Path) -> None:
    browser.sized(*DESK)
    opened(browser, tmp_path, [Heading(1, "חוב טכני"), Paragraph("חוב"), Paragraph("debt")])
    heading, right, left = browser.run("""
        return [...document.querySelectorAll('h1, p')].map(e => {
            const range = document.createRange();
            range.selectNodeContents(e);
            const [words, place] = [range.getBoundingClientRect(), e.getBoundingClientRect()];
            return [Math.round(words.left - place.left), Math.round(place.right - words.right)];
        })
    """)
    assert (heading[1], right[1], left[0]) == (0, 0, 0)
    assert min(heading[0], right[0], left[1]) > 100


def test_on_paper_is_the_whole_story(browser: Browser, tmp_path: Path, declined: list[Part]) -> None:
    browser.sized(*DESK)
    opened(browser, tmp_path, declined)
    told = browser.run("return document.querySelector('main').innerText")
    paper = pdf.pages(browser.printed())
    assert 2 < len(paper) < 8
    words = bare("".join(re.sub(rf"{number} / {len(paper)}", "", text) for number, text in enumerate(paper, 1)))
    assert story.TEXT in told
    lines = [line for line in told.splitlines() if line.strip()]
    assert len(lines) > 80
    assert [line for line in lines if any(bare(cell) not in words for cell in line.split("\t"))] == []
    for number, text in enumerate(paper, 1):
        assert f"{number} / {len(paper)}" in text


def test_a_table_that_goes_over_pages_has_its_head_on_each_and_no_row_is_cut(browser: Browser, tmp_path: Path) -> None:
    browser.sized(*DESK)
    rows = tuple((str(n), f"Fact{n:03}Recorded", "2026-01-02 12:00 UTC", f"{n:064x}") for n in range(120))
    opened(browser, tmp_path, [Heading(1, "Long"), Grid(("Position", "Fact", "True at", "Leaf"), rows, (3,), "Facts")])
    paper = [bare(text) for text in pdf.pages(browser.printed())]
    assert len(paper) > 2
    assert all("PositionFactTrueatLeaf" in text for text in paper)
    for position, fact, at, leaf in rows:
        assert sum(bare(position + fact + at + leaf) in text for text in paper) == 1
