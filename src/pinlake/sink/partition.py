"""One partition of a topic on its way into objects: which message goes into which, and what no object can hold."""

from __future__ import annotations

import gzip as gzip_format
import json
from base64 import b64encode
from threading import Lock
from typing import NamedTuple

from pinlake.dump.landing import end_of
from pinlake.dump.objects import ObjectName, split_topic
from pinlake.dump.split import Splitter
from pinlake.dump.store import Store
from pinlake.dump.unwrap import prefixed_parts

DEAD_LETTERS = "dead-letter"


class Arrived(NamedTuple):
    """A message as the broker keeps it. `timestamp` is in milliseconds since 1970 in UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class DeadLetter(NamedTuple):
    """Where a message that no object can hold lies in the store, and why."""

    key: str
    reason: str


class Counts:
    """What was written for one topic. Its partitions may be written side by side."""

    def __init__(self) -> None:
        self.messages = self.objects = self.dead_letters = self.bytes = 0
        self.first_letter: DeadLetter | None = None
        self._lock = Lock()

    def add_object(self, messages: int, size: int) -> None:
        with self._lock:
            self.messages += messages
            self.objects += 1
            self.bytes += size

    def add_dead_letter(self, letter: DeadLetter) -> None:
        with self._lock:
            self.dead_letters += 1
            self.first_letter = self.first_letter or letter


class PartitionWriter:
    """Takes a partition's messages in the order of their offsets and writes them, `flush_size` to an object.

    Record i of an object always has the offset in its name plus i: before a gap in the offsets the open object is
    written. A message that is text but no JSON gets an object of its own, where a reader counts that as one record.
    What is no text or would be counted otherwise, and tombstones, become dead letters.
    """

    def __init__(
        self, store: Store, full_topic: str, partition: int, counts: Counts, flush_size: int, gzip: bool
    ) -> None:
        found = split_topic(full_topic)
        assert found is not None  # topics are subscribed to by names that are made of an id and a topic
        self._topic_id, self._topic = found
        self._full_topic = full_topic
        self._partition = partition
        self._store = store
        self._counts = counts
        self._flush_size = flush_size
        self._gzip = gzip
        self._start = 0
        self._lines: list[bytes] = []
        self.opened: float | None = None
        # Every message before it is stored.
        self.durable: int | None = None

    def end(self) -> int:
        """Where the partition's objects and dead letters end."""
        letters = f"{DEAD_LETTERS}/{self._name(0).folder.partition('/')[2]}"
        last = [_offset_in(entry.name) for entry in self._store.entries(letters)]
        return max(end_of(self._store, self._topic_id, self._topic, self._partition), *[each + 1 for each in last], 0)

    def add(self, message: Arrived, now: float) -> None:
        """Take the next message. Raises FileExistsError where somebody else wrote its object, and as writing does."""
        if self._lines and message.offset != self._start + len(self._lines):
            self.flush()
        line, problem = as_line(message.value)
        if problem is not None:
            self.flush()
            self._write_dead_letter(message, problem)
        elif line is None:
            self.flush()
            self._write(message.offset, [message.value or b""])
        else:
            if not self._lines:
                self._start, self.opened = message.offset, now
            self._lines.append(line)
            if len(self._lines) >= self._flush_size:
                self.flush()
        if not self._lines:
            self.durable = message.offset + 1

    def flush(self) -> None:
        """Write the open object, if there is one. Raises as `add` does."""
        if self._lines:
            self._write(self._start, self._lines)
            self.durable = self._start + len(self._lines)
            self.drop()

    def drop(self) -> None:
        """Forget the open object: somebody else writes its messages, or they come again."""
        self._lines, self.opened = [], None

    def _write(self, offset: int, values: list[bytes]) -> None:
        content = b"".join(value + b"\n" for value in values)
        if self._gzip:
            content = gzip_format.compress(content, compresslevel=6, mtime=0)
        self._store.write(self._name(offset).key, content)
        self._counts.add_object(len(values), len(content))

    def _write_dead_letter(self, message: Arrived, reason: str) -> None:
        letter = {
            "topic": self._full_topic,
            "partition": self._partition,
            "offset": message.offset,
            "timestamp": message.timestamp,
            "key": None if message.key is None else message.key.decode("utf-8", "backslashreplace"),
            "reason": reason,
            "value": None if message.value is None else b64encode(message.value).decode(),
        }
        key = f"{DEAD_LETTERS}/{self._name(message.offset, gzip=False).key.partition('/')[2]}"
        self._store.write(key, json.dumps(letter).encode() + b"\n")
        self._counts.add_dead_letter(DeadLetter(key, reason))

    def _name(self, offset: int, gzip: bool | None = None) -> ObjectName:
        packed = self._gzip if gzip is None else gzip
        return ObjectName.new(self._topic_id, self._topic, self._partition, offset, packed)


def as_line(value: bytes | None) -> tuple[bytes | None, str | None]:
    """A message on one line, or None where it is no JSON; and why it can't be in any object, or None.

    Between the parts of a JSON value a line end is as good as a blank, and within its texts there can't be one.
    """
    if value is None:
        return None, "tombstone: the message has no value"
    if prefixed_parts(value):
        # The schema's id may look like a line end.
        return None, _miscounted(value)
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, f"not UTF-8: {error.reason} at byte {error.start}"
    try:
        _CHECK.decode(text)
    except (ValueError, RecursionError):
        return None, _miscounted(value)
    return value.replace(b"\r", b" ").replace(b"\n", b" "), None


def _miscounted(value: bytes) -> str | None:
    """Why a text that is no JSON can't be an object; None where a reader takes it for one message.

    Several values in one message, or a cut array over several lines, would be taken for several: the offsets after
    it would be wrong, and the messages that have them would never be written.
    """
    messages = Splitter().split(value + b"\n").messages
    if messages == 0:
        return "blank: the message has nothing in it"
    return None if messages == 1 else f"not one JSON value: it would be read as {messages} messages"


# Numbers are only checked, never used.
_CHECK = json.JSONDecoder(parse_int=str, parse_float=str)


def _offset_in(name: str) -> int:
    digits = name.rpartition("+")[2].partition(".")[0]
    return int(digits) if digits.isdigit() else -1
