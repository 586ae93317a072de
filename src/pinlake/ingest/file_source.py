"""The reader for compute whose workers can't open files themselves: Spark's own file source opens them.

Several times slower than the packing reader, and only taken where that one can open nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.dump.listing import Dump
from pinlake.dump.objects import ObjectName
from pinlake.dump.store import Content, Stat, stat_all
from pinlake.ingest.reader import READ_SCHEMA, rows_of, travel_by_value

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession


def read_files(spark: SparkSession, dump: Dump, names: Sequence[ObjectName]) -> DataFrame:
    """The same rows as `read_objects` gives, of a dump in a folder. A file that is there no more fails the query."""
    import pyarrow
    from pyspark.sql import functions as F

    travel_by_value()
    keys = [name.key for name in names]
    # As the driver tells it: Spark knows milliseconds only, and an unchanged object would look changed to an audit.
    stats = {key: found for key, found in zip(keys, stat_all(dump.store, keys), strict=True) if found}
    folder = Path(dump.store.root)
    # Folders such as partition=0 are no columns here.
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    below = F.substring_index("path", f"{folder.as_posix().removeprefix('/dbfs')}/", -1).alias("key")
    contents = files.load([as_pattern(f"{for_spark(folder)}/{key}") for key in keys]).select(below, "content")
    # Spark leaves out empty files without a word, so what it gives is held against what was asked for.
    asked = spark.createDataFrame(pyarrow.table({"key": keys}))
    return asked.join(contents, "key", "left").mapInArrow(_splitter_of(dump, stats), READ_SCHEMA)


def for_spark(folder: Path) -> str:
    """The folder as Spark names it: what a cluster's file system has below /dbfs is a place of its own there."""
    return f"dbfs:{str(folder).removeprefix('/dbfs')}" if folder.is_relative_to("/dbfs") else str(folder)


def as_pattern(path: str) -> str:
    """The path as a pattern of Spark that matches it alone."""
    return re.sub(r"([\[\]{}*?\\,])", r"\\\1", path)


def _splitter_of(
    dump: Dump, stats: Mapping[str, Stat]
) -> Callable[[Iterable[pyarrow.RecordBatch]], Iterable[pyarrow.RecordBatch]]:
    def split_files(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        return rows_of(dump, read(batches))

    def read(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[tuple[str, Content | OSError]]:
        for batch in batches:
            for key, content in zip(batch.column("key").to_pylist(), batch.column("content"), strict=True):
                yield key, _found(stats.get(key), content.as_py())

    return split_files


def _found(stat: Stat | None, content: bytes | None) -> Content | OSError:
    """What was read; of an empty file Spark gives nothing."""
    if stat is None or (content is None and stat.size):
        return OSError("Spark's file source gave nothing of it")
    return Content(content or b"", len(content or b""), stat.modified)
