"""Streams on a real broker and a real dump: the tables that a dump gives, whatever happens on the way."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from pinlake import pipeline
from pinlake.clients.kafka import client_config
from pinlake.dump.folder import FolderStore
from pinlake.errors import LakeBusyError, MachineError, QualityError, UsageError
from pinlake.ingest.bronze import append
from pinlake.lake.accounting import account
from pinlake.sink.sink import SinkOptions, run_sink
from pinlake.stream.dump_source import DumpSource
from pinlake.stream.kafka_source import KafkaSource
from pinlake.stream.source import SourceLostError, StreamOptions
from pinlake.stream.stream import StreamSummary, _Loader, run_stream
from tests.helpers import wait_for
from tests.pipeline.conftest import System, system
from tests.servers.kafka_broker import broker, make_topics, new_topic_id, produce, remove_topic
from tools.broker import Broker, running_broker

__all__ = ["broker", "system"]

pytestmark = pytest.mark.slow
Systems = Callable[..., System]

TO_END = StreamOptions(until_end=True)


def pins(first: int, count: int) -> list[bytes]:
    return [b'{"index": %d, "category": "art"}' % number for number in range(first, first + count)]


def pairs(first: int, count: int) -> list[bytes]:
    """Records of topic geo."""
    return [b'{"ind": %d, "timestamp": "2020-01-01T00:00:00"}' % number for number in range(first, first + count)]


def stream(found: System, broker: Broker, topic_id: str, options: StreamOptions = TO_END, **more: Any) -> StreamSummary:
    config = client_config(broker.servers)
    settings = found.settings.model_copy(update={"give_up_after": more.pop("give_up_after", 60.0)})
    say = more.pop("said", []).append
    return run_stream(
        found.lake,
        KafkaSource(config, topic_id),
        settings,
        options,
        lambda stage, message: say(message),
        more.pop("stop", lambda: False),
        **more,
    )


@pytest.fixture
def to_bronze(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches end in bronze: what is told of them is counted, and nothing is cleaned."""

    def count(loader: _Loader, *_: Any) -> None:
        loader.summary.counts = account(loader._lake)

    monkeypatch.setattr(_Loader, "_bring_on", count)
    monkeypatch.setattr(pipeline, "run_query", lambda *_, **__: {})


def offsets(found: System, topic: str = "pin") -> list[tuple[int, int]]:
    """Partition and offset of every record in bronze."""
    return [
        tuple(row)
        for row in found.rows(
            f"SELECT partition, offset FROM bronze WHERE topic = '{topic}' ORDER BY partition, offset"
        )
    ]


def test_bronze_is_that_of_the_dump(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, partitions=2)
    odd = [b"{cut", b'[{"index": 91}, {"index": 92}]', b'{"index": 1, "more": [1, 2]}']
    # As the Schema Registry's serializer writes it; the schema's id is 10, a line end.
    odd += [b"\0\0\0\0\n" + pins(93, 1)[0], b'{"schema": null, "payload": {"index": 94, "title": "a"}}']
    for partition in range(2):
        produce(broker, f"{topic_id}.pin", [*pins(0, 20), *odd, *pins(50, 5)], partition)
    produce(broker, f"{topic_id}.geo", pairs(0, 30))
    run_sink(
        client_config(broker.servers),
        topic_id,
        FolderStore(tmp_path / "dump"),
        SinkOptions(until_end=True),
        print,
        lambda _: None,
        lambda: False,
    )
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
    system: Systems, broker: Broker, tmp_path: Path, write_dump: Callable[..., Path]
) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 15))
    found = system(None, tmp_path / "lake")
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


