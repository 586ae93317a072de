"""A Kafka broker for the tests: one for all that only use it, others for those that kill it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pinlake.clients.kafka import client_config, find_topics, quiet
from pinlake.topics import TOPICS
from tests.helpers import wait_for
from tools.broker import Broker, running_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as started:
        yield started


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that the test may kill."""
    with running_broker(tmp_path / "broker") as started:
        yield started


def new_topic_id(broker: Broker, partitions: int = 1, **sent: Sequence[bytes | None]) -> str:
    """The id of three new topics, and what is `sent` to them, to partition 0."""
    topic_id = uuid4().hex[:12]
    make_topics(broker, [f"{topic_id}.{topic}" for topic in TOPICS], partitions)
    for topic, values in sent.items():
        produce(broker, f"{topic_id}.{topic}", values)
    return topic_id


def make_topics(broker: Broker, names: Sequence[str], partitions: int = 1) -> None:
    """Make topics, and wait until the broker tells everybody of them: it may confirm them before."""
    find_topics(client_config(broker.servers), list(names), 30, print, partitions)
    admin = AdminClient(client_config(broker.servers), logger=quiet())
    wait_for(lambda: set(names) <= admin.list_topics(timeout=10).topics.keys())


def remove_topic(broker: Broker, name: str) -> None:
    """Delete a topic, and wait until nobody is told of it any more."""
    admin = AdminClient(client_config(broker.servers), logger=quiet())
    admin.delete_topics([name])[name].result(30)
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics)


def produce(broker: Broker, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
    """Send values to one partition, in their order."""
    producer = Producer({"bootstrap.servers": broker.servers, "linger.ms": 0}, logger=quiet())
    for number, value in enumerate(values):
        producer.produce(topic, value, key=str(number), partition=partition)
    assert producer.flush(30) == 0


def messages(broker: Broker, topic: str, partition: int = 0, part: str = "value") -> list[Any]:
    """All values of a partition, or all keys, as the broker has them."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": uuid4().hex}, logger=quiet())
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
    consumer.assign([TopicPartition(topic, partition, low)])
    found: list[Any] = []
    while len(found) < high - low:
        found += [getattr(message, part)() for message in consumer.consume(high - low - len(found), 1)]
    consumer.close()
    return found


def committed(broker: Broker, group: str, topic: str, partition: int = 0) -> int:
    """The offset that a group has committed, negative if none."""
    consumer = Consumer({**client_config(broker.servers), "group.id": group}, logger=quiet())
    (found,) = consumer.committed([TopicPartition(topic, partition)], 10)
    consumer.close()
    return int(found.offset)


def breaking_a_handshake(client: type[Any]) -> type[Any]:
    """A client that says first that a handshake failed, as where a broker goes down in the middle of it."""

    class Breaking(client):  # type: ignore[misc]
        def __init__(self, config: dict[str, Any], **more: Any) -> None:
            super().__init__(config, **more)
            config["error_cb"](KafkaError(KafkaError._SSL, "Disconnected"))

    return Breaking
