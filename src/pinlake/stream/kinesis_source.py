"""Kinesis: read with boto3 here, with Databricks's own source in a workspace; both give the same rows.

Kinesis has no offsets. A record's offset here is its number in its stream, in the order of sequence numbers, from where
bronze ends: what was sent later has a higher one, whatever became of its shard. The sequence number is the end of its
path, so that bronze alone says where each shard is read on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from pyspark.sql import Window
from pyspark.sql import functions as F

from pinlake.errors import MachineError, first_line
from pinlake.kinesis import ADDRESS, error_line, is_passing, kinesis_client, place_of, remedy
from pinlake.objects import KINESIS_ROOT
from pinlake.settings import Settings
from pinlake.stream.messages import to_records
from pinlake.stream.positions import Place
from pinlake.stream.source import Context, Known, Make, run_query
from pinlake.topics import TOPICS
from pinlake.waits import Patience, Say

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# As Databricks's source has them.
RECORD_SCHEMA = (
    "stream STRING, shardId STRING, sequenceNumber STRING, approximateArrivalTimestamp TIMESTAMP, data BINARY"
)

# What one call may bring.
_CALL_RECORDS = 10_000
# A batch is held in memory here.
_BATCH_BYTES = 64 * 1024 * 1024
# Kinesis allows five calls a second for each shard.
_BETWEEN_CALLS = 0.2
_WAIT = 1.0
# The moments of two records may be the other way round than their sequence numbers.
_MARGIN = timedelta(minutes=5)


class _Call(NamedTuple):
    """A call as IAM names it, boto3's method, and what every answer has."""

    action: str
    method: str
    part: str


_DESCRIBE = _Call("DescribeStreamSummary", "describe_stream_summary", "StreamDescriptionSummary")
_SHARDS = _Call("ListShards", "list_shards", "Shards")
_ITERATOR = _Call("GetShardIterator", "get_shard_iterator", "ShardIterator")
_RECORDS = _Call("GetRecords", "get_records", "Records")


