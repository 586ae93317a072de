"""The fallback reader, for compute whose workers can't open files themselves: Spark's file source opens them.

It is several times slower than the packing reader. `ingest` uses it only if the packing reader can't open any object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.dump.listing import Dump
from pinlake.dump.objects import ObjectName
from pinlake.dump.store import Content, Stat, stat_all
from pinlake.ingest.reader import READ_SCHEMA, rows_of, split_objects, travel_by_value

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession


def read_files(spark: SparkSession, dump: Dump, names: Sequence[ObjectName]) -> DataFrame:
    """The same rows as `read_objects`, for a dump in a folder. The query fails if a file no longer exists."""
    import pyarrow
    from pyspark.sql import functions as F

    travel_by_value()
    keys = [name.key for name in names]
    # Sizes and times from the driver: Spark has milliseconds only, so an audit would see unchanged objects as changed.
    stats = {key: stat for key, stat in zip(keys, stat_all(dump.store, keys), strict=True) if stat}
    folder = Path(dump.store.root)
    # recursiveFileLookup disables partition discovery, which would read folders such as partition=0 as columns.
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    below = F.substring_index("path", f"{folder.as_posix().removeprefix('/dbfs')}/", -1).alias("key")
    contents = files.load([as_pattern(f"{for_spark(folder)}/{key}") for key in keys]).select(below, "content")
    # Spark silently skips empty files. The join adds a row for each.
    asked = spark.createDataFrame(pyarrow.table({"key": keys}))
    return asked.join(contents, "key", "left").mapInArrow(partial(_split_files, dump, stats), READ_SCHEMA)


def for_spark(folder: Path) -> str:
    """The folder as Spark names it: a path below /dbfs on a cluster is a dbfs: path in Spark."""
    return f"dbfs:{str(folder).removeprefix('/dbfs')}" if folder.is_relative_to("/dbfs") else str(folder)


def as_pattern(path: str) -> str:
    """The path as a glob pattern that matches only this path."""
    return re.sub(r"([\[\]{}*?\\,])", r"\\\1", path)


def _split_files(
    dump: Dump, stats: Mapping[str, Stat], batches: Iterable[pyarrow.RecordBatch]
) -> Iterator[pyarrow.RecordBatch]:
    return rows_of(
        (
            (dump.layout.object_name(key), _content(stats.get(key), content.as_py()))
            for batch in batches
            for key, content in zip(batch.column("key").to_pylist(), batch.column("content"), strict=True)
        ),
        split_objects(),
    )


def _content(stat: Stat | None, content: bytes | None) -> Content | OSError:
    """The content of an object. Spark returns none for an empty file."""
    if stat is None or (content is None and stat.size):
        return OSError("Spark's file source returned nothing for it")
    return Content(content or b"", len(content or b""), stat.modified)
