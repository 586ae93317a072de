"""Kinesis on a made-up server: what its shards have, in their order, and what goes wrong on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from pinlake.clients.waits import Patience
from pinlake.errors import MachineError, UsageError
from pinlake.lake.lake import Lake
from pinlake.settings import Settings
from pinlake.stream.kinesis_reader import Reader
from pinlake.stream.kinesis_source import KinesisSource
from pinlake.stream.source import Context, Known, StreamOptions
from pinlake.topics import TOPICS
from tests.servers.s3_server import S3
from tests.stream.packing import ended_with


@pytest.fixture
def kinesis(s3: S3) -> Any:
    client = s3.client("kinesis")
    for topic in TOPICS:
        client.create_stream(StreamName=f"t0-{topic}", ShardCount=1)
    return client


def put(kinesis: Any, first: int, count: int, topic: str = "pin") -> None:
    records = [{"Data": b"%d" % number, "PartitionKey": str(number)} for number in range(first, first + count)]
    kinesis.put_records(StreamName=f"t0-{topic}", Records=records)


def reader(known: Known | None = None, most: int = 1000, give_up_after: float = 10, **more: Any) -> Reader:
    source = KinesisSource("t0", give_up_after)
    source._client = more.get("client", source._client)
    said: Callable[[str], None] = more.get("say", lambda _: None)
    context = Context(
        cast(Lake, None),
        Settings(give_up_after=give_up_after),
        StreamOptions(until_end=True, most=most),
        said,
        lambda: False,
        lambda: known or {},
        lambda make: None,
    )
    source._patience = Patience(source.label, give_up_after, said)
    return Reader(source, context)


def values(rows: list[tuple[Any, ...]]) -> list[bytes]:
    return [row[-1] for row in rows]


def test_all_that_the_shards_have_in_their_order(kinesis: Any) -> None:
    put(kinesis, 0, 5)
    put(kinesis, 5, 3, "geo")
    found = reader()
    rows = found.batch()
    assert sorted(values(rows)) == [b"%d" % number for number in range(8)]
    assert values([row for row in rows if row[0] == "t0-pin"]) == [b"0", b"1", b"2", b"3", b"4"]
    assert found.batch() == []
    put(kinesis, 8, 1)
    assert values(found.batch()) == [b"8"]


def test_it_goes_on_after_the_last_record(kinesis: Any) -> None:
    put(kinesis, 0, 5)
    third = reader().batch()[2]
    moment = third[3]
    known = {"pin": ended_with(f"kinesis/t0-pin/{third[1]}/{third[2]}", moment, 3)}
    assert values(reader(known).batch()) == [b"3", b"4"]


class _Resharded:
    """Shards as Amazon's documentation has them when one was split: moto goes on putting records to the old one."""

    def __init__(self, shards: dict[str, tuple[str | None, list[int]]], closed: set[str]) -> None:
        self.shards, self.closed = shards, closed

    def list_shards(self, StreamName: str) -> dict[str, Any]:
        found = self.shards.items() if StreamName == "t0-pin" else []
        return {
            "Shards": [{"ShardId": name} | ({"ParentShardId": parent} if parent else {}) for name, (parent, _) in found]
        }

    def get_shard_iterator(self, ShardId: str, **_: Any) -> dict[str, Any]:
        return {"ShardIterator": f"{ShardId}:0"}

    def get_records(self, ShardIterator: str, **_: Any) -> dict[str, Any]:
        shard, at = ShardIterator.split(":")
        numbers = self.shards[shard][1]
        # One a call, so that an impatient reader would take the children's before the parent's last.
        records = [
            {
                "SequenceNumber": str(number),
                "ApproximateArrivalTimestamp": None,
                "PartitionKey": "",
                "Data": b"%d" % number,
            }
            for number in numbers[int(at) : int(at) + 1]
        ]
        at_end = int(at) + 1 >= len(numbers)
        following = None if at_end and shard in self.closed else f"{shard}:{int(at) + len(records)}"
        answer = {"Records": records, "MillisBehindLatest": 0 if at_end else 1000}
        return answer | ({"NextShardIterator": following} if following else {})


