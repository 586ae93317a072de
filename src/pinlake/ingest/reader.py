"""The packing reader: it reads and splits groups of objects inside `mapInArrow`.

It is faster than Spark's JSON source on files of one record, because a task opens thousands of them in a loop. And it
loses nothing, because it keeps the raw text.
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
from pinlake.lake.model import EMPTY, READ_COLUMNS, UNREADABLE, schema_of

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame, SparkSession

GROUP_BYTES = 16 * 1024 * 1024
GROUP_OBJECTS = 5_000
# Small enough that a batch of large records stays far below Arrow's limit of 2 GB, large enough to keep overhead low.
BATCH_BYTES = 8 * 1024 * 1024
BATCH_ROWS = 10_000
# The number of objects that a task tries to open if it can open none of its own: in total, and of each group.
MOST_SAMPLES, OF_A_GROUP = 100, 6

READ_SCHEMA = schema_of(READ_COLUMNS)

_TOLD = re.compile(r"^pinlake\.errors\.(SourceError|ClosedError): (.+)$", re.MULTILINE)


class Sized(NamedTuple):
    """An object to read and its size in bytes."""

    name: ObjectName
    size: int


def group(
    objects: Iterable[Sized], group_bytes: int = GROUP_BYTES, group_objects: int = GROUP_OBJECTS
) -> list[list[ObjectName]]:
    """Pack objects, in their order, into groups of at most `group_bytes` and `group_objects`.

    A larger object gets a group of its own.
    """
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
    """One row per record, in READ_SCHEMA, and one row per object without records, with the reason in `problem`.

    `offset` is the object's start offset plus the number of Kafka messages before this one in the object.

    `samples` are keys of a few objects of all groups. If a worker can't open any object of its group, it tries these,
    and the query fails with ClosedError if it can't open them either.
    """
    import pyarrow

    travel_by_value()
    packed = spark.createDataFrame(pyarrow.table({"keys": [[name.key for name in names] for names in groups]}))
    return packed.repartition(len(groups)).mapInArrow(_group_reader(dump, samples), READ_SCHEMA)


def samples_of(groups: list[list[ObjectName]]) -> list[str]:
    """Keys of a few objects of each group, including its first and last. At most MOST_SAMPLES in total."""
    of_each = [[*names[:: -(-len(names) // OF_A_GROUP)], names[-1]] for names in groups]
    keys = [name.key for names in of_each for name in dict.fromkeys(names)]
    return keys[:: -(-len(keys) // MOST_SAMPLES)] if keys else []


def travel_by_value() -> None:
    """Pickle this package by value with each function, so that Spark's workers don't need to have it installed."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(pinlake)  # type: ignore[no-untyped-call]


def told_by_worker(error: Exception) -> SourceError | None:
    """The SourceError or ClosedError of a worker, which Spark passes on as text. None for any other error."""
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
    """The rows of objects as batches in READ_SCHEMA. `objects` has pairs of a key and its content, or the error."""
    rows, splitter = Rows(), Splitter()
    for key, found in objects:
        add_object(splitter, rows, dump.layout.object_name(key), found)
        if rows.full():
            yield rows.take()
    yield rows.take()


def _check_opens(dump: Dump, closed: Sequence[str], samples: Sequence[str]) -> None:
    """Raise ClosedError if none of the samples can be opened, after none of a group's objects could.

    A single object that can't be opened is recorded in bronze, and the others are read. If none can be opened, the
    cause is a permission or a path. Recorded one by one, the objects would count as read, and no later run would read
    them.
    """
    others = [*dict.fromkeys(key for key in samples if key not in set(closed))]
    # Try one object of the group again, to get the reason.
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
    """Add a row for each of the object's records, or one row with the reason why there are none."""
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
    """Collects rows of READ_SCHEMA into Arrow batches."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._columns: list[list[object]] = [[] for _ in READ_COLUMNS]
        self._bytes = 0

    def add(self, name: ObjectName, found: Content, records: int, messages: int, position: int, record: Record) -> None:
        """Add the record at `position`, from 0, of an object that has this many records and Kafka messages."""
        message, text, raw, content, wrapping = record
        self._bytes += len(text or "") + len(raw or b"") + len(content or "")
        self._append(
            *(name.topic, name.topic_id, name.partition, name.offset + message, position, name.key, name.offset),
            *(records, messages, found.size, found.modified, text, raw, content, wrapping, None),
        )

    def add_problem(self, name: ObjectName, found: Content | None, problem: str, messages: int = 0) -> None:
        """Add an object without records. `found` is None if it couldn't be read."""
        self._append(
            *(name.topic, name.topic_id, name.partition, name.offset, None, name.key, name.offset, 0, messages),
            *((found.size, found.modified) if found else (None, None)),
            *(None, None, None, None, problem),
        )

    def _append(self, *values: object) -> None:
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def full(self) -> bool:
        """True if there are enough rows or bytes for a batch."""
        return self._bytes >= BATCH_BYTES or len(self._columns[0]) >= BATCH_ROWS

    def take(self) -> pyarrow.RecordBatch:
        """The collected rows as a batch. Starts a new one."""
        import pyarrow

        kinds = {
            "string": pyarrow.string(),
            "int": pyarrow.int32(),
            "bigint": pyarrow.int64(),
            "binary": pyarrow.binary(),
            "timestamp": pyarrow.timestamp("us", tz="UTC"),
        }
        schema = pyarrow.schema([(column.name, kinds[column.type]) for column in READ_COLUMNS])
        arrays = [pyarrow.array(column, field.type) for column, field in zip(self._columns, schema, strict=True)]
        self._clear()
        return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)
