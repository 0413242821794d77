"""Which declines are weighed as precedents: all that have a question's rarest words, however old, and no more than can be weighed."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from uuid import UUID

import psycopg
import pytest

from benchmarks import search
from ledger.store.migrations import migrate
from ledger.values import Disposition
from projections.audit import ground, precedents
from projections.audit.ground import LATEST, ONE_IN, WEIGHED_MAX, Question
from tests import databases
from tests.databases import Server
from tests.projections.story import ask

COUNT = 1_600


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    with server.admin() as admin, databases.database(server, admin) as found:
        migrate(found)
        search.fill(found, COUNT)
        yield found


@pytest.fixture(scope="module")
def texts(url: str) -> dict[UUID, set[str]]:
    """The words of each NO, the latest first."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT decision_id, tsvector_to_array(words) FROM views.audit_texts ORDER BY decided_at DESC"
        ).fetchall()
    return {decision_id: set(words) for decision_id, words in rows}


def weighed(url: str, words: list[str], as_of: int | None = None) -> set[UUID]:
    question = Question()
    where, same = (ground.earlier(alias, None, question, (Disposition.DECLINE,), None, as_of) for alias in ("x", "d"))
    found = ask(url, lambda connection: ground.candidates(connection, question, words, where, same))
    return {one.decision_id for one in found}


def chosen(texts: dict[UUID, set[str]], words: list[str]) -> list[str]:
    """The words to look for, by the rule as it is said."""
    latest = list(texts.values())[:LATEST]
    few = [word for word in words if sum(word in text for text in latest) * ONE_IN <= len(latest)]
    by_rarity = sorted((sum(word in text for text in texts.values()), word) for word in few)
    together = accumulate(count for count, _ in by_rarity)
    return [word for (count, word), sum_ in zip(by_rarity, together, strict=True) if count and sum_ <= WEIGHED_MAX]


@pytest.mark.parametrize("every", [25, 60])
def test_every_no_with_the_rarest_words_is_weighed(url: str, texts: dict[UUID, set[str]], every: int) -> None:
    by_count = [word for word, _ in Counter(word for text in texts.values() for word in text).most_common()]
    words = by_count[: 20 * every : every]
    looked_for = chosen(texts, words)
    assert 0 < len(looked_for) < len(words)
    having = {decision_id for decision_id, text in texts.items() if text & set(looked_for)}
    assert len(having) > 200
    assert weighed(url, words) == having


def test_of_common_words_the_latest_nos_with_the_rarest_are_weighed(url: str, texts: dict[UUID, set[str]]) -> None:
    common = Counter(word for text in texts.values() for word in text).most_common(3)
    having = [decision_id for decision_id, text in texts.items() if common[-1][0] in text]
    assert len(having) == common[-1][1] > WEIGHED_MAX
    sampled = Counter(word for text in list(texts.values())[:LATEST] for word, _ in common if word in text)
    rarest = min(sampled, key=lambda word: (sampled[word], word))
    latest = [decision_id for decision_id, text in texts.items() if rarest in text][:WEIGHED_MAX]
    assert weighed(url, [word for word, _ in common]) == set(latest)


def test_an_old_no_outweighs_any_number_of_later_ones_that_share_less(url: str, texts: dict[UUID, set[str]]) -> None:
    oldest, words = list(texts.items())[-1]
    counts = Counter(word for text in texts.values() for word in text)
    rare = sorted((word for word in words if not word.endswith("s")), key=lambda word: counts[word])[:12]
    assert sum(counts[word] for word in rare) > 100
    question = Question(case_text=" ".join(rare))
    first, *_ = ask(url, lambda c: precedents.precedents(c, None, question, limit=5))
    assert first.decision.decision_id == oldest
    assert set(first.shared_words) == set(rare)


def test_a_past_state_weighs_what_it_had(url: str, texts: dict[UUID, set[str]]) -> None:
    then = dict(list(texts.items())[COUNT - 400 :])
    counts = Counter(word for text in then.values() for word in text)
    words = [word for word, count in counts.items() if 15 <= count <= 25][:20]
    assert len(words) == 20
    assert weighed(url, words, as_of=400) == {decision_id for decision_id, text in then.items() if text & set(words)}
