"""One run of the sink on a real broker, and what it wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pinlake.clients.kafka import client_config
from pinlake.dump.folder import FolderStore
from pinlake.dump.objects import USUAL
from pinlake.dump.split import Splitter
from pinlake.sink.sink import SinkOptions, SinkSummary, run_sink
from tools.broker import Broker

# A sink that was killed keeps its partitions for as long.
QUICK = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}


class Sink:
    """One run of the sink, and what it said."""

    def __init__(self, broker: Broker, topic_id: str, folder: Path | FolderStore, **options: Any) -> None:
        self.said: list[str] = []
        self._clock = options.pop("clock", time.monotonic)
        self._stop: Callable[[], bool] = options.pop("stop", lambda: False)
        self._config = {**client_config(broker.servers), **QUICK, **options.pop("config", {})}
        self._options = SinkOptions(**{"until_end": True, "give_up_after": 20.0, **options})
        self._topic_id = topic_id
        self._store = folder if isinstance(folder, FolderStore) else FolderStore(folder)
        self.summary = SinkSummary()

    def progress(self, summary: SinkSummary) -> None:
        self.summary = summary

    def run(self) -> SinkSummary:
        return run_sink(
            self._config,
            self._topic_id,
            self._store,
            self._options,
            self.said.append,
            self.progress,
            self._stop,
            self._clock,
        )


def records(folder: Path) -> dict[tuple[str, int, int], bytes]:
    """Each record and dead letter by topic, partition and offset; fails where two have the same."""
    found: dict[tuple[str, int, int], bytes] = {}
    for path in sorted((folder / "topics").rglob("*.json")):
        name = USUAL.object_name(path.relative_to(folder).as_posix())
        for record in Splitter().split(path.read_bytes()).records:
            place = (name.topic, name.partition, name.offset + record.message)
            assert place not in found
            assert record.text is not None
            found[place] = record.text.encode()
    for path in sorted((folder / "dead-letter").rglob("*.json")):
        letter = json.loads(path.read_bytes())
        place = (letter["topic"].rpartition(".")[2], letter["partition"], letter["offset"])
        assert place not in found
        found[place] = b"dead letter"
    return found


def objects(folder: Path) -> int:
    """The number of objects and dead letters, for tests that look often."""
    return sum(1 for _ in folder.rglob("*.json"))


def pins(count: int, first: int = 0) -> list[bytes]:
    return [b'{"index": %d}' % number for number in range(first, first + count)]


def posted(topic: str, values: list[bytes], partition: int = 0) -> dict[tuple[str, int, int], bytes]:
    return {(topic, partition, offset): value for offset, value in enumerate(values)}


class Unhurried(FolderStore):
    """As fast as a disk takes them, all objects are there before anything can happen to the sink."""

    def write(self, key: str, content: bytes) -> None:
        time.sleep(0.005)
        super().write(key, content)
