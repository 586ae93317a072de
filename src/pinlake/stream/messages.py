"""Converts messages to rows of bronze. Except for the path, they equal those of a dump with one message per object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pinlake.dump.objects import ObjectName, split_topic
from pinlake.dump.split import Splitter
from pinlake.dump.store import Content
from pinlake.ingest.reader import READ_SCHEMA, Rows, travel_by_value
from pinlake.lake.model import EMPTY

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame

MESSAGE_SCHEMA = "topic STRING, partition INT, offset BIGINT, path STRING, timestamp TIMESTAMP, value BINARY"


def to_records(messages: DataFrame) -> DataFrame:
    """Convert rows in MESSAGE_SCHEMA, with topics `<topic id>.<topic>`, to READ_SCHEMA.

    All records of a message have its offset. A message without records, such as a tombstone, gives the row of an empty
    object.
    """
    travel_by_value()
    return messages.mapInArrow(_split_messages, READ_SCHEMA)


def _split_messages(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow

    rows, splitter = Rows(), Splitter()
    for batch in batches:
        moments = batch.column("timestamp").cast(pyarrow.int64()).to_pylist()
        columns = [batch.column(name).to_pylist() for name in ("topic", "partition", "offset", "path", "value")]
        for full_topic, partition, offset, path, value, moment in zip(*columns, moments, strict=True):
            topic_id, topic = split_topic(full_topic) or ("", full_topic)
            name = ObjectName(topic_id, topic, partition, offset, path)
            content = Content(value or b"", len(value or b""), moment)
            records = splitter.split(content.content).records
            if not records:
                rows.add_problem(name, content, EMPTY, 1)
            for position, record in enumerate(records):
                rows.add(name, content, len(records), 1, position, record._replace(message=0))
            if rows.full():
                yield rows.take()
    yield rows.take()
