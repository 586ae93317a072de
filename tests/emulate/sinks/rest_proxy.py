"""A server on the loopback that answers as a Kafka REST proxy of the second version, and a sink for it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from pinlake.emulate.sinks.rest import KafkaRestSink
from tests.emulate.sinks.conftest import Call, Server, Told
from tests.servers.http_server import Reply

KEY = "made-up/key=="


class Proxy:
    """Topics by name, each a list of records, and the answers of a proxy for what is put there."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Any]] = defaultdict(list)

    def __call__(self, call: Call) -> Reply:
        return self.refusing()(call)

    def refusing(self, **codes: int) -> Any:
        """An answer that refuses the records with these keys, each with an error code."""

        def answer(call: Call) -> Reply:
            topic, offsets = self.topics[call.path.removeprefix("/stage/topics/")], []
            for record in call.records:
                if code := codes.get(f"key{record['key']}"):
                    offsets.append({"partition": None, "offset": None, "error_code": code, "error": "leader is away"})
                    continue
                topic.append(record)
                offsets.append({"partition": 0, "offset": len(topic) - 1, "error_code": None, "error": None})
            return Reply(body={"offsets": offsets, "key_schema_id": None, "value_schema_id": None})

        return answer

    def keys(self, topic: str) -> list[Any]:
        return [record["key"] for record in self.topics[f"t0.{topic}"]]


@pytest.fixture
def proxy(server: Server) -> Proxy:
    server.answer = Proxy()
    return server.answer


@pytest.fixture
def sink(server: Server, proxy: Proxy, told: Told, said: list[str], patience: float) -> KafkaRestSink:
    return KafkaRestSink(f"{server.address}/stage", "t0", patience, told, said.append, {"x-api-key": KEY})
