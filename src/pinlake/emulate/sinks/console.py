"""A sink that prints the messages, to see what would be sent."""

from __future__ import annotations

from typing import TextIO

from pinlake.emulate.sinks.base import Deliveries, Message


class ConsoleSink:
    """Prints one line per message: full topic name, tab, text. Line ends within the text are not escaped."""

    def __init__(self, file: TextIO, topic_id: str, deliveries: Deliveries) -> None:
        self.deliveries = deliveries
        self.name = deliveries.sink
        self._file = file
        self._topic_id = topic_id

    def send(self, message: Message) -> None:
        """Print the message."""
        self._file.write(f"{self._topic_id}.{message.topic}\t{message.value.decode()}\n")
        self.deliveries.acknowledge(message)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()

    def close(self) -> None:
        """Flush the file. It stays open."""
        self.flush()
