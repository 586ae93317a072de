"""The sink as a member of a consumer group: questions to the broker are repeated while it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pinlake.clients.kafka import HANDSHAKE, Config, Watch, final_error, quiet
from pinlake.clients.waits import SAY_EVERY, NoAnswerError, Patience, Say

T = TypeVar("T")

# The full name of a topic, and a partition.
PartitionId = tuple[str, int]

# Errors from which a consumer recovers by itself.
_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError.LEADER_NOT_AVAILABLE,
    *HANDSHAKE,
}


class Member:
    """A member of a consumer group. Methods raise MachineError for errors that a retry can't resolve.

    Any method also raises MachineError when no broker has answered for `give_up_after` seconds.
    """

    def __init__(self, config: Config, group: str, give_up_after: float, say: Say, clock: Callable[[], float]) -> None:
        self.servers = config["bootstrap.servers"]
        self._group = group
        self._clock = clock
        self._patience = Patience(f"Kafka at {self.servers}", give_up_after, say)
        # The topics were found, so the connection settings are correct.
        self._watch = Watch(answered=True)
        self._heard = clock()
        self.consumer = Consumer(
            {
                **config,
                "group.id": group,
                "enable.auto.commit": False,
                # The last offsets of a partition may be transaction markers, which aren't delivered as messages.
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "error_cb": self._watch.told,
            },
            logger=quiet(),
        )

    @property
    def is_lost(self) -> bool:
        """True after an error, until a broker answers again."""
        return self._watch.last is not None

    def consume(self, most: int) -> list[Any]:
        """The next messages and errors, at most `most`. Waits at most half a second for them."""
        messages: list[Any] = self.consumer.consume(most, 0.5)
        self._watch.check(self.servers)
        return messages

    def watermarks(self, key: PartitionId) -> tuple[int, int]:
        """The first available offset of a partition, and the offset after its last message."""
        low, high = self._ask(lambda: self.consumer.get_watermark_offsets(TopicPartition(*key), timeout=5))
        return low, high

    def committed(self, keys: Iterable[PartitionId]) -> dict[PartitionId, int]:
        """The offsets that the group has committed. -1001 means none."""
        asked = [TopicPartition(*key) for key in keys]
        found = self._ask(lambda: self.consumer.committed(asked, 5)) if asked else []
        return {(each.topic, each.partition): each.offset for each in found}

    def commit(self, ends: Mapping[PartitionId, int]) -> bool:
        """Commit offsets. Returns False if they couldn't be committed for now."""
        try:
            self.consumer.commit(offsets=[TopicPartition(*key, end) for key, end in ends.items()], asynchronous=False)
        except KafkaException as error:
            # Not fatal: the dump shows where to continue. Committed offsets are for monitoring the group.
            self._watch.last = error.args[0].str()
            self._patience.missed(self._watch.last)
            return False
        return True

    def missed(self, error: KafkaError) -> None:
        """Note an error that came instead of a message."""
        self._patience.missed(self._passing(error))

    def hear(self) -> None:
        """Note that a broker is reachable."""
        self._patience.answered()
        self._watch.last = None
        self._heard = self._clock()

    def check(self, keys: Collection[PartitionId], unjoined: str | None) -> None:
        """Check, after no messages arrived, whether the broker is reachable.

        `keys` are the partitions that are consumed. `unjoined` is a topic, as long as the group isn't joined.
        """
        # The client reports a lost broker only once, possibly long before its last buffered message.
        if not self.is_lost and self._clock() - self._heard < SAY_EVERY:
            return
        try:
            missing = self._missing(keys, unjoined)
        except KafkaException as error:
            missing = self._watch.last or error.args[0].str()
        if missing is None:
            self.hear()
        else:
            self._patience.missed(missing)

    def _missing(self, keys: Collection[PartitionId], unjoined: str | None) -> str | None:
        """The reason why no messages can arrive though a broker answers. Raises KafkaException if no broker answers."""
        topics = self.consumer.list_topics(timeout=1).topics
        leaders = {(name, number): each.leader for name in topics for number, each in topics[name].partitions.items()}
        if headless := [key for key in keys if leaders.get(key) == -1]:
            return f"no leader for {listed(headless)}"
        if unjoined:
            try:
                # Checks that the group has a coordinator. Other members that join slowly aren't a problem.
                self.consumer.committed([TopicPartition(unjoined, 0)], 1)
            except KafkaException as error:
                return f"no coordinator for the group {self._group}: {error.args[0].str()}"
        return None

    def _ask(self, question: Callable[[], T]) -> T:
        def once() -> T:
            try:
                return question()
            except KafkaException as error:
                raise NoAnswerError(self._passing(error.args[0])) from error

        return self._patience.ask(once)

    def _passing(self, error: KafkaError) -> str:
        """What to say of an error that passes."""
        if error.code() not in _PASSING and not error.retriable():
            raise final_error(self.servers, error)
        self._watch.last = error.str()
        return self._watch.last


def listed(keys: Iterable[PartitionId]) -> str:
    """The partitions as messages name them."""
    return ", ".join(f"{topic} partition {number}" for topic, number in sorted(keys))
