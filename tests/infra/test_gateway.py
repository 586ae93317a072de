"""The API of gateway.yml takes what the emulator sends, and sends what Kinesis and the REST proxy take.

A server on the loopback does what the template tells API Gateway to do: it knows the paths and methods of the template,
asks for the key, renders the mapping template, and calls moto's Kinesis, or passes a request on.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import airspeed
import pytest
import requests

from pinlake.emulate.sinks.base import Deliveries, FailedFile, Message
from pinlake.emulate.sinks.kinesis import KinesisGatewaySink
from pinlake.emulate.sinks.rest import KafkaRestSink
from pinlake.errors import MachineError
from tests.infra.templates import Resolver, resources
from tests.servers.http_server import Reply, Request, serving
from tests.servers.s3_server import S3

KEY = "made-up-key-of-tests"
# What is special for JSON, for JavaScript, for the template language, and for more than one byte.
TEXTS = [
    '{"index": 1}',
    '{"t": "it\'s \\"q\\" \\\\ / \\n $input #end"}',
    '{"t": "žluť 🐈"}',
    "no JSON \t$!{x}",
    '{"n": 1.0}',
]
KEYS = ["1", "it's", 'say "so"', "a\\b/c", "$record #end", "žluť", "-", "\t"]


class Util:
    """$util, by the reference of API Gateway."""

    def base64Encode(self, text: str) -> str:  # noqa: N802
        return base64.b64encode(text.encode()).decode()

    def escapeJavaScript(self, text: str) -> str:  # noqa: N802
        """As JSON, with other than ASCII escaped; but the apostrophe and the slash are escaped too."""
        return json.dumps(text)[1:-1].replace("'", "\\'").replace("/", "\\/")


@dataclass(frozen=True)
class Input:
    """$input, by the reference of API Gateway."""

    body: Any
    parameters: dict[str, str]

    def path(self, path: str) -> Any:
        assert path.startswith("$.")
        return self.body[path.removeprefix("$.")]

    def params(self, name: str) -> str:
        return self.parameters[name]


def rendered(template: str, body: Any, parameters: dict[str, str]) -> str:
    found: str = airspeed.Template(template).merge({"input": Input(body, parameters), "util": Util()})
    return found


@dataclass
class Gateway:
    """The API, as far as the template describes it. `backend` takes the URI, the headers and the body of a call."""

    resolve: Resolver
    backend: Callable[[str, dict[str, str], bytes], Reply]
    calls: list[str] = field(default_factory=list)

    def methods(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Properties of the methods by method and path, such as PUT and /streams/{stream}/records."""
        parts = resources("gateway", "AWS::ApiGateway::Resource")

        def path(key: str) -> str:
            properties = parts[key]["Properties"]
            parent = properties["ParentId"].get("Ref")
            return f"{path(parent) if parent else ''}/{properties['PathPart']}"

        methods = resources("gateway", "AWS::ApiGateway::Method").values()
        there = [each["Properties"] for each in methods if self.resolve.holds(each.get("Condition", ALWAYS))]
        return {(each["HttpMethod"], path(each["ResourceId"]["Ref"])): each for each in there}

    def answer(self, asked: Request) -> Reply:
        stage, _, rest = asked.path.removeprefix("/").partition("/")
        for (method, path), properties in self.methods().items():
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", f"/{path.removeprefix('/')}")
            found = re.fullmatch(pattern, f"/{rest}")
            if stage == self.resolve({"Ref": "StageName"}) and asked.method == method and found:
                return self._called(properties, asked, {key: unquote(each) for key, each in found.groupdict().items()})
        return Reply(403, {"message": "Missing Authentication Token"})

    def _called(self, properties: dict[str, Any], asked: Request, parameters: dict[str, str]) -> Reply:
        if properties["ApiKeyRequired"] and asked.headers.get("x-api-key") != KEY:
            return Reply(403, {"message": "Forbidden"})
        integration = self.resolve(properties["Integration"])
        self.calls.append(integration["Uri"])
        if integration["Type"] == "HTTP_PROXY":
            given = {
                key.rpartition(".")[2]: parameters[value.rpartition(".")[2]]
                for key, value in integration["RequestParameters"].items()
            }
            return self.backend(integration["Uri"].format(**given), dict(asked.headers), asked.content)
        template = integration["RequestTemplates"].get(asked.headers["content-type"])
        if template is None:
            return Reply(415, {"message": "Unsupported Media Type"})
        headers = {
            key.rpartition(".")[2]: value.strip("'")
            for key, value in integration["RequestParameters"].items()
            if key.startswith("integration.request.header.")
        }
        body = rendered(template, json.loads(asked.content), parameters)
        answered = self.backend(integration["Uri"], headers, body.encode())
        return replace(answered, status=mapped_status(integration["IntegrationResponses"], answered.status))


def mapped_status(responses: list[dict[str, str]], status: int) -> int:
    """The status of the first response whose pattern is that of the status of the backend, or which has none."""
    responses = sorted(responses, key=lambda response: "SelectionPattern" not in response)
    return next(
        int(response["StatusCode"])
        for response in responses
        if re.fullmatch(response.get("SelectionPattern", ".*"), str(status))
    )


