"""The packing reader: groups of objects, read and split inside `mapInArrow`.

Faster than Spark's JSON source on one-record files, because a task opens thousands of them in a plain loop, and
nothing is parsed away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pinlake
from pinlake.dump.listing import Dump
from pinlake.dump.objects import ObjectName
from pinlake.dump.split import Record, Splitter
from pinlake.dump.store import Content, unpack
from pinlake.errors import ClosedError, SourceError
from pinlake.lake.model import EMPTY, UNREADABLE

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession

GROUP_BYTES = 16 * 1024 * 1024
GROUP_OBJECTS = 5_000
# Small enough that a batch of the largest usual records stays far below Arrow's 2 GB, large enough to be cheap.
BATCH_BYTES = 8 * 1024 * 1024
BATCH_ROWS = 10_000
# Objects of other groups that a task tries to open where it can open none of its own.
MOST_SAMPLES, OF_A_GROUP = 100, 6

READ_SCHEMA = (
    "topic STRING, topic_id STRING, partition INT, offset BIGINT, position INT, path STRING, object_offset BIGINT, "
    "object_records INT, object_messages INT, size BIGINT, modified TIMESTAMP, text STRING, bytes BINARY, "
    "content STRING, wrapping STRING, problem STRING"
)


_TOLD = re.compile(r"^pinlake\.errors\.(SourceError|ClosedError): (.+)$", re.MULTILINE)


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


def read_objects(
    spark: SparkSession, dump: Dump, groups: list[list[ObjectName]], samples: Sequence[str] = ()
) -> DataFrame:
    """One row per record, in READ_SCHEMA, and one for each object that gave none, with the reason in `problem`.

    `offset` is the object's start offset plus the number of Kafka messages before the record's own in the object.

    With `samples`, keys of a few objects of all groups, the query fails with a ClosedError where none of a group and
    none of them can be opened: on a worker, since what the driver can open says nothing about that.
    """
    import pyarrow

    travel_by_value()
    packed = spark.createDataFrame(pyarrow.table({"keys": [[name.key for name in names] for names in groups]}))
    return packed.repartition(len(groups)).mapInArrow(_group_reader(dump, samples), READ_SCHEMA)


def samples_of(groups: list[list[ObjectName]]) -> list[str]:
    """Keys of a few objects of each group, its first and last among them; of some groups only, where there are many."""
    of_each = [[*names[:: -(-len(names) // OF_A_GROUP)], names[-1]] for names in groups]
    keys = [name.key for names in of_each for name in dict.fromkeys(names)]
    return keys[:: -(-len(keys) // MOST_SAMPLES)] if keys else []


def travel_by_value() -> None:
    """Send this package along with functions of it: workers, plain ones and those behind Connect, need not have it."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(pinlake)  # type: ignore[no-untyped-call]


def told_by_worker(error: Exception) -> SourceError | None:
    """The SourceError of a worker, which Spark hands on as a line of a trace; None for any other error."""
    found = _TOLD.search(str(error))
    return {"SourceError": SourceError, "ClosedError": ClosedError}[found[1]](found[2]) if found else None


def _group_reader(
    dump: Dump, samples: Sequence[str]
) -> Callable[[Iterable[pyarrow.RecordBatch]], Iterable[pyarrow.RecordBatch]]:
    def read_groups(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        return rows_of(dump, read(batches))

    def read(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[tuple[str, Content | OSError]]:
        for batch in batches:
            for keys in batch.column("keys").to_pylist():
                closed = 0
                for key, found in zip(keys, dump.store.read_all(keys), strict=True):
                    closed += isinstance(found, OSError)
                    yield key, found
                if samples and closed == len(keys):
                    _check_opens(dump, keys, samples)

    return read_groups


def rows_of(dump: Dump, objects: Iterable[tuple[str, Content | OSError]]) -> Iterator[pyarrow.RecordBatch]:
    """The rows of objects, of which each is a key and what was read, in READ_SCHEMA."""
    rows, splitter = Rows(), Splitter()
    for key, found in objects:
        add_object(splitter, rows, dump.layout.object_name(key), found)
        if rows.full():
            yield rows.take()
    yield rows.take()


def _check_opens(dump: Dump, closed: Sequence[str], samples: Sequence[str]) -> None:
    """Raise ClosedError where none of the samples can be opened, as none of a group's objects could.

    One that can't be opened is recorded, and the rest are taken in. Where all are so, what is wrong is a right, or the
    place: recorded one by one they would count as read, and not be looked at again when it is mended.
    """
    others = [*dict.fromkeys(key for key in samples if key not in set(closed))]
    # One of the group again, for the reason.
    last = closed[-1]
    reason: OSError | None = None
    for found in dump.store.read_all([*others, last]):
        if not isinstance(found, OSError):
            return
        reason = found
    raise ClosedError(
        f"Spark's workers can open no object of {dump.store.root}, the last of {len(closed) + len(others)} that were "
        f"tried: {last} {(reason and reason.strerror) or reason}; whoever runs this needs to read them, in a bucket "
        "s3:GetObject on all objects below the prefix, and a folder must be there on each worker. Nothing was taken "
        "in: run again then"
    )


def add_object(splitter: Splitter, rows: Rows, name: ObjectName, found: Content | OSError) -> None:
    """Add the object's records, or why there are none."""
    try:
        if isinstance(found, OSError):
            raise found
        records, messages = splitter.split(unpack(found.content))
    except OSError as error:
        content = None if isinstance(found, OSError) else found
        rows.add_problem(name, content, f"{UNREADABLE}: {error.strerror or error}")
        return
    if not records:
        rows.add_problem(name, found, EMPTY, messages)
    for position, record in enumerate(records):
        rows.add(name, found, len(records), messages, position, record)


class Rows:
    """Columns of READ_SCHEMA that grow until they make a batch."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._columns: list[list[object]] = [[] for _ in READ_SCHEMA.split(",")]
        self._bytes = 0

    def add(self, name: ObjectName, found: Content, records: int, messages: int, position: int, record: Record) -> None:
        message, text, raw, content, wrapping = record
        self._bytes += len(text or "") + len(raw or b"") + len(content or "")
        self._append(
            *(name.topic, name.topic_id, name.partition, name.offset + message, position, name.key, name.offset),
            *(records, messages, found.size, found.modified, text, raw, content, wrapping, None),
        )

    def add_problem(self, name: ObjectName, found: Content | None, problem: str, messages: int = 0) -> None:
        self._append(
            *(name.topic, name.topic_id, name.partition, name.offset, None, name.key, name.offset, 0, messages),
            *((found.size, found.modified) if found else (None, None)),
            *(None, None, None, None, problem),
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
                ("content", pyarrow.string()),
                ("wrapping", pyarrow.string()),
                ("problem", pyarrow.string()),
            ]
        )
        arrays = [pyarrow.array(column, field.type) for column, field in zip(self._columns, schema, strict=True)]
        self._clear()
        return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)
