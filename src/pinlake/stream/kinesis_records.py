"""Kinesis's records to rows of bronze: unpacked where several came as one, each with its topic, numbered.

Kinesis has no offsets. A record's offset here is its number in its topic, in the order of sequence numbers, from where
bronze ends: what was sent later has a higher one, whatever became of its shard. The sequence number is in its path, and
after it the place in the record that it was packed in, so that bronze alone says where each shard is read on:

    kinesis/<stream>/<shard>/<sequence number>[/<place>]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import Window
from pyspark.sql import functions as F

from pinlake.dump.objects import KINESIS_ROOT
from pinlake.ingest.reader import travel_by_value
from pinlake.stream.messages import to_records as split_messages
from pinlake.stream.packed import UserRecord, unpack
from pinlake.stream.source import Known
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import Column, DataFrame, SparkSession

# As Databricks's source has them.
RECORD_SCHEMA = (
    "stream STRING, shardId STRING, sequenceNumber STRING, approximateArrivalTimestamp TIMESTAMP, partitionKey STRING, "
    "data BINARY"
)
# `topic` is a short name, or null where the key names none; `place` is null for a record that came by itself.
USER_SCHEMA = (
    "topic STRING, key STRING, stream STRING, shardId STRING, partition INT, sequenceNumber STRING, place INT, "
    "timestamp TIMESTAMP, value BINARY"
)

_NAMED = re.compile(rf"(?<![a-z])({'|'.join(TOPICS)})(?![a-z])")


def names_of(schema: str) -> list[str]:
    """The columns of a schema that is written as above."""
    return [column.split()[0] for column in schema.split(", ")]


class End(NamedTuple):
    """The last record of a shard that bronze holds: its sequence number, and when it was sent, in UTC."""

    sequence: str
    sent: datetime


def shard_number(name: str) -> int:
    """`shardId-000000000003` → 3."""
    return int(name.rpartition("-")[2])


def topic_of(key: str) -> str | None:
    """The topic that a partition key names, as a word of it: `0e7f89a006e1.pin`, `geo`, `user-17`; None for no one."""
    found = set(_NAMED.findall(key.lower()))
    return found.pop() if len(found) == 1 else None


def ends_of(known: Known) -> dict[tuple[str, int], End]:
    """How far each shard was read, by stream and number.

    Records of several topics may be in one shard. A batch is one commit, so what is furthest tells for all of them.
    """
    ends: dict[tuple[str, int], End] = {}
    for (_, partition), position in known.items():
        _, stream, _, sequence, *_ = position.last_path.split("/")
        end = End(sequence, position.last_sent)
        ends[stream, partition] = max(end, ends.get((stream, partition), end), key=lambda each: int(each.sequence))
    return ends


def user_records(batch: DataFrame, one_stream: bool) -> DataFrame:
    """Rows in USER_SCHEMA of those in RECORD_SCHEMA; a packed record gives one for each record in it.

    With `one_stream` the topic is what the partition key names, else the end of the stream's name.
    """
    travel_by_value()
    return batch.select(*names_of(RECORD_SCHEMA)).mapInArrow(partial(_unpack_all, one_stream=one_stream), USER_SCHEMA)


def _unpack_all(batches: Iterable[pyarrow.RecordBatch], one_stream: bool) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow

    for batch in batches:
        columns = [batch.column(name).to_pylist() for name in ("stream", "shardId", "partitionKey", "data")]
        rows = []
        for number, (stream, shard, key, data) in enumerate(zip(*columns, strict=True)):
            # Where it is given the stream's ARN, Databricks's source tells that.
            stream = stream.rpartition("/")[2]
            packed = unpack(data or b"")
            for place, user in enumerate(packed or [UserRecord(key or "", data)]):
                topic = topic_of(user.key) if one_stream else stream.rpartition("-")[2]
                place_in = None if packed is None else place
                rows.append((number, topic, user.key, stream, shard, shard_number(shard), place_in, user.data))
        found = list(zip(*rows, strict=True)) or [()] * 8
        taken = batch.take(pyarrow.array(found[0], pyarrow.int32()))
        texts = [pyarrow.array(column, pyarrow.string()) for column in found[1:5]]
        arrays = [
            *texts,
            pyarrow.array(found[5], pyarrow.int32()),
            taken.column("sequenceNumber"),
            pyarrow.array(found[6], pyarrow.int32()),
            taken.column("approximateArrivalTimestamp"),
            pyarrow.array(found[7], pyarrow.binary()),
        ]
        yield pyarrow.RecordBatch.from_arrays(arrays, names_of(USER_SCHEMA))


def to_records(users: DataFrame, topic_id: str, known: Known) -> DataFrame:
    """Rows in READ_SCHEMA of those in USER_SCHEMA that have a topic and that bronze doesn't hold."""
    spark: SparkSession = users.sparkSession
    ends = spark.createDataFrame(
        [(stream, partition, end.sequence) for (stream, partition), end in ends_of(known).items()],
        "stream STRING, partition INT, last STRING",
    )
    bases = spark.createDataFrame(
        [(topic, max(each.next_offset for (of, _), each in known.items() if of == topic)) for topic, _ in known],
        "topic STRING, base BIGINT",
    ).distinct()
    # A packed record is in bronze whole, or not at all.
    is_new = F.col("last").isNull() | (F.struct(*_order("sequenceNumber")) > F.struct(*_order("last")))
    in_topic = Window.partitionBy("topic").orderBy(*_order("sequenceNumber"), "partition", "place")
    numbered = (
        users.where(F.col("topic").isNotNull())
        .join(F.broadcast(ends), ["stream", "partition"], "left")
        .where(is_new)
        .join(F.broadcast(bases), "topic", "left")
        .withColumn("number", F.row_number().over(in_topic))
    )
    return split_messages(
        numbered.select(
            F.concat(F.lit(f"{topic_id}."), "topic").alias("topic"),
            "partition",
            (F.coalesce("base", F.lit(0)) + F.col("number") - 1).cast("bigint").alias("offset"),
            path().alias("path"),
            "timestamp",
            "value",
        )
    )


def path() -> Column:
    """Where a row in USER_SCHEMA came from."""
    return F.concat_ws("/", F.lit(KINESIS_ROOT), "stream", "shardId", "sequenceNumber", F.col("place").cast("string"))


def _order(column: str) -> list[Column]:
    # Numbers of up to 56 digits, written without leading zeros.
    return [F.length(column), F.col(column)]
