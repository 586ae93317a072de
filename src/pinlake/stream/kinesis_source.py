"""Kinesis, read with boto3 on a local machine and with the Databricks source in a workspace; the rows are the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.clients.kinesis import DESCRIBE, SHARDS, call, kinesis_client, label_of
from pinlake.clients.waits import CallError, Patience, Say
from pinlake.dump.listing import UnknownName
from pinlake.dump.objects import KINESIS_ROOT
from pinlake.errors import SourceError, UsageError
from pinlake.ingest.bronze import report
from pinlake.ingest.reader import arrow_batch
from pinlake.settings import Settings
from pinlake.stream.kinesis_reader import Reader, RefusedError
from pinlake.stream.kinesis_records import RECORD_SCHEMA, ends_of, path, shard_number, to_records, user_records
from pinlake.stream.source import Context, Known, Source, run_query
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Arrival times are approximate: their order may differ from that of the sequence numbers.
_MARGIN = timedelta(minutes=5)


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
        self.streams = [name] if one_stream else [f"{name}-{topic}" for topic in TOPICS]
        self._client = kinesis_client(give_up_after)
        self.label = f"{label_of(self._client)}, " + (f"stream {name}" if one_stream else f"streams {name}-*")

    def check(self, settings: Settings, say: Say) -> None:
        """Raise MachineError if a stream can't be described."""
        self._patience = Patience(self.label, settings.give_up_after, say)
        for stream in self.streams:
            self.ask(DESCRIBE, stream, StreamName=stream)

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
        for stream in self.streams:
            sent = max((end.sent for (of, _), end in ends.items() if of == stream), default=None)
            if sent is None:
                continue
            about = self.ask(DESCRIBE, stream, StreamName=stream)["StreamDescriptionSummary"]
            made = about["StreamCreationTimestamp"]
            if made > sent:
                raise self.recreated(stream, f"was made at {made.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")

    def recreated(self, stream: str, sign: str) -> UsageError:
        """Return the error for a stream that was deleted and created again."""
        return UsageError(
            f"{self.label}: stream {stream} {sign}, after what the lake has of it: the stream was recreated; give "
            "another lake with --lake, in a workspace another database"
        )

    def _run_in_workspace(self, context: Context) -> None:
        shards = [
            (stream, shard_number(shard["ShardId"])) for stream in self.streams for shard in self.list_shards(stream)
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
        return {**region, "streamName": ",".join(self.streams), "initialPosition": start}

    def list_shards(self, stream: str) -> Iterator[Mapping[str, Any]]:
        """Yield the shards of a stream, as ListShards describes them. Raises MachineError."""
        more: dict[str, str] = {"StreamName": stream}
        while more:
            answer = self.ask(SHARDS, stream, **more)
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

        reader = Reader(self, context)
        while not context.stop():
            rows = reader.batch()
            if rows:
                table = pyarrow.Table.from_batches([arrow_batch(rows, RECORD_SCHEMA)])
                self.load(context.lake.spark.createDataFrame(table), context)
            if context.options.until_end and reader.is_done():
                return

    def ask(self, action: str, stream: str, **arguments: Any) -> dict[str, Any]:
        """Make one call and return the answer. Retries after temporary errors. Raises RefusedError or MachineError."""
        try:
            return self._patience.ask(lambda: call(self._client, action, stream, **arguments))
        except CallError as error:
            raise RefusedError(f"{self.label}: {error.found}; {error.remedy}", error.code) from None
