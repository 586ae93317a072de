"""Remove the wrappings that a converter, a REST proxy or a schema registry puts around records.

Only wrappings that can't be records themselves are removed. Cleaning reports the others.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pinlake.dump.scan import Decode, elements, members

# The maximum depth of nested wrappings, for example a text in a payload.
_DEEPEST = 4
_CONVERTED = frozenset({"schema", "payload"})
_OF_KAFKA = frozenset(
    {"key", "value", "headers", "topic", "partition", "offset", "timestamp", "timestampType", "timestamp_type"}
)
_OF_PROXY = frozenset({"records", "key_schema", "value_schema", "key_schema_id", "value_schema_id"})
# The first key of a possible wrapping. This cheap check excludes nearly every record.
_MAYBE = re.compile(r'\{\s*"(?:' + "|".join(sorted(_CONVERTED | _OF_KAFKA | _OF_PROXY)) + r')"\s*:|"')
# The Confluent Schema Registry's wire format: a zero byte and four bytes of the schema id, here before JSON.
PREFIX_SIZE = 5
_PREFIXED = re.compile(rb"(?:\A|\n)(?=\x00.{4}(?:[{\[]|\"\s*[{\[]))(?!\A\x00[{\[\"]\x00)", re.DOTALL)


class Wrapped(NamedTuple):
    """The content of a wrapping, and the name of the wrapping."""

    content: str
    wrapping: str


def unwrap(decode: Decode, text: str) -> Wrapped | None:
    """The object inside one or more wrappings. None if the text, which must be JSON, isn't an object in a wrapping.

    Wrappings are a converter's schema and payload, a Kafka record with key, value and headers, and a JSON string.
    """
    names: list[str] = []
    while len(names) < _DEEPEST and _MAYBE.match(text):
        wrapped = _once(decode, text)
        if wrapped is None:
            break
        text = wrapped.content.strip()
        names.append(wrapped.wrapping)
    # Otherwise the text is a record itself, or its content isn't an object.
    return Wrapped(text, " of ".join(reversed(names))) if names and text.startswith("{") else None


def _once(decode: Decode, text: str) -> Wrapped | None:
    if text.startswith('"'):
        content, _ = decode(text, 0)
        try:
            decode(content.strip(), 0)
            content.encode()  # fails on an unpaired surrogate
        except (ValueError, RecursionError):
            return None
        return Wrapped(content, "text")
    values = members(decode, text)
    if values.keys() == _CONVERTED:
        return Wrapped(values["payload"], "payload")
    if "value" in values and values.keys() <= _OF_KAFKA:
        return Wrapped(values["value"], "value")
    return None


def records_in(decode: Decode, text: str) -> list[str] | None:
    """The records in a request to a Kafka REST proxy, each with key and value. None for any other object."""
    if not _MAYBE.match(text):
        return None
    values = members(decode, text)
    if "records" not in values or not values.keys() <= _OF_PROXY or not values["records"].startswith("["):
        return None
    records = elements(decode, values["records"])
    is_record = [each.startswith("{") and "value" in members(decode, each) for each in records]
    return records if records and all(is_record) else None


def prefixed_parts(content: bytes) -> list[bytes]:
    """The messages of an object that begins with the Schema Registry's prefix. Empty for any other object."""
    if not content.startswith(b"\0"):
        return []
    starts = [match.end() for match in _PREFIXED.finditer(content)]
    if not starts or starts[0] != 0:
        return []
    return [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)], strict=True)]
