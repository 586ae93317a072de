"""The sink for a Kafka REST proxy that has the third version of its API alone."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import defaultdict
from typing import Any

import pytest

from pinlake.emulate.sinks.base import Message
from pinlake.emulate.sinks.rest import KafkaRestSink
from pinlake.errors import MachineError
from tests.emulate.sinks.conftest import SOON, Call, Server, Told, messages, send
from tests.emulate.sinks.rest_proxy import KEY, sink
from tests.servers.http_server import Reply

__all__ = ["sink"]

ABSENT = Reply(404, {"error_code": 404, "message": "HTTP 404 Not Found"})
FOUND = {"kind": "KafkaClusterList", "metadata": {}, "data": [{"kind": "KafkaCluster", "cluster_id": "abc-1"}]}
BEGIN, END = "/stage/v3/clusters/abc-1/topics/t0.", "/records"


class Proxy:
    """Topics by name, each a list of keys and values, and the answers that Confluent's description has."""

    def __init__(self) -> None:
        self.topics: dict[str, list[tuple[bytes | None, bytes]]] = defaultdict(list)
        self.posts: list[list[Any]] = []

    def __call__(self, call: Call) -> Reply:
        return self.refusing()(call)

    def refusing(self, ends_with: int | None = None, **codes: int) -> Any:
        """An answer that reports an error code for these keys, and closes after the record with key `ends_with`."""

        def answer(call: Call) -> Reply:
            if (call.method, call.path) == ("GET", "/stage/v3/clusters"):
                return Reply(body=FOUND)
            if call.method != "POST" or not call.path.startswith(BEGIN) or not call.path.endswith(END):
                return ABSENT
            assert call.headers["content-type"] == "application/json"
            topic = self.topics[call.path.removeprefix(BEGIN).removesuffix(END)]
            records = call.body if isinstance(call.body, list) else [call.body]
            self.posts.append(records)
            reports = []
            for record in records:
                key = b64decode(record["key"]["data"]) if "key" in record else None
                name = f"key{(key or b'').decode()}"
                if code := codes.get(name):
                    reports.append({"error_code": code, "message": "leader is away"})
                else:
                    assert {part["type"] for part in record.values()} == {"BINARY"}
                    topic.append((key, b64decode(record["value"]["data"])))
                    report = {"cluster_id": "abc-1", "topic_name": "pin", "partition_id": 0, "offset": len(topic) - 1}
                    reports.append({"error_code": 200, **report})
                if name == f"key{ends_with}":
                    break
            return Reply(text="\r\n".join(json.dumps(report) for report in reports))

        return answer

    def keys(self) -> list[int]:
        return [int(key or b"") for key, _ in self.topics["pin"]]


@pytest.fixture
def proxy(server: Server) -> Proxy:
    server.answer = Proxy()
    return server.answer


def test_records_arrive_byte_for_byte(sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told) -> None:
    sent = [*messages(3), Message("geo", "7", '{"ind":  1.50}'), Message("user", None, '{"ind": 1}')]
    send(sink, sent)
    assert proxy.topics["pin"] == [(str(n).encode(), message.value) for n, message in enumerate(sent[:3])]
    assert proxy.topics["geo"] == [(b"7", b'{"ind":  1.50}')]
    assert proxy.topics["user"] == [(None, b'{"ind": 1}')]
    assert told.taken == sent
    # The second version is tried once.
    assert [call.path for call in server.calls] == [
        "/stage/topics/t0.pin",
        "/stage/v3/clusters",
        *[f"{BEGIN}{topic}{END}" for topic in ("pin", "geo", "user")],
    ]
    assert {call.headers["x-api-key"] for call in server.calls} == {KEY}


def test_an_address_with_a_cluster_is_the_third_version(server: Server, proxy: Proxy, told: Told) -> None:
    send(KafkaRestSink(f"{server.address}/stage/v3/clusters/abc-1/", "t0", 20, told), messages(2))
    assert [call.path for call in server.calls] == [f"{BEGIN}pin{END}"]
    assert proxy.keys() == [0, 1]


def test_only_the_refused_records_are_sent_again(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told, said: list[str]
) -> None:
    sent = messages(6)
    server.replies = [proxy, proxy, proxy.refusing(key1=50003, key3=429, key4=413)]
    send(sink, sent)
    assert proxy.keys() == [0, 2, 5, 1, 3]
    assert told.lost == [(sent[4], "leader is away (error code 413)")]
    assert "leader is away (error code 50003)" in said[0]
    told.check_kept()


def test_records_without_a_report_are_sent_again(sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told) -> None:
    server.replies = [proxy, proxy, proxy.refusing(ends_with=2, key2=400)]
    send(sink, messages(5))
    assert [len(records) for records in proxy.posts] == [5, 2]
    assert proxy.keys() == [0, 1, 3, 4]
    assert [message.key for message in told.lost_messages] == ["2"]


@pytest.mark.parametrize(
    ("code", "found"),
    [(40403, "create the topic, or check the topic id"), (401, "requires credentials"), (403, "get the right")],
)
def test_what_holds_for_all_records_ends_the_run(
    sink: KafkaRestSink, server: Server, proxy: Proxy, told: Told, code: int, found: str
) -> None:
    server.answer = proxy.refusing(key0=code, key1=code)
    with pytest.raises(MachineError) as raised:
        send(sink, [*messages(2), *messages(1, "geo")])
    for part in (f"POST /v3/clusters/abc-1/topics/t0.pin/records with {str(code)[:3]}", found, "kept in"):
        assert part in str(raised.value)
    assert len(told.lost) == 3


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply(text='{"error_code": 200}'), "a report that is none"),
        (Reply(text="{} {} {}"), "more reports than records"),
        (Reply(text="<html>"), "no JSON object"),
        (Reply(text=""), "no JSON object"),
    ],
)
def test_what_is_no_report(
    server: Server, proxy: Proxy, told: Told, sink: KafkaRestSink, reply: Reply, found: str
) -> None:
    server.replies = [proxy, proxy, reply]
    with pytest.raises(MachineError, match=found):
        send(sink, messages(2))


@pytest.mark.parametrize("patience", [SOON])
def test_trouble_that_does_not_pass(server: Server, proxy: Proxy, told: Told, sink: KafkaRestSink) -> None:
    server.answer = proxy.refusing(key0=500)
    with pytest.raises(MachineError, match=r"took no message for 0.6 s \(leader is away \(error code 500\)\)"):
        send(sink, messages(1))


def test_a_proxy_that_had_the_second_version_is_not_asked_for_the_third(
    sink: KafkaRestSink, server: Server, told: Told
) -> None:
    server.replies = [Reply(body={"offsets": [{"partition": 0, "offset": 0}]})]
    server.forever = ABSENT
    send_one = messages(2)
    send(sink, send_one[:1])
    with pytest.raises(MachineError, match=r"/topics/t0\.pin with 404"):
        send(sink, send_one[1:])
    assert len(server.calls) == 2
