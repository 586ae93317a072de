"""The same posts whichever way they took: equal tables and answers, and counts that add up at every hop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.clients.kafka import client_config
from pinlake.dump.s3 import S3Store
from pinlake.emulate.database import DatabaseRows
from pinlake.emulate.emulator import emulate
from pinlake.emulate.rows import MadeRows
from pinlake.emulate.seed import seed_database
from pinlake.emulate.sinks.base import Deliveries, FailedFile
from pinlake.emulate.sinks.dump import DumpSink
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.emulate.sinks.kinesis import KinesisSink
from pinlake.emulate.truth import Truth
from pinlake.lake.model import GOLD
from pinlake.stream.kafka_source import KafkaSource
from pinlake.stream.kinesis_source import KinesisSource
from pinlake.stream.source import StreamOptions
from pinlake.stream.stream import run_stream
from pinlake.topics import TOPICS
from tests.pipeline.conftest import System
from tests.servers.s3_server import S3
from tests.sink.running import Sink
from tools.broker import Broker, count_messages

POSTS = 1_000
DIRT, DUPLICATES = 0.1, 0.1
TOPIC_ID = "ways"
TABLES = (*(topic.silver_table for topic in TOPICS.values()), "silver_post", "quarantine")

pytestmark = pytest.mark.slow
Systems = Callable[..., System]


@pytest.fixture(scope="module")
def dumped(system: Systems, tmp_path_factory: pytest.TempPathFactory) -> tuple[System, Truth]:
    """From a dump that the emulator wrote."""
    folder = tmp_path_factory.mktemp("dumped")
    truth = emulate(folder / "dump", posts=POSTS, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, flush_size=100)
    made = system(folder / "dump", folder / "lake")
    made.run()
    return made, truth


def same(found: System, expected: System) -> None:
    """Every row of silver and quarantine but for the object that it lay in, and every answer."""
    for table in TABLES:
        names = [name for name in found.lake.read(table).columns if not name.endswith(_ELSEWHERE)]
        query = f"SELECT {', '.join(f'`{name}`' for name in names)} FROM {table}"
        rows, wanted = (sorted(map(repr, each.rows(query))) for each in (found, expected))
        assert rows == wanted, table
    assert found.answers() == expected.answers()
    assert set(found.answers()) == set(GOLD)


_ELSEWHERE = ("path", "position", "batch", "run_id", "_records", "_contents", "quarantined_at")


@pytest.fixture(scope="module")
def posted(broker: Broker, dumped: tuple[System, Truth], tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """From a database to Kafka; the number of messages by topic, the same at every hop."""
    folder, (_, truth) = tmp_path_factory.mktemp("posted"), dumped
    url = f"sqlite:///{folder / 'posts.db'}"
    seed_database(url, None, MadeRows(POSTS, seed=0).posts(range(POSTS)), 10)
    config = client_config(broker.servers)
    deliveries = Deliveries("kafka", FailedFile(folder / "failed.jsonl"))
    kafka = KafkaSink(config, TOPIC_ID, deliveries, 60, create_topics=1)
    rows = DatabaseRows(url, None, 10)
    sent = emulate(None, posts=POSTS, rows=rows, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, sinks=[kafka])
    rows.close()
    for topic in TOPICS:
        hops = {
            "posted": sent.topics[topic].sent,
            "acknowledged": deliveries.acknowledged[topic],
            "in the broker": count_messages(config, f"{TOPIC_ID}.{topic}"),
        }
        assert set(hops.values()) == {truth.topics[topic].sent}, (topic, hops)
    assert not (folder / "failed.jsonl").exists()
    return {topic: truth.topics[topic].sent for topic in TOPICS}


def test_through_a_database_kafka_and_its_sink(
    dumped: tuple[System, Truth], posted: dict[str, int], system: Systems, tmp_path: Path, broker: Broker
) -> None:
    expected, truth = dumped
    written = Sink(broker, TOPIC_ID, tmp_path / "dump", flush_size=50).run()
    found = system(tmp_path / "dump", tmp_path / "lake")
    counts = {count.topic: count for count in found.run().topics}
    assert {topic: each.messages for topic, each in written.topics.items()} == posted
    assert {topic: each.bronze for topic, each in counts.items()} == posted
    for topic in TOPICS:
        assert counts[topic].missing_offsets == 0
        assert counts[topic].quarantined == truth.topics[topic].quarantined
    same(found, expected)


def test_through_a_stream_from_kafka(
    dumped: tuple[System, Truth], posted: dict[str, int], system: Systems, tmp_path: Path, broker: Broker
) -> None:
    found = system(None, tmp_path / "lake")
    source = KafkaSource(client_config(broker.servers), TOPIC_ID)
    # In several batches, whose order and size make no difference.
    options = StreamOptions(until_end=True, most=1_500)
    summary = run_stream(found.lake, source, found.settings, options, lambda *_: None, lambda: False)
    assert summary.batches > 1
    assert summary.records == posted
    assert {topic: count.bronze for topic, count in found.counts().items()} == posted
    assert not any(count.missing_offsets for count in found.counts().values())
    same(found, dumped[0])


def test_through_kinesis(dumped: tuple[System, Truth], system: Systems, tmp_path: Path, s3: S3) -> None:
    expected, truth = dumped
    kinesis = s3.client("kinesis")
    for topic in TOPICS:
        kinesis.create_stream(StreamName=f"{TOPIC_ID}-{topic}", ShardCount=1)
    deliveries = Deliveries("kinesis", FailedFile(tmp_path / "failed.jsonl"))
    sink = KinesisSink(TOPIC_ID, 60, deliveries)
    emulate(None, posts=POSTS, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, sinks=[sink])
    assert deliveries.acknowledged == {topic: counts.sent for topic, counts in truth.topics.items()}
    found = system(None, tmp_path / "lake")
    # The server has too much to do now and then.
    count = iter(range(10**9))
    s3.rule = lambda method, path: (503, b"{}") if next(count) % 7 == 3 else None
    summary = run_stream(
        found.lake, KinesisSource(TOPIC_ID, 60), found.settings, StreamOptions(True), lambda *_: None, lambda: False
    )
    assert summary.records == deliveries.acknowledged
    assert {topic: each.bronze for topic, each in found.counts().items()} == deliveries.acknowledged
    same(found, expected)
    again = run_stream(
        found.lake, KinesisSource(TOPIC_ID, 60), found.settings, StreamOptions(True), lambda *_: None, lambda: False
    )
    assert again.batches == 0


def test_through_a_bucket(dumped: tuple[System, Truth], system: Systems, tmp_path: Path, s3: S3) -> None:
    expected, truth = dumped
    deliveries = Deliveries("s3", FailedFile(tmp_path / "failed.jsonl"))
    sink = DumpSink(S3Store("s3://landing/dump"), TOPIC_ID, deliveries, flush_size=20)
    emulate(None, posts=POSTS, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, sinks=[sink])
    assert deliveries.acknowledged == {topic: counts.sent for topic, counts in truth.topics.items()}
    found = system("s3://landing/dump", tmp_path / "lake")
    # The server asks to slow down now and then.
    count = iter(range(10**9))
    s3.rule = lambda method, path: (503, b"<Error><Code>SlowDown</Code></Error>") if next(count) % 23 == 7 else None
    counts = {each.topic: each for each in found.run().topics}
    assert {topic: each.bronze for topic, each in counts.items()} == {t: c.sent for t, c in truth.topics.items()}
    same(found, expected)
    assert [each.bronze for each in found.run().topics] == [counts[topic].bronze for topic in TOPICS], "nothing new"
