"""A sink that prints: for a look at what would be sent."""

from __future__ import annotations

from typing import TextIO

from pinlake.emulate.sinks.base import Deliveries, Message


class ConsoleSink:
    """One line a message: the topic's full name, a tab, the text. A line end within the text is printed as it is."""

    def __init__(self, file: TextIO, topic_id: str, deliveries: Deliveries) -> None:
        self.deliveries = deliveries
        self.name = deliveries.sink
        self._file = file
        self._topic_id = topic_id

    def send(self, message: Message) -> None:
        self._file.write(f"{self._topic_id}.{message.topic}\t{message.value.decode()}\n")
        self.deliveries.acknowledge(message)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.flush()
