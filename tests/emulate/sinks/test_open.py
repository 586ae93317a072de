"""A sink at an address: what goes along with every call."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.emulate.sinks.base import FailedFile
from pinlake.emulate.sinks.open import SinkOptions, open_sink
from pinlake.settings import Settings
from tests.emulate.sinks.conftest import Reply, Server, messages, send


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("kafka-rest+{}/stage", {"offsets": [{"partition": 0, "offset": 0}]}),
        ("kinesis+{}/stage/t0", {"Records": [{"SequenceNumber": "1", "ShardId": "shardId-000000000000"}]}),
    ],
)
def test_a_gateways_key_goes_with_every_call(server: Server, tmp_path: Path, address: str, body: object) -> None:
    server.answer = lambda _: Reply(body=body)
    failures = FailedFile(tmp_path / "failed.jsonl")
    for key in ("made-up-word", None):
        options = SinkOptions(Settings(api_key=key), "t0", failures, lambda _: None)  # type: ignore[arg-type]
        send(open_sink(address.format(server.address), options), messages(1))
    assert [call.headers.get("x-api-key") for call in server.calls] == ["made-up-word", None]
