"""A file is there as a whole or not at all; a redacted fact is exported as what remains of it."""

import io
from pathlib import Path
from uuid import uuid4

import pytest
from cloudevents.http import from_json

from ledger.exports import cloud, files
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.store.integrity import reading
from ledger.store.integrity.export import export
from ledger.values import SYSTEM
from tests.projections import story
from tests.projections.recording import NOON, Recorder


@pytest.mark.parametrize("broken", [KeyboardInterrupt, ValueError])
def test_what_is_broken_off_leaves_nothing(tmp_path: Path, broken: type[BaseException]) -> None:
    def write() -> None:
        with files.whole(tmp_path / "facts") as part:
            part.write_bytes(b"half")
            assert [each.name for each in tmp_path.iterdir()] == [part.name]
            raise broken

    with pytest.raises(broken):
        write()
    assert list(tmp_path.iterdir()) == []


def test_what_is_whole_has_its_name_and_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    with files.whole(file) as part:
        part.write_bytes(b"all")
        assert not file.exists()
    assert file.read_bytes() == b"all"
    with pytest.raises(files.AlreadyThere), files.whole(file):
        pytest.fail("it was begun")
    assert [each.name for each in tmp_path.iterdir()] == ["facts"]


def test_a_redacted_fact_is_a_cloud_event_without_its_words(database_url: str, recorder: Recorder) -> None:
    position = recorder.record((story.UNSEEN, story.submitted("Jane Roe's telephone")))
    asked = RedactionAsked(position, SYSTEM, "a customer's name was in it", "GDPR Article 17(1)(d)")
    redact(recorder.ledger, database_url, asked, command_id=uuid4(), at=NOON)
    out = io.BytesIO()
    with reading.reader(database_url) as connection:
        found = export(connection, out, write=cloud.writer(connection))
    assert found.facts == position + 1
    first, second = (from_json(line) for line in out.getvalue().splitlines())
    assert (first["type"], first.data["title"]) == ("decision-ledger.ProposalSubmitted", "Redacted")
    assert second["type"] == "decision-ledger.FactRedacted"
    assert b"Jane" not in out.getvalue()
