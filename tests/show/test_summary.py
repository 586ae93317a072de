"""The job's report, from literal tables."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession

from pinlake.lake.lake import Lake
from pinlake.lake.model import ANSWERS, GOLD, ISSUES
from pinlake.show.sentences import NOTHING
from pinlake.show.summary import Line, summary

NO_JSON = ("not_json", "the record is not valid JSON", ["text"])
COUNTS = (
    "run_id string, topic string, received bigint, silver bigint, quarantined bigint, warnings bigint, "
    "conflicts bigint, missing_offsets bigint, orphans bigint, unreadable bigint, backlog bigint"
)
BEFORE = [("r1", topic, 1_000, 900, 0, 0, 0, 0, 0, 0, 0) for topic in ("pin", "geo", "user")]
NOW = [
    ("r2", "pin", 1_500, 1_400, 2, 1, 0, 0, 300, 0, 0),
    ("r2", "geo", 1_500, 1_200, 0, 0, 0, 7, 0, 0, 0),
    ("r2", "user", 1_500, 1_300, 0, 0, 0, 0, 0, 0, 0),
]


class Tables:
    """Stands for a lake: tables by name."""

    def __init__(self, frames: dict[str, DataFrame]) -> None:
        self.frames = frames

    def read(self, table: str) -> DataFrame:
        return self.frames[table]

    def require(self, table: str, stage: str) -> DataFrame:
        return self.frames[table]


@pytest.fixture
def tables(spark: SparkSession) -> dict[str, DataFrame]:
    place = "topic string, partition int, offset bigint, position int, path string"
    issues = spark.createDataFrame([(1, None), (2, [NO_JSON])], f"ind bigint, _warnings {ISSUES}")
    joined = {"answer": "users_joined_by_year", "join_year": 2015, "number_users_joined": 1_234}
    answers = [tuple(joined.get(name) for name in ANSWERS.column_names)]
    return {
        "answers": spark.createDataFrame(answers, ANSWERS.schema),
        "row_count": spark.createDataFrame([*BEFORE, *NOW], COUNTS),
        "quarantine": spark.createDataFrame(
            [("pin", 0, 9, 0, "b", [NO_JSON]), ("pin", 0, 10, 0, "b", [NO_JSON])], f"{place}, _errors {ISSUES}"
        ),
        "silver_pin": issues,
        "silver_geo": issues.limit(0),
        "silver_user": issues.limit(0),
        "drift": spark.createDataFrame(
            [("pin", "extra", "new", 2, "b")],
            "topic string, kind string, field string, records bigint, example_path string",
        ),
        "object_report": spark.createDataFrame(
            [("pin", "topics/b", "lost", "gone")], "topic string, path string, kind string, message string"
        ),
    }


def reported(tables: dict[str, DataFrame]) -> list[Line]:
    return summary(cast(Lake, Tables(tables)))


def test_it_tells_how_much_there_is_what_changed_what_the_answers_say_and_what_is_odd(
    tables: dict[str, DataFrame],
) -> None:
    found = reported(tables)
    assert found[:2] == [Line("records received", "4,500", "+1,500"), Line("posts", "1,100", "+200")]
    said = {line.about: line.found for line in found}
    assert said[GOLD["users_joined_by_year"].comment] == "Most users joined in 2015: 1,234 of 1,234, 100%."
    assert said[GOLD["top_category_by_country"].comment] == NOTHING
    assert found[2 + len(GOLD) :] == [
        Line("records in quarantine", "2, most often, of pin: the record is not valid JSON (2)", "+2"),
        Line("posts with a warning", "1, most often, of pin: the record is not valid JSON (1)", "+1"),
        Line("offsets that no object covers", "7", "+7"),
        Line("posts that a topic lacks", "300", "+300"),
        Line("kinds of drift", "extra"),
        Line("names that are not objects", "lost"),
    ]


def test_nothing_is_odd_and_nothing_changed_in_a_first_run_without_faults(
    spark: SparkSession, tables: dict[str, DataFrame]
) -> None:
    empty: Any = {name: tables[name].limit(0) for name in ("quarantine", "silver_pin", "drift", "object_report")}
    found = reported({**tables, **empty, "row_count": spark.createDataFrame(BEFORE, COUNTS)})
    assert found[:2] == [Line("records received", "3,000"), Line("posts", "900")]
    assert len(found) == 2 + len(GOLD)
