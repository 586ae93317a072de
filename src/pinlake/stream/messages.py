"""Converts messages to rows of bronze. Except for the path, they equal those of a dump with one message per object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pinlake.dump.objects import ObjectName, split_topic
from pinlake.dump.split import Split, Splitter
from pinlake.dump.store import Content
from pinlake.ingest.reader import READ_SCHEMA, rows_of, travel_by_value

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import Column, DataFrame

MESSAGE_SCHEMA = "topic STRING, partition INT, offset BIGINT, path STRING, timestamp TIMESTAMP, value BINARY"


def to_records(messages: DataFrame) -> DataFrame:
    """Convert rows in MESSAGE_SCHEMA, with topics `<topic id>.<topic>`, to READ_SCHEMA.

    All records of a message have its offset. A message without records, such as a tombstone, gives the row of an empty
    object.
    """
    travel_by_value()
    return messages.mapInArrow(_split_messages, READ_SCHEMA)


def looked_up(values: Mapping[tuple[Any, ...], Any], *key: Column | str) -> Column:
    """The value for the key of a row, null if there is none. There are few values: one per partition of a topic."""
    if not values:
        return F.lit(None).cast("string")
    keys = ["/".join(map(str, each)) for each in values]
    return F.map_from_arrays(F.lit(keys), F.lit(list(values.values())))[F.concat_ws("/", *key)]


def _split_messages(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    splitter = Splitter()

    def split(value: bytes) -> Split:
        return Split([record._replace(message=0) for record in splitter.split(value).records], 1)

    return rows_of(_messages(batches), split)


def _messages(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[tuple[ObjectName, Content]]:
    """Each message as an object: its name, with the path of the message, and its value."""
    import pyarrow

    for batch in batches:
        moments = batch.column("timestamp").cast(pyarrow.int64()).to_pylist()
        columns = [batch.column(name).to_pylist() for name in ("topic", "partition", "offset", "path", "value")]
        for full_topic, partition, offset, path, value, moment in zip(*columns, moments, strict=True):
            topic_id, topic = split_topic(full_topic) or ("", full_topic)
            yield ObjectName(topic_id, topic, partition, offset, path), Content(value or b"", len(value or b""), moment)
