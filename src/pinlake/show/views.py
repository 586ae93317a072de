"""Views for people: the first rows of each table in a fixed order, and the reasons of quarantine, drift, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructType

from pinlake.errors import UsageError
from pinlake.lake.model import TABLES
from pinlake.lake.row_count import COUNTS, TopicCount, last_run
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

    from pinlake.lake.lake import Lake

# What a record or a row is found by; answers have an order of their own.
_PLACES = (
    ("topic", "partition", "offset", "path"),
    ("ind",),
    ("topic", "kind", "path"),
    ("topic", "kind", "field", "batch"),
    ("run_id", "topic"),
    ("answer", "country", "age_group", "join_year", "post_year", "category"),
)
# What a look shows of wide tables; of the others all that isn't upkeep.
_SHOWN = {
    "bronze": ("topic", "partition", "offset", "path", "text", "problem"),
    "silver_pin": ("ind", "title", "description", "poster_name", "follower_count", "tag_list", "category", "_warnings"),
    "silver_post": (
        *("ind", "title", "poster_name", "follower_count", "category", "country", "timestamp"),
        *("user_name", "age", "date_joined"),
    ),
}
_MOST_LETTERS = 80
_MOST_ITEMS = 3
# Where a view that shows the first rows alone says how many there are: `display` of this machine tells it.
TOTAL = "pinlake_total"

# The query of the notebook for SQL, where nothing else was asked.
EXAMPLE = """\
SELECT poster_name, country, follower_count
FROM silver_post
WHERE category = 'travel' AND follower_count IS NOT NULL
ORDER BY follower_count DESC, ind
LIMIT 10"""


def look(lake: Lake, table: str, rows: int = 5) -> DataFrame:
    """The table's first rows in a fixed order: the columns that people read, long texts cut.

    Raises UsageError for an unknown table, LakeError for one that no stage has made yet.
    """
    if table not in TABLES:
        raise UsageError(f"no table is called {table!r}; the tables are {', '.join(TABLES)}")
    stage = "query" if TABLES[table].order else "run"
    content = lake.require(table, stage)
    order = TABLES[table].order or next(place for place in _PLACES if set(place) <= set(content.columns))
    shown = [
        _shortened(content, name)
        for name in content.columns
        if name in _SHOWN.get(table, (name,)) and (not name.startswith("_") or name in ("_errors", "_warnings"))
    ]
    return _first(content.orderBy(*order).select(*shown), rows, content.count())


def accounting(lake: Lake) -> DataFrame:
    """The counts of the last run that was counted: a row for each count, a column for each topic."""
    lake.require("row_count", "run")
    last = last_run(lake)
    return counts_frame(lake.spark, last.counts if last else [])


def counts_frame(spark: SparkSession, counts: Sequence[TopicCount]) -> DataFrame:
    """A row for each count, a column for each topic: many narrow rows can be read, three wide ones can't."""
    rows = [(name, *(getattr(count, name) for count in counts)) for name in COUNTS]
    schema = ", ".join(["records string", *(f"{count.topic} bigint" for count in counts)])
    return spark.createDataFrame(rows, schema)


def reasons(lake: Lake) -> DataFrame:
    """Why records are in quarantine: topic, reason, columns, records; a record with two reasons is in both."""
    errors = lake.read("quarantine").select("topic", F.explode("_errors").alias("error"))
    return _counted(errors.select("topic", F.col("error.message").alias("reason"), _listed("error.columns")))


def quarantined(lake: Lake, rows: int = 10, topic: str | None = None) -> DataFrame:
    """The first records in quarantine, of all topics or one: topic, reasons, where each lies, and its beginning."""
    records = lake.read("quarantine")
    if topic:
        records = records.where(F.col("topic") == topic)
    shown = records.orderBy("topic", "partition", "offset", "position", "path").select(
        "topic",
        F.array_join("_errors.message", "; ").alias("reasons"),
        "partition",
        "offset",
        "path",
        beginning().alias("record"),
    )
    return _first(shown, rows, records.count())


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
    return _counted(warnings.select("topic", F.col("warning.message").alias("reason"), _listed("warning.columns")))


def strange_objects(lake: Lake) -> DataFrame:
    """Names in the dump that are not objects of a topic, and what audits found: topic, kind, path, message."""
    return lake.read("object_report").select("topic", "kind", "path", "message").orderBy("kind", "path")


def _counted(rows: DataFrame) -> DataFrame:
    return (
        rows.groupBy("topic", "reason", "columns")
        .agg(F.count("*").alias("records"))
        .orderBy("topic", F.desc("records"), "reason")
    )


def _first(rows: DataFrame, most: int, total: int) -> DataFrame:
    first = rows.limit(most)
    setattr(first, TOTAL, total)
    return first


def beginning() -> Column:
    """The first letters of a record in quarantine; of bytes that are no text, in base64."""
    return _cut(F.coalesce("text", F.base64("bytes")))


def _shortened(frame: DataFrame, name: str) -> Column:
    """A column as people read it."""
    kind = frame.schema[name].dataType
    column = F.col(name)
    if isinstance(kind, StringType):
        return _cut(column).alias(name)
    if not isinstance(kind, ArrayType):
        return column
    if isinstance(kind.elementType, StructType):  # issues
        return F.array_join(F.col(f"{name}.message"), "; ").alias(name)
    some = F.array_join(F.slice(column, 1, _MOST_ITEMS).cast("array<string>"), ", ")
    return F.when(F.size(column) > _MOST_ITEMS, F.concat(some, F.lit(", …"))).otherwise(some).alias(name)


def _cut(text: Column) -> Column:
    long = F.length(text) > _MOST_LETTERS
    return F.when(long, F.concat(F.substring(text, 1, _MOST_LETTERS - 1), F.lit("…"))).otherwise(text)


def _listed(names: str) -> Column:
    return F.array_join(names, ", ").alias("columns")
