"""Unpacks the records that the Amazon Kinesis Producer Library (KPL) aggregates into one.

The format is described in `aggregation-format.md` of the KPL: four magic bytes, a protobuf message with the records and
their partition keys, and its MD5. This module runs on Spark workers, so it needs only the standard library. Amazon's
Python package needs protobuf and six, and drops records that it can't read with a line on stderr.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
# Protobuf field numbers: of the message, and of a record in it.
_KEYS, _RECORDS = 1, 3
_KEY_INDEX, _DATA = 1, 3
# Protobuf wire types: the low three bits of a tag.
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}


class UserRecord(NamedTuple):
    """A record and its partition key, as the producer sent them."""

    key: str
    data: bytes


def unpack(data: bytes) -> list[UserRecord] | None:
    """Return the records in an aggregated record, in order, or None if it is not an aggregated record."""
    if not data.startswith(_MAGIC):
        return None
    message, digest = data[len(_MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if md5(message, usedforsecurity=False).digest() != digest:
        return None
    try:
        fields = list(_fields(message))
        keys = [_of(bytes, value).decode() for number, value in fields if number == _KEYS]
        # A record without data may leave the field out.
        parts = [dict(_fields(_of(bytes, value))) for number, value in fields if number == _RECORDS]
        return [
            UserRecord(keys[_of(int, part[_KEY_INDEX])], _of(bytes, part.get(_DATA, b""))) for part in parts
        ] or None
    except (ValueError, LookupError):
        return None


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field. Raises ValueError or LookupError if the bytes are not protobuf."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield tag >> 3, number
            continue
        size, at = _varint(message, at) if kind == _BYTES else (_FIXED[kind], at)
        if at + size > len(message):
            raise ValueError
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the base-128 varint at a position, and the position after it."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _of(kind: type[T], value: int | bytes) -> T:
    """The value of a field, if it is of this kind. Raises ValueError if not."""
    if not isinstance(value, kind):
        raise ValueError
    return value
