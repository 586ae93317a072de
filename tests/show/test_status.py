"""The accounting as a document, as rows and as a table."""

from __future__ import annotations

import pytest

from pinlake.dump.offsets import Hole
from pinlake.lake.accounting import Accounting
from pinlake.lake.row_count import TopicCount
from pinlake.show.status import missing_table, status_document, status_rows, status_table


@pytest.fixture
def counts() -> Accounting:
    topics = [
        TopicCount("pin", received=5, bronze=5, silver=3, deduplicated=1, backlog=1),
        TopicCount("geo", received=4, unreadable=1, bronze=3, conflicts=2, backlog=2),
    ]
    return Accounting(topics, [Hole("pin", 0, 7, 9)])


def test_the_document_has_topics_holes_and_backlog(counts: Accounting) -> None:
    document = status_document(counts)
    assert document["topics"].keys() == {"pin", "geo"}
    assert (document["topics"]["geo"]["unreadable"], document["topics"]["pin"]["silver"]) == (1, 3)
    assert "topic" not in document["topics"]["pin"]
    assert document["missing_offsets"] == [{"topic": "pin", "partition": 0, "first": 7, "last": 9}]
    assert document["backlog"] == 3


def test_rows_are_topics(counts: Accounting) -> None:
    rows = status_rows(counts)
    assert rows.columns[:4] == ["topic", "received", "unreadable", "bronze"]
    assert [row[:4] for row in rows.rows] == [["pin", 5, 0, 5], ["geo", 4, 1, 3]]


def test_the_table_has_a_column_for_each_topic(counts: Accounting) -> None:
    table = status_table(counts)
    assert table.columns == ["records", "pin", "geo"]
    assert ["missing offsets", 0, 0] in table.rows
    assert [row[0].replace(" ", "_") for row in table.rows] == status_rows(counts).columns[1:]


def test_holes_are_rows(counts: Accounting) -> None:
    assert missing_table(counts).records() == [{"topic": "pin", "partition": 0, "first": 7, "last": 9}]
