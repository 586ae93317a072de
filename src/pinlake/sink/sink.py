"""The sink's consumer: it gets partitions from the consumer group, writes objects, and commits offsets afterwards."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from pinlake.clients.kafka import Config, find_topics
from pinlake.clients.waits import SAY_EVERY, Say
from pinlake.dump.store import Store
from pinlake.errors import MachineError, SourceError
from pinlake.sink.member import Member, PartitionId, listed
from pinlake.sink.partition import DEAD_LETTERS, Arrived, Counts, PartitionWriter
from pinlake.topics import TOPICS

_AT_ONCE = 1_000
_COMMIT_EVERY = 5.0
_REPORT_EVERY = 1.0


@dataclass(frozen=True)
class SinkOptions:
    """How the sink writes objects, and when it stops.

    `flush_size`: messages in an object.
    `rotate_seconds`: an object is also written this long after its first message.
    `group`: the consumer group; None for one that is derived from the topic id and the store.
    `until_end`: stop at the ends that the partitions had at the start. Otherwise the sink runs until `stop`.
    `give_up_after`: seconds to wait for a broker.
    """

    flush_size: int = 1
    rotate_seconds: float | None = None
    gzip: bool = False
    group: str | None = None
    until_end: bool = False
    give_up_after: float = 60.0


@dataclass
class SinkSummary:
    """What was written, by the topic's short name."""

    topics: dict[str, Counts] = field(default_factory=lambda: {topic: Counts() for topic in TOPICS})

    def line(self) -> str:
        """A progress line: how many messages, objects and dead letters were written."""
        letters = self._total("dead_letters")
        told = f"{self._total('messages'):,} messages in {self._total('objects'):,} objects"
        return f"{told}, {letters:,} dead letters" if letters else told

    def check(self, store: str) -> None:
        """Raise SourceError if all messages became dead letters. `store` is its address, for the error message."""
        first = next((each.first_letter for each in self.topics.values() if each.first_letter), None)
        if first is None or self._total("messages"):
            return
        raise SourceError(
            f"none of the {self._total('dead_letters'):,} received messages can be in a dump, which holds JSON; they "
            f"are dead letters in {store.rstrip('/')}/{DEAD_LETTERS}, the first in {first.key} ({first.reason}): have "
            "the producers send JSON, or check --topic-id"
        )

    def _total(self, name: str) -> int:
        return sum(getattr(each, name) for each in self.topics.values())


