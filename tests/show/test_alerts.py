"""What alerts say, from literal tables."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pinlake.lake.lake import Lake
from pinlake.lake.row_count import TopicCount
from pinlake.show.alerts import RULES, Told, told

HOUR = 3_600
# Seconds since 1970, a day on which clocks in Los Angeles are set back: it has 25 hours there.
LAST = 1_762_110_000


def lake_of(spark: SparkSession, runs: list[tuple[str, int, TopicCount]], hours_ago: int | None) -> Lake:
    """A lake with these counts (run, its start in seconds, count) and a record read so many hours ago, or none."""
    names = [field.name for field in fields(TopicCount) if field.name != "topic"]
    rows = [(run, at, count.topic, *(getattr(count, name) for name in names)) for run, at, count in runs]
    schema = f"run_id string, seconds bigint, topic string, {', '.join(f'{name} bigint' for name in names)}"
    records = spark.range(0 if hours_ago is None else 1)
    age = F.unix_seconds(F.current_timestamp()) - (hours_ago or 0) * HOUR
    tables = {
        "row_count": spark.createDataFrame(rows, schema).withColumn("at", F.timestamp_seconds("seconds")),
        "bronze": records.select(F.timestamp_seconds(age).alias("ingested_at")),
    }
    return cast(Lake, SimpleNamespace(spark=spark, read=tables.__getitem__))


def count(topic: str, bronze: int, quarantined: int, **more: Any) -> TopicCount:
    """Counts of which the sums hold, unless `more` says otherwise."""
    silver = bronze - quarantined
    values = {"received": bronze, "bronze": bronze, "silver": silver, "quarantined": quarantined, **more}
    return TopicCount(topic, **values)


def said(lake: Lake) -> list[str]:
    return [str(each) for each in told(lake)]


@pytest.mark.parametrize("any_time_zone", ["America/Los_Angeles"], indirect=True)
def test_an_alert_is_triggered_above_its_threshold(spark: SparkSession, any_time_zone: str) -> None:
    runs = [
        # Long ago most records of pin were bad. Of those since, 6 of 100 are, of geo 2 of 100.
        ("r1", LAST - 24 * HOUR, count("pin", 1_000, 900)),
        ("r1", LAST - 24 * HOUR, count("geo", 1_000, 0)),
        ("r2", LAST - 24 * HOUR + 1, count("pin", 1_050, 905)),
        ("r3", LAST, count("pin", 1_100, 906)),
        ("r3", LAST, count("geo", 1_100, 2, received=1_103, silver=1_100)),
    ]
    assert said(lake_of(spark, runs, hours_ago=25)) == [
        "alert bad_share: TRIGGERED, 6 % of a topic's records of the last day are in quarantine; more than 5 % are too "
        "many",
        "alert freshness: TRIGGERED, the newest record was read 25 hours ago; more than 24 are too many",
        # Of geo, received is 3 more than bronze, and bronze 2 less than its parts.
        "alert sums: TRIGGERED, the sums of the row accounting are off by 5 records; they must hold",
    ]


def test_nothing_is_triggered_at_the_threshold(spark: SparkSession) -> None:
    # The first run: all its records are new.
    found = told(lake_of(spark, [("r1", LAST, count("pin", 100, 5))], hours_ago=24))
    assert [(each.rule.name, each.value, each.triggered) for each in found] == [
        ("bad_share", 5, False),
        ("freshness", 24, False),
        ("sums", 0, False),
    ]


def test_a_lake_without_records_triggers_nothing(spark: SparkSession) -> None:
    assert [(each.value, each.triggered) for each in told(lake_of(spark, [], hours_ago=None))] == [(0, False)] * 3


def test_large_values_are_told_in_full() -> None:
    assert "off by 12345678 records" in str(Told(RULES[-1], 12_345_678.0))
