"""What the sinks share that send many messages in one call: collecting, waiting, trying again, giving up in the end."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from pinlake.clients.waits import SAY_EVERY, Say
from pinlake.emulate.sinks.base import Deliveries, Message
from pinlake.errors import MachineError
from pinlake.topics import TOPICS

MAX_RECORDS = 500
# Seconds after which messages are sent with the next one, full batch or not: a slow run is to be seen at once.
LINGER = 1.0
# Seconds for one answer: no gateway waits longer for what is behind it. The least is for a last try.
ANSWER_SECONDS, LEAST_ANSWER_SECONDS = 30.0, 0.5

_growing = wait_random_exponential(multiplier=0.2, max=10)


class CallError(Exception):
    """A call in which no message was taken: what was found, and the remedy. Neither holds credentials."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}; {remedy}")
        self.found, self.remedy = found, remedy


class FinalError(CallError):
    """The next call would end as this one."""


class PassingError(CallError):
    """A later call may succeed; the other side asks to leave it alone for `after` seconds."""

    def __init__(self, found: str, remedy: str, after: float = 0.0) -> None:
        super().__init__(found, remedy)
        self.after = after


class TooLargeError(CallError):
    """A call with fewer messages may succeed."""


class UnfitError(Exception):
    """A message that the other side would never take, with the reason."""


class Refusal(NamedTuple):
    """Why one message of a call wasn't taken, and whether it may be taken later."""

    reason: str
    is_passing: bool = False


class Item(NamedTuple):
    """A message, what a call has for it, and how many bytes that counts."""

    message: Message
    record: Any
    size: int


@dataclass
class _Queue:
    """What waits to be sent to one topic, in order, the oldest since `began`."""

    items: list[Item] = field(default_factory=list)
    size: int = 0
    began: float = 0.0

    def add(self, item: Item) -> None:
        if not self.items:
            self.began = time.monotonic()
        self.items.append(item)
        self.size += item.size

    def head(self, most: int, max_bytes: int) -> list[Item]:
        """The first items: at most so many and so many bytes, but at least one."""
        count = size = 0
        for item in self.items[:most]:
            size += item.size
            if count and size > max_bytes:
                break
            count += 1
        return self.items[:count]

    def replace(self, count: int, items: Sequence[Item]) -> None:
        """Put `items` in place of the first `count`."""
        self.items[:count] = items
        self.size = sum(item.size for item in self.items)


