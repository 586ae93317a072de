"""Messages for a stream, one run of it until all is read, and what it brought to bronze."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pinlake.clients.kafka import client_config
from pinlake.stream.kafka_source import KafkaSource
from pinlake.stream.source import StreamOptions
from pinlake.stream.stream import StreamSummary, run_stream
from tests.pipeline.conftest import System
from tools.broker import Broker

Systems = Callable[..., System]
TO_END = StreamOptions(until_end=True)


def pin(number: int) -> bytes:
    return b'{"index": %d, "category": "art"}' % number


def geo(number: int) -> bytes:
    return b'{"ind": %d, "timestamp": "2020-01-01T00:00:00"}' % number


def pins(first: int, count: int) -> list[bytes]:
    return [pin(number) for number in range(first, first + count)]


def read(found: System, source: Any, options: StreamOptions = TO_END, **more: Any) -> StreamSummary:
    settings = found.settings.model_copy(update={"give_up_after": more.pop("give_up_after", 60.0)})
    say, stop = more.pop("said", []).append, more.pop("stop", lambda: False)
    return run_stream(found.lake, source, settings, options, lambda stage, message: say(message), stop, **more)


def stream(found: System, broker: Broker, topic_id: str, options: StreamOptions = TO_END, **more: Any) -> StreamSummary:
    return read(found, KafkaSource(client_config(broker.servers), topic_id), options, **more)


def offsets(found: System, topic: str = "pin") -> list[tuple[int, int]]:
    """Partition and offset of every record in bronze."""
    query = f"SELECT partition, offset FROM bronze WHERE topic = '{topic}' ORDER BY partition, offset"
    return [tuple(row) for row in found.rows(query)]
