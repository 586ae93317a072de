"""The sink for a Kafka REST proxy, against a server on the loopback that answers as one."""

from __future__ import annotations

import json
import time

import pytest

from pinlake.emulate.sinks.base import Message
from pinlake.emulate.sinks.rest import KafkaRestSink
from tests.emulate.sinks.conftest import Server, Told, messages, send
from tests.emulate.sinks.rest_proxy import KEY, Proxy, proxy, sink
from tests.servers.http_server import Reply

__all__ = ["proxy", "sink"]


def test_records_arrive_as_they_were_sent(sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told) -> None:
    sent = [*messages(3), *messages(2, "geo"), Message("user", None, '{"ind": 1.50}')]
    send(sink, sent)
    assert [record["value"] for record in proxy.topics["t0.pin"]] == [json.loads(m.text) for m in sent[:3]]
    assert (proxy.keys("pin"), proxy.keys("geo"), proxy.keys("user")) == ([0, 1, 2], [0, 1], [None])
    assert told.taken == sent
    assert not told.lost
    call = server.calls[0]
    assert (call.method, call.path) == ("POST", "/stage/topics/t0.pin")
    assert call.headers["content-type"] == "application/vnd.kafka.json.v2+json"
    assert call.headers["accept"] == "application/vnd.kafka.v2+json"
    assert call.headers["x-api-key"] == KEY


def test_batches_of_one_topic_are_sent_when_full_and_at_flush(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told
) -> None:
    for pin, geo in zip(messages(1100), messages(1100, "geo"), strict=True):
        sink.send(pin)
        sink.send(geo)
    assert told.acknowledged == {"pin": 1000, "geo": 1000}
    sink.flush()
    assert [len(call.records) for call in server.calls] == [500, 500, 500, 500, 100, 100]
    assert proxy.keys("pin") == proxy.keys("geo") == list(range(1100))


def test_a_call_holds_about_a_megabyte(sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told) -> None:
    send(sink, [Message("pin", str(number), json.dumps("x" * 300_000)) for number in range(5)])
    assert [len(call.records) for call in server.calls] == [3, 1, 1]
    assert told.acknowledged.total() == 5


def test_a_message_is_not_kept_for_long_in_a_slow_run(
    sink: KafkaRestSink, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = [*messages(2), *messages(1, "geo")]
    sink.send(first)
    assert told.taken == []
    with monkeypatch.context() as patch:
        patch.setattr("pinlake.emulate.sinks.batches.LINGER", 0.02)
        time.sleep(0.03)
        sink.send(third)
    assert told.taken == [first]
    sink.send(second)
    sink.close()
    assert told.taken == [first, second, third]


@pytest.mark.parametrize("text", ['{"index": 1', "", "NaN", '{"a": Infinity}', "[" * 100_000, "{'index': 1}"])
def test_a_text_that_is_no_json_fails_alone_and_at_once(sink: KafkaRestSink, told: Told, text: str) -> None:
    good = messages(2)
    bad = Message("pin", "9", text)
    sink.send(good[0])
    sink.send(bad)
    assert told.lost_messages == [bad]
    assert "not valid JSON" in told.lost[0][1]
    send(sink, good[1:])
    assert told.taken == good
    told.check_kept()


def test_half_a_surrogate_pair_is_sent_as_its_escape(sink: KafkaRestSink, proxy: Proxy) -> None:
    send(sink, [Message("pin", "x\ud800", '{"title": "\ud800"}')])
    assert proxy.topics["t0.pin"] == [{"key": "x\ud800", "value": {"title": "\ud800"}}]


def test_only_the_refused_records_are_sent_again_in_their_order(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told, said: list[str]
) -> None:
    sent = messages(6)
    server.replies = [proxy.refusing(key1=2, key3=2, key4=1), proxy.refusing(key3=2)]
    send(sink, sent)
    assert [[record["key"] for record in call.records] for call in server.calls] == [[0, 1, 2, 3, 4, 5], [1, 3], [3]]
    assert told.lost == [(sent[4], "leader is away (error code 1)")]
    assert sorted(told.taken) == sorted({*sent} - {sent[4]})
    assert len(said) == 1
    assert "leader is away (error code 2)" in said[0]
    told.check_kept()


def test_later_messages_wait_behind_those_that_are_sent_again(
    sink: KafkaRestSink, server: Server, proxy: Proxy
) -> None:
    server.replies = [Reply(503), proxy.refusing(**{f"key{key}": 2 for key in range(500)})]
    send(sink, messages(700))
    assert proxy.keys("pin") == list(range(700))


def test_closing_sends_what_waits(sink: KafkaRestSink, proxy: Proxy, told: Told) -> None:
    sink.send(messages(1)[0])
    sink.close()
    assert told.taken == messages(1)
