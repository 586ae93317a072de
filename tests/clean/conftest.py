"""Literal records in, cleaned rows out: each test puts all its cases through Spark at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinlake.clean.cleaners import clean_records
from pinlake.dump.split import Record
from pinlake.topics import TOPICS

BRONZE = (
    "text string, bytes binary, content string, wrapping string, partition int, offset bigint, position int,"
    " path string, batch bigint, run_id string, ingested_at timestamp"
)
INGESTED_AT = datetime(2024, 1, 1, tzinfo=UTC)

# The published columns of a clean pin, in their order.
PIN_COLUMNS = [
    *("ind", "unique_id", "title", "description", "follower_count", "poster_name", "tag_list", "is_image_or_video"),
    *("image_src", "save_location", "category"),
]


@pytest.fixture(scope="session")
def clean_frame(spark: SparkSession) -> Callable[..., DataFrame]:
    """Records as they lie in bronze, parsed and cleaned; `_path` is the name of the case, `_offset` its number."""

    def clean(topic: str, records: dict[str, str | bytes | Record]) -> DataFrame:
        rows = [
            (*_in_bronze(value), 0, number, 0, case, 1, "run", INGESTED_AT)
            for number, (case, value) in enumerate(records.items())
        ]
        return clean_records(spark.createDataFrame(rows, BRONZE), TOPICS[topic])

    return clean


def _in_bronze(value: str | bytes | Record) -> tuple[object, ...]:
    """Text, bytes, content and wrapping; a record that was split may have all four."""
    if isinstance(value, Record):
        return value[1:]
    return (None, value, None, None) if isinstance(value, bytes) else (value, None, None, None)


@pytest.fixture(scope="session")
def cleaned(clean_frame: Callable[..., DataFrame]) -> Callable[..., dict[str, dict[str, Any]]]:
    """The cleaned row of each case: timestamps as text in UTC, issues as in `brief`."""

    def collect(topic: str, records: dict[str, str | bytes | Record]) -> dict[str, dict[str, Any]]:
        found = {}
        for row in in_utc(clean_frame(topic, records)).collect():
            values = row.asDict(recursive=True)
            values["_errors"], values["_warnings"] = brief(values["_errors"]), brief(values["_warnings"])
            found[values["_path"]] = values
        assert found.keys() == records.keys()
        return found

    return collect


@pytest.fixture(scope="session")
def applied(spark: SparkSession) -> Callable[..., dict[Any, Any]]:
    """What a rule, a function from a column's name to a column, makes of each text."""

    def apply(rule: Callable[[str], Column], texts: list[str | None]) -> dict[str | None, Any]:
        frame = spark.createDataFrame(list(enumerate(texts)), "number int, field string")
        rows = in_utc(frame.select("number", rule("field").alias("made"))).collect()
        return {texts[row["number"]]: row["made"] for row in rows}

    return apply


def in_utc(frame: DataFrame) -> DataFrame:
    """Time stamps as text in UTC, computed without the session's or the machine's time zone."""
    times = [field.name for field in frame.schema if field.dataType.typeName() == "timestamp"]
    epoch = F.lit("1970-01-01 00:00:00").cast("timestamp_ntz")
    for name in times:
        frame = frame.withColumn(name, F.timestamp_add("MICROSECOND", F.unix_micros(name), epoch).cast("string"))
    return frame


def brief(issues: list[dict[str, Any]] | None) -> list[str] | None:
    """Issues as `name`, and where they are about one column as `name(column)`."""
    if issues is None:
        return None
    return [
        f"{issue['name']}({issue['columns'][0]})" if len(issue["columns"]) == 1 else issue["name"] for issue in issues
    ]
