"""From a real broker to a dump: every message once, in the objects that its offset asks for."""

from __future__ import annotations

import gzip
import json
import time
from base64 import b64decode
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pinlake.clients.kafka import client_config
from pinlake.dump.folder import FolderStore
from pinlake.errors import MachineError
from pinlake.sink.partition import PartitionWriter
from pinlake.sink.sink import SinkOptions, run_sink
from pinlake.topics import TOPICS
from tests.helpers import files, wait_for
from tests.servers.kafka_broker import committed, new_topic_id, produce
from tests.sink.running import Sink, pins, posted, records
from tools.broker import Broker

# Each starts consumers of its own, and a consumer takes its time to join and to leave.
pytestmark = pytest.mark.slow


def test_names_and_contents_are_the_connectors(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(5), user=[b'{"ind": 7}'])
    summary = Sink(broker, topic_id, tmp_path, flush_size=2, group=f"group-{topic_id}").run()
    folder = f"topics/{topic_id}.pin/partition=0/{topic_id}.pin+0+"
    assert files(tmp_path) == {
        f"{folder}0000000000.json": b'{"index": 0}\n{"index": 1}\n',
        f"{folder}0000000002.json": b'{"index": 2}\n{"index": 3}\n',
        f"{folder}0000000004.json": b'{"index": 4}\n',
        f"topics/{topic_id}.user/partition=0/{topic_id}.user+0+0000000000.json": b'{"ind": 7}\n',
    }
    assert summary.topics["pin"].messages == 5
    assert summary.topics["pin"].objects == 3
    assert committed(broker, f"group-{topic_id}", f"{topic_id}.pin") == 5


def test_it_goes_on_after_the_last_object(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, geo=pins(3))
    Sink(broker, topic_id, tmp_path / "a", flush_size=2).run()
    before = files(tmp_path / "a")
    assert Sink(broker, topic_id, tmp_path / "a", flush_size=2).run().topics["geo"].messages == 0
    assert files(tmp_path / "a") == before
    produce(broker, f"{topic_id}.geo", pins(2, first=3))
    # Another group has committed nothing: the dump alone says where to go on.
    assert Sink(broker, topic_id, tmp_path / "a", flush_size=2, group="another").run().topics["geo"].messages == 2
    assert b"".join(files(tmp_path / "a").values()) == b"".join(line + b"\n" for line in pins(5))
    assert Sink(broker, topic_id, tmp_path / "b").run().topics["geo"].messages == 5, "a new place begins at the start"


def test_what_no_object_can_hold_is_a_dead_letter(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    values = [
        b'{"a": 1}',
        None,
        b'{"a": 2}',
        b"\xff\xfe\x00",
        b'{"cut": ',
        b'{\n "a": [\r\n 3]\n}',
        b"  ",
        b'[{"a": 4}]',
    ]
    produce(broker, f"{topic_id}.pin", values)
    summary = Sink(broker, topic_id, tmp_path, flush_size=10).run()
    found = files(tmp_path)
    name = f"{topic_id}.pin/partition=0/{topic_id}.pin+0+00000000"
    assert {path: found[path] for path in found if path.startswith("topics")} == {
        f"topics/{name}00.json": b'{"a": 1}\n',
        f"topics/{name}02.json": b'{"a": 2}\n',
        f"topics/{name}04.json": b'{"cut": \n',
        f"topics/{name}05.json": b'{  "a": [   3] }\n',
        f"topics/{name}07.json": b'[{"a": 4}]\n',
    }
    letters = {path: json.loads(found[path]) for path in found if path.startswith("dead-letter")}
    assert list(letters) == [f"dead-letter/{name}{offset}.json" for offset in ("01", "03", "06")]
    assert [letter["reason"].partition(":")[0] for letter in letters.values()] == ["tombstone", "not UTF-8", "blank"]
    raw = letters[f"dead-letter/{name}03.json"]
    assert (raw["topic"], raw["partition"], raw["offset"], raw["key"]) == (f"{topic_id}.pin", 0, 3, "3")
    assert b64decode(raw["value"]) == values[3]
    counts = summary.topics["pin"]
    assert (counts.messages, counts.dead_letters) == (5, 3)
    assert Sink(broker, topic_id, tmp_path, flush_size=10, group="another").run().topics["pin"].dead_letters == 0


def test_dead_letters_at_the_end_are_not_written_again(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=[b"1", None])
    Sink(broker, topic_id, tmp_path).run()
    before = files(tmp_path)
    assert Sink(broker, topic_id, tmp_path, group="another").run().topics["pin"].dead_letters == 0
    assert files(tmp_path) == before


def test_compressed_objects(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(2))
    Sink(broker, topic_id, tmp_path, gzip=True, flush_size=2).run()
    [(name, content)] = files(tmp_path).items()
    assert name.endswith("+0+0000000000.json.gz")
    assert gzip.decompress(content) == b'{"index": 0}\n{"index": 1}\n'
    assert Sink(broker, topic_id, tmp_path, gzip=True, group="another").run().topics["pin"].messages == 0


def test_a_topic_that_isnt_there(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"has no topic nothing.pin and nothing.geo and nothing.user; found "):
        Sink(broker, "nothing", tmp_path).run()


def test_a_broker_that_isnt_there(tmp_path: Path) -> None:
    said: list[str] = []
    config = client_config("127.0.0.1:9")
    options = SinkOptions(give_up_after=1)
    with pytest.raises(MachineError, match=r"Kafka at 127.0.0.1:9 was out of reach for 1 s \(.*refused"):
        run_sink(config, "a", FolderStore(tmp_path), options, said.append, lambda summary: None, lambda: False)
    assert "waiting for Kafka at 127.0.0.1:9" in said[0]
    assert list(tmp_path.iterdir()) == []


def test_rotation_by_time(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic_id = new_topic_id(broker, pin=pins(3))
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