def test_stopped_anywhere_and_begun_anew(system: Systems, broker: Broker, tmp_path: Path, monkeypatch: Any) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 30))
    found = system(None, tmp_path / "lake")

    def fail(*_: Any, **__: Any) -> None:
        raise MachineError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_clean", fail)
        with pytest.raises(MachineError, match="pulled the plug"):
            stream(found, broker, topic_id)
    assert len(offsets(found)) == 30
    # Nothing new came, but what is in bronze is brought on.
    summary = stream(found, broker, topic_id)
    assert summary.batches == 0
    assert summary.counts is not None
    assert summary.counts.topics[0].silver == 30
    produce(broker, f"{topic_id}.pin", pins(30, 10))
    with monkeypatch.context() as patch:
        patch.setattr("pinlake.stream.stream.append", fail)
        with pytest.raises(MachineError, match="pulled the plug"):
            stream(found, broker, topic_id)
    assert len(offsets(found)) == 30
    assert stream(found, broker, topic_id).records == {"pin": 10}
    assert offsets(found) == [(0, number) for number in range(40)]


@pytest.mark.usefixtures("to_bronze")
def test_two_that_read_the_same(system: Systems, broker: Broker, tmp_path: Path) -> None:
    """Another stream reads on between two batches of this one: a copied checkpoint would do the same."""
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 40))
    found = system(None, tmp_path / "lake")
    other: list[int] = []

    def between(summary: StreamSummary) -> None:
        if not other:
            other.append(0)
            other[0] = stream(found, broker, topic_id).batches

    stream(found, broker, topic_id, StreamOptions(until_end=True, most=15), after_batch=between)
    assert other == [1]
    assert offsets(found) == [(0, number) for number in range(40)]


def test_few_bad_records_stop_nothing_and_many_do(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    found = system(None, tmp_path / "lake")
    produce(broker, f"{topic_id}.pin", [b"{cut", *pins(0, 1)])
    assert stream(found, broker, topic_id).records == {"pin": 2}
    assert found.counts()["pin"].quarantined == 1
    produce(broker, f"{topic_id}.pin", [b"{cut"] * 40 + pins(1, 70))
    with pytest.raises(QualityError, match=r"topic pin: 40 of 110 new records are bad"):
        stream(found, broker, topic_id)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as started:
        yield started


@pytest.mark.usefixtures("to_bronze")
def test_broker_killed_in_the_middle(system: Systems, own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker)
    produce(own_broker, f"{topic_id}.pin", pins(0, 200))
    found, done, said = system(None, tmp_path / "lake"), [False], []
    # Killed after the first batch, and only then: it is back when the stream waits for it.
    moments: list[str] = []

    def kill(summary: StreamSummary) -> None:
        if not moments:
            moments.append("killed")
            own_broker.kill()
        done[0] = sum(summary.records.values()) == 300

    def bring_back() -> None:
        wait_for(lambda: any("waiting for Kafka" in line for line in said), 120)
        own_broker.start()
        produce(own_broker, f"{topic_id}.pin", pins(200, 100))

    back = Thread(target=bring_back, daemon=True)
    back.start()
    options = StreamOptions(every=0.5, most=150)
    summary = stream(
        found, own_broker, topic_id, options, said=said, stop=lambda: done[0], after_batch=kill, give_up_after=120
    )
    back.join()
    assert summary.records == {"pin": 300}
    assert offsets(found) == [(0, number) for number in range(300)]


@pytest.mark.usefixtures("to_bronze")
def test_broker_gone_for_good(system: Systems, own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker)
    produce(own_broker, f"{topic_id}.pin", pins(0, 5))
    found = system(None, tmp_path / "lake")
    with pytest.raises(MachineError, match="was out of reach for 10 s"):
        stream(
            found,
            own_broker,
            topic_id,
            StreamOptions(every=0.5),
            give_up_after=10.0,
            after_batch=lambda _: own_broker.kill(),
        )
    assert len(offsets(found)) == 5


@pytest.mark.usefixtures("to_bronze")
def test_what_the_broker_deleted_unread_is_told(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 10))
    found, said = system(None, tmp_path / "lake"), []
    stream(found, broker, topic_id)
    produce(broker, f"{topic_id}.pin", pins(10, 10))
    admin = AdminClient(client_config(broker.servers))
    partition = TopicPartition(f"{topic_id}.pin", 0, 15)
    admin.delete_records([partition])[partition].result(30)
    assert stream(found, broker, topic_id, said=said).records == {"pin": 5}
    assert any("has deleted offsets 10 to 14 before they were read" in line for line in said), said
    assert found.counts()["pin"].missing_offsets == 5


