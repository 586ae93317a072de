"""Sinks that write to Kinesis streams: directly, or through an API gateway as in AWS's tutorial for a Kinesis proxy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pinlake.clients.kinesis import ADDRESS, MORE_SHARDS, PASSING, PUT, call, kinesis_client, label_of, service_error
from pinlake.clients.waits import CallError, PassingError, Say, silent
from pinlake.emulate.sinks.base import Deliveries, Message
from pinlake.emulate.sinks.batches import BatchSink, Item
from pinlake.emulate.sinks.http_json import ADDRESS as GATEWAY_ADDRESS
from pinlake.emulate.sinks.http_json import HttpJson, to_json
from pinlake.errors import public

_MAX_RECORD_BYTES = 1024 * 1024
_MAX_KEY_CHARACTERS = 256
_NO_KEY = "-"

_NOT_FOUND_OR_ALLOWED = (
    f"{GATEWAY_ADDRESS} (a gateway says `Missing Authentication Token` of a path that it doesn't have), or get the "
    "right to call it"
)


class KinesisBatches(BatchSink):
    """Sends messages unchanged to the streams `<prefix>-<topic>`, with the post id, or `-`, as partition key.

    A record of more than 1 MiB, including its key, fails at once. Kinesis may accept later records of a call and refuse
    earlier ones temporarily; these are sent again before any other record of their topic.
    """

    max_bytes = 5 * 1024 * 1024
    address_remedy = ADDRESS

    def __init__(self, label: str, stream_prefix: str, give_up_after: float, deliveries: Deliveries, say: Say) -> None:
        super().__init__(label, give_up_after, deliveries, say)
        self._prefix = stream_prefix

    @abstractmethod
    def _record(self, value: bytes, key: str) -> Any:
        """Return a record in the form of the call."""

    @abstractmethod
    def _put(self, stream: str, records: list[Any]) -> dict[str, Any]:
        """Call PutRecords and return its answer. Raises CallError."""

    def _item(self, message: Message) -> Item:
        key, value = message.key or _NO_KEY, message.value
        size = len(value) + len(key.encode("utf-8", "backslashreplace"))
        if size > _MAX_RECORD_BYTES:
            raise ValueError("larger than the 1 MiB that a Kinesis record can have")
        if len(key) > _MAX_KEY_CHARACTERS:
            raise ValueError(f"its key is longer than the {_MAX_KEY_CHARACTERS} characters that Kinesis takes")
        return Item(message, self._record(value, key), size)

    def _post(self, topic: str, records: list[Any]) -> list[CallError | None]:
        stream = f"{self._prefix}-{topic}"
        entries = self._put(stream, records).get("Records")
        if not isinstance(entries, list) or len(entries) != len(records):
            raise CallError(
                f"answered for stream {stream} without an entry for each record, as Kinesis has it", self.address_remedy
            )
        return [self._refusal(entry, stream) for entry in entries]

    def _refusal(self, entry: Any, stream: str) -> CallError | None:
        found = entry if isinstance(entry, dict) else {}
        if code := found.get("ErrorCode"):
            kind = PassingError if code in PASSING else CallError
            return kind(f"stream {stream}: {code}", MORE_SHARDS)
        if not found.get("SequenceNumber"):
            raise CallError(f"answered for stream {stream} with an entry that is none", self.address_remedy)
        return None


class KinesisSink(KinesisBatches):
    """Calls PutRecords with boto3.

    Credentials, region and endpoint come from boto3's default chain.
    """

    def __init__(self, stream_prefix: str, give_up_after: float, deliveries: Deliveries, say: Say = silent) -> None:
        """`give_up_after` is in seconds. Raises MachineError if credentials or region are missing."""
        self._client = kinesis_client(give_up_after)
        super().__init__(label_of(self._client), stream_prefix, give_up_after, deliveries, say)

    def _record(self, value: bytes, key: str) -> dict[str, Any]:
        return {"Data": value, "PartitionKey": key}

    def _put(self, stream: str, records: list[Any]) -> dict[str, Any]:
        return call(self._client, PUT, stream, StreamName=stream, Records=records)

    def _let_go(self) -> None:
        self._client.close()


class KinesisGatewaySink(KinesisBatches):
    """Calls PUT `<url>/streams/<stream>/records`, where `url` ends with the stage of the gateway.

    `data` is plain text. The mapping template of the gateway must encode it in base64.
    """

    address_remedy = GATEWAY_ADDRESS

    def __init__(
        self,
        url: str,
        stream_prefix: str,
        give_up_after: float,
        deliveries: Deliveries,
        say: Say = silent,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers`, such as an API key, are sent with every call. `give_up_after` is in seconds."""
        super().__init__(f"Kinesis gateway at {public(url)}", stream_prefix, give_up_after, deliveries, say)
        kinds = {"Content-Type": "application/json", "Accept": "application/json"}
        self._http = HttpJson(url, kinds, headers, {403: _NOT_FOUND_OR_ALLOWED})

    def _record(self, value: bytes, key: str) -> bytes:
        return to_json({"data": value.decode(), "partition-key": key})

    def _put(self, stream: str, records: list[Any]) -> dict[str, Any]:
        path = f"/streams/{quote(stream, safe='')}/records"
        answer = self._http.call("PUT", path, b'{"records":[%b]}' % b",".join(records), self._answer_seconds())
        if code := answer.get("__type"):
            # The gateway of the tutorial answers 200 even if Kinesis answers with an error.
            said = answer.get("message") or answer.get("Message") or ""
            raise service_error(stream, PUT, str(code).rpartition("#")[2], str(said), 0)
        return answer

    def _let_go(self) -> None:
        self._http.close()
