"""Records packed as Amazon's Kinesis Producer Library packs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import md5

from pinlake.dump.offsets import KnownObject, Progress


def pack(records: Sequence[tuple[str, bytes]]) -> bytes:
    """One record of these, each with its partition key."""
    keys = list(dict.fromkeys(key for key, _ in records))
    message = b"".join(_field(1, key.encode()) for key in keys)
    for key, data in records:
        message += _field(3, b"\x08" + _number(keys.index(key)) + _field(3, data))
    return b"\xf3\x89\x9a\xc2" + message + md5(message, usedforsecurity=False).digest()


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _number(len(value)) + value


def _number(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def ended_with(path: str, sent: datetime, following: int, partition: int = 0) -> Progress:
    """What bronze knows of a topic of which it has one partition, up to the message at this path."""
    last = KnownObject(path, None, round(sent.timestamp() * 1_000_000))
    return Progress(ends={partition: following}, last={partition: last})
