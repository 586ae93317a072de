"""The two sinks for Kinesis, against servers on the loopback that answer as it, or fail."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from pinlake.emulate.sinks.base import Message
from pinlake.emulate.sinks.kinesis import KinesisGatewaySink, KinesisSink
from pinlake.errors import MachineError
from tests.emulate.sinks.conftest import CUT, HTML, NOTHING, SECRET, SOON, Call, Server, Told, gives_up, messages, send
from tests.servers.http_server import Reply

pytestmark = pytest.mark.usefixtures("made_up_credentials")
THROTTLED, BROKEN = "ProvisionedThroughputExceededException", "SomethingElseException"

Sinks = KinesisSink | KinesisGatewaySink
Opener = Callable[[], Sinks]


class Streams:
    """Streams by name, each a list of (key, data), and Kinesis's answers for what is put, in either way."""

    def __init__(self) -> None:
        self.streams: dict[str, list[tuple[str, bytes]]] = defaultdict(list)

    def __call__(self, call: Call) -> Reply:
        return self.refusing()(call)

    def refusing(self, **codes: str) -> Callable[[Call], Reply]:
        """An answer that refuses the records with these keys, each with an error code."""

        def answer(call: Call) -> Reply:
            stream, records, entries = *_put(call), []
            for key, data in records:
                if code := codes.get(f"key{key}"):
                    entries.append({"ErrorCode": code, "ErrorMessage": "slow down"})
                    continue
                self.streams[stream].append((key, data))
                entries.append({"SequenceNumber": str(len(self.streams[stream])), "ShardId": "shardId-000000000000"})
            failed = sum("ErrorCode" in entry for entry in entries)
            return Reply(body={"FailedRecordCount": failed, "Records": entries})

        return answer

    def keys(self, topic: str) -> list[str]:
        return [key for key, _ in self.streams[f"shop-{topic}"]]


def _put(call: Call) -> tuple[str, list[tuple[str, bytes]]]:
    """The stream and the records of a call: of PutRecords, or of the gateway, which makes base64 of the data."""
    if call.method == "PUT":
        stage, streams, stream, records = call.path.removeprefix("/").split("/")
        assert (stage, streams, records) == ("stage", "streams", "records")
        return stream, [(record["partition-key"], record["data"].encode()) for record in call.records]
    assert call.headers["x-amz-target"].endswith(".PutRecords")
    put = [(record["PartitionKey"], base64.b64decode(record["Data"])) for record in call.body["Records"]]
    return call.body["StreamName"], put


def keys_of(call: Call) -> list[str]:
    return [key for key, _ in _put(call)[1]]


@pytest.fixture
def streams(server: Server) -> Streams:
    server.answer = Streams()
    return server.answer


@pytest.fixture
def direct(
    server: Server, told: Told, said: list[str], patience: float, monkeypatch: pytest.MonkeyPatch
) -> KinesisSink:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", server.address)
    return KinesisSink("shop", patience, told, said.append)


@pytest.fixture
def gateway(server: Server, told: Told, said: list[str], patience: float) -> KinesisGatewaySink:
    return KinesisGatewaySink(f"{server.address}/stage", "shop", patience, told, said.append)


@pytest.fixture(params=["direct", "gateway"])
def sink(request: pytest.FixtureRequest, streams: Streams) -> Sinks:
    """Both ways to put records."""
    found: Sinks = request.getfixturevalue(request.param)
    return found


def test_both_ways_put_the_same(sink: Sinks, streams: Streams, server: Server, told: Told) -> None:
    sent = [*messages(3), Message("user", None, "no JSON \ud800 ž"), *messages(1, "geo")]
    send(sink, sent)
    assert streams.streams == {
        "shop-pin": [(message.key, message.value) for message in sent[:3]],
        "shop-geo": [(sent[4].key, sent[4].value)],
        "shop-user": [("-", b"no JSON \\ud800 \xc5\xbe")],
    }
    assert len(server.calls) == 3
    assert told.acknowledged == {"pin": 3, "geo": 1, "user": 1}


def test_calls_are_limited_in_records_and_bytes(sink: Sinks, server: Server, told: Told) -> None:
    send(sink, [*messages(1100), *(Message("geo", "1", "x" * 900_000) for _ in range(7))])
    assert [len(keys_of(call)) for call in server.calls] == [500, 500, 5, 1, 100, 1]
    assert told.acknowledged == {"pin": 1100, "geo": 7}


def test_what_kinesis_would_never_take_fails_alone_and_at_once(sink: Sinks, streams: Streams, told: Told) -> None:
    large, long = Message("pin", "1", "ž" * 524_288), Message("pin", "k" * 257, "{}")
    sink.send(large)
    sink.send(long)
    assert told.lost_messages == [large, long]
    send(sink, messages(1))
    assert streams.keys("pin") == ["0"]
    told.check_kept()


