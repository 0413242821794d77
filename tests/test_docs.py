"""The pages under docs/ say what the code says."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.api import errors
from ledger.cli import facts, roles
from ledger.domain.rejected import Code

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RULES = sorted((ROOT / "tests" / "rules").glob("test_rule_*.py"))
#: A chapter of docs/rules.md: its number and its text.
CHAPTER = re.compile(r"^## (\d+)\. .+\n([\s\S]*?)(?=^## |\Z)", re.MULTILINE)
#: A refusal there: its code and its sentence.
REFUSAL = re.compile(r"^- `(\w+)`.*?: “(.+)”$", re.MULTILINE)
CODES = {*Code, errors.VALIDATION_FAILED, errors.UNAUTHENTICATED}


@pytest.mark.parametrize(
    ("name", "page", "option"), [("facts", facts.page, "--facts"), ("roles", roles.page, "--roles")]
)
def test_a_generated_page_is_what_the_code_says(name: str, page: Callable[[], str], option: str) -> None:
    if (DOCS / f"{name}.md").read_text("utf-8") != page():
        pytest.fail(f"Make it again: decision-ledger schema {option} > docs/{name}.md", pytrace=False)


def chapters() -> dict[int, str]:
    return {int(number): text for number, text in CHAPTER.findall((DOCS / "rules.md").read_text("utf-8"))}


def test_each_of_the_seventeen_rules_has_its_chapter_and_its_test_file_there() -> None:
    files = {int(path.name.split("_")[2]): path.name for path in RULES}
    assert sorted(files) == list(range(1, 18))
    assert len(files) == len(RULES)
    named = {number: re.findall(r"\(\.\./tests/rules/(\S+)\)", text) for number, text in chapters().items()}
    assert named == {number: [name] for number, name in files.items()}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_each_refusal_that_the_page_gives_is_one_that_the_rules_tests_expect(path: Path) -> None:
    given = REFUSAL.findall(chapters()[int(path.name.split("_")[2])])
    assert given
    source = ast.parse(path.read_text("utf-8"))
    texts = list(expected(source))
    for code, sentence in given:
        assert code in CODES
        assert re.search(rf"\b{code}\b", path.read_text("utf-8")), code
        assert any(re.fullmatch(text, shown) for text in texts for shown in (sentence, sentence.rstrip("…"))), sentence


def expected(source: ast.Module) -> Iterator[str]:
    """Each text of a test file as a pattern, in which a value that is put in may be anything."""
    inside = {id(part) for node in ast.walk(source) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(source):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                ".+" if isinstance(part, ast.FormattedValue) else re.escape(part.value) for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield re.escape(node.value)


def test_every_setting_is_on_the_page_of_settings() -> None:
    read = set(re.findall(r'read\("(LEDGER_\w+)"', (ROOT / "ledger/settings.py").read_text("utf-8")))
    page = (DOCS / "operations.md").read_text("utf-8").partition("## Settings")[2]
    assert len(read) > 15
    assert read - set(re.findall(r"`(LEDGER_\w+)`", page)) == set()


def test_every_code_of_an_error_is_on_the_page_of_the_api() -> None:
    codes = {
        value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str) and value.isupper()
    }
    assert {"NOT_FOUND", "RATE_LIMITED"} < codes
    page = (DOCS / "api.md").read_text("utf-8")
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_every_part_of_the_program_is_on_the_page_of_the_architecture() -> None:
    page = (DOCS / "architecture.md").read_text("utf-8")
    parts = {
        path.stem for path in (ROOT / "ledger").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {"domain", "values"} < parts
    assert {name for name in parts - {"__init__"} if not re.search(rf"`ledger/{name}(\.py)?`", page)} == set()
