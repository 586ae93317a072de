"""What may happen to a sink: killed, its broker killed, other sinks beside it. Every message is in the dump once."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pinlake.clients.kafka import client_config, quiet
from pinlake.dump.folder import FolderStore
from pinlake.dump.objects import USUAL
from pinlake.dump.split import Splitter
from pinlake.dump.store import Entry
from pinlake.errors import MachineError, SourceError
from pinlake.sink.partition import PartitionWriter
from pinlake.sink.sink import SinkOptions, SinkSummary, run_sink
from pinlake.topics import TOPICS
from tests.helpers import wait_for
from tests.servers.kafka_broker import breaking_a_handshake, make_topics, new_topic_id, produce, remove_topic
from tools.broker import Broker, running_broker

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


def pins(count: int, first: int = 0) -> list[bytes]:
    return [b'{"index": %d}' % number for number in range(first, first + count)]


def posted(topic: str, values: list[bytes], partition: int = 0) -> dict[tuple[str, int, int], bytes]:
    return {(topic, partition, offset): value for offset, value in enumerate(values)}


def files(folder: Path) -> dict[str, bytes]:
    # What is still being written goes away while it is looked at.
    whole = (path for path in folder.rglob("*") if not path.name.startswith(".unfinished") and path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in whole}


def test_a_message_of_several_values_costs_no_other_its_place(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", [b'{"a": 1}\n{"a": 2}'])
    Sink(broker, topic_id, tmp_path).run()
    produce(broker, f"{topic_id}.pin", pins(2))
    Sink(broker, topic_id, tmp_path).run()
    found = records(tmp_path)
    assert found == {("pin", 0, 0): b"dead letter", ("pin", 0, 1): pins(2)[0], ("pin", 0, 2): pins(2)[1]}


def test_stopped_in_the_middle_and_run_again(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    values = pins(3000)
    produce(broker, f"{topic_id}.pin", values)
    folder = tmp_path / "stopped"
    first = Sink(broker, topic_id, folder, flush_size=7, until_end=False)
    first._stop = lambda: len(files(folder)) > 50
    first.run()
    assert 0 < len(records(folder)) < 3000
    Sink(broker, topic_id, folder, flush_size=7).run()
    Sink(broker, topic_id, tmp_path / "once", flush_size=7).run()
    assert records(folder) == records(tmp_path / "once") == posted("pin", values)


def test_rotation_by_time(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(3))
    now, taken, add = [1000.0], [], PartitionWriter.add

    def taking(writer: PartitionWriter, *message: Any) -> None:
        add(writer, *message)
        taken.append(message)

    monkeypatch.setattr(PartitionWriter, "add", taking)
    sink = Sink(broker, topic_id, tmp_path, flush_size=100, rotate_seconds=60, until_end=False, clock=lambda: now[0])
    running = Thread(target=sink.run, daemon=True)
    done = [False]
    sink._stop = lambda: done[0]
    running.start()
    wait_for(lambda: len(taken) == 3)
    time.sleep(2)
    assert not files(tmp_path), "60 seconds have not passed"
    now[0] += 61
    wait_for(lambda: bool(files(tmp_path)))
    assert list(files(tmp_path).values()) == [b"".join(line + b"\n" for line in pins(3))]
    produce(broker, f"{topic_id}.pin", pins(1, first=3))
    wait_for(lambda: len(taken) == 4)
    done[0] = True
    running.join()
    assert records(tmp_path) == posted("pin", pins(4)), "the open object is written at the end"


class Shorter(FolderStore):
    """Another sink writes the object at offset 2 first, with one message, as one that is stopped would."""

    def write(self, key: str, content: bytes) -> None:
        if key.endswith("+0000000002.json") and not Path(self.root, key).exists():
            super().write(key, b'{"index": 2}\n')
        super().write(key, content)


@pytest.mark.parametrize("flush_size", [2, 3, 100])
def test_a_shorter_object_of_another_sink(broker: Broker, tmp_path: Path, flush_size: int) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(2))
    Sink(broker, topic_id, tmp_path).run()
    produce(broker, f"{topic_id}.pin", pins(9, first=2))
    Sink(broker, topic_id, Shorter(tmp_path), flush_size=flush_size).run()
    assert records(tmp_path) == posted("pin", pins(11))


def test_transactions_leave_gaps_and_no_waiting(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    producer = Producer({"bootstrap.servers": broker.servers, "transactional.id": topic_id}, logger=quiet())
    producer.init_transactions(30)
    for number, kept in enumerate((True, False, True, False)):
        producer.begin_transaction()
        producer.produce(f"{topic_id}.pin", b"%d" % number)
        producer.flush(30)
        producer.commit_transaction(30) if kept else producer.abort_transaction(30)
    began = time.monotonic()
    Sink(broker, topic_id, tmp_path, flush_size=10, stop=lambda: time.monotonic() > began + 60).run()
    assert time.monotonic() < began + 60
    # A marker has an offset of its own, and so has what was taken back.
    assert records(tmp_path) == {("pin", 0, 0): b"0", ("pin", 0, 4): b"2"}


def test_a_topic_made_anew(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(5))
    Sink(broker, topic_id, tmp_path).run()
    remove_topic(broker, f"{topic_id}.pin")
    make_topics(broker, [f"{topic_id}.pin"])
    before = files(tmp_path)
    with pytest.raises(MachineError, match="made again"):
        Sink(broker, topic_id, tmp_path).run()
    assert files(tmp_path) == before


def test_messages_that_the_broker_deleted(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(3))
    Sink(broker, topic_id, tmp_path).run()
    produce(broker, f"{topic_id}.pin", pins(5, first=3))
    admin = AdminClient({"bootstrap.servers": broker.servers}, logger=quiet())  # type: ignore[arg-type]
    place = TopicPartition(f"{topic_id}.pin", 0, 6)
    admin.delete_records([place])[place].result()
    sink = Sink(broker, topic_id, tmp_path)
    sink.run()
    assert sorted(offset for _, _, offset in records(tmp_path)) == [0, 1, 2, 6, 7]
    assert any("no longer has offsets 3 to 5" in line for line in sink.said), sink.said


def test_an_emptied_folder_is_told(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(3))
    Sink(broker, topic_id, tmp_path).run()
    for path in (tmp_path / "topics").rglob("*.json"):
        path.unlink()
    sink = Sink(broker, topic_id, tmp_path)
    sink.run()
    assert any("--group" in line for line in sink.said), sink.said
    Sink(broker, topic_id, tmp_path, group=f"{topic_id}-again").run()
    assert records(tmp_path) == posted("pin", pins(3))


def test_the_last_object_removed_is_written_again(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(3))
    Sink(broker, topic_id, tmp_path).run()
    last = max((tmp_path / "topics").rglob("*.json"))
    last.write_bytes(b"")
    with pytest.raises(SourceError, match="is empty; remove it: it is written again"):
        Sink(broker, topic_id, tmp_path, group="other").run()
    last.unlink()
    Sink(broker, topic_id, tmp_path).run()
    assert records(tmp_path) == posted("pin", pins(3))


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
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(20))
    produce(broker, f"{topic_id}.geo", pins(20))
    store = Full(tmp_path, 4)
    with pytest.raises(MachineError, match="no space left"):
        Sink(broker, topic_id, store, flush_size=3).run()
    assert store.refused == 1
    Sink(broker, topic_id, tmp_path, flush_size=3).run()
    assert records(tmp_path) == posted("pin", pins(20)) | posted("geo", pins(20))


class SideBySide(FolderStore):
    """Takes its time for each object, as a bucket does."""

    at_once = 8

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.now = self.most = 0

    def write(self, key: str, content: bytes) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.002)
        super().write(key, content)
        self.now -= 1


def test_partitions_side_by_side(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=2)
    wanted = {}
    for topic in TOPICS:
        for partition in range(2):
            produce(broker, f"{topic_id}.{topic}", pins(100), partition)
            wanted |= posted(topic, pins(100), partition)
    store = SideBySide(tmp_path)
    summary = Sink(broker, topic_id, store).run()
    assert store.most > 1
    assert records(tmp_path) == wanted
    assert {topic: counts.messages for topic, counts in summary.topics.items()} == dict.fromkeys(TOPICS, 200)


class Slow(FolderStore):
    """Takes most of a second for each object."""

    def write(self, key: str, content: bytes) -> None:
        time.sleep(0.8)
        super().write(key, content)


def test_a_store_so_slow_that_the_group_goes_on_without_it(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(73))
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
    wait_for(lambda: len(files(tmp_path)) == 10)
    produce(broker, f"{topic_id}.pin", pins(4, first=73))
    wait_for(lambda: bool(failed) or len(files(tmp_path)) == 11)
    done[0] = True
    running.join()
    assert not failed
    assert any("took so long that the group left this sink out" in line for line in sink.said), sink.said
    assert records(tmp_path) == posted("pin", pins(77))


class Unhurried(FolderStore):
    """As fast as a disk takes them, all objects are there before anything can happen to the sink."""

    def write(self, key: str, content: bytes) -> None:
        time.sleep(0.005)
        super().write(key, content)


_PROGRAM = """
import sys
from pinlake.clients.kafka import client_config
from pinlake.sink.sink import SinkOptions, run_sink
from tests.sink.test_faults import QUICK, Unhurried
servers, topic_id, folder = sys.argv[1:]
config = {**client_config(servers), **QUICK}
run_sink(config, topic_id, Unhurried(folder), SinkOptions(flush_size=3), print, lambda _: None, lambda: False)
"""
_ROOT = Path(__file__).parents[2]

# Each starts consumers of its own, some a broker of their own.
pytestmark = pytest.mark.slow


def test_killed_while_it_writes(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=2)
    wanted = {}
    for topic in TOPICS:
        for partition in range(2):
            values = pins(1500)
            produce(broker, f"{topic_id}.{topic}", [*values[:700], b"{cut", None, *values[700:]], partition)
            lines = [*values[:700], b"{cut", b"dead letter", *values[700:]]
            wanted |= posted(topic, lines, partition)
    folder, moments = tmp_path / "killed", random.Random(7)
    for _ in range(3):
        before = len(files(folder))
        said = tmp_path / "said"
        with said.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-u", "-c", _PROGRAM, broker.servers, topic_id, folder],
                stdout=log,
                stderr=log,
                cwd=_ROOT,
            )
        more = moments.randrange(20, 300)
        try:
            wait_for(lambda at=before + more: len(files(folder)) > at, 120, said)  # type: ignore[misc]
        finally:
            process.kill()
            process.wait()
    assert len(records(folder)) < len(wanted), "the last kill came after the end"
    Sink(broker, topic_id, folder, flush_size=3).run()
    Sink(broker, topic_id, tmp_path / "once", flush_size=3).run()
    assert records(folder) == records(tmp_path / "once") == wanted


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as started:
        yield started


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
    for first in range(0, 4000, 100):
        produce(own_broker, f"{topic_id}.pin", pins(100, first))
    folder, done = tmp_path / "dump", [False]
    store = Killing(folder, own_broker)
    few = {"queued.min.messages": 1, "fetch.message.max.bytes": 1000, "fetch.queue.backoff.ms": 100}
    sink = Sink(own_broker, topic_id, store, until_end=False, stop=lambda: done[0], give_up_after=60, config=few)
    running = Thread(target=sink.run, daemon=True)
    running.start()
    wait_for(lambda: store.killed)
    wait_for(lambda: any("waiting for Kafka" in line for line in sink.said))
    assert len(files(folder)) < 4000, "it had all before the broker was killed"
    own_broker.start()
    produce(own_broker, f"{topic_id}.pin", pins(500, first=4000))
    wait_for(lambda: len(files(folder)) >= 4500, 90)
    done[0] = True
    running.join()
    assert records(folder) == posted("pin", pins(4500))


def test_broker_gone_for_good(own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker)
    produce(own_broker, f"{topic_id}.pin", pins(3))
    ends = time.monotonic() + 120
    sink = Sink(
        own_broker, topic_id, tmp_path / "dump", until_end=False, give_up_after=10, stop=lambda: time.monotonic() > ends
    )
    killer = Thread(target=lambda: (wait_for(lambda: len(files(tmp_path / "dump")) == 3, 90), own_broker.kill()))
    killer.start()
    with pytest.raises(MachineError, match="was out of reach for 10 s"):
        sink.run()
    killer.join()
    assert records(tmp_path / "dump") == posted("pin", pins(3))


@pytest.mark.parametrize("until_end", [True, False])
def test_a_group_that_nobody_coordinates(tmp_path: Path, until_end: bool) -> None:
    own = Broker(tmp_path / "broker")
    config = tmp_path / "broker/server.properties"
    # More brokers than there are: the topic of the groups can't be made.
    factor = "offsets.topic.replication.factor="
    config.write_text(config.read_text().replace(f"{factor}1", f"{factor}3"))
    try:
        own.start()
        topic_id = new_topic_id(own)
        produce(own, f"{topic_id}.pin", pins(3))
        began = time.monotonic()
        sink = Sink(own, topic_id, tmp_path / "dump", until_end=until_end, give_up_after=4)
        sink._stop = lambda: time.monotonic() > began + 60
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
    monkeypatch.setattr("pinlake.sink.sink.Consumer", Headless)
    topic_id = new_topic_id(broker)
    began = time.monotonic()
    sink = Sink(broker, topic_id, tmp_path, until_end=False, give_up_after=3)
    sink._stop = lambda: time.monotonic() > began + 60
    with pytest.raises(MachineError, match=rf"for 3 s \(no leader for {topic_id}.geo partition 0, {topic_id}.pin part"):
        sink.run()


def test_a_handshake_that_breaks_off_is_waited_out(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlake.sink.sink.Consumer", breaking_a_handshake(Consumer))
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(3))
    Sink(broker, topic_id, tmp_path).run()
    assert records(tmp_path) == posted("pin", pins(3))


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
    # What is there before both have joined would be written by whoever hands it over.
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
        produce(broker, f"{topic_id}.pin", pins(4000), partition)
        wanted |= posted("pin", pins(4000), partition)
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


class Unsettled(FolderStore):
    """Its disk takes no names."""

    def settle(self) -> None:
        raise MachineError("names can't be written to the disk")


def test_offsets_are_committed_only_when_names_outlive_a_power_cut(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(3))
    group = f"group-{topic_id}"
    consumer = Consumer({**client_config(broker.servers), "group.id": group}, logger=quiet())
    place = TopicPartition(f"{topic_id}.pin", 0)
    with pytest.raises(MachineError, match="names can't be written"):
        Sink(broker, topic_id, Unsettled(tmp_path), group=group).run()
    assert consumer.committed([place], 10)[0].offset < 0
    Sink(broker, topic_id, tmp_path, group=group).run()
    assert consumer.committed([place], 10)[0].offset == 3
    consumer.close()
