"""The sink for Kinesis against moto's Kinesis, and settings with which it can't be used."""

from __future__ import annotations

from typing import Any

import pytest

from pinlake.emulate.sinks.base import Message
from pinlake.emulate.sinks.kinesis import KinesisSink
from pinlake.errors import MachineError
from tests.emulate.sinks.conftest import Told, messages, send
from tests.servers.s3_server import S3

pytestmark = pytest.mark.usefixtures("made_up_credentials")


@pytest.fixture
def kinesis(s3: S3) -> Any:
    """A client of a Kinesis with the three streams, each of one shard; it is where the sinks go, too."""
    client = s3.client("kinesis")
    for topic in ("pin", "geo", "user"):
        client.create_stream(StreamName=f"shop-{topic}", ShardCount=1)
    return client


def put_into(kinesis: Any, stream: str) -> list[tuple[str, bytes]]:
    shard = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["Shards"][0]["ShardId"]
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    found = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return [(record["PartitionKey"], record["Data"]) for record in found]


def test_records_are_in_moto_s_streams_as_they_were_sent(kinesis: Any, told: Told, said: list[str]) -> None:
    sent = [*messages(600), *messages(3, "geo"), Message("user", None, "no JSON \ud800 ž")]
    sink = KinesisSink("shop", 20, told, said.append)
    send(sink, sent)
    sink.close()
    assert put_into(kinesis, "shop-pin") == [(message.key, message.value) for message in sent[:600]]
    assert put_into(kinesis, "shop-geo") == [(message.key, message.value) for message in sent[600:603]]
    assert put_into(kinesis, "shop-user") == [("-", b"no JSON \\ud800 \xc5\xbe")]
    assert sorted(told.taken, key=str) == sorted(sent, key=str)
    assert not told.lost
    assert not said


def test_moto_takes_calls_that_are_as_large_as_can_be(kinesis: Any, told: Told) -> None:
    mib = 1024 * 1024
    exact = [Message("pin", "12345678", "x" * (mib - 8)) for _ in range(11)]
    larger = Message("pin", "12345678", "x" * (mib - 7))
    send(KinesisSink("shop", 20, told), [*exact[:3], larger, *exact[3:]])
    assert told.taken == exact
    assert told.lost == [(larger, "larger than the 1 MiB that a Kinesis record can have")]
    told.check_kept()


def test_a_stream_that_is_not_in_moto(kinesis: Any, told: Told, said: list[str]) -> None:
    kinesis.delete_stream(StreamName="shop-geo")
    sent = [*messages(2), *messages(2, "geo"), *messages(2, "user")]
    with pytest.raises(MachineError, match=r"stream shop-geo: ResourceNotFoundException.*create the stream") as raised:
        send(KinesisSink("shop", 20, told, said.append), sent)
    assert "127.0.0.1" in str(raised.value)
    assert told.taken == sent[:2]
    assert told.lost_messages == sent[2:]
    told.check_kept()
    assert not said


def test_no_credentials_at_all(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MachineError, match=r"kinesis\.eu-west-1\..*: no credentials; log in, or set AWS_PROFILE"):
        KinesisSink("shop", 20, told)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("AWS_PROFILE", "absent", "absent"),
        ("AWS_DEFAULT_REGION", None, "region"),
        ("AWS_DEFAULT_REGION", "eu west", "eu west"),
        ("AWS_ENDPOINT_URL", "localhost:4566", "localhost:4566"),
        ("AWS_SECRET_ACCESS_KEY", None, "AWS_SECRET_ACCESS_KEY|aws_secret_access_key"),
    ],
)
def test_settings_that_cannot_be(
    told: Told, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, found: str
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(MachineError, match=rf"Kinesis can't be used: .*({found}).*; check AWS_PROFILE"):
        KinesisSink("shop", 20, told)
