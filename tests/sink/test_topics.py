"""What happens to topics and to the dump while no sink runs: the next run tells it, and loses no message."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pinlake.clients.kafka import quiet
from pinlake.errors import MachineError, SourceError
from tests.helpers import files
from tests.servers.kafka_broker import make_topics, new_topic_id, produce, remove_topic
from tests.sink.running import Sink, pins, posted, records
from tools.broker import Broker


def test_a_message_of_several_values_costs_no_other_its_place(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=[b'{"a": 1}\n{"a": 2}'])
    Sink(broker, topic_id, tmp_path).run()
    produce(broker, f"{topic_id}.pin", pins(2))
    Sink(broker, topic_id, tmp_path).run()
    found = records(tmp_path)
    assert found == {("pin", 0, 0): b"dead letter", ("pin", 0, 1): pins(2)[0], ("pin", 0, 2): pins(2)[1]}


def test_transactions_leave_gaps_and_no_waiting(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    producer = Producer({"bootstrap.servers": broker.servers, "transactional.id": topic_id}, logger=quiet())
    producer.init_transactions(30)
    for number, kept in enumerate((True, False, True, False)):
        producer.begin_transaction()
        producer.produce(f"{topic_id}.pin", b"%d" % number)
        producer.flush(30)
        producer.commit_transaction(30) if kept else producer.abort_transaction(30)
    began = time.monotonic()
    Sink(broker, topic_id, tmp_path, flush_size=10, stop=lambda: time.monotonic() > began + 60).run()
    assert time.monotonic() < began + 60
    # A marker has an offset of its own, and so has what was taken back.
    assert records(tmp_path) == {("pin", 0, 0): b"0", ("pin", 0, 4): b"2"}


def test_a_topic_recreated(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(5))
    Sink(broker, topic_id, tmp_path).run()
    remove_topic(broker, f"{topic_id}.pin")
    make_topics(broker, [f"{topic_id}.pin"])
    before = files(tmp_path)
    with pytest.raises(MachineError, match="recreated"):
        Sink(broker, topic_id, tmp_path).run()
    assert files(tmp_path) == before


def test_messages_that_the_broker_deleted(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(3))
    Sink(broker, topic_id, tmp_path).run()
    produce(broker, f"{topic_id}.pin", pins(5, first=3))
    admin = AdminClient({"bootstrap.servers": broker.servers}, logger=quiet())  # type: ignore[arg-type]
    place = TopicPartition(f"{topic_id}.pin", 0, 6)
    admin.delete_records([place])[place].result()
    sink = Sink(broker, topic_id, tmp_path)
    sink.run()
    assert sorted(offset for _, _, offset in records(tmp_path)) == [0, 1, 2, 6, 7]
    assert any("no longer has offsets 3 to 5" in line for line in sink.said), sink.said


def test_an_emptied_folder_is_told(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(3))
    Sink(broker, topic_id, tmp_path).run()
    for path in (tmp_path / "topics").rglob("*.json"):
        path.unlink()
    sink = Sink(broker, topic_id, tmp_path)
    sink.run()
    assert any("--group" in line for line in sink.said), sink.said
    Sink(broker, topic_id, tmp_path, group=f"{topic_id}-again").run()
    assert records(tmp_path) == posted("pin", pins(3))


def test_the_last_object_removed_is_written_again(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker, pin=pins(3))
    Sink(broker, topic_id, tmp_path).run()
    last = max((tmp_path / "topics").rglob("*.json"))
    last.write_bytes(b"")
    with pytest.raises(SourceError, match="is empty; remove it: it is written again"):
        Sink(broker, topic_id, tmp_path, group="other").run()
    last.unlink()
    Sink(broker, topic_id, tmp_path).run()
    assert records(tmp_path) == posted("pin", pins(3))


# Each starts consumers of its own, some a broker of their own.
pytestmark = pytest.mark.slow