@pytest.mark.usefixtures("to_bronze")
def test_a_topic_that_was_made_anew_is_another(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 10))
    found = system(None, tmp_path / "lake")
    stream(found, broker, topic_id)
    remove_topic(broker, f"{topic_id}.pin")
    make_topics(broker, [f"{topic_id}.pin"])
    with pytest.raises(UsageError, match=r"ends at offset 0 in partition 0, but the lake has it up to 9"):
        stream(found, broker, topic_id)


@pytest.mark.usefixtures("to_bronze")
def test_a_dump_that_grows(system: Systems, tmp_path: Path, write_dump: Callable[..., Path]) -> None:
    # A name that Spark would take for a pattern.
    folder = tmp_path / "dump [1] {a,b} *"
    write_dump(folder, {"pin": {f"0/{number}": each for number, each in enumerate(pins(0, 8))}})
    found = system(folder, tmp_path / "lake")

    def read() -> StreamSummary:
        source = DumpSource(folder, "t0")
        return run_stream(found.lake, source, found.settings, TO_END, lambda *_: None, lambda: False)

    assert read().records == {"pin": 8}
    assert read().batches == 0
    write_dump(folder, {"pin": {"0/9": pins(9, 1)[0]}, "user": {"1/0.gz": gzip.compress(b"cut")[:-4]}})
    assert sum(read().records.values()) == 1
    assert offsets(found) == [(0, number) for number in (*range(8), 9)]
    assert found.counts()["pin"].missing_offsets == 1
    assert found.counts()["user"].unreadable == 1
    # The object in the hole comes late, and a stranger is no object.
    write_dump(folder, {"pin": {"0/8": pins(8, 1)[0]}})
    (folder / "topics/t0.pin/partition=0/other.json").write_text("{}")
    assert read().records == {"pin": 1}
    assert read().batches == 0
    # The rows that the packing reader alone gives.
    alone = system(folder, tmp_path / "alone")
    pipeline.run_ingest(alone.lake, alone.settings, pipeline.new_run())
    assert found.content("bronze") == alone.content("bronze")


@pytest.mark.usefixtures("to_bronze")
def test_a_late_object_may_be_old(system: Systems, tmp_path: Path, write_dump: Callable[..., Path]) -> None:
    """Spark's file source by itself passes over what is a week older than the newest it has seen."""
    folder = write_dump(tmp_path / "dump", {"pin": {"0/0": pins(0, 1)[0], "0/2": pins(2, 1)[0]}})
    found, ends = system(folder, tmp_path / "lake"), time.monotonic() + 600

    def late(_: StreamSummary) -> None:
        if len(offsets(found)) == 2:
            write_dump(tmp_path / "aside", {"pin": {"0/1": pins(1, 1)[0]}})
            (old,) = (tmp_path / "aside").rglob("*.json")
            os.utime(old, (0, 10**9))
            old.rename(folder / old.relative_to(tmp_path / "aside"))

    run_stream(
        found.lake,
        DumpSource(folder, "t0"),
        found.settings,
        StreamOptions(every=0.5),
        lambda *_: None,
        lambda: time.monotonic() > ends or (found.lake.exists("bronze") and len(offsets(found)) == 3),
        late,
    )
    assert offsets(found) == [(0, 0), (0, 1), (0, 2)]


