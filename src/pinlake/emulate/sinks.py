"""What every sink of the emulator can do."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Takes records in the order in which they are sent; one text is one record, one Kafka message, one offset."""

    def send(self, topic_name: str, text: str) -> None:
        """Send one record to a topic, given by its short name (`pin`)."""

    def close(self) -> None:
        """Finish what is still open. Nothing can be sent afterwards."""
