"""What every sink of the emulator can do, and what became of the messages that it was given."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

from pinlake.errors import MachineError, UsageError


def silent(message: str) -> None:
    """A report to nobody."""


class Message(NamedTuple):
    """One record on its way to a topic, given by its short name (`pin`). `key` is the post id, where there is one."""

    topic: str
    key: str | None
    text: str

    @property
    def value(self) -> bytes:
        """The text in UTF-8. Half of a surrogate pair has no bytes there; its backslash form is its escape in JSON."""
        return self.text.encode("utf-8", "backslashreplace")


class Sink(Protocol):
    """Takes messages in the order in which they are sent; one message is one record, one offset.

    Every message is told to the sink's deliveries once, as acknowledged or as failed, at the latest when `flush`
    returns, or `close` where it is part of an object. A failed message stops nothing: raising an error means that no
    further message has a chance.
    """

    name: str
    deliveries: Deliveries

    def send(self, message: Message) -> None:
        """Send one message, or keep it to be sent with others. Waits where the other side can't keep up.

        Raises MachineError once the other side was out of reach for as long as the sink was told to try.
        """

    def flush(self) -> None:
        """Return when every message is acknowledged or failed. Raises MachineError as `send` does."""

    def close(self) -> None:
        """Flush, and let go of what is open. Nothing can be sent afterwards."""


def settle(sinks: Sequence[Sink]) -> None:
    """One sink has failed: close them all, so that what they hold is still delivered, or told as failed."""
    for sink in sinks:
        # The first error is the one to be told.
        with suppress(Exception):
            sink.close()


class FailedFile:
    """Messages that could not be delivered, as JSON lines; the file is made with the first of them.

    A line has sink, topic, key, text, reason and the id of the pipeline, so that it can be sent again.
    """

    def __init__(self, path: Path, topic_id: str | None = None) -> None:
        self.path = path
        self._topic_id = topic_id
        self._file: TextIO | None = None

    def add(self, sink: str, message: Message, reason: str) -> None:
        """Write one message down. Raises MachineError where the file can't be written."""
        line = json.dumps({"sink": sink, **message._asdict(), "reason": reason, "topic_id": self._topic_id})
        try:
            if self._file is None:
                # Line by line: what is in it must be there also after a crash.
                self._file = self.path.open("a", buffering=1, encoding="utf-8")
            self._file.write(line + "\n")
        except OSError as error:
            raise MachineError(
                f"failed messages can't be kept in {self.path}: {error.strerror}; name another file with --failed"
            ) from error

    def close(self) -> None:
        """Close the file, if it was made."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Failure(NamedTuple):
    """One line of a file of failures. Files of older versions have no topic id."""

    sink: str
    message: Message
    topic_id: str | None = None


def read_failed(path: Path) -> list[Failure]:
    """The lines of a file of failures. Raises UsageError where it is none."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [
            Failure(line["sink"], Message(line["topic"], line["key"], line["text"]), line.get("topic_id"))
            for line in lines
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no file of failed messages ({error!r}); give the one that a run with failures named"
        ) from error


@dataclass
class Deliveries:
    """What became of one sink's messages, by topic. `reasons` counts the failed ones by reason."""

    sink: str
    failures: FailedFile
    acknowledged: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def acknowledge(self, message: Message) -> None:
        """The other side has taken the message and keeps it."""
        self.acknowledged[message.topic] += 1

    def fail(self, message: Message, reason: str) -> None:
        """The message can't be delivered; it is kept in the file of failures."""
        self.failures.add(self.sink, message, reason)
        self.failed[message.topic] += 1
        self.reasons[reason] += 1
