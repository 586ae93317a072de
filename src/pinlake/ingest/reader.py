"""The packing reader: groups of objects, read and split inside `mapInArrow`.

Faster than Spark's JSON source on one-record files, because a task opens thousands of them in a plain loop, and
nothing is parsed away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pinlake
from pinlake.errors import SourceError
from pinlake.lake.model import EMPTY, UNREADABLE
from pinlake.objects import ObjectName, object_name
from pinlake.split import Record, Splitter
from pinlake.store.base import Content, Store, unpack

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession

GROUP_BYTES = 16 * 1024 * 1024
GROUP_OBJECTS = 5_000
# Small enough that a batch of the largest usual records stays far below Arrow's 2 GB, large enough to be cheap.
BATCH_BYTES = 8 * 1024 * 1024
BATCH_ROWS = 10_000

READ_SCHEMA = (
    "topic STRING, topic_id STRING, partition INT, offset BIGINT, position INT, path STRING, object_offset BIGINT, "
    "object_records INT, object_messages INT, size BIGINT, modified TIMESTAMP, text STRING, bytes BINARY, "
    "problem STRING"
)


_TOLD = re.compile(r"^pinlake\.errors\.SourceError: (.+)$", re.MULTILINE)


class Sized(NamedTuple):
    """An object to read and its size in bytes."""

    name: ObjectName
    size: int


def group(
    objects: Iterable[Sized], group_bytes: int = GROUP_BYTES, group_objects: int = GROUP_OBJECTS
) -> list[list[ObjectName]]:
    """Objects in groups of at most `group_bytes` (but for a larger object, alone in its group)."""
    groups: list[list[ObjectName]] = []
    room = 0
    for name, size in objects:
        if not groups or size > room or len(groups[-1]) >= group_objects:
            groups.append([])
            room = group_bytes
        groups[-1].append(name)
        room -= size
    return groups


def read_objects(spark: SparkSession, store: Store, groups: list[list[ObjectName]]) -> DataFrame:
    """One row per record, in READ_SCHEMA, and one for each object that gave none, with the reason in `problem`.

    `offset` is the object's start offset plus the number of Kafka messages before the record's own in the object.
    """
    import pyarrow
    from pyspark import cloudpickle

    # The reader travels by value: workers behind a Connect session, and plain ones too, need not have this package.
    cloudpickle.register_pickle_by_value(pinlake)  # type: ignore[no-untyped-call]
    packed = spark.createDataFrame(pyarrow.table({"keys": [[name.key for name in names] for names in groups]}))
    return packed.repartition(len(groups)).mapInArrow(_group_reader(store), READ_SCHEMA)


def told_by_worker(error: Exception) -> SourceError | None:
    """The SourceError of a worker, which Spark hands on as a line of a trace; None for any other error."""
    found = _TOLD.search(str(error))
    return SourceError(found[1]) if found else None


def _group_reader(store: Store) -> Callable[[Iterable[pyarrow.RecordBatch]], Iterable[pyarrow.RecordBatch]]:
    def read_groups(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        rows, splitter = Rows(), Splitter()
        for batch in batches:
            for keys in batch.column("keys").to_pylist():
                for key, found in zip(keys, store.read_all(keys), strict=True):
                    _add_object(splitter, rows, object_name(key), key, found)
                    if rows.full():
                        yield rows.take()
        yield rows.take()

    return read_groups


def _add_object(splitter: Splitter, rows: Rows, name: ObjectName, key: str, found: Content | OSError) -> None:
    try:
        if isinstance(found, OSError):
            raise found
        records, messages = splitter.split(unpack(key, found.content))
    except OSError as error:
        content = None if isinstance(found, OSError) else found
        rows.add_problem(name, key, content, f"{UNREADABLE}: {error.strerror or error}")
        return
    if not records:
        rows.add_problem(name, key, found, EMPTY, messages)
    for position, record in enumerate(records):
        rows.add(name, key, found, len(records), messages, position, record)


class Rows:
    """Columns of READ_SCHEMA that grow until they make a batch."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._columns: list[list[object]] = [[] for _ in READ_SCHEMA.split(",")]
        self._bytes = 0

    def add(
        self, name: ObjectName, key: str, found: Content, records: int, messages: int, position: int, record: Record
    ) -> None:
        message, text, raw = record
        self._bytes += len(text or "") + len(raw or b"")
        self._append(
            *(name.topic, name.topic_id, name.partition, name.offset + message, position, key, name.offset),
            *(records, messages, found.size, found.modified, text, raw, None),
        )

    def add_problem(self, name: ObjectName, key: str, found: Content | None, problem: str, messages: int = 0) -> None:
        self._append(
            *(name.topic, name.topic_id, name.partition, name.offset, None, key, name.offset, 0, messages),
            *((found.size, found.modified) if found else (None, None)),
            *(None, None, problem),
        )

    def _append(self, *values: object) -> None:
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def full(self) -> bool:
        return self._bytes >= BATCH_BYTES or len(self._columns[0]) >= BATCH_ROWS

    def take(self) -> pyarrow.RecordBatch:
        import pyarrow

        schema = pyarrow.schema(
            [
                ("topic", pyarrow.string()),
                ("topic_id", pyarrow.string()),
                ("partition", pyarrow.int32()),
                ("offset", pyarrow.int64()),
                ("position", pyarrow.int32()),
                ("path", pyarrow.string()),
                ("object_offset", pyarrow.int64()),
                ("object_records", pyarrow.int32()),
                ("object_messages", pyarrow.int32()),
                ("size", pyarrow.int64()),
                ("modified", pyarrow.timestamp("us", tz="UTC")),
                ("text", pyarrow.string()),
                ("bytes", pyarrow.binary()),
                ("problem", pyarrow.string()),
            ]
        )
        arrays = [pyarrow.array(column, field.type) for column, field in zip(self._columns, schema, strict=True)]
        self._clear()
        return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)
