"""A sink that writes to Kafka through a REST proxy, which may be behind an API gateway."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pinlake.clients.waits import CallError, PassingError, Say, silent
from pinlake.emulate.rows import refuse_constant
from pinlake.emulate.sinks.base import Deliveries, Message
from pinlake.emulate.sinks.batches import BatchSink, Item
from pinlake.emulate.sinks.http_json import ADDRESS, BUSY, AbsentError, HttpJson, to_json
from pinlake.errors import public

_V2_KINDS = {"Content-Type": "application/vnd.kafka.json.v2+json", "Accept": "application/vnd.kafka.v2+json"}
_V3_KINDS = {"Content-Type": "application/json", "Accept": "application/json"}
_NO_TOPIC_V2, _NO_TOPIC_V3 = 40401, 40403
_MAKE_TOPIC = "create the topic, or check the topic id"
# Error codes of a single record for which a retry may succeed, by API version. In v3, also those of a proxy that is
# overloaded or closes the connection.
_RETRIABLE_V2 = 2
_RETRIABLE_V3 = {408, 429, 50003, *range(500, 600)}
# Error codes that v3 repeats for each record although they concern the whole call.
_OF_THE_CALL = {401, 403, 404, _NO_TOPIC_V3}
_INTEGER = re.compile("0|-?[1-9][0-9]*")
_CLUSTER = re.compile(r"/v3/clusters/[^/]+/*$")
# Bytes of JSON around key and value in a call.
_AROUND = 20


class KafkaRestSink(BatchSink):
    """Sends messages as JSON, with the post id as key, to the topics `<topic id>.<topic>`.

    The sink tries v2 of the proxy's API first. It uses v3 if the proxy has no v2, or if the address names a v3 cluster.
    A text that is not JSON fails at once, since v2 can't transfer it. With v2, the proxy decides how blanks and numbers
    are written, and an integer key is sent as a number, so that its bytes are the same as with KafkaSink. With v3, the
    bytes are transferred unchanged.
    """

    max_bytes = 1_000_000

    def __init__(
        self,
        url: str,
        topic_id: str,
        give_up_after: float,
        deliveries: Deliveries,
        say: Say = silent,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`url` is the part before `/topics/` or `/v3/`, or ends with `/v3/clusters/<id>`.

        `headers`, such as an API key, are sent with every call. `give_up_after` is in seconds.
        """
        super().__init__(f"Kafka REST proxy at {public(url)}", give_up_after, deliveries, say)
        self._topic_id = topic_id
        self._v2 = HttpJson(url, _V2_KINDS, headers, {_NO_TOPIC_V2: _MAKE_TOPIC})
        self._v3 = HttpJson(url, _V3_KINDS, headers, {_NO_TOPIC_V3: _MAKE_TOPIC})
        # The path before `/topics/` in v3. None while the version is unknown, and for v2.
        self._cluster: str | None = "" if _CLUSTER.search(url) else None
        self._is_v2 = False

    def _item(self, message: Message) -> Item:
        if not _is_json(message.text):
            raise ValueError("not valid JSON, and a Kafka REST proxy takes nothing else")
        return Item(message, message, len(message.value) + len(message.key or "") + _AROUND)

    def _post(self, topic: str, records: list[Any]) -> list[CallError | None]:
        path = f"/topics/{quote(f'{self._topic_id}.{topic}', safe='')}"
        if self._cluster is None:
            try:
                refusals = self._post_v2(path, records)
                self._is_v2 = True
                return refusals
            except AbsentError as error:
                self._cluster = None if self._is_v2 else self._find_cluster()
                if self._cluster is None:
                    raise error from None
        return self._post_v3(f"{self._cluster}{path}/records", records)

    def _post_v2(self, path: str, records: list[Message]) -> list[CallError | None]:
        body = b'{"records":[%b]}' % b",".join(map(_record_v2, records))
        answer = self._v2.call("POST", path, body, self._answer_seconds())
        code, offsets = answer.get("error_code"), answer.get("offsets")
        if isinstance(code, int) and not offsets:
            # By default, a gateway answers 200 even if the proxy behind it answers with an error.
            raise self._v2.error(f"POST {path}", code // 100 if code >= 1000 else code, answer)
        if not isinstance(offsets, list) or len(offsets) != len(records):
            raise CallError(f"answered POST {path} with JSON that doesn't have an offset for each record", ADDRESS)
        return [_refusal_v2(entry, path) for entry in offsets]

    def _find_cluster(self) -> str | None:
        """Return the path of the cluster behind a v3 proxy, or None if the proxy has no v3."""
        try:
            clusters = self._v3.call("GET", "/v3/clusters", b"", self._answer_seconds()).get("data")
        except CallError:
            return None
        first = clusters[0] if isinstance(clusters, list) and clusters else None
        found = first.get("cluster_id") if isinstance(first, dict) else None
        return f"/v3/clusters/{quote(found, safe='')}" if isinstance(found, str) else None

    def _post_v3(self, path: str, records: list[Message]) -> list[CallError | None]:
        """Send records as concatenated JSON. The answer has a report for each in order; an error may end it early."""
        reports = self._v3.call_all("POST", path, b"".join(map(_record_v3, records)), self._answer_seconds())
        if len(reports) > len(records):
            raise CallError(f"answered POST {path} with more reports than records", ADDRESS)
        refusals = [_refusal_v3(report, path) for report in reports]
        code = reports[0].get("error_code")
        if all(refusals) and code in _OF_THE_CALL:
            raise self._v3.error(f"POST {path}", code // 100 if code >= 1000 else code, reports[0])
        return refusals + [PassingError("no report came for it", BUSY)] * (len(records) - len(reports))

    def _let_go(self) -> None:
        self._v2.close()
        self._v3.close()


def _record_v2(message: Message) -> bytes:
    key = message.key.encode() if message.key and _INTEGER.fullmatch(message.key) else to_json(message.key)
    return b'{"key":%b,"value":%b}' % (key, message.value)


def _record_v3(message: Message) -> bytes:
    parts = {"value": message.value}
    if message.key is not None:
        parts["key"] = message.key.encode("utf-8", "backslashreplace")
    return to_json({name: {"type": "BINARY", "data": b64encode(part).decode()} for name, part in parts.items()})


def _refusal_v2(entry: Any, path: str) -> CallError | None:
    found = entry if isinstance(entry, dict) else {}
    code = found.get("error_code")
    if code:
        kind = PassingError if code == _RETRIABLE_V2 else CallError
        return kind(f"{found.get('error') or found.get('message')} (error code {code})", BUSY)
    if not isinstance(found.get("offset"), int):
        raise CallError(f"answered POST {path} with an offset that is none", ADDRESS)
    return None


def _refusal_v3(report: dict[str, Any], path: str) -> CallError | None:
    code = report.get("error_code")
    if not isinstance(code, int) or (code == 200 and not isinstance(report.get("offset"), int)):
        raise CallError(f"answered POST {path} with a report that is none", ADDRESS)
    if code == 200:
        return None
    kind = PassingError if code in _RETRIABLE_V3 else CallError
    return kind(f"{report.get('message')} (error code {code})", BUSY)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True
