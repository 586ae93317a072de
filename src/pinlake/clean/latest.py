"""One row per post: exact duplicates count once, and the record with the latest Kafka position wins a conflict."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

# Offsets of different partitions say little about time, but the order must be total and the same in every run. The path
# distinguishes an object from its compressed copy. The batch comes last: it differs only if an object was read again
# with different content, and then the new version wins.
POSITION = ("_offset", "_partition", "_position", "_path", "_batch")
_SETS = ("_records", "_contents")


def latest(clean: DataFrame, columns: Sequence[str]) -> DataFrame:
    """One row per `ind`: the winning record, with `_last_batch`, `_records` and `_contents`.

    `clean` has the cleaned records of one topic, without errors. `columns` are the columns that define a record's
    content. `_records` is the sorted set of `record_hash` of all records of the post. `_contents` is the sorted set of
    hashes of their distinct contents. For each post, deduplicated = records - contents and conflicts = contents - 1.
    Neither the order of the records nor repeated delivery changes these sets.
    """
    kept = [*columns, "_warnings", "_rescued", *POSITION]
    hashed = clean.select(
        *kept, record_hash("_").alias("_record"), content_hash(clean.select(*columns)).alias("_content")
    )
    # Windows sort the records of a post once. An aggregate with these functions sorts before and after the shuffle.
    post = Window.partitionBy("ind")
    ranked = hashed.select(
        *kept,
        F.max("_batch").over(post).alias("_last_batch"),
        F.array_sort(F.collect_set("_record").over(post)).alias("_records"),
        F.array_sort(F.collect_set("_content").over(post)).alias("_contents"),
        F.row_number().over(post.orderBy(*[F.col(name).desc() for name in POSITION])).alias("_rank"),
    )
    return ranked.where(F.col("_rank") == 1).drop("_rank")


def record_hash(prefix: str = "") -> Column:
    """The hash that identifies a record in `_records`: of path, position, batch and run_id.

    Pass the prefix `_` for cleaned rows, none for bronze. The run id is included because two runs that read at the same
    time give their batches the same number.
    """
    return F.xxhash64(*[f"{prefix}{name}" for name in ("path", "position", "batch", "run_id")])


def content_hash(content: DataFrame) -> Column:
    """A hash of a row's content. Spark's hash ignores nulls, so this also hashes which columns are null."""
    # The hash also ignores nulls inside an array. The array's text shows them.
    values = [F.col(name).cast("string") if kind.startswith("array") else F.col(name) for name, kind in content.dtypes]
    return F.xxhash64(*values, *[F.col(name).isNull() for name in content.columns])


def merged(columns: Sequence[str]) -> dict[str, str]:
    """SQL for each column of a MERGE that combines the silver row `old` with the row `new` of the same post."""
    later = f"struct({_of('new')}) > struct({_of('old')})"
    taken = [column for column in (*columns, "_warnings", "_rescued", *POSITION) if column != "ind"]
    return {
        **{column: f"CASE WHEN {later} THEN new.`{column}` ELSE old.`{column}` END" for column in taken},
        "_last_batch": "greatest(old._last_batch, new._last_batch)",
        **{column: f"array_sort(array_union(old.{column}, new.{column}))" for column in _SETS},
    }


def _of(side: str) -> str:
    return ", ".join(f"{side}.{column}" for column in POSITION)
