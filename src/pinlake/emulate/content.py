"""What a record says once it is clean, in plain Python: enough to predict the counts of rows from elsewhere.

The rules are those of the clean tables: equal contents of one post are duplicates, differing ones a conflict, and a
record without readable required fields, or with a value out of range, is quarantined.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from pinlake.topics import PIN, SAVE_PREFIX, Field, Kind, Topic

TIME_TEXT = re.compile(r"(\d{4})[-:](\d\d)[-:](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_INTEGER_TEXT = re.compile(r"[+-]?\d+", re.ASCII)
_FOLLOWERS = re.compile(r"(\d+(?:\.\d+)?)([kmb]?)", re.ASCII | re.IGNORECASE)
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_BIGINT = (-(2**63), 2**63 - 1)
_RANGES = {"index": _BIGINT, "ind": _BIGINT, "age": (0, 120), "latitude": (-90, 90), "longitude": (-180, 180)}


def content_of(topic: Topic, record: Mapping[str, Any]) -> tuple[object, ...] | None:
    """The clean values of a record, post id first; None where the record is to be quarantined."""
    named = {name.strip().lower(): value for name, value in record.items()}
    try:
        values = {field.name: _value(field, named.get(field.name)) for field in topic.fields}
    except (ValueError, OverflowError):
        return None
    values.pop("downloaded", None)
    if topic is PIN:
        values["follower_count"] = _followers(values["follower_count"])
        values["save_location"] = (values["save_location"] or "").removeprefix(SAVE_PREFIX)
    if "first_name" in values:
        names = (values.pop("first_name"), values.pop("last_name"))
        values["user_name"] = " ".join(name for name in names if name).strip()
    return (values.pop(topic.key), *values.values())


def digest_of(content: tuple[object, ...]) -> bytes:
    """Eight bytes that stand for a content, so that millions of them fit into memory."""
    return blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _value(field: Field, value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        if field.required:
            raise ValueError(f"{field.name} is missing")
        return None
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{field.name} holds no plain value")
    return _in_range(field.name, _READERS[field.kind](value)) if value not in field.placeholders else None


def _in_range(name: str, value: Any) -> Any:
    low, high = _RANGES.get(name, (value, value))
    if not low <= value <= high:
        raise ValueError(f"{name} is out of range")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str) and not _INTEGER_TEXT.fullmatch(value.strip()):
        raise ValueError(f"{value!r} is not an integer")
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{value!r} is not an integer")
    return int(value)


def _time(value: Any) -> datetime:
    match = TIME_TEXT.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{value!r} is not a time stamp")
    return datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # six numbers, the zone stays out


_READERS: dict[Kind, Any] = {Kind.TEXT: str, Kind.INTEGER: _integer, Kind.NUMBER: float, Kind.TIME: _time}


def _followers(text: str | None) -> int | None:
    match = _FOLLOWERS.fullmatch((text or "").strip())
    return round(float(match[1]) * _SCALES[match[2].lower()]) if match else None
