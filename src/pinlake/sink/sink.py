"""The sink's consumer: it gets partitions from the consumer group, writes objects, and commits offsets afterwards."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pinlake.clients.kafka import HANDSHAKE, Config, Watch, final_error, find_topics, quiet
from pinlake.clients.waits import SAY_EVERY, NoAnswerError, Patience, Say
from pinlake.dump.store import Store
from pinlake.errors import MachineError, SourceError
from pinlake.sink.partition import DEAD_LETTERS, Arrived, Counts, PartitionWriter
from pinlake.topics import TOPICS

T = TypeVar("T")

_AT_ONCE = 1_000
_COMMIT_EVERY = 5.0
_REPORT_EVERY = 1.0
# Errors from which a consumer recovers by itself.
_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError.LEADER_NOT_AVAILABLE,
    *HANDSHAKE,
}


# The full name of a topic, and a partition.
PartitionId = tuple[str, int]


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
    """What was written, by the topic's short name.

    `ends` has, for each (topic, partition), the offset before which everything is stored.
    """

    topics: dict[str, Counts] = field(default_factory=lambda: {topic: Counts() for topic in TOPICS})
    ends: dict[PartitionId, int] = field(default_factory=dict)

    def line(self) -> str:
        """A progress line: how many messages, objects and dead letters were written."""
        messages = sum(each.messages for each in self.topics.values())
        objects = sum(each.objects for each in self.topics.values())
        letters = sum(each.dead_letters for each in self.topics.values())
        return f"{messages:,} messages in {objects:,} objects" + (f", {letters:,} dead letters" if letters else "")

    def check(self, store: str) -> None:
        """Raise SourceError if all messages became dead letters. `store` is its address, for the error message."""
        letters = sum(each.dead_letters for each in self.topics.values())
        first = next((each.first_letter for each in self.topics.values() if each.first_letter), None)
        if first is None or any(each.messages for each in self.topics.values()):
            return
        raise SourceError(
            f"none of the {letters:,} messages that came can be in a dump, which holds JSON; they are dead letters in "
            f"{store.rstrip('/')}/{DEAD_LETTERS}, the first in {first.key} ({first.reason}): have the producers send "
            "JSON, or check --topic-id"
        )


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
        sink.flush(sink.keys())
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
        self._servers = config["bootstrap.servers"]
        self._patience = Patience(f"Kafka at {self._servers}", options.give_up_after, say)
        # The topics were found, so the connection settings are correct.
        self._watch = Watch(answered=True)
        self._writers: dict[PartitionId, PartitionWriter] = {}
        self._positions: dict[PartitionId, int] = {}
        self._joined = False
        self._names: list[str] = []
        self._told: Mapping[PartitionId, int | None] = {}
        self._heard = clock()
        self._told_of_others = 0.0
        # Writing to a bucket is slow but can be parallel. The objects of a partition are written in order.
        self._pool = ThreadPoolExecutor(store.at_once) if store.at_once > 1 else None
        self._committed_at = clock()
        digest = hashlib.sha256(store.root.encode()).hexdigest()[:12]
        self._group = options.group or f"pinlake-sink-{topic_id}-{digest}"
        self._consumer = Consumer(
            {
                **config,
                "group.id": self._group,
                "enable.auto.commit": False,
                # The last offsets of a partition may be transaction markers, which aren't delivered as messages.
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "error_cb": self._watch.told,
            },
            logger=quiet(),
        )

    def high_watermarks(self, partitions: dict[str, list[int]]) -> dict[PartitionId, int]:
        """The current end of each partition that has messages. Sinks never commit an offset for an empty partition."""
        keys = [(topic, number) for topic, numbers in partitions.items() for number in numbers]
        found = {key: self._watermarks(key) for key in keys}
        return {key: high for key, (low, high) in found.items() if high > low}

    def subscribe(self, names: list[str]) -> None:
        self._names = names
        self._consumer.subscribe(names, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def reached(self, ends: dict[PartitionId, int]) -> bool:
        """True if every partition is stored up to its end, by this sink or another one in the group."""
        mine = [key for key in ends if key in self._writers]
        if not self._joined or any(self._positions[key] < ends[key] for key in mine):
            return False
        # Write and commit, because other sinks may wait for this one. If an object existed, there is more to consume.
        if not self.flush(self.keys()):
            return False
        self.commit()
        others = [key for key in ends if key not in self._writers]
        committed = self._committed([TopicPartition(*key) for key in others]) if others else {}
        behind = [key for key in others if committed[key] < ends[key]]
        if behind and self._clock() - self._told_of_others >= SAY_EVERY:
            self._told_of_others = self._clock()
            self._say(
                f"waiting for other sinks of the group {self._group}, which have {_listed(behind)} and are not at the "
                "end; messages in their open objects count only once these are written"
            )
        return not behind

    def keys(self) -> list[PartitionId]:
        return list(self._writers)

    def turn(self) -> None:
        """Consume and write the next messages. Waits at most half a second for them."""
        messages = self._consumer.consume(_AT_ONCE, 0.5)
        self._watch.check(self._servers)
        if not messages:
            self._check_broker()
        arrived: dict[PartitionId, list[Any]] = {}
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError._MAX_POLL_EXCEEDED:
                # The client rejoins by itself. It gets partitions again, with the messages of the open objects.
                self._say(
                    f"writing to {self._store.root} took so long that the group left this sink out; joining again"
                )
                continue
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._patience.missed(self._passing(error))
                continue
            arrived.setdefault((str(message.topic()), message.partition() or 0), []).append(message)
        if arrived:
            self._hear()
        self._each(lambda key: self._take(key, arrived[key]), arrived)
        if self._options.rotate_seconds is not None:
            due = self._clock() - self._options.rotate_seconds
            self.flush([key for key, each in self._writers.items() if each.opened is not None and each.opened <= due])
        # While the broker is unreachable, a commit would only wait, silently.
        if self._watch.last is None and self._clock() - self._committed_at >= _COMMIT_EVERY:
            self.commit()

    def flush(self, keys: Iterable[PartitionId]) -> bool:
        """Write the open objects. Returns False if another sink has written one of them."""
        return self._each(lambda key: self._writers[key].flush(), keys)

    def abandon(self) -> None:
        """Drop all partitions, so that nothing more is written or committed."""
        self._writers.clear()

    def close(self) -> None:
        self._consumer.close()
        if self._pool:
            self._pool.shutdown()

    def _each(self, work: Callable[[PartitionId], None], keys: Iterable[PartitionId]) -> bool:
        """Call `work` for each partition. Returns False if another sink has written an object of one."""

        def attempt(key: PartitionId) -> tuple[PartitionId, FileExistsError | None]:
            try:
                work(key)
            except FileExistsError as error:
                return key, error
            return key, None

        in_the_way = [(key, error) for key, error in (self._pool.map if self._pool else map)(attempt, keys) if error]
        for key, error in in_the_way:
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
        self._say(f"{error} is there already, written by another sink; going on at offset {end}")
        self._positions[key] = writer.durable = end
        self._consumer.seek(TopicPartition(*key, end))

    def _assigned(self, consumer: Any, assigned: list[TopicPartition]) -> None:
        self._joined = True
        committed = self._committed(assigned)
        starts = []
        for each in assigned:
            key = (each.topic, each.partition)
            counts = self.summary.topics[each.topic.rpartition(".")[2]]
            options = self._options
            writer = PartitionWriter(self._store, *key, counts, options.flush_size, options.gzip)
            start = self._start(key, writer.end(), committed[key])
            self._writers[key], self._positions[key], writer.durable = writer, start, start
            starts.append(TopicPartition(*key, start))
        consumer.assign(starts)

    def _start(self, key: PartitionId, end: int, committed: int) -> int:
        low, high = self._watermarks(key)
        if end > high:
            raise MachineError(
                f"topic {key[0]}, partition {key[1]}: Kafka at {self._servers} has {high} messages, the dump in "
                f"{self._store.root} goes to {end}: the topic was made again; give another folder with --to"
            )
        start = end or max(min(committed, high), 0)
        if start > max(end, low):
            self._say(
                f"{key[0]}, partition {key[1]}: nothing is in {self._store.root}; going on at offset {start}, to "
                f"which the group {self._group} had come: to write what is before it again, name another --group"
            )
        if start < low:
            self._say(f"{key[0]}, partition {key[1]}: the broker no longer has offsets {start} to {low - 1}")
        return max(start, low)

    def _revoked(self, _: Any, revoked: list[TopicPartition]) -> None:
        keys = [(each.topic, each.partition) for each in revoked]
        for key in keys:
            if writer := self._writers.get(key):
                try:
                    writer.flush()
                except FileExistsError:
                    # Another sink already writes this partition.
                    writer.drop()
        self.commit()
        self._lost(_, revoked)

    def _lost(self, _: Any, lost: list[TopicPartition]) -> None:
        for each in lost:
            self._writers.pop((each.topic, each.partition), None)

    def commit(self) -> None:
        """Commit the offsets before which everything is stored."""
        self._committed_at = self._clock()
        done = {key: writer.durable for key, writer in self._writers.items() if writer.durable}
        self.summary.ends.update({key: end for key, end in done.items() if end is not None})
        if not done or done == self._told:
            return
        self._store.settle()
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*key, end) for key, end in done.items()],
                asynchronous=False,
            )
            self._told = dict(done)
        except KafkaException as error:
            # Not fatal: the dump shows where to continue. Committed offsets are for monitoring the group.
            self._watch.last = error.args[0].str()
            self._patience.missed(self._watch.last)

    def _watermarks(self, key: PartitionId) -> tuple[int, int]:
        low, high = self._ask(lambda: self._consumer.get_watermark_offsets(TopicPartition(*key), timeout=5))
        return low, high

    def _committed(self, keys: list[TopicPartition]) -> dict[PartitionId, int]:
        """The offsets that the group has committed. -1001 means none."""
        found = self._ask(lambda: self._consumer.committed(keys, 5))
        return {(each.topic, each.partition): each.offset for each in found}

    def _ask(self, question: Callable[[], T]) -> T:
        """The broker's answer, with retries. Raises MachineError."""

        def once() -> T:
            try:
                return question()
            except KafkaException as error:
                raise NoAnswerError(self._passing(error.args[0])) from error

        return self._patience.ask(once)

    def _check_broker(self) -> None:
        """Check, after no messages arrived, whether the broker is reachable."""
        # The client reports a lost broker only once, possibly long before its last buffered message.
        if self._watch.last is None and self._clock() - self._heard < SAY_EVERY:
            return
        try:
            missing = self._missing()
        except KafkaException as error:
            missing = self._watch.last or error.args[0].str()
        if missing is None:
            self._hear()
        else:
            self._patience.missed(missing)

    def _missing(self) -> str | None:
        """The reason why no messages can arrive though a broker answers. Raises KafkaException if no broker answers."""
        topics = self._consumer.list_topics(timeout=1).topics
        leaders = {(name, number): each.leader for name in topics for number, each in topics[name].partitions.items()}
        if headless := [key for key in self._writers if leaders.get(key) == -1]:
            return f"no leader for {_listed(headless)}"
        if not self._joined:
            try:
                # Checks that the group has a coordinator. Other members that join slowly aren't a problem.
                self._consumer.committed([TopicPartition(self._names[0], 0)], 1)
            except KafkaException as error:
                return f"no coordinator for the group {self._group}: {error.args[0].str()}"
        return None

    def _hear(self) -> None:
        self._patience.answered()
        self._watch.last = None
        self._heard = self._clock()

    def _passing(self, error: KafkaError) -> str:
        """What to say of an error that passes. Raises MachineError for any other."""
        if error.code() not in _PASSING and not error.retriable():
            raise final_error(self._servers, error)
        self._watch.last = error.str()
        return self._watch.last


def _listed(keys: Iterable[PartitionId]) -> str:
    return ", ".join(f"{topic} partition {number}" for topic, number in sorted(keys))
