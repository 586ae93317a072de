"""The sink for a Kafka REST proxy where the proxy fails, for a while or for good."""

from __future__ import annotations

import json
import time

import pytest

from pinlake.emulate.sinks.base import Message
from pinlake.emulate.sinks.rest import KafkaRestSink
from pinlake.errors import MachineError
from tests.emulate.sinks.conftest import CUT, HTML, NOTHING, SOON, Call, Server, Told, gives_up, messages, send
from tests.emulate.sinks.rest_proxy import KEY, Proxy, proxy, sink
from tests.servers.http_server import Reply

__all__ = ["proxy", "sink"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, {"error_code": 50002, "message": "Kafka error"}),
        Reply(503),
        Reply(502, text="<html>"),
        Reply(429),
        CUT,
    ],
)
def test_passing_trouble_is_waited_out(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told, said: list[str], reply: Reply
) -> None:
    sent = messages(3)
    server.replies = [reply, reply]
    send(sink, sent)
    assert told.taken == sent
    assert len(server.calls) == 3
    assert len(said) == 1
    assert said[0].startswith(f"waiting for Kafka REST proxy at {server.address}/stage (")
    assert "gives up in" in said[0]


def test_as_long_as_the_server_asks_for_is_waited(sink: KafkaRestSink, server: Server, told: Told) -> None:
    server.replies = [Reply(429, headers={"Retry-After": "1"})]
    send(sink, messages(1))
    first, second = server.calls
    assert 1 <= second.at - first.at < 10
    assert told.acknowledged.total() == 1


@pytest.mark.parametrize("patience", [SOON])
def test_a_wait_of_any_length_that_is_asked_for_does_not_outlast_our_patience(
    sink: KafkaRestSink, server: Server, patience: float
) -> None:
    server.forever = Reply(429, headers={"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(MachineError, match="with 429"):
        send(sink, messages(1))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("patience", [SOON])
@pytest.mark.parametrize(
    ("reply", "found"),
    [(Reply(503), "with 503"), (NOTHING, "no answer to POST"), (CUT, "Remote end closed connection")],
)
def test_it_gives_up_and_keeps_what_was_not_taken(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told, reply: Reply, found: str, patience: float
) -> None:
    sent = [*messages(500), *messages(3, first=500), *messages(2, "user")]
    server.replies, server.forever = [proxy], reply
    error = gives_up(sink, sent, server, told)
    assert [part for part in (f"{server.address}/stage", found, ": 5;") if part not in error] == []


@pytest.mark.parametrize("patience", [1.2])
def test_some_success_renews_the_patience(sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told) -> None:
    # Each record takes a third of the patience, all together more than it.
    for key in range(4):
        later = proxy.refusing(**{f"key{other}": 2 for other in range(key + 1, 4)})
        server.replies.append(lambda call, later=later: Reply(body=later(call).body, seconds=0.4))
    send(sink, messages(4))
    assert told.acknowledged.total() == 4


def test_an_address_where_nobody_listens(told: Told, said: list[str]) -> None:
    sink = KafkaRestSink("http://127.0.0.1:9", "t0", SOON, told, said.append)
    with pytest.raises(MachineError, match=r"Connection refused.*start it, or check its address"):
        send(sink, messages(2))
    assert told.lost_messages == messages(2)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("reply", "found", "remedy"),
    [
        (Reply(400, {"message": "bad"}), "with 400 (bad)", "check the address"),
        (Reply(401, {"message": "Unauthorized"}), "with 401 (Unauthorized)", "credentials"),
        (Reply(403, {"message": "Missing Authentication Token"}), "with 403", "get the right"),
        (Reply(404, {"error_code": 40401}), "/topics/t0.pin with 404 (error code 40401)", "create the topic"),
        (Reply(404, text="<html>"), "with 404", "check the address"),
        (Reply(200, {"error_code": 40401, "message": "Topic not found."}), "Topic not found.", "create the topic"),
        (Reply(302, headers={"Location": "/login"}), "with 302", "check the address"),
        (HTML, "text/html that is no JSON object", "check the address"),
        (Reply(200, {"offsets": []}), "an offset for each record", "check the address"),
        (Reply(200, {"offsets": [{}, {}]}), "an offset that is none", "check the address"),
        (Reply(200, ["offsets"]), "application/json that is no JSON object", "check the address"),
    ],
)
def test_final_trouble_fails_at_once(
    sink: KafkaRestSink, server: Server, told: Told, said: list[str], reply: Reply, found: str, remedy: str
) -> None:
    sent = [*messages(2), *messages(1, "geo")]
    server.forever = reply
    with pytest.raises(MachineError) as raised:
        send(sink, sent)
    # Where nothing is there, the third version is looked for.
    assert [call.path for call in server.calls][1:] == (["/stage/v3/clusters"] if reply.text == "<html>" else [])
    assert not said
    assert told.lost_messages == sent
    told.check_kept()
    for part in (server.address, found, remedy, "kept in"):
        assert part in str(raised.value)


def test_an_error_in_an_answer_of_200_that_passes(sink: KafkaRestSink, server: Server, told: Told) -> None:
    server.replies = [Reply(200, {"error_code": 50003, "message": "retriable"})]
    send(sink, messages(2))
    assert told.acknowledged.total() == 2


def test_a_call_that_is_too_large_is_halved_and_a_message_that_is_fails_alone(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told
) -> None:
    def limited(call: Call) -> Reply:
        return Reply(413) if len(json.dumps(call.body)) > 1000 else proxy(call)

    server.answer = limited
    sent = messages(60)
    sent[20] = Message("pin", "20", json.dumps("x" * 2000))
    send(sink, sent)
    assert told.lost == [(sent[20], "answered POST /topics/t0.pin with 413")]
    assert told.taken == [message for message in sent if message.key != "20"]
    assert proxy.keys("pin") == [key for key in range(60) if key != 20]


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://jane:made-up-word@{}", {}),
        ("http://{}", {"Authorization": f"Bearer {KEY}"}),
        ("http://{}?k=made-up-word", {}),
    ],
)
def test_no_credentials_in_messages(
    server: Server, told: Told, said: list[str], url: str, headers: dict[str, str]
) -> None:
    def repeating(call: Call) -> Reply:
        return Reply(503 if len(server.calls) == 1 else 403, {"message": f"bad: {call.headers.get('authorization')}"})

    server.answer = repeating
    address = url.format(server.address.removeprefix("http://"))
    sink = KafkaRestSink(address, "t0", 20, told, said.append, headers)
    with pytest.raises(MachineError) as raised:
        send(sink, messages(1))
    assert (len(said), len(told.lost)) == (1, 1)
    texts = [str(raised.value), *said, told.failures.path.read_text(), *(reason for _, reason in told.lost)]
    sent = server.calls[0].headers.get("authorization", KEY).rpartition(" ")[2]
    for text in texts:
        assert not any(secret in text for secret in ("made-up", KEY, sent))
    assert raised.value.__cause__ is None


def test_a_header_that_cannot_be_sent_is_not_shown(server: Server, told: Told) -> None:
    for value in (f"{KEY}\n", f"{KEY}ž€"):
        sink = KafkaRestSink(server.address, "t0", 20, told, headers={"x-api-key": value})
        with pytest.raises(MachineError, match="can't be sent") as raised:
            send(sink, messages(1))
        assert KEY not in str(raised.value)
