"""What people look at, from literal tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession

from pinlake.errors import UsageError
from pinlake.lake.lake import Lake, check_query
from pinlake.lake.model import GOLD, ISSUES, ROW_COUNT, TABLES
from pinlake.show import views

NO_JSON = ("not_json", "the record is not valid JSON", ["text"])
NO_TIME = ("no_time", "timestamp is not a timestamp", ["timestamp"])


@dataclass
class Tables:
    """Stands for a lake: tables by name."""

    spark: SparkSession
    frames: dict[str, DataFrame] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)

    def exists(self, table: str) -> bool:
        return table in self.frames

    def read(self, table: str) -> DataFrame:
        return self.frames[table]

    def require(self, table: str, stage: str) -> DataFrame:
        self.stages.append(stage)
        return self.frames[table]


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.collect()]


@pytest.fixture
def lake(spark: SparkSession) -> Any:
    place = "topic string, partition int, offset bigint, position int, path string"
    quarantine = spark.createDataFrame(
        [
            ("pin", 0, 9, 0, "b", "{", None, [NO_JSON]),
            ("geo", 1, 2, 0, "c", "x" * 200, None, [NO_TIME, NO_JSON]),
            ("geo", 0, 3, 0, "a", None, b"\xff", [NO_JSON]),
        ],
        f"{place}, text string, bytes binary, _errors {ISSUES}",
    )
    drift = spark.createDataFrame(
        [
            ("pin", "extra", "new", 2, "b", 1),
            ("geo", "missing", "country", 1, "c", 1),
            ("pin", "extra", "new", 3, "a", 2),
        ],
        "topic string, kind string, field string, records bigint, example_path string, batch bigint",
    )
    names = ("run_id", "topic", "received", "missing_offsets")
    numbers = [("r1", "pin", 1, 0), ("r2", "user", 3, 1), ("r2", "pin", 2, 0)]
    started = {"at": datetime(2024, 1, 1, tzinfo=UTC)}
    counts = spark.createDataFrame([dict(zip(names, row, strict=True)) | started for row in numbers], ROW_COUNT.schema)
    silver = {
        f"silver_{topic}": spark.createDataFrame(
            [(2, "b", warnings, 5), (1, "a", None, 6)],
            f"ind bigint, name string, _warnings {ISSUES}, _batch bigint",
        )
        for topic, warnings in (("pin", [NO_TIME]), ("geo", [NO_TIME, NO_JSON]), ("user", None))
    }
    strange = spark.createDataFrame(
        [("pin", "topics/b", "lost", "gone", "r1"), (None, "x", "foreign file", "left alone", "r1")],
        "topic string, path string, kind string, message string, run_id string",
    )
    answer = spark.createDataFrame([(2016, 4), (2015, 5)], "join_year int, number_users_joined bigint")
    return Tables(
        spark,
        {
            **silver,
            "quarantine": quarantine,
            "drift": drift,
            "row_count": counts,
            "object_report": strange,
            "users_joined_by_year": answer,
        },
    )


def test_the_accounting_is_that_of_the_last_run_turned(lake: Any) -> None:
    found = views.accounting(lake)
    assert found.columns == ["records", "pin", "user"]
    assert {("received", 2, 3), ("missing_offsets", 0, 1)} <= set(rows(found))


def test_a_record_counts_for_each_of_its_reasons(lake: Any) -> None:
    assert rows(views.reasons(lake)) == [
        ("geo", "the record is not valid JSON", "text", 2),
        ("geo", "timestamp is not a timestamp", "timestamp", 1),
        ("pin", "the record is not valid JSON", "text", 1),
    ]


def test_quarantined_records_are_shown_with_their_reasons_and_their_beginning(lake: Any) -> None:
    assert rows(views.quarantined(lake)) == [
        ("geo", "the record is not valid JSON", 0, 3, "a", "/w=="),
        ("geo", "timestamp is not a timestamp; the record is not valid JSON", 1, 2, "c", "x" * 79 + "…"),
        ("pin", "the record is not valid JSON", 0, 9, "b", "{"),
    ]
    first = views.quarantined(lake, rows=1)
    assert (first.count(), vars(first)[views.TOTAL]) == (1, 3)


def test_drift_is_summed_over_batches(lake: Any) -> None:
    assert rows(views.drifted(lake)) == [("geo", "missing", "country", 1, "c"), ("pin", "extra", "new", 5, "a")]


def test_warnings_are_counted_by_topic_and_reason(lake: Any) -> None:
    assert rows(views.warned(lake)) == [
        ("geo", "the record is not valid JSON", "text", 1),
        ("geo", "timestamp is not a timestamp", "timestamp", 1),
        ("pin", "timestamp is not a timestamp", "timestamp", 1),
    ]


def test_strange_objects_are_sorted_by_kind(lake: Any) -> None:
    assert rows(views.strange_objects(lake)) == [
        (None, "foreign file", "x", "left alone"),
        ("pin", "lost", "topics/b", "gone"),
    ]


def test_a_look_is_in_a_fixed_order_without_upkeep(lake: Any) -> None:
    found = views.look(lake, "silver_user")
    assert found.columns == ["ind", "name", "_warnings"]
    assert [row[0] for row in rows(found)] == [1, 2]
    assert [row[0] for row in rows(views.look(lake, "silver_user", rows=1))] == [1]
    assert rows(views.look(lake, "row_count").select("run_id", "topic")) == [
        ("r1", "pin"),
        ("r2", "pin"),
        ("r2", "user"),
    ]


def test_a_look_has_the_columns_that_people_read(spark: SparkSession) -> None:
    columns = ", ".join(f"{column.name} {column.type}" for column in TABLES["bronze"].columns)
    found = views.look(cast(Lake, Tables(spark, {"bronze": spark.createDataFrame([], columns)})), "bronze")
    assert found.columns == ["topic", "partition", "offset", "path", "text", "problem"]
    assert [set(names) - set(TABLES[table].column_names) for table, names in views._SHOWN.items()] == [set()] * 3


def test_a_look_is_short_and_knows_the_number_of_all_rows(spark: SparkSession, lake: Any) -> None:
    texts = [(n, "x" * 81, "y" * 80, [1, 2, 3, 4], [1.5, 2.0], [NO_TIME, NO_JSON]) for n in range(7)]
    schema = f"ind int, long string, short string, many array<int>, few array<double>, _warnings {ISSUES}"
    lake.frames["silver_geo"] = spark.createDataFrame(texts, schema)
    found = views.look(lake, "silver_geo")
    told = "timestamp is not a timestamp; the record is not valid JSON"
    assert rows(found)[0] == (0, "x" * 79 + "…", "y" * 80, "1, 2, 3, …", "1.5, 2.0", told)
    assert (found.count(), vars(found)[views.TOTAL]) == (5, 7)


def test_a_look_asks_for_the_stage_that_makes_the_table(lake: Any) -> None:
    views.look(lake, "silver_pin")
    assert rows(views.look(lake, "users_joined_by_year")) == [(2015, 5), (2016, 4)]
    assert lake.stages == ["run", "query"]


def test_a_look_at_an_unknown_table_is_an_error_that_lists_them(lake: Any) -> None:
    with pytest.raises(UsageError, match="no table is called 'silver'; the tables are bronze, "):
        views.look(lake, "silver")


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_an_order(table: str) -> None:
    columns = TABLES[table].column_names
    assert table in GOLD or any(set(place) <= set(columns) for place in views._PLACES)


def test_the_example_is_a_query() -> None:
    check_query(views.EXAMPLE)
