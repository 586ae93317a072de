"""One row per post: exact duplicates count as one, and of differing records the latest Kafka position wins."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Offsets of two partitions tell little about time, but the order must be total, and the same on every run. The path
# tells apart an object and its compressed copy. The batch comes last: it only differs where an object was read again
# with other content, and then the new version counts.
POSITION = ("_offset", "_partition", "_position", "_path", "_batch")
_SETS = ("_records", "_contents")


def latest(clean: DataFrame, columns: Sequence[str]) -> DataFrame:
    """One row per `ind` of a clean topic without errors: the winner, and who took part.

    `columns` are the clean columns that make a record's content. `_records` holds a hash of every record's place and
    `_contents` one of each differing content, both sorted: so that deduplicated = records - contents and conflicts =
    contents - 1 hold for a post in whatever order and however often its records come.
    """
    kept = [*columns, "_warnings", "_rescued", *POSITION]
    hashed = clean.select(
        *kept,
        F.xxhash64("_path", "_position", "_batch", "_run_id").alias("_record"),
        _content_hash(clean.select(*columns)).alias("_content"),
    )
    winner = F.max_by(F.struct(*kept), F.struct(*POSITION))
    grouped = hashed.groupBy("ind").agg(
        winner.alias("_winner"),
        F.max("_batch").alias("_last_batch"),
        F.array_sort(F.collect_set("_record")).alias("_records"),
        F.array_sort(F.collect_set("_content")).alias("_contents"),
    )
    return grouped.select("_winner.*", "_last_batch", *_SETS)


def _content_hash(content: DataFrame) -> Column:
    """A hash of a row's content. Spark's hash passes over nulls, so where the nulls are is hashed too."""
    # An array's nulls are passed over as well; its text shows where they stand.
    values = [F.col(name).cast("string") if kind.startswith("array") else F.col(name) for name, kind in content.dtypes]
    return F.xxhash64(*values, *[F.col(name).isNull() for name in content.columns])


def merged(columns: Sequence[str]) -> dict[str, str]:
    """How a silver row takes in a new row of the same post: SQL for each column, over `old` and `new`."""
    later = f"struct({_of('new')}) > struct({_of('old')})"
    taken = [column for column in (*columns, "_warnings", "_rescued", *POSITION) if column != "ind"]
    return {
        **{column: f"CASE WHEN {later} THEN new.`{column}` ELSE old.`{column}` END" for column in taken},
        "_last_batch": "greatest(old._last_batch, new._last_batch)",
        **{column: f"array_sort(array_union(old.{column}, new.{column}))" for column in _SETS},
    }


def _of(side: str) -> str:
    return ", ".join(f"{side}.{column}" for column in POSITION)
