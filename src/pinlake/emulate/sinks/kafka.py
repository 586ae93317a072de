"""A sink that writes to Kafka with an idempotent producer and acknowledgement by all in-sync replicas."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Taken

from pinlake.clients.kafka import Config, Watch, final_error, find_topics, quiet
from pinlake.clients.waits import SAY_EVERY, Say, silent
from pinlake.emulate.sinks.base import Deliveries, Message, Sink
from pinlake.errors import MachineError
from pinlake.topics import TOPICS

# Errors that concern a single message.
_OF_ONE_MESSAGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD}

# Seconds between two polls for delivery reports. Polling after each message costs as much as sending it.
_LOOK_EVERY = 0.02


class KafkaSink(Sink):
    """Sends messages unchanged, with the post id as key, to the topics `<topic id>.<topic>`.

    While a broker is unreachable, the client buffers messages. Later it sends them in order and without duplicates. A
    message that no broker accepts within `give_up_after` seconds fails.
    """

    def __init__(
        self,
        config: Config,
        topic_id: str,
        deliveries: Deliveries,
        give_up_after: float = 60.0,
        say: Say = silent,
        create_topics: int | None = None,
    ) -> None:
        """Connect and find the topics. `create_topics` is the number of partitions of a missing topic.

        Raises MachineError as `find_topics` does.
        """
        super().__init__(deliveries)
        self._servers = config["bootstrap.servers"]
        self._say = say
        self._topics = {topic: (f"{topic_id}.{topic}", self._delivered(topic)) for topic in TOPICS}
        self._next_look = 0.0
        self._lost: KafkaError | None = None
        find_topics(config, [name for name, _ in self._topics.values()], give_up_after, say, create_topics)
        # The topics were found, so the settings are valid.
        self._watch = Watch(answered=True)
        self._producer = Producer(
            {
                "linger.ms": 20,
                "compression.type": "lz4",
                **config,
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": max(int(give_up_after * 1000), 1),
                "error_cb": self._watch.told,
            },
            logger=quiet(),
        )

    def send(self, message: Message) -> None:
        """Pass the message to the client. Blocks while its queue is full. Raises MachineError if sending fails."""
        name, delivered = self._topics[message.topic]
        key = None if message.key is None else message.key.encode("utf-8", "backslashreplace")
        if time.monotonic() >= self._next_look:
            self._producer.poll(0)
            self._check()
            self._next_look = time.monotonic() + _LOOK_EVERY
        while True:
            try:
                self._producer.produce(name, message.value, key, on_delivery=delivered)
            except BufferError:
                # The queue of the client is full: wait until some messages are delivered or failed.
                self._producer.poll(SAY_EVERY) or self._say(self._waiting())
                self._check()
            except KafkaException as error:
                self.deliveries.fail(message, error.args[0].str())
                return
            else:
                return

    def flush(self) -> None:
        """Wait until every message is delivered or failed. Raises MachineError."""
        while self._producer.flush(SAY_EVERY):
            self._say(self._waiting())
            self._check()
        self._check()

    def _delivered(self, topic: str) -> Callable[[KafkaError | None, Taken], None]:
        """Return the callback that the client calls for each message of the topic that was delivered or failed."""

        def told(error: KafkaError | None, taken: Taken) -> None:
            if error is None:
                # Without `acknowledge`, which needs a Message object that would have to be built first.
                self.deliveries.acknowledged[topic] += 1
                return
            key, value = taken.key(), taken.value()
            message = Message(topic, None if key is None else key.decode(), (value or b"").decode())
            self.deliveries.fail(message, error.str())
            if error.code() not in _OF_ONE_MESSAGE:
                self._lost = error

        return told

    def _check(self) -> None:
        """If nothing more can be delivered, mark the messages in the client as failed and raise MachineError."""
        if self._lost is None and self._watch.final is None:
            return
        self._producer.purge()
        self._producer.flush(SAY_EVERY)
        self._watch.check(self._servers)
        assert self._lost is not None
        if self._lost.code() == KafkaError._MSG_TIMED_OUT:
            raise MachineError(
                f"Kafka at {self._servers} took no message for so long that they timed out "
                f"({self._watch.last or self._lost.str()}); start it, or wait longer with --give-up-after, then send "
                "the failed ones again"
            )
        raise final_error(self._servers, self._lost)

    def _waiting(self) -> str:
        reason = f" ({self._watch.last})" if self._watch.last else ""
        return f"{len(self._producer):,} messages wait for Kafka at {self._servers}{reason}"
