"""What people look at in a lake: each table in a fixed order, and why records are in quarantine, drift or warned of."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.errors import UsageError
from pinlake.lake.model import TABLES
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pinlake.lake.lake import Lake

# What a record or a row is found by; answers have an order of their own.
_PLACES = (
    ("topic", "partition", "offset", "path"),
    ("ind",),
    ("topic", "kind", "path"),
    ("topic", "kind", "field", "batch"),
    ("run_id", "topic"),
)
_RECORD_LENGTH = 120

# The query of the notebook for SQL, where nothing else was asked.
EXAMPLE = """\
SELECT poster_name, country, follower_count
FROM silver_post
WHERE category = 'travel' AND follower_count IS NOT NULL
ORDER BY follower_count DESC, ind
LIMIT 10"""


def look(lake: Lake, table: str, rows: int = 10) -> DataFrame:
    """The table's first rows in a fixed order, without the columns that only serve its upkeep.

    Raises UsageError for an unknown table, LakeError for one that no stage has made yet.
    """
    if table not in TABLES:
        raise UsageError(f"no table is called {table!r}; the tables are {', '.join(TABLES)}")
    stage = "query" if TABLES[table].order else "run"
    found = lake.require(table, stage)
    order = TABLES[table].order or next(place for place in _PLACES if set(place) <= set(found.columns))
    shown = [name for name in found.columns if not name.startswith("_") or name in ("_errors", "_warnings")]
    return found.orderBy(*order).select(*shown).limit(rows)


def accounting(lake: Lake) -> DataFrame:
    """The counts of the last run that was counted, one row a topic."""
    counts = lake.require("row_count", "run")
    last = counts.agg(F.max("run_id").alias("run_id"))
    return counts.join(last, on="run_id", how="leftsemi").drop("run_id", "at").orderBy("topic")


def reasons(lake: Lake) -> DataFrame:
    """Why records are in quarantine: topic, reason, columns, records; a record with two reasons is in both."""
    errors = lake.read("quarantine").select("topic", F.explode("_errors").alias("error"))
    return _counted(errors.select("topic", F.col("error.message").alias("reason"), F.col("error.columns")))


def quarantined(lake: Lake) -> DataFrame:
    """Every record in quarantine: topic, reasons, where it lies, and its beginning."""
    return (
        lake.read("quarantine")
        .orderBy("topic", "partition", "offset", "position", "path")
        .select(
            "topic",
            F.array_join("_errors.message", "; ").alias("reasons"),
            "partition",
            "offset",
            "path",
            F.substring(F.coalesce("text", F.base64("bytes")), 1, _RECORD_LENGTH).alias("record"),
        )
    )


def drifted(lake: Lake) -> DataFrame:
    """Fields that were missing, unknown or written in another way: topic, kind, field, records, example_path."""
    return (
        lake.read("drift")
        .groupBy("topic", "kind", "field")
        .agg(F.sum("records").alias("records"), F.min("example_path").alias("example_path"))
        .orderBy("topic", "kind", "field")
    )


def warned(lake: Lake) -> DataFrame:
    """What is odd in silver: topic, reason, columns, records."""
    tables = {topic.name: topic.silver_table for topic in TOPICS.values()}
    each = [
        lake.read(table).select(F.lit(topic).alias("topic"), F.explode("_warnings").alias("warning"))
        for topic, table in tables.items()
    ]
    warnings = reduce(DataFrame.unionByName, each)
    return _counted(warnings.select("topic", F.col("warning.message").alias("reason"), F.col("warning.columns")))


def strange_objects(lake: Lake) -> DataFrame:
    """Names in the dump that are no object of a topic, and what audits found: topic, kind, path, message."""
    return lake.read("object_report").select("topic", "kind", "path", "message").orderBy("kind", "path")


def _counted(rows: DataFrame) -> DataFrame:
    return (
        rows.groupBy("topic", "reason", "columns")
        .agg(F.count("*").alias("records"))
        .orderBy("topic", F.desc("records"), "reason")
    )
