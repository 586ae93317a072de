"""Converts Kinesis records to rows of bronze: unpacks aggregated records, finds the topic and assigns offsets.

Kinesis has no offsets. Here, offsets continue after the last one in bronze, and count the records of a topic in the
order of their sequence numbers. Later records have higher offsets, even after a shard is split or merged. The path of a
row contains the sequence number, and after it the position in an aggregated record. Therefore, bronze alone tells where
each shard continues:

    kinesis/<stream>/<shard>/<sequence number>[/<index>]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Window
from pyspark.sql import functions as F

from pinlake.dump.objects import KINESIS_ROOT
from pinlake.ingest.reader import arrow_batch, travel_by_value
from pinlake.stream.messages import looked_up
from pinlake.stream.messages import to_records as split_messages
from pinlake.stream.packed import UserRecord, unpack
from pinlake.stream.source import Known
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import Column, DataFrame

# The schema of the Databricks source.
RECORD_SCHEMA = (
    "stream STRING, shardId STRING, sequenceNumber STRING, approximateArrivalTimestamp TIMESTAMP, partitionKey STRING, "
    "data BINARY"
)
# `topic` is a short name, or null if the key names none. `index` is null for a record that was not aggregated.
USER_SCHEMA = (
    "topic STRING, key STRING, stream STRING, shardId STRING, partition INT, sequenceNumber STRING, index INT, "
    "timestamp TIMESTAMP, value BINARY"
)

_NAMED = re.compile(rf"(?<![a-z])({'|'.join(TOPICS)})(?![a-z])")


class End(NamedTuple):
    """The last record of a shard in bronze: its sequence number and its arrival time in UTC."""

    sequence: str
    sent: datetime


def shard_number(name: str) -> int:
    """Return the number of a shard: 3 for `shardId-000000000003`."""
    return int(name.rpartition("-")[2])


def topic_of(key: str) -> str | None:
    """Return the topic that a partition key names as a word: `0e7f89a006e1.pin`, `geo`, `user-17`.

    Returns None if the key names no topic or several.
    """
    topics = set(_NAMED.findall(key.lower()))
    return topics.pop() if len(topics) == 1 else None


def ends_of(known: Known) -> dict[tuple[str, int], End]:
    """Return the last record of each shard, by stream and shard number.

    A shard may contain several topics. A batch is one commit, so the record with the highest number holds for all.
    """
    ends: dict[tuple[str, int], End] = {}
    for partition, last in (each for progress in known.values() for each in progress.last.items()):
        _, stream, _, sequence, *_ = last.path.split("/")
        end = End(sequence, datetime.fromtimestamp((last.modified or 0) / 1_000_000, UTC))
        ends[stream, partition] = max(end, ends.get((stream, partition), end), key=lambda each: int(each.sequence))
    return ends


def user_records(batch: DataFrame, one_stream: bool) -> DataFrame:
    """Convert rows in RECORD_SCHEMA to USER_SCHEMA. An aggregated record gives one row for each record in it.

    The topic is named by the partition key with `one_stream`, otherwise by the end of the stream name.
    """
    travel_by_value()
    columns = [column.split()[0] for column in RECORD_SCHEMA.split(", ")]
    return batch.select(*columns).mapInArrow(partial(_unpack_all, one_stream=one_stream), USER_SCHEMA)


def _unpack_all(batches: Iterable[pyarrow.RecordBatch], one_stream: bool) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow

    for batch in batches:
        names = ("stream", "shardId", "sequenceNumber", "partitionKey", "data")
        moments = batch.column("approximateArrivalTimestamp").cast(pyarrow.int64()).to_pylist()
        columns = [batch.column(name).to_pylist() for name in names]
        rows = []
        for stream, shard, sequence, key, data, moment in zip(*columns, moments, strict=True):
            # The Databricks source returns the ARN if the stream was given by its ARN.
            stream = stream.rpartition("/")[2]
            packed = unpack(data or b"")
            for index, user in enumerate(packed or [UserRecord(key or "", data)]):
                topic = topic_of(user.key) if one_stream else stream.rpartition("-")[2]
                place = (stream, shard, shard_number(shard), sequence, None if packed is None else index)
                rows.append((topic, user.key, *place, moment, user.data))
        yield arrow_batch(rows, USER_SCHEMA)


def to_records(users: DataFrame, topic_id: str, known: Known) -> DataFrame:
    """Convert rows in USER_SCHEMA to READ_SCHEMA, without rows that have no topic or are already in bronze."""
    last = looked_up({shard: end.sequence for shard, end in ends_of(known).items()}, "stream", "partition")
    base = looked_up({(topic,): max(progress.ends.values()) for topic, progress in known.items()}, "topic")
    # An aggregated record is in bronze completely or not at all.
    is_new = F.col("last").isNull() | (F.struct(*_order("sequenceNumber")) > F.struct(*_order("last")))
    in_topic = Window.partitionBy("topic").orderBy(*_order("sequenceNumber"), "partition", "index")
    numbered = (
        users.where(F.col("topic").isNotNull())
        .withColumn("last", last)
        .where(is_new)
        .withColumn("number", F.row_number().over(in_topic))
    )
    return split_messages(
        numbered.select(
            F.concat(F.lit(f"{topic_id}."), "topic").alias("topic"),
            "partition",
            (F.coalesce(base, F.lit(0)) + F.col("number") - 1).cast("bigint").alias("offset"),
            path().alias("path"),
            "timestamp",
            "value",
        )
    )


def path() -> Column:
    """Return the column with the path of a row in USER_SCHEMA, in the form above."""
    return F.concat_ws("/", F.lit(KINESIS_ROOT), "stream", "shardId", "sequenceNumber", F.col("index").cast("string"))


def _order(column: str) -> list[Column]:
    # Sequence numbers have up to 56 digits and no leading zeros, so length and text give the numeric order.
    return [F.length(column), F.col(column)]
