"""The packing reader: it reads and splits groups of objects inside `mapInArrow`.

It is faster than Spark's JSON source on files of one record, because a task opens thousands of them in a loop. And it
loses nothing, because it keeps the raw text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pinlake
from pinlake.dump.listing import Dump
from pinlake.dump.objects import ObjectName
from pinlake.dump.split import Split, Splitter
from pinlake.dump.store import Content, unpack
from pinlake.errors import ClosedError, SourceError
from pinlake.lake.model import EMPTY, READ_COLUMNS, UNREADABLE
from pinlake.lake.table import schema_of

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

# The columns text, bytes and content, whose size limits a batch.
_TEXTS = slice(11, 14)

_TOLD = re.compile(r"^pinlake\.errors\.(SourceError|ClosedError): (.+)$", re.MULTILINE)


def group(
    objects: Iterable[tuple[ObjectName, int]], group_bytes: int = GROUP_BYTES, group_objects: int = GROUP_OBJECTS
) -> list[list[ObjectName]]:
    """Pack objects, in their order, into groups of at most `group_bytes` and `group_objects`.

    `objects` has pairs of a name and the object's size in bytes. A larger object gets a group of its own.
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
    return packed.repartition(len(groups)).mapInArrow(partial(_read_groups, dump, samples), READ_SCHEMA)


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
    told = _TOLD.search(str(error))
    return {"SourceError": SourceError, "ClosedError": ClosedError}[told[1]](told[2]) if told else None


def _read_groups(
    dump: Dump, samples: Sequence[str], batches: Iterable[pyarrow.RecordBatch]
) -> Iterator[pyarrow.RecordBatch]:
    def read() -> Iterator[tuple[ObjectName, Content | OSError]]:
        for keys in (keys for batch in batches for keys in batch.column("keys").to_pylist()):
            closed = 0
            for key, content in zip(keys, dump.store.read_all(keys), strict=True):
                closed += isinstance(content, OSError)
                yield dump.layout.object_name(key), content
            if samples and closed == len(keys):
                _check_opens(dump, keys, samples)

    return rows_of(read(), split_objects())


def rows_of(
    objects: Iterable[tuple[ObjectName, Content | OSError]], split: Callable[[bytes], Split]
) -> Iterator[pyarrow.RecordBatch]:
    """The rows of objects as batches in READ_SCHEMA. `objects` has pairs of a name and its content, or the error."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    for name, content in objects:
        if size >= BATCH_BYTES or len(rows) >= BATCH_ROWS:
            yield arrow_batch(rows, READ_SCHEMA)
            rows, size = [], 0
        first = len(rows)
        rows += _rows(name, content, split)
        size += sum(len(part) for row in rows[first:] for part in row[_TEXTS] if part)
    yield arrow_batch(rows, READ_SCHEMA)


def split_objects() -> Callable[[bytes], Split]:
    """A function that splits an object's bytes as they lie in the dump, possibly compressed. Raises OSError."""
    splitter = Splitter()
    return lambda content: splitter.split(unpack(content))


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
    for content in dump.store.read_all([*others, last]):
        if not isinstance(content, OSError):
            return
        reason = content
    raise ClosedError(
        f"Spark's workers can open no object of {dump.store.root}, the last of {len(closed) + len(others)} that were "
        f"tried: {last} {(reason and reason.strerror) or reason}; let the user of the workers read them, in a bucket "
        "with s3:GetObject on all objects below the prefix, and have a folder on each worker. Nothing was loaded: run "
        "again then"
    )


def _rows(name: ObjectName, content: Content | OSError, split: Callable[[bytes], Split]) -> Iterator[tuple[Any, ...]]:
    """A row for each of the object's records, or one row with the reason why there are none."""
    where = (name.topic, name.topic_id, name.partition)
    try:
        if isinstance(content, OSError):
            raise content
        records, messages = split(content.content)
    except OSError as error:
        stat = (None, None) if isinstance(content, OSError) else content[1:]
        problem = f"{UNREADABLE}: {error.strerror or error}"
        yield (*where, name.offset, None, name.key, name.offset, 0, 0, *stat, None, None, None, None, problem)
        return
    about = (name.key, name.offset, len(records), messages, content.size, content.modified)
    if not records:
        yield (*where, name.offset, None, *about, None, None, None, None, EMPTY)
    for position, (message, *record) in enumerate(records):
        yield (*where, name.offset + message, position, *about, *record, None)


def arrow_batch(rows: Sequence[tuple[Any, ...]], schema: str) -> pyarrow.RecordBatch:
    """The rows as a batch in a schema as Spark writes it. A timestamp is a datetime, or microseconds since 1970."""
    import pyarrow

    kinds = {
        "string": pyarrow.string(),
        "int": pyarrow.int32(),
        "bigint": pyarrow.int64(),
        "binary": pyarrow.binary(),
        "timestamp": pyarrow.timestamp("us", tz="UTC"),
    }
    fields = [column.replace("`", "").split() for column in schema.split(", ")]
    columns = zip(*rows, strict=True) if rows else ([] for _ in fields)
    arrays = [pyarrow.array(values, kinds[kind.lower()]) for values, (_, kind) in zip(columns, fields, strict=True)]
    return pyarrow.RecordBatch.from_arrays(arrays, [name for name, _ in fields])
