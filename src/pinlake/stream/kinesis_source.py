"""Kinesis, read with boto3 on a local machine and with the Databricks source in a workspace; the rows are the same."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore import xform_name
from botocore.parsers import ResponseParserError
from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.clients.kinesis import ADDRESS, error_line, is_passing, kinesis_client, label_of, remedy
from pinlake.clients.waits import NoAnswerError, Patience, Say
from pinlake.dump.listing import UnknownName
from pinlake.dump.objects import KINESIS_ROOT
from pinlake.errors import MachineError, SourceError, UsageError, first_line
from pinlake.ingest.bronze import report
from pinlake.ingest.reader import arrow_batch
from pinlake.settings import Settings
from pinlake.stream.kinesis_records import (
    RECORD_SCHEMA,
    End,
    ends_of,
    path,
    shard_number,
    to_records,
    user_records,
)
from pinlake.stream.source import Context, Known, Source, run_query
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Maximum number of records in an answer.
_CALL_RECORDS = 10_000
# Limit for a batch, which is held in memory.
_BATCH_BYTES = 64 * 1024 * 1024
# Kinesis allows five calls per second and shard.
_BETWEEN_CALLS = 0.2
# Arrival times are approximate: their order may differ from that of the sequence numbers.
_MARGIN = timedelta(minutes=5)


# The calls, by their names in IAM, and the field that every answer has.
_DESCRIBE, _SHARDS, _ITERATOR, _RECORDS = "DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"
_PARTS = {
    _DESCRIBE: "StreamDescriptionSummary",
    _SHARDS: "Shards",
    _ITERATOR: "ShardIterator",
    _RECORDS: "Records",
}


class KinesisSource(Source):
    """The streams `<prefix>-pin`, `<prefix>-geo` and `<prefix>-user`, or one stream whose keys name the topics.

    The number of a shard is used as the partition.
    """

    counted_by = KINESIS_ROOT
    _patience: Patience

    def __init__(self, name: str, give_up_after: float, one_stream: bool = False) -> None:
        """`name` is the prefix, or with `one_stream` the name of the stream. `give_up_after` is in seconds.

        Raises MachineError if credentials or region are missing.
        """
        self.topic_id = name
        self._one_stream = one_stream
        self._streams = [name] if one_stream else [f"{name}-{topic}" for topic in TOPICS]
        self._client = kinesis_client(give_up_after)
        self.label = f"{label_of(self._client)}, " + (f"stream {name}" if one_stream else f"streams {name}-*")

    def check(self, settings: Settings, say: Say) -> None:
        """Raise MachineError if a stream can't be described."""
        self._patience = Patience(self.label, settings.give_up_after, say)
        for stream in self._streams:
            self._ask(_DESCRIBE, stream, StreamName=stream)

    def run(self, context: Context) -> None:
        """Load records batch by batch.

        Raises UsageError if a stream was created again, MachineError if a call fails or Kinesis is unreachable for too
        long, and SourceLostError if the Databricks source fails.
        """
        self._patience = Patience(self.label, context.settings.give_up_after, context.say)
        self.check_same(context.known())
        if os.environ.get("DATABRICKS_RUNTIME_VERSION"):
            self._run_in_workspace(context)
        else:
            self._run_here(context)

    def check_same(self, known: Known) -> None:
        """Raise UsageError if a stream was created after the last record in bronze: then it is a new stream."""
        ends = ends_of(known)
        for stream in self._streams:
            sent = max((end.sent for (of, _), end in ends.items() if of == stream), default=None)
            if sent is None:
                continue
            about = self._ask(_DESCRIBE, stream, StreamName=stream)["StreamDescriptionSummary"]
            made = about["StreamCreationTimestamp"]
            if made > sent:
                raise self.made_anew(stream, f"was made at {made.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")

    def made_anew(self, stream: str, sign: str) -> UsageError:
        """Return the error for a stream that was deleted and created again."""
        return UsageError(
            f"{self.label}: stream {stream} {sign}, after what the lake has of it: the stream was made again; give "
            "another lake with --lake, in a workspace another database"
        )

    def _run_in_workspace(self, context: Context) -> None:
        shards = [
            (stream, shard_number(shard["ShardId"])) for stream in self._streams for shard in self.list_shards(stream)
        ]
        options = self.workspace_options(context.known(), shards)
        records = context.lake.spark.readStream.format("kinesis").options(**options).load()
        run_query(records, lambda batch: self.load(batch, context), context)

    def workspace_options(self, known: Known, shards: Sequence[tuple[str, int]]) -> dict[str, str]:
        """Return the options of the Databricks source. `shards` are pairs of stream and shard number.

        The source has one start time for all shards: five minutes before the last record of the shard that is furthest
        behind. If a shard was never read, the source starts from the beginning.
        """
        region = {"region": self._client.meta.region_name} if self._client.meta.region_name else {}
        start, ends = "trim_horizon", ends_of(known)
        if shards and all(shard in ends for shard in shards):
            moment = min(ends[shard].sent for shard in shards) - _MARGIN
            start = json.dumps({"at_timestamp": f"{moment:%m/%d/%Y %H:%M:%S} UTC", "format": "MM/dd/yyyy HH:mm:ss ZZZ"})
        return {**region, "streamName": ",".join(self._streams), "initialPosition": start}

    def list_shards(self, stream: str) -> Iterator[Mapping[str, Any]]:
        """Yield the shards of a stream, as ListShards describes them. Raises MachineError."""
        more: dict[str, str] = {"StreamName": stream}
        while more:
            answer = self._ask(_SHARDS, stream, **more)
            yield from answer["Shards"]
            more = {"NextToken": answer["NextToken"]} if answer.get("NextToken") else {}

    def load(self, batch: DataFrame, context: Context) -> None:
        """Load a batch of records in RECORD_SCHEMA.

        Raises SourceError if bronze is empty and no partition key of the batch names a topic.
        """
        users = user_records(batch, self._one_stream)
        if self._one_stream:
            self._report_nameless(users, context)
        context.load(lambda known: to_records(users, self.topic_id, known))

    def _report_nameless(self, users: DataFrame, context: Context) -> None:
        """Report records whose key names no topic, also in table `object_report`. They are not loaded."""
        nameless = F.col("topic").isNull()
        first = F.struct(F.length("sequenceNumber"), "sequenceNumber", path().alias("path"), "key")
        counts = users.agg(
            F.count("*").alias("all"),
            F.count_if(nameless).alias("nameless"),
            F.min(F.when(nameless, first)).alias("first"),
        ).head()
        assert counts is not None  # an aggregate without groups always returns a row
        if not counts["nameless"]:
            return
        key = counts["first"]["key"]
        if counts["nameless"] == counts["all"] and not context.known():
            raise SourceError(
                f"{self.label}: none of the {counts['all']:,} records that came first has a partition key that names "
                f"a topic, the first key is {key!r}; send them with keys such as <id>.pin, geo or user-17, or, where "
                "each topic has a stream of its own, read kinesis://prefix"
            )
        told = f"{counts['nameless']:,} of {counts['all']:,} records have a partition key that names no topic"
        context.say(f"{told}, the first key is {key!r}; they are left out, see table object_report")
        run = pipeline.new_run()
        with pipeline.writing(context.lake, context.settings, run):
            name = UnknownName(counts["first"]["path"], "no topic", f"{told}, the first of them {key!r}; not read")
            report(context.lake, run, [(None, name)])

    def _run_here(self, context: Context) -> None:
        import pyarrow

        reader = _Reader(self, context)
        while not context.stop():
            rows = reader.batch()
            if rows:
                table = pyarrow.Table.from_batches([arrow_batch(rows, RECORD_SCHEMA)])
                self.load(context.lake.spark.createDataFrame(table), context)
            if context.options.until_end and reader.is_done():
                return

    def _ask(self, call: str, stream: str, **arguments: Any) -> Any:
        """Make one call and return the answer. Retries after temporary errors. Raises MachineError."""
        return self._patience.ask(lambda: self._answer(call, stream, arguments))

    def _answer(self, call: str, stream: str, arguments: Mapping[str, Any]) -> Any:
        """Make one attempt. Raises NoAnswerError for a temporary error, MachineError for any other."""
        try:
            answer = getattr(self._client, xform_name(call))(**arguments)
            _ = answer[_PARTS[call]]
        except boto.ClientError as error:
            said = error.response.get("Error", {})
            code, status = said.get("Code", "Unknown"), error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
            line = error_line(code, said.get("Message", ""))
            if is_passing(code, status):
                raise NoAnswerError(line) from None
            raise _CallError(f"{self.label}: stream {stream}: {line}; {remedy(code, call)}", code) from None
        except boto.BotoCoreError as error:
            if isinstance(error, boto.ConnectionError | boto.HTTPClientError) and not isinstance(error, boto.SSLError):
                raise NoAnswerError(f"no answer: {type(error).__name__}") from None
            raise MachineError(f"{self.label}: {first_line(error)}; {ADDRESS}") from None
        except (ResponseParserError, AttributeError, KeyError, TypeError, ValueError):
            # botocore's parser fails on answers that are not from AWS, for example an HTML page.
            raise MachineError(
                f"{self.label} answered for stream {stream} with what is no answer of Kinesis; {ADDRESS}"
            ) from None
        return answer


