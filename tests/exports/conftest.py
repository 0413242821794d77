"""A story told in the ledger, with its views built."""

from collections.abc import Iterator

import pytest

from ledger.store.application import Ledger
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.projections import story
from tests.projections.recording import Recorder, ledger_of


@pytest.fixture
def recorder(database_url: str) -> Iterator[Recorder]:
    with ledger_of(database_url) as ledger:
        yield Recorder(ledger)


@pytest.fixture
def ledger(recorder: Recorder) -> Ledger:
    return recorder.ledger


@pytest.fixture
def told(database_url: str, recorder: Recorder) -> int:
    story.tell(recorder)
    rebuild(database_url, recorder.ledger, VIEWS)
    return recorder.ledger.head()
