"""From a Kinesis server to the tables: packed records, empty ones, one stream for all topics, streams made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pinlake.errors import SourceError, UsageError
from pinlake.stream.kinesis_source import KinesisSource
from pinlake.stream.stream import StreamSummary
from pinlake.topics import TOPICS
from tests.pipeline.conftest import System
from tests.servers.s3_server import S3
from tests.stream.packing import pack
from tests.stream.streaming import geo, pin, read

pytestmark = pytest.mark.slow
Systems = Callable[..., System]


@pytest.fixture
def kinesis(s3: S3) -> Any:
    return s3.client("kinesis")


def put(kinesis: Any, stream: str, *records: tuple[str, bytes]) -> None:
    for key, data in records:
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey=key)


def read_kinesis(found: System, one_stream: bool = False, **more: Any) -> StreamSummary:
    return read(found, KinesisSource("t0", 10, one_stream), **more)


def bronze(found: System) -> list[tuple[Any, ...]]:
    """Topic, offset, text and problem of every row, and where in its stream it came from."""
    rows = found.rows("SELECT topic, offset, text, problem, path FROM bronze ORDER BY topic, offset")
    return [(row[0], row[1], row[2], row[3], row[4].split("/", 4)[4:]) for row in rows]


def test_packed_and_empty_records(found: System, kinesis: Any) -> None:
    for topic in TOPICS:
        kinesis.create_stream(StreamName=f"t0-{topic}", ShardCount=1)
    put(kinesis, "t0-pin", ("1", pin(1)), ("a", pack([("2", pin(2)), ("3", b""), ("4", pin(4))])), ("5", b""))
    assert read_kinesis(found).records == {"pin": 3}
    rows = [
        ("pin", 0, pin(1).decode(), None, []),
        ("pin", 1, pin(2).decode(), None, ["0"]),
        ("pin", 2, None, "empty", ["1"]),
        ("pin", 3, pin(4).decode(), None, ["2"]),
        ("pin", 4, None, "empty", []),
    ]
    assert bronze(found) == rows
    assert (found.counts()["pin"].silver, found.counts()["pin"].quarantined) == (3, 0)
    # Begun again: after the last, and after a packed one.
    assert read_kinesis(found).batches == 0
    put(kinesis, "t0-pin", ("a", pack([("6", pin(6)), ("7", pin(7))])))
    assert read_kinesis(found).records == {"pin": 2}
    assert read_kinesis(found).batches == 0
    put(kinesis, "t0-pin", ("8", pin(8)))
    assert read_kinesis(found).records == {"pin": 1}
    rows += [("pin", 4 + number, pin(5 + number).decode(), None, [str(number - 1)]) for number in (1, 2)]
    assert bronze(found) == [*rows, ("pin", 7, pin(8).decode(), None, [])]


def test_one_stream_for_all_topics(found: System, kinesis: Any) -> None:
    kinesis.create_stream(StreamName="t0", ShardCount=1)
    put(kinesis, "t0", ("t0.pin", pin(1)), ("geo", geo(1)), ("17", b"{}"))
    put(kinesis, "t0", ("x", pack([("pin-2", pin(2)), ("GEO_2", geo(2)), ("spinner", b"{}")])))
    said: list[str] = []
    assert read_kinesis(found, True, said=said).records == {"pin": 2, "geo": 2}
    assert [(row[0], row[1], row[4]) for row in bronze(found)] == [
        ("geo", 0, []),
        ("geo", 1, ["1"]),
        ("pin", 0, []),
        ("pin", 1, ["0"]),
    ]
    assert any(
        "2 of 6 records have a partition key that names no topic, the first key is '17'" in each for each in said
    )
    ((kind, message),) = found.rows("SELECT kind, message FROM object_report")
    assert kind == "no topic"
    assert "2 of 6 records have a partition key that names no topic, the first of them '17'; not read" in message
    # A topic that is behind in the shard is not read again.
    assert read_kinesis(found, True).batches == 0
    put(kinesis, "t0", ("t0.geo", geo(3)), ("pin", pin(3)))
    assert read_kinesis(found, True).records == {"pin": 1, "geo": 1}
    assert found.counts()["geo"].silver == found.counts()["pin"].silver == 3


def test_a_stream_whose_keys_name_no_topic_is_an_error(found: System, kinesis: Any) -> None:
    kinesis.create_stream(StreamName="t0", ShardCount=1)
    put(kinesis, "t0", ("1", pin(1)), ("2", geo(1)))
    with pytest.raises(SourceError, match=r"none of the 2 records that came first .* the first key is '1'; send them"):
        read_kinesis(found, True)


def test_a_stream_that_was_recreated_is_another(found: System, kinesis: Any) -> None:
    for topic in TOPICS:
        kinesis.create_stream(StreamName=f"t0-{topic}", ShardCount=1)
    put(kinesis, "t0-pin", ("1", pin(1)))
    assert read_kinesis(found).records == {"pin": 1}
    kinesis.delete_stream(StreamName="t0-pin")
    kinesis.create_stream(StreamName="t0-pin", ShardCount=1)
    put(kinesis, "t0-pin", ("2", pin(2)))
    with pytest.raises(UsageError, match=r"stream t0-pin was made at .* UTC, after what the lake has of it: .* --lake"):
        read_kinesis(found)
    assert len(bronze(found)) == 1