def run_sink(
    config: Config,
    topic_id: str,
    store: Store,
    options: SinkOptions,
    say: Say,
    progress: Callable[[SinkSummary], None],
    stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> SinkSummary:
    """Write the three topics to the store until `stop` returns True, or to the end with `until_end`.

    Each partition continues after its last object, so no message is lost or written twice, however the last sink ended.
    Sinks in the same group share the partitions. `say` gets lines about waits and decisions, `progress` gets the
    summary about once a second. Raises MachineError if the broker is unreachable for `give_up_after` seconds, if a
    topic doesn't exist or was recreated, or if the store can't be written.
    """
    names = [f"{topic_id}.{topic}" for topic in TOPICS]
    partitions = find_topics(config, names, options.give_up_after, say)
    sink = _Sink(config, store, options, say, clock, topic_id)
    try:
        ends = sink.high_watermarks(partitions) if options.until_end else {}
        sink.subscribe(names)
        reported = 0.0
        while not stop():
            sink.turn()
            if clock() - reported >= _REPORT_EVERY:
                progress(sink.summary)
                reported = clock()
            if options.until_end and sink.reached(ends):
                break
        sink.flush()
        sink.commit()
    except BaseException:
        # Closing the consumer revokes the partitions, which would write their open objects.
        sink.abandon()
        raise
    finally:
        sink.close()
    progress(sink.summary)
    return sink.summary


class _Sink:
    def __init__(
        self, config: Config, store: Store, options: SinkOptions, say: Say, clock: Callable[[], float], topic_id: str
    ) -> None:
        self.summary = SinkSummary()
        self._store = store
        self._options = options
        self._say = say
        self._clock = clock
        self._writers: dict[PartitionId, PartitionWriter] = {}
        self._positions: dict[PartitionId, int] = {}
        self._joined = False
        self._names: list[str] = []
        self._told: Mapping[PartitionId, int] = {}
        self._told_of_others = 0.0
        # Writing to a bucket is slow but can be parallel. The objects of a partition are written in order.
        self._pool = ThreadPoolExecutor(store.at_once) if store.at_once > 1 else None
        self._committed_at = clock()
        digest = hashlib.sha256(store.root.encode()).hexdigest()[:12]
        self._group = options.group or f"pinlake-sink-{topic_id}-{digest}"
        self._member = Member(config, self._group, options.give_up_after, say, clock)

    def high_watermarks(self, partitions: dict[str, list[int]]) -> dict[PartitionId, int]:
        """The current end of each partition that has messages. Sinks never commit an offset for an empty partition."""
        keys = [(topic, number) for topic, numbers in partitions.items() for number in numbers]
        found = {key: self._member.watermarks(key) for key in keys}
        return {key: high for key, (low, high) in found.items() if high > low}

    def subscribe(self, names: list[str]) -> None:
        self._names = names
        hooks = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._lost}
        self._member.consumer.subscribe(names, **hooks)

    def reached(self, ends: dict[PartitionId, int]) -> bool:
        """True if every partition is stored up to its end, by this sink or another one in the group."""
        if not self._joined or any(self._positions[key] < end for key, end in ends.items() if key in self._writers):
            return False
        # Write and commit, because other sinks may wait for this one. If an object existed, there is more to consume.
        if not self.flush():
            return False
        self.commit()
        others = [key for key in ends if key not in self._writers]
        behind = [key for key, offset in self._member.committed(others).items() if offset < ends[key]]
        if behind and self._clock() - self._told_of_others >= SAY_EVERY:
            self._told_of_others = self._clock()
            self._say(
                f"waiting for other sinks of the group {self._group}, which have {listed(behind)} and are not at the "
                "end; messages in their open objects count only once these are written"
            )
        return not behind

    def turn(self) -> None:
        """Consume and write the next messages. Waits at most half a second for them."""
        messages = self._member.consume(_AT_ONCE)
        if not messages:
            self._member.check(self._writers, None if self._joined else self._names[0])
        arrived: dict[PartitionId, list[Any]] = {}
        for message in messages:
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                arrived.setdefault((str(message.topic()), message.partition() or 0), []).append(message)
            elif error.code() == KafkaError._MAX_POLL_EXCEEDED:
                # The client rejoins by itself. It gets partitions again, with the messages of the open objects.
                self._say(
                    f"writing to {self._store.root} took so long that the group left this sink out; joining again"
                )
            else:
                self._member.missed(error)
        if arrived:
            self._member.hear()
        self._each(lambda key: self._take(key, arrived[key]), arrived)
        if self._options.rotate_seconds is not None:
            due = self._clock() - self._options.rotate_seconds
            self.flush([key for key, each in self._writers.items() if each.opened is not None and each.opened <= due])
        # While the broker is unreachable, a commit would only wait, silently.
        if not self._member.is_lost and self._clock() - self._committed_at >= _COMMIT_EVERY:
            self.commit()

    def flush(self, keys: Iterable[PartitionId] | None = None) -> bool:
        """Write the open objects, by default all. Returns False if another sink has written one of them."""
        return self._each(lambda key: self._writers[key].flush(), list(self._writers) if keys is None else keys)

    def abandon(self) -> None:
        """Drop all partitions, so that nothing more is written or committed."""
        self._writers.clear()

    def close(self) -> None:
        self._member.consumer.close()
        if self._pool:
            self._pool.shutdown()

    def _each(self, work: Callable[[PartitionId], None], keys: Iterable[PartitionId]) -> bool:
        """Call `work` for each partition. Returns False if another sink has written an object of one."""
        in_the_way: dict[PartitionId, FileExistsError] = {}

        def attempt(key: PartitionId) -> None:
            try:
                work(key)
            except FileExistsError as error:
                in_the_way[key] = error

        list((self._pool.map if self._pool else map)(attempt, keys))
        for key, error in in_the_way.items():
            self._go_on_after(key, error)
        return not in_the_way

    def _take(self, key: PartitionId, messages: list[Any]) -> None:
        writer = self._writers.get(key)
        if writer is None:
            return
        now = self._clock()
        for message in messages:
            offset = message.offset()
            if offset < self._positions[key]:
                continue
            if message.error() is not None:  # the end of the partition
                self._positions[key] = offset
                continue
            arrived = Arrived(offset, message.timestamp()[1], message.key(), message.value())
            # If this fails, the remaining messages are skipped too: all of them are consumed again.
            writer.add(arrived, now)
            self._positions[key] = offset + 1

    def _go_on_after(self, key: PartitionId, error: FileExistsError) -> None:
        """Continue after the objects that another sink has written."""
        writer = self._writers[key]
        writer.drop()
        end = writer.end()
        self._say(f"{error} already exists, written by another sink; continuing at offset {end}")
        self._positions[key] = writer.durable = end
        self._member.consumer.seek(TopicPartition(*key, end))

    def _assigned(self, consumer: Any, assigned: list[TopicPartition]) -> None:
        self._joined = True
        committed = self._member.committed([(each.topic, each.partition) for each in assigned])
        starts = []
        for each in assigned:
            key = (each.topic, each.partition)
            counts = self.summary.topics[each.topic.rpartition(".")[2]]
            writer = PartitionWriter(self._store, *key, counts, self._options.flush_size, self._options.gzip)
            start = self._start(key, writer.end(), committed[key])
            self._writers[key], self._positions[key], writer.durable = writer, start, start
            starts.append(TopicPartition(*key, start))
        consumer.assign(starts)

    def _start(self, key: PartitionId, end: int, committed: int) -> int:
        low, high = self._member.watermarks(key)
        if end > high:
            raise MachineError(
                f"topic {key[0]}, partition {key[1]}: Kafka at {self._member.servers} has {high} messages, the dump in "
                f"{self._store.root} goes to {end}: the topic was recreated; give another folder with --to"
            )
        start = end or max(min(committed, high), 0)
        if start > max(end, low):
            self._say(
                f"{key[0]}, partition {key[1]}: nothing is in {self._store.root}; continuing at offset {start}, to "
                f"which the group {self._group} had come: to write what is before it again, name another --group"
            )
        if start < low:
            self._say(f"{key[0]}, partition {key[1]}: the broker no longer has offsets {start} to {low - 1}")
        return max(start, low)

    def _revoked(self, _: Any, revoked: list[TopicPartition]) -> None:
        for each in revoked:
            # A FileExistsError means that another sink already writes this partition.
            if writer := self._writers.get((each.topic, each.partition)):
                with suppress(FileExistsError):
                    writer.flush()
        self.commit()
        self._lost(_, revoked)

    def _lost(self, _: Any, lost: list[TopicPartition]) -> None:
        for each in lost:
            self._writers.pop((each.topic, each.partition), None)

    def commit(self) -> None:
        """Commit the offsets before which everything is stored."""
        self._committed_at = self._clock()
        done = {key: end for key, writer in self._writers.items() if (end := writer.durable)}
        if not done or done == self._told:
            return
        self._store.settle()
        if self._member.commit(done):
            self._told = done
