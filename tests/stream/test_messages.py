"""Messages to rows of bronze: everything that can be in one, and the numbers that Kinesis's records get."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinlake.dump.offsets import Progress
from pinlake.stream.kinesis_records import RECORD_SCHEMA, topic_of, user_records
from pinlake.stream.kinesis_records import to_records as kinesis_to_records
from pinlake.stream.kinesis_source import KinesisSource
from pinlake.stream.messages import MESSAGE_SCHEMA, to_records
from pinlake.topics import TOPICS
from tests.stream.packing import ended_with

SENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b'{"index": 1}', [(0, '{"index": 1}', None, None)]),
        (b'[{"index": 1}, {"index": 2}]', [(0, '{"index": 1}', None, None), (1, '{"index": 2}', None, None)]),
        (b'{"index": 1}\n{"index": 2}', [(0, '{"index": 1}', None, None), (1, '{"index": 2}', None, None)]),
        (b"{cut", [(0, "{cut", None, None)]),
        (b'{"a": "\xff"}', [(0, None, b'{"a": "\xff"}', None)]),
        (b" \n", [(None, None, None, "empty")]),
        (b"", [(None, None, None, "empty")]),
        (b"[]", [(None, None, None, "empty")]),
        (None, [(None, None, None, "empty")]),
    ],
)
def test_a_message_gives(spark: SparkSession, value: bytes | None, found: list[Any]) -> None:
    messages = spark.createDataFrame([("t0.pin", 3, 17, "kafka/t0.pin/3/17", SENT, value)], MESSAGE_SCHEMA)
    rows = [row.asDict() for row in to_records(messages).collect()]
    assert [(row["position"], row["text"], row["bytes"], row["problem"]) for row in rows] == [
        (position, text, None if raw is None else bytearray(raw), problem) for position, text, raw, problem in found
    ]
    for row in rows:
        assert {name: row[name] for name in ("topic", "topic_id", "partition", "offset", "object_offset", "path")} == {
            "topic": "pin",
            "topic_id": "t0",
            "partition": 3,
            "offset": 17,
            "object_offset": 17,
            "path": "kafka/t0.pin/3/17",
        }
        assert row["object_messages"] == 1
        assert row["size"] == len(value or b"")
        assert row["modified"].astimezone(UTC) == SENT


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> KinesisSource:
    # Fakes that are no secrets, for a client that is never called.
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return KinesisSource("t0", 1)


def ended(following: int, sequence: int, topic: str = "pin") -> Progress:
    return ended_with(f"kinesis/t0-{topic}/shardId-000000000000/{sequence}", SENT, following)


def test_kinesis_records_are_numbered_from_where_bronze_ends(spark: SparkSession) -> None:
    def record(topic: str, shard: int, sequence: int) -> tuple[Any, ...]:
        return (f"t0-{topic}", f"shardId-{shard:012}", str(sequence), SENT, "17", str(sequence).encode())

    came = [record("pin", 0, number) for number in (9, 100, 10, 99)]
    came += [record("pin", 1, 7), record("geo", 0, 5), record("geo", 0, 4)]
    users = user_records(spark.createDataFrame(came, RECORD_SCHEMA), one_stream=False)
    rows = kinesis_to_records(users, "t0", {"pin": ended(40, 10)}).collect()
    # By their numbers, not as texts; what bronze has is left out.
    assert sorted((row["topic"], row["partition"], row["offset"], row["text"]) for row in rows) == [
        ("geo", 0, 0, "4"),
        ("geo", 0, 1, "5"),
        # In the order in which they were put, whatever the shard: the one that another was split into goes on.
        ("pin", 0, 41, "99"),
        ("pin", 0, 42, "100"),
        ("pin", 1, 40, "7"),
    ]
    assert {row["topic_id"] for row in rows} == {"t0"}
    assert {row["path"] for row in rows if row["partition"] == 1} == {"kinesis/t0-pin/shardId-000000000001/7"}


@pytest.mark.parametrize(
    ("key", "topic"),
    [
        ("0e7f89a006e1.pin", "pin"),
        ("geo", "geo"),
        ("user-17", "user"),
        ("streaming-0e7f89a006e1-User", "user"),
        ("pin17", "pin"),
        ("pinterest", None),
        ("spin", None),
        ("17", None),
        ("", None),
        # Which of the two, nobody knows.
        ("user.pin", None),
    ],
)
def test_a_partition_key_names(key: str, topic: str | None) -> None:
    assert topic_of(key) == topic


def test_in_a_workspace_kinesis_is_read_on_from_the_oldest_end(kinesis: KinesisSource) -> None:
    later = datetime(2026, 2, 3, tzinfo=UTC)
    known = {topic: ended(1, 2, topic) for topic in TOPICS}
    known["pin"].last |= ended_with("kinesis/t0-pin/shardId-000000000001/12", later, 3, partition=1).last
    shards = [(f"t0-{topic}", number) for topic, progress in known.items() for number in progress.last]
    assert kinesis.workspace_options({}, shards) == {
        "region": "eu-west-1",
        "streamName": "t0-pin,t0-geo,t0-user",
        "initialPosition": "trim_horizon",
    }
    start = json.loads(kinesis.workspace_options(known, shards)["initialPosition"])
    # Moments and sequence numbers need not have the same order.
    assert start == {"at_timestamp": "01/02/2026 02:59:05 UTC", "format": "MM/dd/yyyy HH:mm:ss ZZZ"}
    # A shard of which nothing was read has no moment to begin at.
    assert kinesis.workspace_options(known, [*shards, ("t0-pin", 2)])["initialPosition"] == "trim_horizon"
    # Of one stream the topic that is furthest tells: those behind it had nothing more.
    shard = "kinesis/t0/shardId-000000000000"
    known = {"pin": ended_with(f"{shard}/9", SENT, 1), "geo": ended_with(f"{shard}/10/3", later, 4)}
    one = KinesisSource("t0", 1, one_stream=True).workspace_options(known, [("t0", 0)])
    assert one["streamName"] == "t0"
    assert json.loads(one["initialPosition"])["at_timestamp"] == "02/02/2026 23:55:00 UTC"
