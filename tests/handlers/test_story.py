"""A ledger with the clock of a story: the command's time is the recorded one, and never runs backwards."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.commands import team as teams
from ledger.domain.rejected import Code, Rejected
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import instant_text
from tests.handlers.world import STEWARD, TEAM, World


@pytest.fixture
def story(empty_database_url: str) -> Iterator[World]:
    migrate(empty_database_url, clock="story")
    ledger = Ledger(empty_database_url)
    yield World(ledger).staffed()
    ledger.close()


def test_a_story_records_at_the_commands_own_time_and_refuses_an_earlier_one(story: World) -> None:
    outcome = story.do(STEWARD, teams.SetCapacity(TEAM, Decimal(1)))
    assert outcome.recorded_at == story.now

    reached = outcome.recorded_at
    with pytest.raises(Rejected, match="cannot go back") as refused:
        story.do(STEWARD, teams.SetCapacity(TEAM, Decimal(2)), at=reached - timedelta(days=1))

    assert (refused.value.code, refused.value.path) == (Code.BAD_USER_INPUT, ("at",))
    told = f"has reached {instant_text(reached)} and cannot go back to {instant_text(reached - timedelta(days=1))}."
    assert told in refused.value.message
