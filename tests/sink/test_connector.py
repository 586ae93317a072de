"""The managed connector's configuration gives the objects of `pinlake sink`, by the connector's documented rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pinlake.dump.folder import FolderStore
from pinlake.dump.objects import USUAL
from pinlake.sink.partition import Arrived, Counts, PartitionWriter
from pinlake.topics import TOPICS
from tests.helpers import files

FILE = Path(__file__).parents[2] / "infra" / "connect" / "s3-sink.json"
VALUES = [b'{"index": 0}', b'[{"index": 1}]', b"no JSON", '{"title": "Идеи"}'.encode()]


@pytest.fixture(scope="module")
def config() -> dict[str, str]:
    found: dict[str, str] = json.loads(FILE.read_text())
    return found


def connector_objects(config: dict[str, str], topic: str, partition: int, values: list[bytes]) -> dict[str, bytes]:
    """What the connector makes of messages from offset 0 on: its reference gives each option's meaning."""
    assert config["partitioner.class"].endswith(".DefaultPartitioner")
    assert config["format.class"].endswith(".ByteArrayFormat")
    assert config["value.converter"].endswith(".ByteArrayConverter")
    slash, delimiter = config["directory.delim"], config["file.delim"]
    width, size = int(config["filename.offset.zero.pad.width"]), int(config["flush.size"])
    # The connector takes a separator as it is written, and no line break can be written here. By default, it is the one
    # of the worker's system, and the workers run on Linux.
    assert "format.bytearray.separator" not in config
    objects = {}
    for start in range(0, len(values), size):
        file = delimiter.join([topic, str(partition), str(start).zfill(width)]) + config["format.bytearray.extension"]
        folder = config["topics.dir"].removeprefix("${FOLDER}/")
        key = slash.join([folder, topic, f"partition={partition}", file])
        # After each record, also the last one.
        objects[key] = b"".join(value + b"\n" for value in values[start : start + size])
    return objects


@pytest.mark.parametrize("partition", [0, 12])
@pytest.mark.parametrize(("flush_size", "values"), [(1, VALUES), (3, [b'{"ind": %d}' % n for n in range(7)])])
def test_the_objects_are_those_of_the_sink(
    config: dict[str, str], tmp_path: Path, partition: int, flush_size: int, values: list[bytes]
) -> None:
    writer = PartitionWriter(FolderStore(tmp_path), "0e7f89a006e1.pin", partition, Counts(), flush_size, False)
    for offset, value in enumerate(values):
        writer.add(Arrived(offset, 0, None, value), 0.0)
    writer.flush()
    wanted = connector_objects({**config, "flush.size": str(flush_size)}, "0e7f89a006e1.pin", partition, values)
    assert files(tmp_path) == wanted
    assert [USUAL.object_name(key).partition for key in wanted] == [partition] * len(wanted)


def test_it_takes_the_three_topics(config: dict[str, str]) -> None:
    assert config["topics"].split(",") == [f"${{TOPIC_ID}}.{topic}" for topic in TOPICS]
    assert config["flush.size"] == "1"


def test_every_setting_is_text_and_names_no_account(config: dict[str, str]) -> None:
    assert all(isinstance(value, str) for value in config.values())
    text = FILE.read_text()
    assert not re.search(r"[0-9]{12}|arn:|AKIA", text)
    assert set(re.findall(r"\$\{(\w+)\}", text)) == {"TOPIC_ID", "BUCKET", "FOLDER", "REGION"}
