"""A sink that writes to Kinesis streams through an API gateway, as in AWS's tutorial for a Kinesis proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pinlake.clients.waits import Say, silent
from pinlake.emulate.sinks.base import Deliveries
from pinlake.emulate.sinks.http_json import ADDRESS, HttpJson, to_json
from pinlake.emulate.sinks.kinesis import KinesisBatches, service_error
from pinlake.errors import public

_NOT_FOUND_OR_ALLOWED = (
    f"{ADDRESS} (a gateway says `Missing Authentication Token` of a path that it doesn't have), or get the right to "
    "call it"
)


class KinesisGatewaySink(KinesisBatches):
    """Calls PUT `<url>/streams/<stream>/records`, where `url` ends with the stage of the gateway.

    `data` is plain text. The mapping template of the gateway must encode it in base64.
    """

    address_remedy = ADDRESS

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
            raise service_error(stream, str(code).rpartition("#")[2], str(said), 0)
        return answer

    def _let_go(self) -> None:
        self._http.close()
