"""Reads the shards of Kinesis streams in turn, on a local machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pinlake.clients.kinesis import ITERATOR, RECORDS
from pinlake.errors import MachineError
from pinlake.stream.kinesis_records import End, ends_of, shard_number
from pinlake.stream.source import Context

if TYPE_CHECKING:
    from pinlake.stream.kinesis_source import KinesisSource

# Maximum number of records in an answer.
_MOST_RECORDS = 10_000
# Limit for a batch, which is held in memory.
_BATCH_BYTES = 64 * 1024 * 1024
# Kinesis allows five calls per second and shard.
_BETWEEN_CALLS = 0.2


class RefusedError(MachineError):
    """A call that Kinesis refused. `code` is its error code, or empty if the answer has none."""

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


class Reader:
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
            answer = self._ask(RECORDS, shard, ShardIterator=shard.iterator, Limit=max(1, min(most, _MOST_RECORDS)))
        except RefusedError as error:
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
        for stream in self._source.streams:
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
            answer = self._ask(ITERATOR, shard, StreamName=shard.stream, ShardId=shard.name, **start)
        except RefusedError as error:
            # Kinesis rejects the sequence numbers of an earlier stream with the same name.
            if shard.last is None or error.code != "InvalidArgumentException":
                raise
            raise self._source.recreated(shard.stream, f"doesn't know the sequence number {shard.last}") from error
        return str(answer["ShardIterator"])

    def _ask(self, action: str, shard: _Shard, **arguments: Any) -> Any:
        return self._source.ask(action, shard.stream, **arguments)