@pytest.mark.slow
def test_what_a_shard_was_split_into_comes_after_it(kinesis: Any) -> None:
    found = reader()
    old, first, second = (f"shardId-{number:012}" for number in range(3))
    server = _Resharded({old: (None, [1, 2, 3])}, set())
    found._source._client = server
    found._shards = {(shard.stream, shard.name): shard for shard in found._find({})}
    assert values(found.batch()) == [b"1", b"2", b"3"]
    # Split while it is read on: the children are found when it has ended.
    server.shards = {old: (None, [1, 2, 3, 4]), first: (old, [5, 7]), second: (old, [6])}
    server.closed = {old}
    rows = found.batch() + found.batch()
    assert sorted(int(value) for value in values(rows)) == [4, 5, 6, 7]
    assert next(row[1] for row in rows) == old
    # And from the beginning: the parent's first, all of them.
    found._shards = {(shard.stream, shard.name): shard for shard in found._find({})}
    rows = found.batch() + found.batch()
    assert [int(value) for value in values(rows)][:4] == [1, 2, 3, 4]
    assert sorted(int(value) for value in values(rows)) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.slow
def test_a_server_that_is_busy_is_asked_again(kinesis: Any, s3: S3) -> None:
    put(kinesis, 0, 5)
    count = iter(range(10**6))
    s3.rule = lambda method, path: (500, b"{}") if next(count) % 4 == 0 else None
    assert len(reader().batch()) == 5


@pytest.mark.slow
def test_a_server_that_stays_busy_is_given_up(kinesis: Any, s3: S3) -> None:
    said: list[str] = []
    busy = json.dumps({"__type": "ProvisionedThroughputExceededException", "message": "Rate exceeded"}).encode()
    s3.rule = lambda method, path: (400, busy)
    began = time.monotonic()
    with pytest.raises(MachineError, match=r"streams t0-\* was out of reach for 2 s \(.*Provisioned.*Rate exceeded"):
        reader(give_up_after=2, say=said.append)
    assert time.monotonic() - began >= 2
    assert "gives up in 2 s" in said[0]


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (
            400,
            "ResourceNotFoundException",
            r"stream t0-pin: ResourceNotFound.*; create the stream, or check the prefix",
        ),
        (400, "AccessDeniedException", r"AccessDenied.*; get kinesis:DescribeStreamSummary on the stream"),
        (400, "ExpiredTokenException", r"ExpiredToken.*; log in again"),
    ],
)
def test_what_no_waiting_mends_is_told_at_once(kinesis: Any, s3: S3, status: int, code: str, told: str) -> None:
    s3.rule = lambda method, path: (status, json.dumps({"__type": code, "message": "no"}).encode())
    with pytest.raises(MachineError, match=told):
        KinesisSource("t0", 5).check(Settings(give_up_after=5), print)


def test_a_number_that_the_stream_does_not_know_is_that_of_another(kinesis: Any, s3: S3) -> None:
    put(kinesis, 0, 2)
    first = reader().batch()[0]
    known = {"pin": ended_with(f"kinesis/t0-pin/{first[1]}/{first[2]}", first[3], 1)}
    # What Kinesis says of it; moto takes any number.
    foreign = {"__type": "InvalidArgumentException", "message": "invalid because it did not come from this stream."}
    client = KinesisSource("t0", 5)._client
    answered = client.get_shard_iterator

    def refusing(**arguments: Any) -> Any:
        if "StartingSequenceNumber" in arguments:
            s3.rule = lambda method, path: (400, json.dumps(foreign).encode())
        return answered(**arguments)

    client.get_shard_iterator = refusing
    with pytest.raises(UsageError, match=f"stream t0-pin doesn't know the sequence number {first[2]}, .* recreated"):
        reader(known, client=client)


def test_a_page_of_html_is_no_answer(kinesis: Any, s3: S3) -> None:
    s3.rule = lambda method, path: (200, b"<html>log in</html>")
    told = "answered for stream t0-pin with something that is not of Kinesis; check AWS"
    with pytest.raises(MachineError, match=told):
        KinesisSource("t0", 5).check(Settings(give_up_after=5), print)
