"""The audit, transparency, reviews and outcomes views as a whole: built again as followed, and as of any position."""

import random

from ledger.store.application import Ledger
from projections.rebuild import rebuild
from tests.projections.recording import Recorder, contents
from tests.projections.story import VIEWS, follow, tell


def test_a_rebuild_of_each_view_equals_following_it(database_url: str, recorder: Recorder) -> None:
    tell(recorder)
    follow(database_url, recorder, batch=7)
    followed = contents(database_url, VIEWS)
    assert all(followed.values()), "a table of which the story fills no row proves nothing"
    rebuild(database_url, recorder.ledger, VIEWS)
    assert contents(database_url, VIEWS) == followed


def test_a_past_state_is_what_a_ledger_ending_there_would_show(database_url: str, recorder: Recorder) -> None:
    """Positions in the middle of a command show what stood before it, so only the ends of commands are compared."""
    ends: list[int] = []
    record = recorder.record

    def noting(*facts: object, **more: object) -> int:
        ends.append(record(*facts, **more))  # type: ignore[arg-type]
        return ends[-1]

    recorder.record = noting  # type: ignore[method-assign]
    tell(recorder)
    follow(database_url, recorder)
    for end in random.sample(ends, 10):
        past = contents(database_url, VIEWS, as_of=end)
        assert past == _folded(recorder.ledger, end), f"as of {end}"


def _folded(ledger: Ledger, end: int) -> dict[str, list[tuple[object, ...]]]:
    from projections.rows import Rows

    events = ledger.read(0, end)
    found: dict[str, list[tuple[object, ...]]] = {}
    for view in VIEWS:
        rows = Rows(view.tables)
        view.fold(rows, events)
        for table in view.tables:
            kept = rows.tables[table]
            standing = [s[0] for s in kept.standing.values() if s is not None]
            standing += [row for _, _, row in kept.versions if table.grows_only]
            values = [(*(c.value(row) for c in table.columns), table.encode(row)) for row in standing]
            names = [column.name for column in table.columns]
            found[table.name] = sorted(values, key=lambda v, n=names, t=table: tuple(v[n.index(k)] for k in t.key))  # type: ignore[misc]
    return found
