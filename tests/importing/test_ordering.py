"""Lines are decided as what they tell of begins, and recorded while others are decided; in the log each fact is where it was known."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.synthetic_histories import write
from ledger.events.proposal import ProposalSubmitted
from ledger.importing import Progress, import_histories, ordering, runs
from ledger.importing.form import MICROSECOND, UNIX_EPOCH, read
from ledger.importing.naming import Names
from ledger.importing.ordering import as_they_begin
from ledger.importing.record import record
from ledger.importing.staging import END_OF_TIME, Staging
from ledger.store.application import Ledger
from tests.importing.told import Log, proposal

Written = Callable[..., Path]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "CHUNK_LINES", 1)
    monkeypatch.setattr(ordering, "OUTLINES_NOTED", 3)
    monkeypatch.setattr(runs, "ORDERED_ROWS", 1)


def begun(external_id: str, at: str, *facts: dict[str, object], repo: str = "example/orchard") -> dict[str, object]:
    """A line whose proposal was made then."""
    told = [{"seq": 1, "type": "proposed", "at": at}, *facts]
    return {**proposal(external_id), "facts": told, "source": {"repo": repo}}


def submitted(log: Log) -> list[str]:
    return [e.source.external_id.removesuffix("#1") for e in log.of(ProposalSubmitted) if e.source]


ODD = [
    begun("pear-1", "2020-05-02T01:00:00+14:00"),
    begun("pear-2", "2020-05-01T23:00:00-12:00"),
    begun("pear-3", "2020-05-01"),
    begun("pear-4", "2020-04-30T23:59:59.999999Z", {"seq": 2, "type": "withdrawn", "recorded_at": "2020-05-03"}),
    begun("pear-5", "2020-06-01", {"seq": 2, "type": "posted", "not_after": "2020-05-01", "known_by": "1999-W53-7"}),
    begun("pear-6", "2020-06-01", {"seq": 2, "type": "posted", "known_by": "2020-05-02t00:30:00+00:45"}),
    begun("pear-7", "0001-01-01"),
    begun("pear-8", "1969-12-31T23:00:00Z"),
]


def test_no_line_tells_of_anything_from_before_it_begins(database_url: str, written: Written) -> None:
    with written(*reversed(ODD)).open("rb") as file, Staging(database_url) as staging:
        chunks = list(as_they_begin(file, staging))
    assert len(chunks) == len(ODD)
    assert chunks[-1].next_begins is None
    for index, chunk in enumerate(chunks[:-1]):
        for later in chunks[index + 1 :]:
            first = record(read(later.lines[0].content or b""), Names("example/orchard"), END_OF_TIME).entries[0]
            assert chunk.next_begins is not None
            assert (first.known - UNIX_EPOCH) // MICROSECOND >= chunk.next_begins


def test_the_log_is_in_the_order_of_knowing_whatever_the_order_of_the_lines(
    ledger: Ledger, database_url: str, other: tuple[Ledger, str], written: Written
) -> None:
    at = "2020-05-01T12:00:00Z"
    # All but those with a fact whose bound lies before the proposal itself: it stands where the proposal stands.
    given = [*ODD[:4], *ODD[6:], begun("pear-9", at, {"seq": 2, "type": "withdrawn", "at": at})]
    assert import_histories(ledger, database_url, [written(*given)]).ok
    assert import_histories(*other, [written(*given[::-1], name="backwards.jsonl")]).ok
    assert sorted(submitted(Log(ledger))) == sorted(submitted(Log(other[0])))
    for told in (Log(ledger), Log(other[0])):
        known = [e.source.known_at for e in told.events if e.source and e.source.known_at]
        assert known == sorted(known)


def test_what_begins_first_is_recorded_before_the_last_line_is_decided(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    facts = write(path, 60, seed=4)
    heads: list[int] = []

    def note(at: Progress) -> None:
        if at.phase == "READING":
            heads.append(ledger.head())

    assert import_histories(ledger, database_url, [path], progress=note).facts_recorded == facts
    assert len(heads) == 60
    assert heads[-1] > facts / 2


def test_an_import_that_is_given_up_in_the_middle_leaves_what_was_recorded_and_goes_on_from_there(
    ledger: Ledger, database_url: str, other: tuple[Ledger, str], tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    facts = write(path, 30, seed=6)
    told: list[Progress] = []

    def give_up(at: Progress) -> None:
        told.append(at)
        if len(told) == 20:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        import_histories(ledger, database_url, [path], progress=give_up)
    assert 0 < ledger.head() < facts
    file = import_histories(ledger, database_url, [path]).files[0]
    assert file.facts_known > 0
    assert file.facts_recorded + file.facts_known == facts
    import_histories(*other, [path])
    assert Log(ledger).story() == Log(other[0]).story()


def test_with_strict_nothing_is_recorded_before_the_last_line(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "torn.jsonl"
    write(path, 20, seed=4)
    with path.open("ab") as file:
        file.write(b"{")
    assert import_histories(ledger, database_url, [path], strict=True).stopped
    assert ledger.head() == 0


def test_of_two_lines_with_one_id_the_first_of_the_file_counts_even_if_it_begins_later(
    ledger: Ledger, database_url: str, written: Written
) -> None:
    path = written(begun("pear-1", "2021-01-01"), begun("pear-2", "2019-01-01"), begun("pear-1", "2020-01-01"))
    (bad,) = import_histories(ledger, database_url, [path]).files[0].bad_lines
    assert (bad.line, bad.reason) == (3, "Line 1 has the id pear-1 already. Keep one of them.")
    assert submitted(Log(ledger)) == ["pear-2", "pear-1"]


def test_a_team_is_formed_before_its_first_fact(ledger: Ledger, database_url: str, written: Written) -> None:
    late, early = (
        begun("pear-1", "2021-01-01", repo="example/late"),
        begun("pear-1", "2020-01-01", repo="example/early"),
    )
    middle = begun("pear-2", "2021-01-01", repo="example/early")
    assert import_histories(ledger, database_url, [written(late, early, middle)]).ok
    told = [(e.source.system, type(e.fact).__name__) for e in Log(ledger).events if e.source]
    assert told == [
        ("example/early", "TeamFormed"),
        ("example/early", "ProposalSubmitted"),
        ("example/late", "TeamFormed"),
        ("example/late", "ProposalSubmitted"),
        ("example/early", "ProposalSubmitted"),
    ]
