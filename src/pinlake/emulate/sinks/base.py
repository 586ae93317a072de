"""The base of the emulator's sinks, the console, and the record of which messages were delivered and which failed."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

from pinlake.errors import MachineError, UsageError
from pinlake.topics import DEFAULT_TOPIC_ID


class Message(NamedTuple):
    """One record to send. `topic` is a short name such as `pin`; `key` is the post id, or None if it is missing."""

    topic: str
    key: str | None
    text: str

    @property
    def value(self) -> bytes:
        """The text in UTF-8. UTF-8 can't encode a lone surrogate, so it becomes its JSON escape `\\udXXX`."""
        return self.text.encode("utf-8", "backslashreplace")


class Sink(ABC):
    """A destination for messages, which it keeps in the order of sending. One message is one record with one offset.

    A sink reports each message once to its `deliveries`, as acknowledged or failed: at the latest when `flush` returns,
    or when `close` returns if the message is part of an unfinished object. A sink raises an error only if no further
    message can be delivered; a single failed message does not raise.
    """

    def __init__(self, deliveries: Deliveries) -> None:
        self.deliveries = deliveries

    @abstractmethod
    def send(self, message: Message) -> None:
        """Send one message, or buffer it to send it with others. Blocks while the destination can't keep up.

        Raises MachineError if the destination is unreachable for longer than the sink's time limit.
        """

    @abstractmethod
    def flush(self) -> None:
        """Wait until every message is acknowledged or failed. Raises MachineError as `send` does."""

    def close(self) -> None:
        """Flush and release all resources. Nothing can be sent afterwards."""
        self.flush()


class ConsoleSink(Sink):
    """Prints one line per message: full topic name, tab, text. Line ends within the text are not escaped."""

    def __init__(self, file: TextIO, topic_id: str, deliveries: Deliveries) -> None:
        super().__init__(deliveries)
        self._file = file
        self._topic_id = topic_id

    def send(self, message: Message) -> None:
        """Print the message."""
        self._file.write(f"{self._topic_id}.{message.topic}\t{message.value.decode()}\n")
        self.deliveries.acknowledge(message)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()


def settle(sinks: Sequence[Sink]) -> None:
    """Close all sinks after an error in one of them, so that buffered messages are delivered or reported as failed."""
    for sink in sinks:
        # The caller raises the first error.
        with suppress(Exception):
            sink.close()


class FailedFile:
    """A JSON lines file of messages that could not be delivered. The first failed message creates it.

    Each line has the fields sink, topic, key, text, reason and topic_id, which is enough to send the message again.
    """

    def __init__(self, path: Path, topic_id: str = DEFAULT_TOPIC_ID) -> None:
        self.path = path
        self._topic_id = topic_id

    def add(self, sink: str, message: Message, reason: str) -> None:
        """Append one message. Raises MachineError if the file can't be written."""
        line = json.dumps({"sink": sink, **message._asdict(), "reason": reason, "topic_id": self._topic_id})
        try:
            # Closed after each line, so that no line is lost if the process crashes.
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise MachineError(
                f"failed messages can't be kept in {self.path}: {error.strerror}; name another file with --failed"
            ) from error


class Failure(NamedTuple):
    """One line of a file of failed messages."""

    sink: str
    message: Message
    topic_id: str = DEFAULT_TOPIC_ID


def read_failed(path: Path) -> list[Failure]:
    """Return the lines of a file of failed messages. Raises UsageError if the file is not one."""
    try:
        return [
            Failure(line["sink"], Message(line["topic"], line["key"], line["text"]), line["topic_id"])
            for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not a file of failed messages ({error!r}); give the one that a run with failures named"
        ) from error


@dataclass
class Deliveries:
    """The numbers of delivered and failed messages of one sink by topic, and of the failed ones by reason."""

    sink: str
    failures: FailedFile
    acknowledged: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def acknowledge(self, *messages: Message) -> None:
        """Count messages that the destination has stored."""
        self.acknowledged.update(message.topic for message in messages)

    def fail(self, message: Message, reason: str) -> None:
        """Count a message that can't be delivered, and add it to the file. Raises MachineError as FailedFile.add."""
        self.failures.add(self.sink, message, reason)
        self.failed[message.topic] += 1
        self.reasons[reason] += 1
