"""Streams on a real broker: the tables that a dump gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from pinlake import pipeline
from pinlake.clients.kafka import client_config
from pinlake.errors import QualityError, UsageError
from pinlake.lake.accounting import account
from pinlake.stream.source import StreamOptions
from pinlake.stream.stream import StreamSummary
from tests.pipeline.conftest import System
from tests.servers.kafka_broker import make_topics, new_topic_id, produce, remove_topic
from tests.sink.running import Sink
from tests.stream.streaming import Systems, geo, offsets, pin, pins, read, stream
from tools.broker import Broker

pytestmark = pytest.mark.slow


def test_bronze_is_that_of_the_dump(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=2)
    odd = [b"{cut", b'[{"index": 91}, {"index": 92}]', b'{"index": 1, "more": [1, 2]}']
    # As the Schema Registry's serializer writes it; the schema's id is 10, a line end.
    odd += [b"\0\0\0\0\n" + pin(93), b'{"schema": null, "payload": {"index": 94, "title": "a"}}']
    for partition in range(2):
        produce(broker, f"{topic_id}.pin", [*pins(0, 20), *odd, *pins(50, 5)], partition)
    produce(broker, f"{topic_id}.geo", [geo(number) for number in range(30)])
    Sink(broker, topic_id, tmp_path / "dump").run()
    (tmp_path / f"dump/topics/{topic_id}.user").mkdir(exist_ok=True)
    dumped = system(tmp_path / "dump", tmp_path / "dumped", max_bad_share=1.0)
    wanted = dumped.run()
    streamed = system(None, tmp_path / "streamed", max_bad_share=1.0)
    summary = stream(streamed, broker, topic_id)
    assert summary.counts is not None
    assert summary.counts.topics == wanted.topics
    columns = "topic, topic_id, partition, offset, position, object_offset, object_records, object_messages, text"
    query = f"SELECT {columns}, hex(bytes), content, wrapping, problem FROM bronze"
    assert sorted(map(repr, streamed.rows(query))) == sorted(map(repr, dumped.rows(query)))
    wrapped = streamed.rows(
        "SELECT field, sum(records) FROM drift WHERE kind = 'wrapped' GROUP BY field ORDER BY field"
    )
    assert wrapped == [("payload", 2), ("registry prefix", 2)]
    assert streamed.answers() == dumped.answers()
    # Nothing new: no batch, and the dump is read on from where the stream ended.
    assert stream(streamed, broker, topic_id).batches == 0
    again = streamed.settings.model_copy(update={"source": tmp_path / "dump"})
    before = len(offsets(streamed))
    # Whether the object in which it ended holds more than it read nobody knows before: one in each partition.
    for expected in (3, 0):
        found = pipeline.run_ingest(streamed.lake, again, pipeline.new_run())
        assert sum(len(each.objects) for each in found) == expected
    assert sorted(set(offsets(streamed))) == sorted(set(offsets(dumped)))
    assert len(offsets(streamed)) == before + 2
    # And the other way round.
    produce(broker, f"{topic_id}.pin", pins(70, 3), 1)
    assert stream(dumped, broker, topic_id).records == {"pin": 3}
    assert not account(dumped.lake).missing


@pytest.mark.usefixtures("to_bronze")
def test_a_dump_of_larger_objects_goes_on_where_the_stream_ended(
    found: System, broker: Broker, tmp_path: Path, write_dump: Callable[..., Path]
) -> None:
    topic_id = new_topic_id(broker, pin=pins(0, 15))
    stream(found, broker, topic_id)
    objects = {f"0/{first}": b"\n".join(pins(first, 10)) for first in (0, 10, 20)}
    folder = write_dump(tmp_path / "dump", {"pin": objects}, topic_id)
    settings = found.settings.model_copy(update={"source": folder})

    def read(audit: bool = False) -> list[int]:
        topics = pipeline.run_ingest(found.lake, settings, pipeline.new_run(), audit)
        return [name.offset for topic in topics for name in topic.objects]

    # That in which it ended, for the half that is new, and those after it; the first was read as messages.
    assert read() == [10, 20]
    assert read() == []
    assert sorted(set(offsets(found))) == [(0, number) for number in range(30)]
    assert read(audit=True) == []
    pipeline.run_clean(found.lake, settings, pipeline.new_run())
    assert found.counts()["pin"].silver == 30
    assert found.counts()["pin"].deduplicated == 5
    assert found.counts()["pin"].missing_offsets == 0
    # And the stream after that.
    produce(broker, f"{topic_id}.pin", pins(15, 18))
    assert stream(found, broker, topic_id).records == {"pin": 3}


@pytest.mark.usefixtures("to_bronze")
def test_two_that_read_the_same(found: System, broker: Broker) -> None:
    """Another stream reads on between two batches of this one: a copied checkpoint would do the same."""
    topic_id = new_topic_id(broker, pin=pins(0, 40))
    other: list[int] = []

    def between(summary: StreamSummary) -> None:
        if not other:
            other.append(0)
            other[0] = stream(found, broker, topic_id).batches

    stream(found, broker, topic_id, StreamOptions(until_end=True, most=15), after_batch=between)
    assert other == [1]
    assert offsets(found) == [(0, number) for number in range(40)]


def test_few_bad_records_stop_nothing_and_many_do(found: System, broker: Broker) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", [b"{cut", *pins(0, 1)])
    assert stream(found, broker, topic_id).records == {"pin": 2}
    assert found.counts()["pin"].quarantined == 1
    produce(broker, f"{topic_id}.pin", [b"{cut"] * 40 + pins(1, 70))
    with pytest.raises(QualityError, match=r"topic pin: 40 of 110 new records are bad"):
        stream(found, broker, topic_id)


@pytest.mark.usefixtures("to_bronze")
def test_what_the_broker_deleted_unread_is_told(found: System, broker: Broker) -> None:
    topic_id = new_topic_id(broker, pin=pins(0, 10))
    said: list[str] = []
    stream(found, broker, topic_id)
    produce(broker, f"{topic_id}.pin", pins(10, 10))
    admin = AdminClient(client_config(broker.servers))
    partition = TopicPartition(f"{topic_id}.pin", 0, 15)
    admin.delete_records([partition])[partition].result(30)
    assert stream(found, broker, topic_id, said=said).records == {"pin": 5}
    assert any("has deleted offsets 10 to 14 before they were read" in line for line in said), said
    assert found.counts()["pin"].missing_offsets == 5


@pytest.mark.usefixtures("to_bronze")
def test_a_topic_that_was_recreated_is_another(found: System, broker: Broker) -> None:
    topic_id = new_topic_id(broker, pin=pins(0, 10))
    stream(found, broker, topic_id)
    remove_topic(broker, f"{topic_id}.pin")
    make_topics(broker, [f"{topic_id}.pin"])
    with pytest.raises(UsageError, match=r"ends at offset 0 in partition 0, but the lake has it up to 9"):
        stream(found, broker, topic_id)


@pytest.mark.usefixtures("to_bronze")
def test_kafka_is_not_read_into_a_lake_from_kinesis(found: System, broker: Broker) -> None:
    topic_id = new_topic_id(broker, pin=pins(0, 2))
    stream(found, broker, topic_id)

    class Other:
        system, counted_by = "Kinesis", "kinesis"

        def __init__(self) -> None:
            self.topic_id = topic_id

        def check(self, *_: Any) -> None:
            raise AssertionError

        run = check

    with pytest.raises(UsageError, match="holds records from Kafka, whose offsets mean nothing to Kinesis"):
        read(found, Other())


@pytest.mark.usefixtures("to_bronze")
def test_checkpoints_are_thrown_away(found: System, broker: Broker, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    os.mkdir(tmp_path / "temporary")
    topic_id = new_topic_id(broker, pin=pins(0, 2))
    stream(found, broker, topic_id)
    assert [path.name for path in (tmp_path / "temporary").glob("pinlake-stream*")] == []
