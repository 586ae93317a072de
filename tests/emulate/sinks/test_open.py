"""A sink at an address: what goes along with every call."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.emulate.sinks.base import FailedFile
from pinlake.emulate.sinks.open import open_sink
from pinlake.errors import UsageError, refuse_credentials
from pinlake.settings import Settings
from tests.emulate.sinks.conftest import Server, messages, send
from tests.servers.http_server import Reply


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
        settings = Settings(api_key=key)  # type: ignore[arg-type]
        send(open_sink(address.format(server.address), settings, "t0", failures, lambda _: None), messages(1))
    assert [call.headers.get("x-api-key") for call in server.calls] == ["made-up-word", None]


@pytest.mark.parametrize(
    "address", ["kinesis+http://user:word@gateway/stage/t0", "foo://user:word@host", "kafka://u@h:1"]
)
def test_an_address_with_credentials_is_refused_and_not_repeated(tmp_path: Path, address: str) -> None:
    failures = FailedFile(tmp_path / "failed.jsonl")
    with pytest.raises(UsageError, match="holds credentials") as raised:
        open_sink(address, Settings(), "t0", failures, lambda _: None)
    assert address.partition("@")[2] not in str(raised.value)


@pytest.mark.parametrize("address", ["s3://bucket/a@b", "kafka://host:1,other:2", "kafka+https://host:1/a", "/a@b"])
def test_an_address_without_credentials_is_none_to_refuse(address: str) -> None:
    refuse_credentials(address)