def test_only_the_refused_records_are_put_again_in_their_order(
    sink: Sinks, streams: Streams, server: Server, told: Told, said: list[str]
) -> None:
    sent = messages(6)
    first = streams.refusing(key1=THROTTLED, key3="InternalFailure", key4=BROKEN)
    server.replies = [first, streams.refusing(key3=THROTTLED)]
    send(sink, sent)
    assert [keys_of(call) for call in server.calls] == [list("012345"), ["1", "3"], ["3"]]
    assert told.lost == [(sent[4], f"stream shop-pin: {BROKEN}")]
    assert sorted(told.taken) == [message for message in sent if message.key != "4"]
    assert len(said) == 1
    assert f"(stream shop-pin: {THROTTLED}); gives up in" in said[0]
    told.check_kept()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, {"__type": "InternalFailure"}),
        Reply(503, text="<html>"),
        Reply(400, {"__type": THROTTLED, "message": "Rate exceeded"}, {"X-Amzn-ErrorType": THROTTLED}),
        CUT,
    ],
)
def test_passing_trouble_is_waited_out(sink: Sinks, server: Server, told: Told, said: list[str], reply: Reply) -> None:
    # The gateway passes Kinesis's answer on with 200, unless it is told otherwise.
    if isinstance(sink, KinesisGatewaySink) and reply.status == 400:
        reply = Reply(200, reply.body)
    server.replies = [reply, reply]
    send(sink, messages(3))
    assert told.taken == messages(3)
    assert len(server.calls) == 3
    assert len(said) == 1
    assert "gives up in" in said[0]


@pytest.mark.parametrize("patience", [SOON])
@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (Reply(503, {}), "; look "),
        (NOTHING, "check"),
        (CUT, "check"),
        (Streams().refusing(key500=THROTTLED), "more shards"),
    ],
)
def test_it_gives_up_and_keeps_what_was_not_taken(
    sink: Sinks, streams: Streams, server: Server, told: Told, reply: Any, remedy: str, patience: float
) -> None:
    sent = [*messages(501), *messages(2, "user")]
    server.replies, server.answer = [streams], reply if callable(reply) else lambda _: reply
    error = gives_up(sink, sent, server, told)
    assert remedy in error
    assert ": 3;" in error


ERRORS = {
    "ResourceNotFoundException": "create the stream",
    "AccessDeniedException": "get kinesis:PutRecords",
    "ExpiredTokenException": "log in again",
    "UnrecognizedClientException": "log in again",
    "InvalidSignatureException": "clock",
    "KMSDisabledException": "KMS",
    "ValidationException": "look it up",
}


@pytest.mark.parametrize("code", ERRORS)
def test_final_errors_of_kinesis_fail_at_once(
    sink: Sinks, server: Server, told: Told, said: list[str], code: str
) -> None:
    is_direct = isinstance(sink, KinesisSink)
    name = code if is_direct else f"com.amazonaws.kinesis.v20131202#{code}"
    body = {"__type": name, "message": f"said\nThe Canonical String was x-amz-security-token:{SECRET}"}
    server.forever = Reply(400 if is_direct else 200, body)
    sent = [*messages(2), *messages(1, "geo")]
    with pytest.raises(MachineError) as raised:
        send(sink, sent)
    assert len(server.calls) == 1
    assert not said
    assert told.lost_messages == sent
    told.check_kept()
    for part in (server.address, f"stream shop-pin: {code}", ERRORS[code], "kept in"):
        assert part in str(raised.value)
    assert SECRET not in str(raised.value) + told.failures.path.read_text()


@pytest.mark.parametrize(
    "reply",
    [
        HTML,
        Reply(403, text="<html>"),
        Reply(200, {"message": "fine"}),
        Reply(200, {"Records": []}),
        Reply(200, {"Records": [{}, {}]}),
        Reply(200, ["Records"]),
        Reply(400, ["Records"]),
    ],
)
def test_what_is_no_kinesis(sink: Sinks, server: Server, told: Told, reply: Reply) -> None:
    server.forever = reply
    with pytest.raises(MachineError, match=server.address) as raised:
        send(sink, messages(2))
    assert len(server.calls) == 1
    assert told.lost_messages == messages(2)
    assert ("AWS_ENDPOINT_URL" in str(raised.value)) == isinstance(sink, KinesisSink)


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [(400, "bad", "check the address"), (401, "Unauthorized", "~/.netrc"), (404, "Not Found", "check the address")],
)
def test_final_errors_of_the_gateway(
    gateway: KinesisGatewaySink, server: Server, told: Told, status: int, message: str, remedy: str
) -> None:
    server.forever = Reply(status, {"message": message})
    with pytest.raises(MachineError, match=rf"/streams/shop-pin/records with {status} \({message}\); .*{remedy}"):
        send(gateway, messages(1))
    assert told.lost_messages == messages(1)


def test_a_path_that_the_gateway_does_not_have(gateway: KinesisGatewaySink, server: Server) -> None:
    server.forever = Reply(403, {"message": "Missing Authentication Token"})
    with pytest.raises(MachineError, match=r"check the address: its host, stage and path \(a gateway says"):
        send(gateway, messages(1))


def test_calls_that_are_too_large_for_the_gateway_are_halved(
    gateway: KinesisGatewaySink, streams: Streams, server: Server, told: Told
) -> None:
    server.answer = lambda call: Reply(413) if len(json.dumps(call.body)) > 1000 else streams(call)
    send(gateway, messages(40))
    assert streams.keys("pin") == [str(key) for key in range(40)]
    assert told.taken == messages(40)


def test_the_gateway_s_key_goes_with_each_call(server: Server, streams: Streams, told: Told) -> None:
    sink = KinesisGatewaySink(f"{server.address}/stage/", "shop", 20, told, headers={"x-api-key": SECRET})
    send(sink, messages(1))
    sink.close()
    assert [call.headers["x-api-key"] for call in server.calls] == [SECRET]
    assert streams.keys("pin") == ["0"]
