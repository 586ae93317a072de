"""The page of the data model, made from the model."""

from __future__ import annotations

from pinlake.lake.model import TABLES
from pinlake.topics import TOPICS
from tools.data_model import markdown


def test_every_topic_table_and_column_is_on_the_page() -> None:
    sections = dict(part.split("\n", 1) for part in markdown().split("### ")[1:])
    assert list(sections) == [*TOPICS, *TABLES]
    for name, topic in TOPICS.items():
        assert all(f"| {field.name} |" in sections[name] for field in topic.fields)
    for name, table in TABLES.items():
        assert table.comment in sections[name]
        assert all(f"| {column.name} | `{column.type}` |" in sections[name] for column in table.columns)


def test_every_row_of_a_table_has_its_columns() -> None:
    rows = [line.replace("\\|", "") for line in markdown().splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {4, 5}
