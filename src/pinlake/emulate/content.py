"""What a record says once it is clean, in plain Python: enough to predict the counts of rows from elsewhere.

The rules are those of the clean tables: equal contents of one post are duplicates, differing ones a conflict, and a
record without readable required fields, or with a value that can't be read or is out of range, is quarantined. As in
cleaning, a value is read from its text, so that a number where text belongs and the reverse are alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from pinlake.topics import PIN, SAVE_PREFIX, USER, Field, Kind, Topic

TIME_TEXT = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d)[ T]|:(\d\d):(\d\d) )(\d\d):(\d\d):(\d\d)", re.ASCII)
_BLANKS = " \t\n\v\f\r"
_INTEGER_TEXT = re.compile(r"[+-]?\d+(?:\.0+)?|[+-]?\d\.\d{1,17}E\d{1,2}", re.ASCII)
_NUMBER_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FOLLOWERS = re.compile(r"(\d+(?:\.\d{1,9}0*)?)\s*([kmb]?)", re.ASCII | re.IGNORECASE)
_SAVED_IN = re.compile(rf"\s*(?:{SAVE_PREFIX.strip()}\b)?\s*", re.ASCII)
# A decimal number of which cleaning may lose digits, where no number belongs.
_INEXACT = re.compile(r"-?(?:[0.]*[1-9](?:\.?\d){14,}\.?[1-9]|\d[\d.]*e[+-]?\d{3})", re.ASCII)
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_BIGINT = (-(2**63), 2**63 - 1)
_RANGES = {
    **dict.fromkeys(("index", "ind", "downloaded"), _BIGINT),
    "age": (0, 120),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
}


def content_of(topic: Topic, record: Mapping[str, Any]) -> tuple[object, ...] | None:
    """The clean values of a record, post id first; None where the record is to be quarantined."""
    # A key in its own spelling counts before one in another case or padded.
    named = {**{name.strip(" ").lower(): value for name, value in record.items()}, **record}
    if all(named.get(name) is None for name in topic.own_names):
        return None
    try:
        texts = {field.name: _text(field, named.get(field.name)) for field in topic.fields}
        values = {field.name: _value(field, texts[field.name]) for field in topic.fields}
    except ValueError:
        return None
    if topic is PIN:
        del values["downloaded"]
        values["follower_count"] = _followers(texts["follower_count"])
        values["is_image_or_video"] = texts["is_image_or_video"]
        values["save_location"] = _SAVED_IN.sub("", texts["save_location"] or "", count=1).rstrip(" ")
    if topic is USER:
        names = (values.pop("first_name"), values.pop("last_name"))
        values["user_name"] = " ".join(name.strip(" ") for name in names if name)
    return (values.pop(topic.key), *values.values())


def digest_of(content: tuple[object, ...]) -> bytes:
    """Eight bytes that stand for a content, so that millions of them fit into memory."""
    return blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _text(field: Field, value: Any) -> str | None:
    """A value as the text that cleaning reads it from. Raises ValueError for one that no text holds as it is."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise ValueError("no plain value")
    if not isinstance(value, float):
        return json.dumps(value)
    if field.kind in (Kind.TEXT, Kind.INTEGER) and _INEXACT.match(json.dumps(value)):
        raise ValueError("more digits than can be kept")
    return _double(value)


def _double(value: float) -> str:
    """As the JVM spells it: with an exponent from ten million on and below a thousandth."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    text = f"{Decimal(repr(value)).normalize():E}".replace("E+", "E")
    return text if "." in text else text.replace("E", ".0E")


def _value(field: Field, text: str | None) -> Any:
    if text is None:
        if field.required:
            raise ValueError(f"{field.name} is missing")
        return None
    if field.kind is Kind.TEXT:
        return None if not text.strip(" ") or text in field.placeholders else text
    return _in_range(field.name, _READERS[field.kind](text.strip(_BLANKS)))


def _in_range(name: str, value: Any) -> Any:
    low, high = _RANGES.get(name, (value, value))
    if not low <= value <= high:
        raise ValueError(f"{name} is out of range")
    return value


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} can't be read")
    return match


def _whole(number: Fraction) -> int:
    if number.denominator != 1:
        raise ValueError(f"{number} is not whole")
    return number.numerator


_READERS: dict[Kind, Any] = {
    Kind.INTEGER: lambda text: _whole(Fraction(_match(_INTEGER_TEXT, text)[0])),
    Kind.NUMBER: lambda text: float(_match(_NUMBER_TEXT, text)[0]),
    # Six numbers, whichever spelling; the zone stays out.
    Kind.TIME: lambda text: datetime(*(int(part) for part in _match(TIME_TEXT, text).groups() if part)),  # type: ignore[arg-type]
}


def _followers(text: str | None) -> int | None:
    match = _FOLLOWERS.fullmatch((text or "").strip(_BLANKS))
    if not match:
        return None
    amount = Fraction(match[1])
    count = amount * _SCALES[match[2].lower()]
    return int(count) if count.denominator == 1 and amount < 10**18 and count <= _BIGINT[1] else None
