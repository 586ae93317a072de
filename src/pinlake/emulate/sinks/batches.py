"""The common part of sinks that send many messages in one call: batches, retries and the time limit."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple

from pinlake.clients.waits import CallError, PassingError, Patience, Say
from pinlake.emulate.sinks.base import Deliveries, Message, Sink
from pinlake.errors import MachineError
from pinlake.topics import TOPICS

MAX_RECORDS = 500
# Seconds after which a batch is sent with the next message even if it is not full, so that a slow run is visible soon.
LINGER = 1.0
# Time limit for one answer in seconds: gateways do not wait longer for their backend. The minimum is for the last try.
ANSWER_SECONDS, LEAST_ANSWER_SECONDS = 30.0, 0.5


class TooLargeError(CallError):
    """The request is too large; a call with fewer messages may succeed."""


class Item(NamedTuple):
    """A message, its form in a call, and its size in bytes as the service counts it."""

    message: Message
    record: Any
    size: int


@dataclass
class _Queue:
    """The messages that wait to be sent to one topic, in order. `began` is the time of the oldest one."""

    items: list[Item] = field(default_factory=list)
    size: int = 0
    began: float = 0.0

    def add(self, item: Item) -> None:
        if not self.items:
            self.began = time.monotonic()
        self.items.append(item)
        self.size += item.size

    def head(self, most: int, max_bytes: int) -> list[Item]:
        """Return the first items, at most `most` items and `max_bytes` bytes, but at least one item."""
        totals = accumulate(item.size for item in self.items[:most])
        return self.items[: max(1, sum(total <= max_bytes for total in totals))]

    def replace(self, count: int, items: Sequence[Item]) -> None:
        """Replace the first `count` items by `items`."""
        self.items[:count] = items
        self.size = sum(item.size for item in self.items)


class BatchSink(Sink):
    """A sink that sends messages in batches, each to one topic.

    A batch is sent when it is full, when it is older than LINGER seconds, and at `flush`. After a temporary error, the
    messages that were not accepted are sent again with exponential backoff and jitter. Later messages of the topic wait
    until then, so the order is kept. If no message is accepted for `give_up_after` seconds, or after a permanent error,
    all waiting messages count as failed and MachineError is raised. Delivery is at least once: if an answer is lost,
    messages may arrive twice.
    """

    max_bytes: ClassVar[int]
    """Maximum size of all records in a call, in bytes."""

    def __init__(self, label: str, give_up_after: float, deliveries: Deliveries, say: Say) -> None:
        """`label` names the destination in log lines and errors. `give_up_after` is in seconds."""
        super().__init__(deliveries)
        self._label = label
        self._give_up_after = give_up_after
        self._patience = Patience(label, give_up_after, say)
        self._queues = {topic: _Queue() for topic in TOPICS}

    @abstractmethod
    def _item(self, message: Message) -> Item:
        """Return the message in the form of a call. Raises ValueError with the reason if no call could contain it."""

    @abstractmethod
    def _post(self, topic: str, records: list[Any]) -> list[CallError | None]:
        """Make one call. Return None for each accepted record, and the error of each other one.

        Raises CallError if no record was accepted.
        """

    @abstractmethod
    def _let_go(self) -> None:
        """Close the connection."""

    def send(self, message: Message) -> None:
        """Add the message to the batch of its topic, and send the batches that are due. Raises MachineError."""
        try:
            item = self._item(message)
        except ValueError as error:
            self.deliveries.fail(message, str(error))
            return
        self._queues[message.topic].add(item)
        now = time.monotonic()
        for topic, queue in self._queues.items():
            is_full = len(queue.items) >= MAX_RECORDS or queue.size >= self.max_bytes
            if queue.items and (is_full or now - queue.began >= LINGER):
                self._deliver(topic)

    def flush(self) -> None:
        """Send all batches. Raises MachineError."""
        for topic in self._queues:
            self._deliver(topic)

    def close(self) -> None:
        """Flush and close the connection. Raises MachineError."""
        try:
            self.flush()
        finally:
            self._let_go()

    def _answer_seconds(self) -> float:
        """Return the time limit for the next answer, in seconds."""
        return min(ANSWER_SECONDS, max(self._patience.left(), LEAST_ANSWER_SECONDS))

    def _deliver(self, topic: str) -> None:
        """Send the waiting messages of a topic until each is accepted or failed. Raises MachineError."""
        # The service had no request to answer since the last delivery.
        self._patience.answered()
        retrying = self._patience.retrying(lambda error: isinstance(error, PassingError))
        try:
            retrying(self._post_all, topic)
        except CallError as error:
            # From None: errors of HTTP libraries may contain headers with credentials.
            raise self._given_up(error) from None

    def _post_all(self, topic: str) -> None:
        """Make the calls for the waiting messages of a topic. After a CallError, the queue holds the remaining ones."""
        queue, most = self._queues[topic], MAX_RECORDS
        while queue.items:
            batch = queue.head(most, self.max_bytes)
            try:
                errors = self._post(topic, [item.record for item in batch])
            except TooLargeError as error:
                most = len(batch) // 2
                if not most:
                    queue.replace(1, [])
                    self.deliveries.fail(batch[0].message, error.found)
                    most = MAX_RECORDS
                continue
            told = list(zip(batch, errors, strict=True))
            queue.replace(len(batch), [item for item, refused in told if isinstance(refused, PassingError)])
            for item, refused in told:
                if refused is None:
                    self._patience.answered()
                    self.deliveries.acknowledge(item.message)
                elif not isinstance(refused, PassingError):
                    self.deliveries.fail(item.message, refused.found)
            if passing := [refused for refused in errors if isinstance(refused, PassingError)]:
                raise passing[0]

    def _given_up(self, error: CallError) -> MachineError:
        """Mark all waiting messages as failed and return the error to raise."""
        waiting = [item.message for queue in self._queues.values() for item in queue.items]
        # Empty the queues first: if the file of failed messages can't be written, a later flush must not send again.
        self._queues = {topic: _Queue() for topic in TOPICS}
        for message in waiting:
            self.deliveries.fail(message, error.found)
        found, remedy = error.found, error.remedy
        if isinstance(error, PassingError):
            found = f"took no message for {self._give_up_after:g} s ({found})"
            remedy = f"{remedy}, or wait longer with --give-up-after"
        path = self.deliveries.failures.path
        return MachineError(
            f"{self._label}: {found}; {remedy}. Messages kept in {path}: {len(waiting):,}; send them again with "
            f"`pinlake emulate resend {path}`"
        )