class _CallError(MachineError):
    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Shard:
    """The progress in a shard. Without an `iterator`, the shard is closed and read completely."""

    stream: str
    name: str
    parents: Sequence[str]
    last: str | None
    iterator: str | None = None
    at_end: bool = False


class _Reader:
    """Reads the shards in turn. Parent shards are read before their children, since their records are older."""

    def __init__(self, source: KinesisSource, context: Context) -> None:
        self._source = source
        self._context = context
        self._shards = {(shard.stream, shard.name): shard for shard in self._find(ends_of(context.known()))}

    def batch(self) -> list[tuple[Any, ...]]:
        """Return rows in RECORD_SCHEMA: those that arrive within `options.every` seconds, up to the limits of a batch.

        With `options.until_end`, return the rows up to the end of the streams, possibly none.
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
                # The shards after a split or a merge.
                self._shards = {(shard.stream, shard.name): shard for shard in self._find({})} | self._shards
            elif options.until_end and self.is_done():
                break
            if not options.until_end and time.monotonic() >= deadline:
                break
            time.sleep(_BETWEEN_CALLS)
        return rows

    def is_done(self) -> bool:
        """Return whether each shard has been at its end once. While posts arrive, not all are at the same time."""
        return all(shard.at_end or not shard.iterator for shard in self._shards.values())

    def _waits(self, shard: _Shard) -> bool:
        parents = [self._shards.get((shard.stream, name)) for name in shard.parents]
        return any(parent is not None and parent.iterator for parent in parents)

    def _next(self, shard: _Shard, most: int) -> Iterator[tuple[str, datetime, str, bytes]]:
        try:
            answer = self._ask(_RECORDS, shard, ShardIterator=shard.iterator, Limit=max(1, min(most, _CALL_RECORDS)))
        except _CallError as error:
            # An iterator expires after five minutes.
            if error.code != "ExpiredIteratorException":
                raise
            shard.iterator = self._iterator(shard)
            return
        for record in answer["Records"]:
            shard.last = record["SequenceNumber"]
            yield shard.last, record["ApproximateArrivalTimestamp"], record["PartitionKey"], record["Data"]
        shard.at_end = shard.at_end or not answer.get("MillisBehindLatest")
        shard.iterator = answer.get("NextShardIterator")

    def _find(self, ends: Mapping[tuple[str, int], End]) -> Iterator[_Shard]:
        for stream in self._source._streams:
            for listed in self._source.list_shards(stream):
                name = listed["ShardId"]
                end = ends.get((stream, shard_number(name)))
                parents = [listed[key] for key in ("ParentShardId", "AdjacentParentShardId") if listed.get(key)]
                shard = _Shard(stream, name, parents, end.sequence if end else None)
                shard.iterator = self._iterator(shard)
                yield shard

    def _iterator(self, shard: _Shard) -> str:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard.last is not None:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": shard.last}
        try:
            answer = self._ask(_ITERATOR, shard, StreamName=shard.stream, ShardId=shard.name, **start)
        except _CallError as error:
            # Kinesis rejects the sequence numbers of an earlier stream with the same name.
            if shard.last is None or error.code != "InvalidArgumentException":
                raise
            raise self._source.made_anew(shard.stream, f"doesn't know the sequence number {shard.last}") from error
        return str(answer["ShardIterator"])

    def _ask(self, call: str, shard: _Shard, **arguments: Any) -> Any:
        return self._source._ask(call, shard.stream, **arguments)