class Breaking:
    """A source that breaks off again and again, `times` in all, each time after `seconds`."""

    label, topic_id, counted_by = "nowhere", "t0", "kafka"

    def __init__(self, times: int, seconds: float, error: Exception) -> None:
        self.left, self.seconds, self.error = times, seconds, error

    def check(self, *_: Any) -> None:
        """Fine."""

    def run(self, _: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            time.sleep(self.seconds)
            raise self.error


def test_a_source_that_was_there_in_between_is_waited_for_anew(
    system: Systems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlake.stream.stream._WAS_THERE", 0.2)
    monkeypatch.setattr("pinlake.stream.stream._PAUSE", 0.1)
    found = system(None, tmp_path / "lake", give_up_after=0.5)

    def read(source: Breaking) -> StreamSummary:
        return run_stream(found.lake, source, found.settings, TO_END, lambda *_: None, lambda: False)

    assert read(Breaking(4, 0.3, SourceLostError("gone"))).batches == 0
    with pytest.raises(MachineError, match=r"nowhere was out of reach for 0\.5 s"):
        read(Breaking(50, 0.0, SourceLostError("gone")))


def test_a_busy_lake_is_asked_again_after_a_pause(
    system: Systems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr("pinlake.stream.stream.time", clock)
    found = system(None, tmp_path / "lake")
    source = Breaking(3, 0.0, LakeBusyError("busy"))
    run_stream(found.lake, source, found.settings, TO_END, lambda *_: None, lambda: False)
    assert len(slept) == 3


@pytest.mark.usefixtures("to_bronze")
def test_kafka_is_not_read_into_a_lake_from_kinesis(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 2))
    found = system(None, tmp_path / "lake")
    stream(found, broker, topic_id)

    class Other:
        system, counted_by = "Kinesis", "kinesis"

        def __init__(self) -> None:
            self.topic_id = topic_id

        def check(self, *_: Any) -> None:
            raise AssertionError

        run = check

    with pytest.raises(UsageError, match="holds records from Kafka, whose offsets mean nothing to Kinesis"):
        run_stream(found.lake, Other(), found.settings, TO_END, lambda *_: None, lambda: False)


@pytest.mark.usefixtures("to_bronze")
def test_checkpoints_are_thrown_away(system: Systems, broker: Broker, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    os.mkdir(tmp_path / "temporary")
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 2))
    stream(system(None, tmp_path / "lake"), broker, topic_id)
    assert [path.name for path in (tmp_path / "temporary").glob("pinlake-stream*")] == []


@pytest.mark.usefixtures("to_bronze")
def test_a_lake_that_another_run_holds_is_waited_for(system: Systems, broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    produce(broker, f"{topic_id}.pin", pins(0, 2))
    found, said = system(None, tmp_path / "lake", lake_wait=0.2), list[str]()
    run = pipeline.new_run()
    with pipeline.writing(found.lake, found.settings, run):
        streaming = Thread(target=lambda: stream(found, broker, topic_id, said=said), daemon=True)
        streaming.start()
        wait_for(lambda: any(f"is held by run {run.id}" in line for line in said) or not streaming.is_alive(), 60)
        assert streaming.is_alive()
        assert any(line.startswith(f"waiting for run {run.id}") for line in said)
    streaming.join(120)
    assert len(offsets(found)) == 2


@pytest.mark.usefixtures("to_bronze")
def test_a_broker_killed_while_a_batch_is_read(
    system: Systems, own_broker: Broker, tmp_path: Path, monkeypatch: Any
) -> None:
    topic_id = new_topic_id(own_broker)
    produce(own_broker, f"{topic_id}.pin", pins(0, 50))
    found, said, killed = system(None, tmp_path / "lake"), list[str](), []

    def kill_first(*arguments: Any) -> int:
        if not killed:
            killed.append(True)
            own_broker.kill()
            Thread(target=bring_back, daemon=True).start()
        return append(*arguments)

    def bring_back() -> None:
        wait_for(lambda: any("waiting for Kafka" in line for line in said), 120)
        own_broker.start()

    monkeypatch.setattr("pinlake.stream.stream.append", kill_first)
    summary = stream(found, own_broker, topic_id, said=said, give_up_after=120.0)
    assert killed
    assert summary.records == {"pin": 50}
    assert offsets(found) == [(0, number) for number in range(50)]
