"""Sinks and brokers that are stopped, killed or out of reach: every message is in the dump once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from confluent_kafka import Consumer

from pinlake.dump.folder import FolderStore
from pinlake.errors import MachineError
from pinlake.topics import TOPICS
from tests.helpers import wait_for
from tests.servers.kafka_broker import breaking_a_handshake, committed, new_topic_id, produce
from tests.sink.running import Sink, objects, pins, posted, records
from tools.broker import Broker

# Each starts consumers of its own, some a broker of their own.
pytestmark = pytest.mark.slow


def test_stopped_in_the_middle_and_run_again(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    values = pins(3000)
    produce(broker, f"{topic_id}.pin", values)
    folder = tmp_path / "stopped"
    first = Sink(broker, topic_id, folder, flush_size=7, until_end=False)
    first._stop = lambda: objects(folder) > 50
    first.run()
    assert 0 < len(records(folder)) < 3000
    Sink(broker, topic_id, folder, flush_size=7).run()
    Sink(broker, topic_id, tmp_path / "once", flush_size=7).run()
    assert records(folder) == records(tmp_path / "once") == posted("pin", values)


class Full(FolderStore):
    """Takes so many objects."""

    def __init__(self, root: Path, left: int) -> None:
        super().__init__(root)
        self.left = left
        self.refused = 0

    def write(self, key: str, content: bytes) -> None:
        if self.left <= 0:
            self.refused += 1
            raise MachineError("no space left")
        self.left -= 1
        super().write(key, content)


def test_a_full_disk_ends_it_at_once(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(20), geo=pins(20))
    store = Full(tmp_path, 4)
    with pytest.raises(MachineError, match="no space left"):
        Sink(broker, topic_id, store, flush_size=3).run()
    assert store.refused == 1
    Sink(broker, topic_id, tmp_path, flush_size=3).run()
    assert records(tmp_path) == posted("pin", pins(20)) | posted("geo", pins(20))


_PROGRAM = """
import sys
from pinlake.clients.kafka import client_config
from pinlake.sink.sink import SinkOptions, run_sink
from tests.sink.running import QUICK, Unhurried
servers, topic_id, folder = sys.argv[1:]
config = {**client_config(servers), **QUICK}
run_sink(config, topic_id, Unhurried(folder), SinkOptions(flush_size=3), print, lambda _: None, lambda: False)
"""
_ROOT = Path(__file__).parents[2]


def test_killed_while_it_writes(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=2)
    wanted = {}
    for topic in TOPICS:
        for partition in range(2):
            values = pins(600)
            produce(broker, f"{topic_id}.{topic}", [*values[:300], b"{cut", None, *values[300:]], partition)
            lines = [*values[:300], b"{cut", b"dead letter", *values[300:]]
            wanted |= posted(topic, lines, partition)
    folder, moments = tmp_path / "killed", random.Random(7)
    for _ in range(3):
        before = objects(folder)
        said = tmp_path / "said"
        with said.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-u", "-c", _PROGRAM, broker.servers, topic_id, folder],
                stdout=log,
                stderr=log,
                cwd=_ROOT,
            )
        more = moments.randrange(20, 150)
        try:
            wait_for(lambda at=before + more: objects(folder) > at, 120, said)  # type: ignore[misc]
        finally:
            process.kill()
            process.wait()
    assert len(records(folder)) < len(wanted), "the last kill came after the end"
    Sink(broker, topic_id, folder, flush_size=3).run()
    Sink(broker, topic_id, tmp_path / "once", flush_size=3).run()
    assert records(folder) == records(tmp_path / "once") == wanted


class Killing(FolderStore):
    """Its broker is killed before the object at offset 150 is written."""

    def __init__(self, root: Path, broker: Broker) -> None:
        super().__init__(root)
        self.broker = broker
        self.killed = False

    def write(self, key: str, content: bytes) -> None:
        if key.endswith("+0000000150.json") and not self.killed:
            self.broker.kill()
            self.killed = True
        super().write(key, content)


def test_broker_killed_in_the_middle(own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker)
    # Small batches: a fetch takes whole ones, and the client is to have few messages when the broker goes.
    for first in range(0, 1500, 100):
        produce(own_broker, f"{topic_id}.pin", pins(100, first))
    folder, done = tmp_path / "dump", [False]
    store = Killing(folder, own_broker)
    few = {"queued.min.messages": 1, "fetch.message.max.bytes": 1000, "fetch.queue.backoff.ms": 100}
    sink = Sink(own_broker, topic_id, store, until_end=False, stop=lambda: done[0], give_up_after=60, config=few)
    running = Thread(target=sink.run, daemon=True)
    running.start()
    wait_for(lambda: store.killed)
    wait_for(lambda: any("waiting for Kafka" in line for line in sink.said))
    assert objects(folder) < 1500, "it had all before the broker was killed"
    own_broker.start()
    produce(own_broker, f"{topic_id}.pin", pins(500, first=1500))
    wait_for(lambda: objects(folder) >= 2000, 90)
    done[0] = True
    running.join()
    assert records(folder) == posted("pin", pins(2000))


def test_broker_gone_for_good(own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker, pin=pins(3))
    ends = time.monotonic() + 120
    sink = Sink(
        own_broker, topic_id, tmp_path / "dump", until_end=False, give_up_after=10, stop=lambda: time.monotonic() > ends
    )
    killer = Thread(target=lambda: (wait_for(lambda: objects(tmp_path / "dump") == 3, 90), own_broker.kill()))
    killer.start()
    with pytest.raises(MachineError, match="was out of reach for 10 s"):
        sink.run()
    killer.join()
    assert records(tmp_path / "dump") == posted("pin", pins(3))


def test_a_group_that_nobody_coordinates(tmp_path: Path) -> None:
    own = Broker(tmp_path / "broker")
    config = tmp_path / "broker/server.properties"
    # More brokers than there are: the topic of the groups can't be made.
    factor = "offsets.topic.replication.factor="
    config.write_text(config.read_text().replace(f"{factor}1", f"{factor}3"))
    try:
        own.start()
        topic_id = new_topic_id(own, pin=pins(3))
        for until_end in (True, False):
            sink = Sink(own, topic_id, tmp_path / "dump", until_end=until_end, give_up_after=4)
            ends = time.monotonic() + 60
            sink._stop = lambda ends=ends: time.monotonic() > ends
            with pytest.raises(MachineError, match=r"was out of reach for 4 s \(no coordinator for the group"):
                sink.run()
            assert any("waiting for Kafka" in line for line in sink.said), sink.said
    finally:
        own.stop()


class Headless(Consumer):
    """Knows of no leader, as where the only brokers that have a partition are down."""

    def list_topics(self, *words: Any, **more: Any) -> Any:
        found = super().list_topics(*words, **more)
        for topic in found.topics.values():
            for partition in topic.partitions.values():
                partition.leader = -1
        return found


def test_a_partition_without_a_leader(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinlake.sink.member.Consumer", Headless)
    topic_id = new_topic_id(broker)
    began = time.monotonic()
    sink = Sink(broker, topic_id, tmp_path, until_end=False, give_up_after=3)
    sink._stop = lambda: time.monotonic() > began + 60
    with pytest.raises(MachineError, match=rf"for 3 s \(no leader for {topic_id}.geo partition 0, {topic_id}.pin part"):
        sink.run()


def test_a_handshake_that_breaks_off_is_waited_out(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlake.sink.member.Consumer", breaking_a_handshake(Consumer))
    topic_id = new_topic_id(broker, pin=pins(3))
    Sink(broker, topic_id, tmp_path).run()
    assert records(tmp_path) == posted("pin", pins(3))


class Unsettled(FolderStore):
    """Its disk takes no names."""

    def settle(self) -> None:
        raise MachineError("names can't be written to the disk")


def test_offsets_are_committed_only_when_names_outlive_a_power_cut(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(3))
    group = f"group-{topic_id}"
    with pytest.raises(MachineError, match="names can't be written"):
        Sink(broker, topic_id, Unsettled(tmp_path), group=group).run()
    assert committed(broker, group, f"{topic_id}.pin") < 0
    Sink(broker, topic_id, tmp_path, group=group).run()
    assert committed(broker, group, f"{topic_id}.pin") == 3