class BatchSink(ABC):
    """Sends messages in calls of one topic each, when a call is full, when they are a second old, and at `flush`.

    A call that fails in passing is made again, with those of its messages that were not taken, after growing random
    waits. Later messages of the topic wait behind it, so their order is kept. Where the other side takes nothing for
    `give_up_after` seconds, or says that it never will, all messages that wait have failed, and MachineError is raised.
    A call may have been taken although its answer got lost; then its messages are there twice.
    """

    max_bytes: ClassVar[int]
    """Bytes of all records in a call."""
    slow_remedy: ClassVar[str]
    """What to do where messages are refused in passing for too long."""

    def __init__(self, place: str, give_up_after: float, deliveries: Deliveries, say: Say) -> None:
        """`place` is how messages name the other side."""
        self.deliveries = deliveries
        self.name = deliveries.sink
        self._place = place
        self._give_up_after = give_up_after
        self._say = say
        self._said = float("-inf")
        self._queues = {topic: _Queue() for topic in TOPICS}
        self._taken_at = 0.0

    @abstractmethod
    def _item(self, message: Message) -> Item:
        """The message as a call has it. Raises UnfitError."""

    @abstractmethod
    def _post(self, topic: str, records: list[Any]) -> list[Refusal | None]:
        """Make one call; for each record None where it was taken. Raises CallError where none was."""

    @abstractmethod
    def _let_go(self) -> None:
        """Close what is open."""

    def send(self, message: Message) -> None:
        try:
            item = self._item(message)
        except UnfitError as error:
            self.deliveries.fail(message, str(error))
            return
        self._queues[message.topic].add(item)
        now = time.monotonic()
        for topic, queue in self._queues.items():
            is_full = len(queue.items) >= MAX_RECORDS or queue.size >= self.max_bytes
            if queue.items and (is_full or now - queue.began >= LINGER):
                self._deliver(topic)

    def flush(self) -> None:
        for topic in self._queues:
            self._deliver(topic)

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._let_go()

    def _seconds_left(self) -> float:
        """How long it will still go on without success; 0 or more."""
        return max(self._taken_at + self._give_up_after - time.monotonic(), 0.0)

    def _answer_seconds(self) -> float:
        """How long to wait for the next answer."""
        return min(ANSWER_SECONDS, max(self._seconds_left(), LEAST_ANSWER_SECONDS))

    def _deliver(self, topic: str) -> None:
        """Send what waits for a topic until each of it is taken or has failed. Raises MachineError."""
        self._taken_at = time.monotonic()
        retrying = Retrying(
            retry=retry_if_exception_type(PassingError),
            wait=self._pause,
            stop=lambda _: self._seconds_left() <= 0,
            before_sleep=self._tell_wait,
            reraise=True,
        )
        try:
            retrying(self._post_all, topic)
        except CallError as error:
            # From None: what an HTTP library says may hold a header.
            raise self._given_up(error) from None

    def _post_all(self, topic: str) -> None:
        """Make the calls for what waits for a topic. Raises CallError; what still waits then was not taken."""
        queue, most = self._queues[topic], MAX_RECORDS
        while queue.items:
            batch = queue.head(most, self.max_bytes)
            try:
                refusals = self._post(topic, [item.record for item in batch])
            except TooLargeError as error:
                most = len(batch) // 2
                if not most:
                    queue.replace(1, [])
                    self.deliveries.fail(batch[0].message, error.found)
                    most = MAX_RECORDS
                continue
            told = list(zip(batch, refusals, strict=True))
            again = [item for item, refusal in told if refusal and refusal.is_passing]
            queue.replace(len(batch), again)
            self._tell(told)
            if again:
                reason = next(refusal.reason for refusal in refusals if refusal and refusal.is_passing)
                raise PassingError(reason, self.slow_remedy)

    def _tell(self, told: Sequence[tuple[Item, Refusal | None]]) -> None:
        for item, refusal in told:
            if refusal is None:
                self._taken_at = time.monotonic()
                self.deliveries.acknowledge(item.message)
            elif not refusal.is_passing:
                self.deliveries.fail(item.message, refusal.reason)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next call: at least what the other side asks for, at most what is left."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.after if isinstance(error, PassingError) else 0.0
        return min(max(_growing(state), asked), self._seconds_left())

    def _tell_wait(self, state: RetryCallState) -> None:
        now = time.monotonic()
        if now - self._said < SAY_EVERY:
            return
        self._said = now
        error = state.outcome.exception() if state.outcome else None
        reason = error.found if isinstance(error, CallError) else "no answer"
        self._say(f"waiting for {self._place} ({reason}); gives up in {self._seconds_left():.0f} s")

    def _given_up(self, error: CallError) -> MachineError:
        """Fail all that waits; the error that says so."""
        waiting = [item.message for queue in self._queues.values() for item in queue.items]
        # Before they are told: where the file of failures can't be written, a later flush must not begin anew.
        for queue in self._queues.values():
            queue.replace(len(queue.items), [])
        for message in waiting:
            self.deliveries.fail(message, error.found)
        found, remedy = error.found, error.remedy
        if isinstance(error, PassingError):
            found = f"took no message for {self._give_up_after:g} s ({found})"
            remedy = f"{remedy}, or wait longer with --give-up-after"
        path = self.deliveries.failures.path
        return MachineError(
            f"{self._place}: {found}; {remedy}. Messages kept in {path}: {len(waiting):,}; send them again with "
            f"`pinlake emulate resend {path}`"
        )
