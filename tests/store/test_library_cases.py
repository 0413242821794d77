"""The event sourcing library's own persistence cases hold for our recorder."""

from typing import Any
from unittest import TestCase

import pytest
from eventsourcing.persistence import AggregateRecorder
from eventsourcing.tests import persistence as cases

from ledger.store.recorder import LedgerRecorder, StreamRecorder


class OnOurLog(TestCase):
    __test__ = False

    @pytest.fixture(autouse=True)
    def _use_database(self, database_url: str) -> None:
        self.database_url = database_url

    def create_recorder(self) -> Any:
        recorder = LedgerRecorder(self.database_url, pool_size=4, statement_timeout_ms=5_000)
        self.addCleanup(recorder.close)
        return recorder


class TestStreams(OnOurLog, cases.AggregateRecorderTestCase):
    __test__ = True

    def create_recorder(self) -> AggregateRecorder:
        log = super().create_recorder()
        return StreamRecorder(log.reads, log.writes)


class TestLog(OnOurLog, cases.ApplicationRecorderTestCase[LedgerRecorder]):
    __test__ = True

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNotificationIdsDoNotInterleave(OnOurLog, cases.NonInterleavingNotificationIDsBaseCase):
    __test__ = True
