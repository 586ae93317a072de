"""Posting to a real broker: all of it acknowledged and there once, or failed and kept."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from confluent_kafka import Producer

from pinlake.clients.kafka import client_config
from pinlake.emulate.emulator import Pace, emulate
from pinlake.emulate.rows import made_posts
from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message, read_failed
from pinlake.emulate.sinks.kafka import KafkaSink
from pinlake.errors import MachineError
from pinlake.topics import TOPICS
from tests.servers.kafka_broker import breaking_a_handshake, messages, new_topic_id
from tools.broker import Broker

pytestmark = pytest.mark.slow


def sink(broker: Broker, topic_id: str, folder: Path, give_up_after: float = 60, **more: Any) -> KafkaSink:
    deliveries = Deliveries("kafka", FailedFile(folder / "failed.jsonl"))
    return KafkaSink({**client_config(broker.servers), **more}, topic_id, deliveries, give_up_after)


def test_what_is_sent_is_there_in_its_order_with_the_post_id_as_key(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    posting = sink(broker, topic_id, tmp_path)
    truth = emulate(None, posts=50, topic_id=topic_id, sinks=[posting])
    assert posting.deliveries.acknowledged == {topic: counts.sent for topic, counts in truth.topics.items()}
    wanted = [post.geo["ind"] for post in made_posts(50, seed=0)]
    found = list(messages(broker, f"{topic_id}.geo"))
    assert len(found) == 50
    assert [b'"ind": %d' % ind in value for ind, value in zip(wanted, found, strict=True)] == [True] * 50


def test_half_a_surrogate_pair_is_sent_as_its_escape(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    posting = sink(broker, topic_id, tmp_path)
    posting.send(Message("pin", "x\ud800", '{"title": "\ud800"}'))
    posting.close()
    assert messages(broker, f"{topic_id}.pin") == [b'{"title": "\\ud800"}']
    assert messages(broker, f"{topic_id}.pin", part="key") == [b"x\\ud800"]
    assert not posting.deliveries.failed


def test_broker_killed_in_the_middle_of_posting(own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker)
    posting = sink(own_broker, topic_id, tmp_path)
    posts, killed = 6_000, []

    def kill_and_bring_back() -> None:
        while posting.deliveries.acknowledged.total() < 2_000:
            time.sleep(0.01)
        own_broker.kill()
        killed.append(posting.deliveries.acknowledged.total())
        time.sleep(2)
        own_broker.start()

    killer = Thread(target=kill_and_bring_back, daemon=True)
    killer.start()
    truth = emulate(None, posts=posts, topic_id=topic_id, sinks=[posting], pace=Pace(rate=1_500))
    killer.join(60)
    assert 2_000 <= killed[0] < 3 * posts, "it was killed when all was through"
    assert posting.deliveries.acknowledged == dict.fromkeys(TOPICS, posts)
    assert not posting.deliveries.failed
    assert truth.topics["pin"].sent == posts
    for topic in TOPICS:
        # Nothing lost, and nothing twice: the client's sequence numbers outlive the broker.
        assert Counter(Counter(messages(own_broker, f"{topic_id}.{topic}")).values()) == {1: posts}


def test_a_handshake_that_breaks_off_is_waited_out(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlake.emulate.sinks.kafka.Producer", breaking_a_handshake(Producer))
    posting = sink(broker, new_topic_id(broker), tmp_path)
    posting.send(Message("pin", "1", '{"index": 1}'))
    posting.close()
    assert posting.deliveries.acknowledged == {"pin": 1}


def test_broker_gone_for_good(own_broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(own_broker)
    posting = sink(own_broker, topic_id, tmp_path, give_up_after=10)
    posting.send(Message("pin", "1", '{"index": 1}'))
    posting.flush()
    own_broker.kill()
    for number in range(2, 12):
        posting.send(Message("pin", str(number), f'{{"index": {number}}}'))
    with pytest.raises(MachineError, match=r"took no message for so long that they timed out .* send the failed ones"):
        posting.flush()
    assert posting.deliveries.acknowledged == {"pin": 1}
    assert posting.deliveries.failed == {"pin": 10}
    assert [line.message.key for line in read_failed(tmp_path / "failed.jsonl")] == [str(n) for n in range(2, 12)]


def test_a_message_that_is_too_large_fails_alone(broker: Broker, tmp_path: Path) -> None:
    topic_id = new_topic_id(broker)
    posting = sink(broker, topic_id, tmp_path)
    for key, text in (("1", "{}"), ("2", '"' + "x" * 2 * 1024 * 1024 + '"'), ("3", "{}")):
        posting.send(Message("pin", key, text))
    posting.close()
    assert posting.deliveries.acknowledged == {"pin": 2}
    (kept,) = read_failed(tmp_path / "failed.jsonl")
    assert kept.message.key == "2"
    assert len(messages(broker, f"{topic_id}.pin")) == 2


def test_a_topic_that_is_absent_is_named(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(
        MachineError, match=r"has no topic absent.pin and absent.geo and absent.user; found .*Check the"
    ):
        sink(broker, "absent", tmp_path)
