"""The same posts whichever way they took: equal tables and answers, and counts that add up at every hop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.emulate.database import DatabaseRows, seed_database
from pinlake.emulate.emulator import emulate
from pinlake.emulate.rows import MadeRows
from pinlake.emulate.sinks.base import Deliveries, FailedFile
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.emulate.truth import Truth
from pinlake.kafka import client_config, count_messages
from pinlake.lake.model import GOLD
from pinlake.local.broker import Broker
from pinlake.sink.sink import SinkOptions, run_sink
from pinlake.store.folder import FolderStore
from pinlake.store.s3 import S3Store
from pinlake.topics import TOPICS
from tests.kafka_broker import broker
from tests.pipeline.conftest import Place
from tests.s3_server import S3, one_s3_server, s3

__all__ = ["broker", "one_s3_server", "s3"]

POSTS = 5_000
DIRT, DUPLICATES = 0.02, 0.03
TOPIC_ID = "ways"
TABLES = (*(topic.silver_table for topic in TOPICS.values()), "silver_post", "quarantine")

pytestmark = pytest.mark.slow
Places = Callable[..., Place]


@pytest.fixture(scope="module")
def dumped(place: Places, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Truth]:
    """From a dump that the emulator wrote."""
    folder = tmp_path_factory.mktemp("dumped")
    truth = emulate(folder / "dump", posts=POSTS, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, flush_size=100)
    made = place(folder / "dump", folder / "lake")
    made.run()
    return made, truth


def same(found: Place, expected: Place) -> None:
    """Every row of silver and quarantine but for the object that it lay in, and every answer."""
    for table in TABLES:
        names = [name for name in found.lake.read(table).columns if not name.endswith(_ELSEWHERE)]
        query = f"SELECT {', '.join(f'`{name}`' for name in names)} FROM {table}"
        rows, wanted = (sorted(map(repr, each.rows(query))) for each in (found, expected))
        assert rows == wanted, table
    assert found.answers() == expected.answers()
    assert set(found.answers()) == set(GOLD)


_ELSEWHERE = ("path", "position", "batch", "run_id", "_records", "_contents", "quarantined_at")


def test_through_a_database_and_kafka(
    dumped: tuple[Place, Truth], place: Places, tmp_path: Path, broker: Broker
) -> None:
    expected, truth = dumped
    url = f"sqlite:///{tmp_path / 'posts.db'}"
    seed_database(url, None, MadeRows(POSTS, seed=0).posts(range(POSTS)), 10)
    config = client_config(broker.servers)
    deliveries = Deliveries("kafka", FailedFile(tmp_path / "failed.jsonl"))
    kafka = KafkaSink(config, TOPIC_ID, deliveries, 60, create_topics=1)
    rows = DatabaseRows(url, None, 10)
    posted = emulate(
        None, posts=POSTS, rows=rows, name=url, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, sinks=[kafka]
    )
    rows.close()
    options = SinkOptions(flush_size=50, until_end=True)
    store = FolderStore(tmp_path / "dump")
    written = run_sink(config, TOPIC_ID, store, options, print, lambda summary: None, lambda: False)
    found = place(tmp_path / "dump", tmp_path / "lake")
    counts = {count.topic: count for count in found.run().topics}
    for topic in TOPICS:
        hops = {
            "posted": posted.topics[topic].sent,
            "acknowledged": deliveries.acknowledged[topic],
            "in the broker": count_messages(config, f"{TOPIC_ID}.{topic}"),
            "in the dump": written.topics[topic].messages,
            "in bronze": counts[topic].bronze,
        }
        assert set(hops.values()) == {truth.topics[topic].sent}, (topic, hops)
        assert counts[topic].missing_offsets == 0
        assert counts[topic].quarantined == truth.topics[topic].quarantined
    assert not (tmp_path / "failed.jsonl").exists()
    same(found, expected)


def test_through_a_bucket(dumped: tuple[Place, Truth], place: Places, tmp_path: Path, s3: S3) -> None:
    expected, truth = dumped
    deliveries = Deliveries("s3", FailedFile(tmp_path / "failed.jsonl"))
    from pinlake.emulate.sinks.dump import DumpSink

    sink = DumpSink(S3Store("s3://landing/dump"), TOPIC_ID, deliveries, flush_size=20)
    emulate(None, posts=POSTS, dirt=DIRT, duplicates=DUPLICATES, topic_id=TOPIC_ID, sinks=[sink])
    assert deliveries.acknowledged == {topic: counts.sent for topic, counts in truth.topics.items()}
    found = place("s3://landing/dump", tmp_path / "lake")
    # The server asks to slow down now and then.
    count = iter(range(10**9))
    s3.rule = lambda method, path: (503, b"<Error><Code>SlowDown</Code></Error>") if next(count) % 23 == 7 else None
    counts = {each.topic: each for each in found.run().topics}
    assert {topic: each.bronze for topic, each in counts.items()} == {t: c.sent for t, c in truth.topics.items()}
    same(found, expected)
    assert [each.bronze for each in found.run().topics] == [counts[topic].bronze for topic in TOPICS], "nothing new"
