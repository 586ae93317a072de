"""The sink's consumer: partitions as the group deals them out, objects written, offsets committed after that."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pinlake.errors import MachineError
from pinlake.kafka import Config, Patience, Say, Watch, final_error, find_topics, quiet
from pinlake.sink.partition import Arrived, Counts, PartitionWriter
from pinlake.store.base import Store
from pinlake.topics import TOPICS

_AT_ONCE = 1_000
_COMMIT_EVERY = 5.0
_REPORT_EVERY = 1.0
# Errors that a consumer gets over by itself.
_PASSING = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT}


@dataclass(frozen=True)
class SinkOptions:
    """How objects are cut: at `flush_size` records, or `rotate_seconds` after the first. `until_end` stops where the
    partitions ended when it began; else it goes on until `stop`."""

    flush_size: int = 1
    rotate_seconds: float | None = None
    gzip: bool = False
    group: str | None = None
    until_end: bool = False
    give_up_after: float = 60.0


@dataclass
class SinkSummary:
    """What was written, by topic's short name, and the offset before which all of each (topic, partition) is stored."""

    topics: dict[str, Counts] = field(default_factory=lambda: {topic: Counts() for topic in TOPICS})
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def line(self) -> str:
        """What was written so far, for whoever waits."""
        messages = sum(each.messages for each in self.topics.values())
        objects = sum(each.objects for each in self.topics.values())
        letters = sum(each.dead_letters for each in self.topics.values())
        return f"{messages:,} messages in {objects:,} objects" + (f", {letters:,} dead letters" if letters else "")


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
    """Write the three topics to the store.

    Each partition goes on after its last object, so nothing is lost and nothing written twice, however it ended before.
    Sinks of one group share the partitions; the group is the topic id's and the place's own unless one is given. Raises
    MachineError where the broker is out of reach for too long, a topic isn't there or was made anew, or the store can't
    be written.
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
            if options.until_end and all(sink.position(place) >= end for place, end in ends.items()):
                break
        sink.finish()
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
        self._watch = Watch()
        self._writers: dict[tuple[str, int], PartitionWriter] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._committed_at = clock()
        place = hashlib.sha256(store.root.encode()).hexdigest()[:12]
        self._consumer = Consumer(
            {
                **config,
                "group.id": options.group or f"pinlake-sink-{topic_id}-{place}",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "error_cb": self._watch.told,
            },
            logger=quiet(),
        )

    def high_watermarks(self, partitions: dict[str, list[int]]) -> dict[tuple[str, int], int]:
        """Where each partition ends now."""
        places = [(topic, number) for topic, numbers in partitions.items() for number in numbers]
        return {place: self._watermarks(place)[1] for place in places}

    def subscribe(self, names: list[str]) -> None:
        self._consumer.subscribe(names, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def position(self, place: tuple[str, int]) -> int:
        """The offset after the last message that was taken; -1 for a partition that another sink has."""
        if place not in self._writers:
            return self._elsewhere(place)
        return self._positions[place]

    def turn(self) -> None:
        """Take what has come, within half a second."""
        messages = self._consumer.consume(_AT_ONCE, 0.5)
        self._watch.check(self._servers)
        if not messages:
            self._check_broker()
        for message in messages:
            if error := message.error():
                self._note(error)
            else:
                self._patience.over()
                self._watch.last = None
                self._take(message)
        if self._options.rotate_seconds is not None:
            for writer in self._writers.values():
                if writer.opened is not None and self._clock() - writer.opened >= self._options.rotate_seconds:
                    writer.flush()
        if self._clock() - self._committed_at >= _COMMIT_EVERY:
            self._commit()

    def finish(self) -> None:
        """Write the open objects, and commit."""
        for writer in self._writers.values():
            writer.flush()
        self._commit()

    def close(self) -> None:
        self._consumer.close()

    def _take(self, message: Any) -> None:
        place = (message.topic(), message.partition())
        writer = self._writers.get(place)
        if writer is None or message.offset() < self._positions[place]:
            return
        arrived = Arrived(message.offset(), message.timestamp()[1], message.key(), message.value())
        try:
            writer.add(arrived, self._clock())
        except FileExistsError as error:
            self._go_on_after(place, writer, error)
        else:
            self._positions[place] = message.offset() + 1

    def _go_on_after(self, place: tuple[str, int], writer: PartitionWriter, error: FileExistsError) -> None:
        """Another sink was here: what it wrote counts, and this one goes on after it."""
        writer.drop()
        end = writer.end()
        self._say(f"{error} is there already, written by another sink; going on at offset {end}")
        self._positions[place] = writer.durable = end
        self._consumer.seek(TopicPartition(*place, end))

    def _assigned(self, consumer: Any, assigned: list[TopicPartition]) -> None:
        committed = {(each.topic, each.partition): each.offset for each in consumer.committed(assigned, 30)}
        starts = []
        for each in assigned:
            place = (each.topic, each.partition)
            counts = self.summary.topics[each.topic.rpartition(".")[2]]
            options = self._options
            writer = PartitionWriter(self._store, *place, counts, options.flush_size, options.gzip)
            start = self._start(place, writer.end(), committed[place])
            self._writers[place], self._positions[place], writer.durable = writer, start, start
            starts.append(TopicPartition(*place, start))
        consumer.assign(starts)

    def _start(self, place: tuple[str, int], end: int, committed: int) -> int:
        low, high = self._watermarks(place)
        if end > high:
            raise MachineError(
                f"topic {place[0]}, partition {place[1]}: Kafka at {self._servers} has {high} messages, the dump in "
                f"{self._store.root} goes to {end}: the topic was made anew; give another place with --to"
            )
        start = max(end, min(committed, high))
        if start < low:
            self._say(f"{place[0]}, partition {place[1]}: the broker no longer has offsets {start} to {low - 1}")
        return max(start, low)

    def _revoked(self, _: Any, revoked: list[TopicPartition]) -> None:
        for each in revoked:
            if writer := self._writers.get((each.topic, each.partition)):
                writer.flush()
        self._commit()
        self._lost(_, revoked)

    def _lost(self, _: Any, lost: list[TopicPartition]) -> None:
        for each in lost:
            self._writers.pop((each.topic, each.partition), None)

    def _commit(self) -> None:
        self._committed_at = self._clock()
        done = {place: writer.durable for place, writer in self._writers.items() if writer.durable}
        self.summary.ends.update({place: end for place, end in done.items() if end is not None})
        if not done:
            return
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*place, end) for place, end in done.items()], asynchronous=False
            )
        except KafkaException as error:
            # The dump itself says where to go on; what is committed is for those who watch the group.
            self._note(error.args[0], passing=True)

    def _watermarks(self, place: tuple[str, int]) -> tuple[int, int]:
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=5)
                return low, high
            except KafkaException as error:
                self._note(error.args[0])

    def _elsewhere(self, place: tuple[str, int]) -> int:
        """How far another sink of the group has come with a partition, by what it committed."""
        try:
            return int(self._consumer.committed([TopicPartition(*place)], 5)[0].offset)
        except KafkaException as error:
            self._note(error.args[0])
            return -1

    def _check_broker(self) -> None:
        """Nothing came: there is nothing, or nobody to send it."""
        if self._watch.last is None:
            return
        try:
            self._consumer.list_topics(timeout=1)
        except KafkaException:
            self._patience.wait(self._watch.last)
        else:
            self._patience.over()
            self._watch.last = None

    def _note(self, error: KafkaError, passing: bool = False) -> None:
        if passing or error.code() in _PASSING or error.retriable():
            self._watch.last = error.str()
            self._patience.wait(error.str())
        else:
            raise final_error(self._servers, error)