class KinesisSource:
    """The streams `<prefix>-pin`, `<prefix>-geo` and `<prefix>-user`. A shard's number stands for the partition."""

    path_root = KINESIS_ROOT

    def __init__(self, prefix: str, give_up_after: float) -> None:
        """Raises MachineError where credentials or region are missing."""
        self.topic_id = prefix
        self._streams = {f"{prefix}-{topic}": topic for topic in TOPICS}
        self._client = kinesis_client(give_up_after)
        self.place = f"{place_of(self._client)}, streams {prefix}-*"

    def check(self, settings: Settings, say: Say) -> None:
        patience = Patience(self.place, settings.give_up_after, say)
        for stream in self._streams:
            self._ask(patience, _DESCRIBE, stream, StreamName=stream)

    def run(self, context: Context) -> None:
        if os.environ.get("DATABRICKS_RUNTIME_VERSION"):
            self._run_in_workspace(context)
        else:
            self._run_here(context)

    def _run_in_workspace(self, context: Context) -> None:
        patience = Patience(self.place, context.settings.give_up_after, context.say)
        shards = [
            (topic, shard_number(shard["ShardId"]))
            for stream, topic in self._streams.items()
            for shard in self.list_shards(patience, stream)
        ]
        options = self.workspace_options(context.known(), shards)
        records = context.lake.spark.readStream.format("kinesis").options(**options).load()
        run_query(records, lambda batch: context.load(lambda known: self.to_records(batch, known)), context)

    def workspace_options(self, known: Known, shards: Sequence[Place]) -> dict[str, str]:
        """Options of Databricks's source: from some minutes before the last record of the shard that is furthest back.

        It has one moment for all `shards`, so where one of them was never read it is read from the beginning.
        """
        region = {"region": self._client.meta.region_name} if self._client.meta.region_name else {}
        start = "trim_horizon"
        if shards and all(shard in known for shard in shards):
            moment = min(known[shard].last_sent for shard in shards) - _MARGIN
            start = json.dumps({"at_timestamp": f"{moment:%m/%d/%Y %H:%M:%S} UTC", "format": "MM/dd/yyyy HH:mm:ss ZZZ"})
        return {**region, "streamName": ",".join(self._streams), "initialPosition": start}

    def list_shards(self, patience: Patience, stream: str) -> Iterator[Mapping[str, Any]]:
        """As Kinesis describes them."""
        more: dict[str, str] = {"StreamName": stream}
        while more:
            answer = self._ask(patience, _SHARDS, stream, **more)
            yield from answer["Shards"]
            more = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else {}

    def to_records(self, batch: DataFrame, known: Known) -> DataFrame:
        """Rows in READ_SCHEMA of those records, in RECORD_SCHEMA, that bronze doesn't hold."""
        spark: SparkSession = batch.sparkSession
        ends = spark.createDataFrame(
            [
                (topic, partition, position.last_path.rpartition("/")[2])
                for (topic, partition), position in known.items()
            ],
            "short STRING, partition INT, last STRING",
        )
        bases = spark.createDataFrame(
            [(topic, max(each.next_offset for (of, _), each in known.items() if of == topic)) for topic, _ in known],
            "short STRING, base BIGINT",
        ).distinct()
        # Numbers of up to 56 digits, written without leading zeros.
        order = [F.length("sequenceNumber"), F.col("sequenceNumber")]
        is_new = F.col("last").isNull() | (F.struct(*order) > F.struct(F.length("last"), F.col("last")))
        in_stream = Window.partitionBy("short").orderBy(*order, "partition")
        numbered = (
            batch.withColumn("short", F.substring_index("stream", "-", -1))
            .withColumn("partition", F.regexp_extract("shardId", r"(\d+)$", 1).cast("int"))
            .join(F.broadcast(ends), ["short", "partition"], "left")
            .where(is_new)
            .join(F.broadcast(bases), "short", "left")
            .withColumn("number", F.row_number().over(in_stream))
        )
        return to_records(
            numbered.select(
                F.concat(F.lit(f"{self.topic_id}."), "short").alias("topic"),
                "partition",
                (F.coalesce("base", F.lit(0)) + F.col("number") - 1).cast("bigint").alias("offset"),
                F.concat_ws("/", F.lit(self.path_root), "stream", "shardId", "sequenceNumber").alias("path"),
                F.col("approximateArrivalTimestamp").alias("timestamp"),
                F.col("data").alias("value"),
            )
        )

    def _run_here(self, context: Context) -> None:
        patience = Patience(self.place, context.settings.give_up_after, context.say)
        reader = _Reader(self, patience, context)
        while not context.stop():
            rows = reader.batch()
            if rows:
                context.load(self._make(context.lake.spark, rows))
            if context.options.until_end and reader.is_done():
                return

    def _make(self, spark: SparkSession, rows: list[tuple[Any, ...]]) -> Make:
        import pyarrow

        kinds = [pyarrow.string()] * 3 + [pyarrow.timestamp("us", tz="UTC"), pyarrow.binary()]
        names = [column.split()[0] for column in RECORD_SCHEMA.split(", ")]
        columns = [pyarrow.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
        frame = spark.createDataFrame(pyarrow.table(dict(zip(names, columns, strict=True))))
        return lambda known: self.to_records(frame, known)

    def _ask(self, patience: Patience, call: _Call, stream: str, **arguments: Any) -> Any:
        """One call's answer; what passes is waited for, as long as the patience lasts. Raises MachineError."""
        while True:
            try:
                answer = getattr(self._client, call.method)(**arguments)
                _ = answer[call.part]
            except boto.ClientError as error:
                said = error.response.get("Error", {})
                code, status = said.get("Code", "Unknown"), error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
                line = error_line(code, said.get("Message", ""))
                if not is_passing(code, status):
                    raise _CallError(
                        f"{self.place}: stream {stream}: {line}; {remedy(code, call.action)}", code
                    ) from None
                patience.wait(line)
            except boto.BotoCoreError as error:
                if not isinstance(error, boto.ConnectionError | boto.HTTPClientError) or isinstance(
                    error, boto.SSLError
                ):
                    raise MachineError(f"{self.place}: {first_line(error)}; {ADDRESS}") from None
                patience.wait(f"no answer: {type(error).__name__}")
            except (ResponseParserError, AttributeError, KeyError, TypeError, ValueError):
                # botocore's parser trips over what is no answer of Amazon's, a page of HTML for example.
                raise MachineError(
                    f"{self.place} answered for stream {stream} with what is no answer of Kinesis; {ADDRESS}"
                ) from None
            else:
                patience.over()
                return answer
            time.sleep(_WAIT)


def shard_number(name: str) -> int:
    """`shardId-000000000003` → 3."""
    return int(name.rpartition("-")[2])


class _CallError(MachineError):
    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Shard:
    """How far a shard is read. Without an `iterator` it is at its end, and will have no more records."""

    stream: str
    name: str
    last: str | None
    iterator: str | None
    at_end: bool = False


class _Reader:
    """Reads shards in turn, each after those that it was made from: their records came before."""

    def __init__(self, source: KinesisSource, patience: Patience, context: Context) -> None:
        self._source = source
        self._patience = patience
        self._context = context
        self._parents: dict[tuple[str, str], list[str]] = {}
        self._shards = {(shard.stream, shard.name): shard for shard in self._find(context.known())}

    def batch(self) -> list[tuple[Any, ...]]:
        """Records, in RECORD_SCHEMA: as many as come within the options' seconds, or as a batch may have.

        Where the streams have no more, what there was; none at all where there was nothing.
        """
        options = self._context.options
        rows: list[tuple[Any, ...]] = []
        size = 0
        deadline = time.monotonic() + options.every
        while len(rows) < options.most and size < _BATCH_BYTES and not self._context.stop():
            readable = [shard for shard in self._shards.values() if shard.iterator and not self._waits(shard)]
            for shard in readable:
                for record in self._next(shard, options.most - len(rows)):
                    rows.append((shard.stream, shard.name, *record))
                    size += len(record[-1])
            if not all(shard.iterator for shard in readable):
                self._add_children()
            elif options.until_end and self.is_done():
                break
            if not options.until_end and time.monotonic() >= deadline:
                break
            time.sleep(_BETWEEN_CALLS)
        return rows

    def is_done(self) -> bool:
        """Whether each shard was at its end once: with posts that go on coming, all are never at the same time."""
        return all(shard.at_end or not shard.iterator for shard in self._shards.values())

    def _add_children(self) -> None:
        """Shards that one which was split or merged became."""
        for shard in self._find({}):
            self._shards.setdefault((shard.stream, shard.name), shard)

    def _waits(self, shard: _Shard) -> bool:
        parents = [self._shards.get((shard.stream, name)) for name in self._parents[shard.stream, shard.name]]
        return any(parent is not None and parent.iterator for parent in parents)

    def _next(self, shard: _Shard, most: int) -> Iterator[tuple[str, datetime, bytes]]:
        try:
            answer = self._ask(_RECORDS, shard, ShardIterator=shard.iterator, Limit=max(1, min(most, _CALL_RECORDS)))
        except _CallError as error:
            # An iterator lives for five minutes.
            if error.code != "ExpiredIteratorException":
                raise
            shard.iterator = self._iterator(shard)
            return
        for record in answer["Records"]:
            shard.last = record["SequenceNumber"]
            yield shard.last, record["ApproximateArrivalTimestamp"], record["Data"]
        shard.at_end = shard.at_end or not answer.get("MillisBehindLatest")
        shard.iterator = answer.get("NextShardIterator")

    def _find(self, known: Known) -> Iterator[_Shard]:
        for stream, topic in self._source._streams.items():
            for found in self._source.list_shards(self._patience, stream):
                name = found["ShardId"]
                position = known.get((topic, shard_number(name)))
                self._parents[stream, name] = [
                    found[key] for key in ("ParentShardId", "AdjacentParentShardId") if found.get(key)
                ]
                shard = _Shard(stream, name, position.last_path.rpartition("/")[2] if position else None, None)
                shard.iterator = self._iterator(shard)
                yield shard

    def _iterator(self, shard: _Shard) -> str:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard.last is not None:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": shard.last}
        answer = self._ask(_ITERATOR, shard, StreamName=shard.stream, ShardId=shard.name, **start)
        return str(answer["ShardIterator"])

    def _ask(self, call: _Call, shard: _Shard, **arguments: Any) -> Any:
        return self._source._ask(self._patience, call, shard.stream, **arguments)