ALWAYS = {"Fn::Equals": ["", ""]}


@pytest.fixture
def deliveries(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    return Deliveries("the API", FailedFile(tmp_path / "failed.jsonl"))


@pytest.fixture
def kinesis(s3: S3) -> Gateway:
    """The API before moto's Kinesis, with the streams of the prefix shop."""
    for topic in ("pin", "geo", "user"):
        s3.client("kinesis").create_stream(StreamName=f"shop-{topic}", ShardCount=1)

    def call(uri: str, headers: dict[str, str], body: bytes) -> Reply:
        """The action of an AWS service: API Gateway adds the target and signs."""
        service, action = re.fullmatch(r"arn:aws:apigateway:us-east-1:(\w+):action/(\w+)", uri).groups()
        signed = {
            "X-Amz-Target": f"{service.capitalize()}_20131202.{action}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/{service}/aws4_request",
        }
        json.loads(body)  # which moto doesn't ask for
        answered = requests.post(s3.moto, data=body, headers={**headers, **signed}, timeout=30)
        return Reply(answered.status_code, answered.json())

    return Gateway(Resolver("gateway", Name="shop"), call)


def put_into(s3: S3, stream: str) -> list[tuple[str, bytes]]:
    client = s3.client("kinesis")
    shard = client.describe_stream(StreamName=stream)["StreamDescription"]["Shards"][0]["ShardId"]
    start = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    found = client.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return [(record["PartitionKey"], record["Data"]) for record in found]


def kinesis_sink(address: str, deliveries: Deliveries, key: str = KEY) -> KinesisGatewaySink:
    return KinesisGatewaySink(f"{address}/v1", "shop", 5, deliveries, headers={"x-api-key": key})


def test_records_come_to_kinesis_as_they_were_sent(s3: S3, kinesis: Gateway, deliveries: Deliveries) -> None:
    sent = [Message("pin", key, text) for key in KEYS for text in TEXTS] + [Message("geo", "7", '{"t": "\ud800"}')]
    with serving(kinesis.answer) as address:
        sink = kinesis_sink(address, deliveries)
        for message in sent:
            sink.send(message)
        sink.close()
    assert put_into(s3, "shop-pin") == [(message.key, message.value) for message in sent[:-1]]
    assert put_into(s3, "shop-geo") == [("7", b'{"t": "\\ud800"}')]
    assert deliveries.acknowledged == {"pin": len(sent) - 1, "geo": 1}
    assert len(kinesis.calls) == 2


def test_an_error_of_kinesis_comes_back_to_the_emulator(s3: S3, kinesis: Gateway, deliveries: Deliveries) -> None:
    s3.client("kinesis").delete_stream(StreamName="shop-user")
    with serving(kinesis.answer) as address:
        sink = kinesis_sink(address, deliveries)
        sink.send(Message("user", "1", "{}"))
        with pytest.raises(MachineError, match=r"stream shop-user: ResourceNotFoundException.*create the stream"):
            sink.flush()


def test_nobody_gets_in_without_the_key(kinesis: Gateway, deliveries: Deliveries) -> None:
    with serving(kinesis.answer) as address:
        sink = kinesis_sink(address, deliveries, "another-key")
        sink.send(Message("pin", "1", "{}"))
        with pytest.raises(MachineError, match="with 403"):
            sink.flush()
    assert kinesis.calls == []


def proxy(taken: list[tuple[str, dict[str, str], Any]]) -> Callable[[str, dict[str, str], bytes], Reply]:
    """A Kafka REST proxy with version 2, which remembers what it takes."""

    def call(uri: str, headers: dict[str, str], body: bytes) -> Reply:
        records = json.loads(body)["records"]
        taken.append((uri, headers, records))
        return Reply(body={"offsets": [{"partition": 0, "offset": number} for number in range(len(records))]})

    return call


def test_messages_pass_to_the_kafka_rest_proxy(deliveries: Deliveries) -> None:
    taken: list[tuple[str, dict[str, str], Any]] = []
    gateway = Gateway(Resolver("gateway", RestProxyImage="registry/rest:1"), proxy(taken))
    with serving(gateway.answer) as address:
        sink = KafkaRestSink(f"{address}/v1", "0e7f89a006e1", 5, deliveries, headers={"x-api-key": KEY})
        sink.send(Message("pin", "a/b", '{"index": 1}'))
        sink.close()
    ((uri, headers, records),) = taken
    assert uri == "http://<LoadBalancer.DNSName>/topics/0e7f89a006e1.pin"
    assert headers["content-type"] == "application/vnd.kafka.json.v2+json"
    assert records == [{"key": "a/b", "value": {"index": 1}}]


def test_without_a_proxy_the_api_has_no_topics(deliveries: Deliveries) -> None:
    gateway = Gateway(Resolver("gateway"), proxy([]))
    assert [method for method, _ in gateway.methods()] == ["PUT"]
    with serving(gateway.answer) as address:
        sink = KafkaRestSink(f"{address}/v1", "0e7f89a006e1", 5, deliveries, headers={"x-api-key": KEY})
        sink.send(Message("pin", "1", "{}"))
        with pytest.raises(MachineError, match="with 403"):
            sink.flush()
