"""From a real broker to a dump: every message once, in the objects that its offset asks for."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pinlake.clients.kafka import client_config
from pinlake.dump.folder import FolderStore
from pinlake.errors import MachineError
from pinlake.sink.sink import SinkOptions, SinkSummary, run_sink
from tests.servers.kafka_broker import new_topic_id, produce
from tools.broker import Broker

# Each starts consumers of its own, and a consumer takes its time to join and to leave.
pytestmark = pytest.mark.slow


def sink(
    broker: Broker, topic_id: str, folder: Path, stop: Callable[[], bool] = lambda: False, **options: Any
) -> SinkSummary:
    chosen = SinkOptions(**{"until_end": True, "give_up_after": 20.0, **options})
    return run_sink(
        client_config(broker.servers), topic_id, FolderStore(folder), chosen, print, lambda summary: None, stop
    )


def dump(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def pins(count: int, first: int = 0) -> list[bytes]:
    return [b'{"index": %d}' % number for number in range(first, first + count)]


def test_names_and_contents_are_the_connectors(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(5))
    produce(broker, f"{topic_id}.user", [b'{"ind": 7}'])
    summary = sink(broker, topic_id, tmp_path, flush_size=2)
    folder = f"topics/{topic_id}.pin/partition=0/{topic_id}.pin+0+"
    assert dump(tmp_path) == {
        f"{folder}0000000000.json": b'{"index": 0}\n{"index": 1}\n',
        f"{folder}0000000002.json": b'{"index": 2}\n{"index": 3}\n',
        f"{folder}0000000004.json": b'{"index": 4}\n',
        f"topics/{topic_id}.user/partition=0/{topic_id}.user+0+0000000000.json": b'{"ind": 7}\n',
    }
    assert summary.topics["pin"].messages == 5
    assert summary.topics["pin"].objects == 3
    assert summary.ends[f"{topic_id}.pin", 0] == 5


def test_it_goes_on_after_the_last_object(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.geo", pins(3))
    sink(broker, topic_id, tmp_path / "a", flush_size=2)
    before = dump(tmp_path / "a")
    assert sink(broker, topic_id, tmp_path / "a", flush_size=2).topics["geo"].messages == 0
    assert dump(tmp_path / "a") == before
    produce(broker, f"{topic_id}.geo", pins(2, first=3))
    # Another group has committed nothing: the dump alone says where to go on.
    assert sink(broker, topic_id, tmp_path / "a", flush_size=2, group="another").topics["geo"].messages == 2
    assert b"".join(dump(tmp_path / "a").values()) == b"".join(line + b"\n" for line in pins(5))
    assert sink(broker, topic_id, tmp_path / "b").topics["geo"].messages == 5, "a new place begins at the start"


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
    summary = sink(broker, topic_id, tmp_path, flush_size=10)
    found = dump(tmp_path)
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
    assert sink(broker, topic_id, tmp_path, flush_size=10, group="another").topics["pin"].dead_letters == 0


def test_dead_letters_at_the_end_are_not_written_again(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", [b"1", None])
    sink(broker, topic_id, tmp_path)
    before = dump(tmp_path)
    assert sink(broker, topic_id, tmp_path, group="another").topics["pin"].dead_letters == 0
    assert dump(tmp_path) == before


def test_compressed_objects(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(2))
    sink(broker, topic_id, tmp_path, gzip=True, flush_size=2)
    [(name, content)] = dump(tmp_path).items()
    assert name.endswith("+0+0000000000.json.gz")
    assert gzip.decompress(content) == b'{"index": 0}\n{"index": 1}\n'
    assert sink(broker, topic_id, tmp_path, gzip=True, group="another").topics["pin"].messages == 0


def test_two_sinks_share_the_partitions(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=4)
    for partition in range(4):
        produce(broker, f"{topic_id}.pin", pins(300, first=1000 * partition), partition)
    others = Thread(target=sink, args=(broker, topic_id, tmp_path), kwargs={"flush_size": 7})
    others.start()
    sink(broker, topic_id, tmp_path, flush_size=7)
    others.join()
    lines = b"".join(dump(tmp_path).values()).splitlines()
    assert sorted(lines) == sorted(line for partition in range(4) for line in pins(300, first=1000 * partition))


def test_an_object_of_another_sink_counts(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(6))

    class Zombie(FolderStore):
        """Another sink writes the second object just before this one does."""

        def write(self, key: str, content: bytes) -> None:
            if key.endswith("+0000000002.json") and not Path(self.root, key).exists():
                super().write(key, b'{"index": 2}\n{"index": 3}\n{"index": 4}\n')
            super().write(key, content)

    said: list[str] = []
    options = SinkOptions(flush_size=2, until_end=True, give_up_after=20)
    config = client_config(broker.servers)
    run_sink(config, topic_id, Zombie(tmp_path), options, said.append, lambda summary: None, lambda: False)
    assert b"".join(dump(tmp_path).values()) == b"".join(line + b"\n" for line in pins(6))
    assert "is there already, written by another sink; going on at offset 5" in said[0]


def test_a_topic_that_isnt_there(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"has no topic nothing.pin and nothing.geo and nothing.user; found "):
        sink(broker, "nothing", tmp_path)


def test_a_broker_that_isnt_there(tmp_path: Path) -> None:
    said: list[str] = []
    config = client_config("127.0.0.1:9")
    options = SinkOptions(give_up_after=1)
    with pytest.raises(MachineError, match=r"Kafka at 127.0.0.1:9 was out of reach for 1 s \(.*refused"):
        run_sink(config, "a", FolderStore(tmp_path), options, said.append, lambda summary: None, lambda: False)
    assert "waiting for Kafka at 127.0.0.1:9" in said[0]
    assert list(tmp_path.iterdir()) == []
