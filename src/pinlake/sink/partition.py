"""Write one partition of a topic: which message goes into which object, and which become dead letters."""

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
    """A message from the broker. `timestamp` is in milliseconds since 1970 in UTC."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class DeadLetter(NamedTuple):
    """A message that can't be in an object: the key of its dead letter in the store, and the reason."""

    key: str
    reason: str


class Counts:
    """What was written for one topic: messages, objects, dead letters and bytes. Thread-safe."""

    def __init__(self) -> None:
        self.messages = self.objects = self.dead_letters = self.bytes = 0
        self.first_letter: DeadLetter | None = None
        self._lock = Lock()

    def add_object(self, messages: int, size: int) -> None:
        """Count an object of `size` bytes with this many messages."""
        with self._lock:
            self.messages += messages
            self.objects += 1
            self.bytes += size

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Count a dead letter. The first one is kept for messages."""
        with self._lock:
            self.dead_letters += 1
            self.first_letter = self.first_letter or letter


class PartitionWriter:
    """Writes a partition's messages, in the order of their offsets, to objects of `flush_size` messages.

    Record i of an object always has the start offset plus i, so a gap in the offsets closes the open object. A text
    that isn't JSON gets a separate object, if a reader counts it as one record. Tombstones, messages that aren't UTF-8,
    and texts that a reader would count as several records become dead letters.

    `durable`: the offset before which all messages are stored; None if it isn't known yet.
    `opened`: the time at which the open object got its first message, in seconds; None if no object is open.
    """

    def __init__(
        self, store: Store, full_topic: str, partition: int, counts: Counts, flush_size: int, gzip: bool
    ) -> None:
        found = split_topic(full_topic)
        assert found is not None  # the sink subscribes to names <topic id>.<topic>
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
        self.durable: int | None = None

    def end(self) -> int:
        """The offset after the partition's last object or dead letter. Raises SourceError as `landing.end_of`."""
        letters = f"{DEAD_LETTERS}/{self._name(0).folder.partition('/')[2]}"
        last = [_offset_in(entry.name) for entry in self._store.entries(letters)]
        return max(end_of(self._store, self._topic_id, self._topic, self._partition), *[each + 1 for each in last], 0)

    def add(self, message: Arrived, now: float) -> None:
        """Add the next message, and write objects that are complete. `now` is in seconds.

        Raises FileExistsError if another sink has written the object, MachineError if the store can't be written.
        """
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
        """Write the open object, if there is one. Raises as `add`."""
        if self._lines:
            self._write(self._start, self._lines)
            self.durable = self._start + len(self._lines)
            self.drop()

    def drop(self) -> None:
        """Discard the open object. Another sink writes its messages, or they are consumed again."""
        self._lines, self.opened = [], None

    def _write(self, offset: int, values: list[bytes]) -> None:
        content = b"".join(value + b"\n" for value in values)
        if self._gzip:
            content = gzip_format.compress(content, compresslevel=6, mtime=0)
        self._store.write(self._name(offset, self._gzip).key, content)
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
        key = f"{DEAD_LETTERS}/{self._name(message.offset).key.partition('/')[2]}"
        self._store.write(key, json.dumps(letter).encode() + b"\n")
        self._counts.add_dead_letter(DeadLetter(key, reason))

    def _name(self, offset: int, gzip: bool = False) -> ObjectName:
        return ObjectName.new(self._topic_id, self._topic, self._partition, offset, gzip)


def as_line(value: bytes | None) -> tuple[bytes | None, str | None]:
    """The message as one line, or None if it isn't JSON; and the reason why it can't be in an object, or None.

    A line end in JSON can only be whitespace between tokens, so it is replaced with a space.
    """
    if value is None:
        return None, "tombstone: the message has no value"
    if prefixed_parts(value):
        # The schema id may contain the byte of a line end, which must not be replaced.
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
    """The reason why a text that isn't JSON can't be an object. None if a reader counts it as one message.

    A reader counts several values, or a truncated array over several lines, as several messages. Then the offsets after
    it would be wrong, and messages with these offsets would never be written.
    """
    messages = Splitter().split(value + b"\n").messages
    if messages == 0:
        return "blank: the message has nothing in it"
    return None if messages == 1 else f"not one JSON value: it would be read as {messages} messages"


# Numbers stay text: they are checked, but not used.
_CHECK = json.JSONDecoder(parse_int=str, parse_float=str)


def _offset_in(name: str) -> int:
    digits = name.rpartition("+")[2].partition(".")[0]
    return int(digits) if digits.isdigit() else -1
