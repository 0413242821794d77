"""The demo's story: every proposal of it has a report in which everybody has a name."""

import re
from uuid import UUID

import psycopg

from ledger.demo.showing import show
from ledger.exports import page
from ledger.exports.report import report


def test_every_proposal_of_the_demo_is_told_with_names(empty_database_url: str) -> None:
    show(empty_database_url, bytes(32), lambda *_: None)
    with psycopg.connect(empty_database_url) as connection:
        query = "SELECT proposal_id FROM views.audit_proposals WHERE valid_to IS NULL"
        proposals: list[tuple[UUID]] = connection.execute(query).fetchall()
    assert len(proposals) > 20
    for (proposal_id,) in proposals:
        parts = report(empty_database_url, proposal_id).parts
        for text in (page.html(parts), page.markdown(parts)):
            assert "member " not in text, text
            assert not re.search(r"\bNone\b(?! was given| but)", text), text
