"""Several sinks of one group: partitions move between them, and every message is in the dump once."""

from __future__ import annotations

import re
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pinlake.dump.folder import FolderStore
from pinlake.dump.store import Entry
from pinlake.errors import MachineError
from tests.helpers import files, wait_for
from tests.servers.kafka_broker import new_topic_id, produce
from tests.sink.running import Sink, Unhurried, objects, pins, posted, records
from tools.broker import Broker


class Shorter(FolderStore):
    """Another sink writes the object at offset 2 first, with one message, as one that is stopped would."""

    def write(self, key: str, content: bytes) -> None:
        if key.endswith("+0000000002.json") and not Path(self.root, key).exists():
            super().write(key, b'{"index": 2}\n')
        super().write(key, content)


@pytest.mark.parametrize("flush_size", [2, 3, 100])
def test_a_shorter_object_of_another_sink(broker: Broker, tmp_path: Path, flush_size: int) -> None:
    topic_id = new_topic_id(broker, pin=pins(2))
    Sink(broker, topic_id, tmp_path).run()
    produce(broker, f"{topic_id}.pin", pins(9, first=2))
    Sink(broker, topic_id, Shorter(tmp_path), flush_size=flush_size).run()
    assert records(tmp_path) == posted("pin", pins(11))


class Slow(FolderStore):
    """Takes most of a second for each object."""

    def write(self, key: str, content: bytes) -> None:
        time.sleep(0.8)
        super().write(key, content)


def test_a_store_so_slow_that_the_group_goes_on_without_it(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(73))
    done = [False]
    sink = Sink(
        broker,
        topic_id,
        Slow(tmp_path),
        flush_size=7,
        until_end=False,
        stop=lambda: done[0],
        config={"max.poll.interval.ms": 6000},
    )
    failed: list[Exception] = []

    def run() -> None:
        try:
            sink.run()
        except MachineError as error:
            failed.append(error)

    running = Thread(target=run, daemon=True)
    running.start()
    # Ten objects take eight seconds, in which the client asks for nothing, and three messages are in an open one.
    wait_for(lambda: objects(tmp_path) == 10)
    produce(broker, f"{topic_id}.pin", pins(4, first=73))
    wait_for(lambda: bool(failed) or objects(tmp_path) == 11)
    done[0] = True
    running.join()
    assert not failed
    assert any("took so long that the group left this sink out" in line for line in sink.said), sink.said
    assert records(tmp_path) == posted("pin", pins(77))


# Each starts consumers of its own, some a broker of their own.
pytestmark = pytest.mark.slow


class Joined(FolderStore):
    """Notes that it was looked into, as a sink does with the partitions that it was given."""

    joined = False

    def entries(self, folder: str, after: str = "") -> list[Entry]:
        self.joined = True
        return super().entries(folder, after)


def test_another_sink_that_keeps_its_object_open_is_told(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic_id = new_topic_id(broker, partitions=2)
    wanted = {(f"{topic_id}.pin", partition): 3 for partition in range(2)}
    # What is there before both have joined would be written by the sink that hands it over.
    monkeypatch.setattr("pinlake.sink.sink._Sink.high_watermarks", lambda *_: wanted)
    done, stores = [False], [Joined(tmp_path), Joined(tmp_path)]
    endless = Sink(broker, topic_id, stores[0], flush_size=100, until_end=False, stop=lambda: done[0])
    ending = Sink(broker, topic_id, stores[1], flush_size=100)
    threads = [Thread(target=each.run, daemon=True) for each in (endless, ending)]
    for thread, store in zip(threads, stores, strict=True):
        thread.start()
        wait_for(lambda at=store: at.joined)  # type: ignore[misc]
    for partition in range(2):
        produce(broker, f"{topic_id}.pin", pins(3), partition)
    wait_for(lambda: any("waiting for other sinks of the group" in line for line in ending.said))
    assert re.search(rf"which have {topic_id}.pin partition [01] and are", "".join(ending.said)), ending.said
    done[0] = True
    for thread in threads:
        thread.join(30)
    assert not threads[1].is_alive()
    assert records(tmp_path) == posted("pin", pins(3)) | posted("pin", pins(3), 1)


def test_partitions_that_move_while_it_writes(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=4)
    wanted = {}
    for partition in range(4):
        produce(broker, f"{topic_id}.pin", pins(1500), partition)
        wanted |= posted("pin", pins(1500), partition)
    done = [False]
    store = Unhurried(tmp_path)
    cut: dict[str, Any] = {"flush_size": 7, "rotate_seconds": 1}
    endless = [Sink(broker, topic_id, store, until_end=False, stop=lambda: done[0], **cut) for _ in range(3)]
    for sink in endless:
        Thread(target=sink.run, daemon=True).start()
        time.sleep(0.7)
    ending = Sink(broker, topic_id, store, **cut)
    ending.run()
    done[0] = True
    wait_for(lambda: len(records(tmp_path)) == len(wanted), 30)
    assert records(tmp_path) == wanted
    assert sum(sink.summary.topics["pin"].objects > 0 for sink in [*endless, ending]) > 1


def test_two_sinks_share_the_partitions(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=4)
    for partition in range(4):
        produce(broker, f"{topic_id}.pin", pins(300, first=1000 * partition), partition)
    others = Thread(target=Sink(broker, topic_id, tmp_path, flush_size=7).run)
    others.start()
    Sink(broker, topic_id, tmp_path, flush_size=7).run()
    others.join()
    lines = b"".join(files(tmp_path).values()).splitlines()
    assert sorted(lines) == sorted(line for partition in range(4) for line in pins(300, first=1000 * partition))


def test_an_object_of_another_sink_counts(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(6))

    class Zombie(FolderStore):
        """Another sink writes the second object just before this one does."""

        def write(self, key: str, content: bytes) -> None:
            if key.endswith("+0000000002.json") and not Path(self.root, key).exists():
                super().write(key, b'{"index": 2}\n{"index": 3}\n{"index": 4}\n')
            super().write(key, content)

    sink = Sink(broker, topic_id, Zombie(tmp_path), flush_size=2)
    sink.run()
    assert b"".join(files(tmp_path).values()) == b"".join(line + b"\n" for line in pins(6))
    assert "already exists, written by another sink; continuing at offset 5" in sink.said[0]
