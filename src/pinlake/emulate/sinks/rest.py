"""A sink that posts to Kafka through a REST proxy (version 2 of its API), which may be behind an API gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import quote

from pinlake.emulate.sinks.base import Deliveries, Message, silent
from pinlake.emulate.sinks.batches import BatchSink, FinalError, Item, Refusal, UnfitError
from pinlake.emulate.sinks.http_json import ADDRESS, BUSY, HttpJson, to_json
from pinlake.errors import public
from pinlake.waits import Say

_KINDS = {"Content-Type": "application/vnd.kafka.json.v2+json", "Accept": "application/vnd.kafka.v2+json"}
_NO_TOPIC = 40401
_REMEDIES = {_NO_TOPIC: "make the topic, or check the topic id"}
# Of a single record: Kafka says that it may be taken when it is sent again.
_RETRIABLE = 2
_INTEGER = re.compile("0|-?[1-9][0-9]*")


class KafkaRestSink(BatchSink):
    """Messages as JSON, with the post id as key, to the topics `<topic id>.<topic>`.

    A text that is no JSON has failed at once: the JSON format can't carry it. How blanks and numbers are written is up
    to the proxy. A key that is an integer is sent as a number, so that it gets the bytes that KafkaSink gives it.
    """

    max_bytes = 1_000_000
    slow_remedy = BUSY

    def __init__(
        self,
        url: str,
        topic_id: str,
        give_up_after: float,
        deliveries: Deliveries,
        say: Say = silent,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`url` is all before `/topics/`. `headers`, such as a gateway's key, go with every call."""
        super().__init__(f"Kafka REST proxy at {public(url)}", give_up_after, deliveries, say)
        self._topic_id = topic_id
        self._http = HttpJson(url, _KINDS, headers, _REMEDIES)

    def _item(self, message: Message) -> Item:
        if not _is_json(message.text):
            raise UnfitError("not valid JSON, and a Kafka REST proxy takes nothing else")
        key = message.key.encode() if message.key and _INTEGER.fullmatch(message.key) else to_json(message.key)
        record = b'{"key":%b,"value":%b}' % (key, message.value)
        return Item(message, record, len(record))

    def _post(self, topic: str, records: list[Any]) -> list[Refusal | None]:
        path = f"/topics/{quote(f'{self._topic_id}.{topic}', safe='')}"
        answer = self._http.call("POST", path, b'{"records":[%b]}' % b",".join(records), self._answer_seconds())
        code, offsets = answer.get("error_code"), answer.get("offsets")
        if isinstance(code, int) and not offsets:
            # A gateway that isn't told otherwise answers 200 where the proxy behind it answered an error.
            raise self._http.error(f"POST {path}", code // 100 if code >= 1000 else code, answer)
        if not isinstance(offsets, list) or len(offsets) != len(records):
            raise FinalError(f"answered POST {path} with JSON that doesn't have an offset for each record", ADDRESS)
        return [_refusal(entry, path) for entry in offsets]

    def _let_go(self) -> None:
        self._http.close()


def _refusal(entry: Any, path: str) -> Refusal | None:
    found = entry if isinstance(entry, dict) else {}
    code = found.get("error_code")
    if code:
        return Refusal(f"{found.get('error') or found.get('message')} (error code {code})", code == _RETRIABLE)
    if not isinstance(found.get("offset"), int):
        raise FinalError(f"answered POST {path} with an offset that is none", ADDRESS)
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    # Python reads NaN and Infinity, which are no JSON.
    raise ValueError(constant)
