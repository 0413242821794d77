"""A past state is found as the present one is: by an index, whose entries say between which positions a version stood."""

import asyncio
import re
from collections.abc import Iterator

import psycopg
import pytest

from benchmarks.asof import QUESTIONS, plan
from benchmarks.facts import History, write
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests import databases
from tests.databases import Server

FACTS = 6_000
LAST_RESORTS = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off"
#: Tables of a row or a few for each team: read whole, and rightly so.
SMALL = {"backlog_rankings", "audit_teams", "audit_policies", "transparency_teams"}


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    with server.admin() as admin, databases.database(server, admin) as found:
        migrate(found)
        write(found, History(teams=5, together=50).events(facts=FACTS))
        with Ledger(found) as ledger:
            rebuild(found, ledger, VIEWS)
        yield found


def planned(url: str, name: str) -> str:
    """The plan of a question about a past position, where reading a whole table or sorting is the last resort."""
    with psycopg.connect(url) as connection:
        ids = connection.execute(
            "SELECT team_id, proposal_id FROM views.audit_decisions WHERE valid_to IS NULL LIMIT 1"
        ).fetchone()
        assert ids is not None
    return asyncio.run(plan(url, QUESTIONS[name], *ids, FACTS // 2, LAST_RESORTS))


@pytest.mark.parametrize("name", [name for name in QUESTIONS if "all teams" in name or "a team" in name])
def test_an_index_passes_over_the_versions_of_other_times(url: str, name: str) -> None:
    found = planned(url, name)
    scanned = set(re.findall(r"Seq Scan on (\w+)", found)) - SMALL
    assert not scanned, found
    conditions = [line for line in found.splitlines() if "Index Cond" in line]
    assert any("valid_from <=" in line and "COALESCE" in line for line in conditions), found


@pytest.mark.parametrize("name", ["backlog, a team", "backlog, all teams", "declined, a team", "declined, all teams"])
def test_a_page_of_the_past_is_cut_off_before_anything_is_sorted(url: str, name: str) -> None:
    _, limit, read = planned(url, name).partition("Limit ")  # above it are the rows of the page alone
    assert limit
    assert "Sort" not in read


@pytest.mark.parametrize("name", ["areas, a team", "areas, all teams"])
def test_areas_of_the_past_are_summed_up_from_an_index_alone(url: str, name: str) -> None:
    scans = re.findall(r"(\w[\w ]* Scan) (?:using \w+ )?on backlog", planned(url, name))
    assert scans == ["Index Only Scan"]


@pytest.mark.parametrize("name", ["transparency, a team", "transparency, all"])
def test_the_past_is_counted_from_indexes_alone(url: str, name: str) -> None:
    scans = set(
        re.findall(r"(\w[\w ]* Scan) (?:using \w+ )?on transparency_(marks|matters|proposals)", planned(url, name))
    )
    assert {table for _, table in scans} == {"marks", "matters", "proposals"}
    assert {scan.removeprefix("Parallel ") for scan, _ in scans} == {"Index Only Scan"}
