"""The content of a record after cleaning, computed in plain Python to predict the row counts of the pipeline.

The rules are those of the cleaning stage. Equal contents of one post are duplicates, different contents are a conflict.
A record is quarantined if a required field is missing or a value can't be read or is out of range. As in cleaning, each
value is read from its text, so a number instead of a text is the same as that text, and the reverse.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from pinlake.topics import (
    ASCII_CHARACTERS,
    BLANKS,
    OTHER_CHARACTERS,
    PIN,
    PLAUSIBLE_SECONDS,
    SAVE_PREFIX,
    USER,
    Field,
    Kind,
    Topic,
)

TIME_TEXT = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d)[ T]|:(\d\d):(\d\d) )(\d\d):(\d\d):(\d\d)", re.ASCII)
_BLANKS = " \t\n\v\f\r"
_INTEGER_TEXT = re.compile(r"[+-]?\d+(?:\.0+)?|[+-]?\d\.\d{1,17}E\d{1,2}", re.ASCII)
_NUMBER_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FOLLOWERS = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+(?:\.\d{1,9}0*)?)\s*([kmb]?)", re.ASCII | re.IGNORECASE)
_ZONED = re.compile(
    TIME_TEXT.pattern.replace("[ T]", "[ Tt]") + r"(?:\.(\d{1,9}))?\s*(?:[Zz]|UTC|GMT|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_EPOCH_TEXT = re.compile(r"\d{9,13}(?:\.\d*)?|\d\.\d+E(?:8|9|1[0-2])", re.ASCII)
_FLAGS = {"true": "1", "false": "0"}
_TO_ASCII = str.maketrans(OTHER_CHARACTERS, ASCII_CHARACTERS)
_SAVED_IN = re.compile(rf"\s*(?:{SAVE_PREFIX.strip()}\b)?\s*", re.ASCII)
# A decimal number in a text or integer field, of which cleaning may lose digits.
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
    """Return the clean values of a record, post id first, or None if the record is to be quarantined."""
    plain = {name: name.strip(" ").lower() for name in record}
    # An exact key takes precedence over one in another case, with padding, or under another name.
    named = {**{topic.other_names.get(plain[name], plain[name]): value for name, value in record.items()}, **record}
    if any(_differ(record.get(name), record.get(other)) for other, name in topic.other_names.items()):
        return None
    if all(_is_nothing(topic.field(name), named.get(name)) for name in topic.own_names):
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
        values["user_name"] = " ".join(name for name in names if name)
    return (values.pop(topic.key), *values.values())


def _text(field: Field, value: Any) -> str | None:
    """Return the text that cleaning reads a value from. Raises ValueError if text can't hold the value unchanged."""
    if field.is_flag and str(value).lower() in _FLAGS:
        return _FLAGS[str(value).lower()]
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and field.is_joined and all(each is None or isinstance(each, str) for each in value):
        return ",".join(each for each in value if each is not None)
    if isinstance(value, list | dict):
        raise ValueError("no plain value")
    if _is_nothing(field, value):
        return None
    if not isinstance(value, float):
        return json.dumps(value)
    if field.kind in (Kind.TEXT, Kind.INTEGER) and _INEXACT.match(json.dumps(value)):
        raise ValueError("more digits than can be kept")
    return _double(value)


def _double(value: float) -> str:
    """Return the number as Java's `Double.toString` writes it: with an exponent below 1e-3 and from 1e7 on."""
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
        text = text.strip(BLANKS) if field.is_name else text
        return None if not text.strip(" ") or text in field.placeholders else text
    value = _read(field.kind, _plain(text))
    low, high = _RANGES.get(field.name, (value, value))
    if not low <= value <= high:
        raise ValueError(f"{field.name} is out of range")
    return value


def _read(kind: Kind, text: str) -> int | float:
    if kind is Kind.TIME:
        return _epoch(text) if _EPOCH_TEXT.fullmatch(text) else _instant(text)
    if kind is Kind.NUMBER:
        return float(_match(_NUMBER_TEXT, text)[0])
    number = Fraction(_match(_INTEGER_TEXT, text)[0])
    if number.denominator != 1:
        raise ValueError(f"{number} is not whole")
    return number.numerator


def _is_nothing(field: Field, value: Any) -> bool:
    return value is None or (not field.is_number and isinstance(value, float) and not math.isfinite(value))


def _plain(text: str) -> str:
    """Return the text of a number or a time in ASCII, without surrounding blanks."""
    return text.translate(_TO_ASCII).strip(_BLANKS)


def _differ(one: Any, other: Any) -> bool:
    """Return whether both values exist and differ, compared as numbers if both are numbers."""
    if one is None or other is None:
        return False
    try:
        return Decimal(str(one)) != Decimal(str(other))
    except ArithmeticError:
        return str(one) != str(other)


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} can't be read")
    return match


def _instant(text: str) -> int:
    """Return a time in microseconds since 1970. Raises ValueError."""
    *parts, fraction, sign, hours, minutes = _match(_ZONED, text).groups()
    since = datetime(*(int(part) for part in parts if part)) - datetime(1970, 1, 1)  # type: ignore[arg-type]
    offset = 60 * int(hours or 0) + int(minutes or 0)
    if offset > 18 * 60 or int(minutes or 0) > 59:
        raise ValueError(f"{text!r} has an invalid time zone")
    away = (-1 if sign == "-" else 1) * timedelta(minutes=offset)
    return (since - away) // timedelta(microseconds=1) + int((fraction or "0")[:6].ljust(6, "0"))


def _epoch(text: str) -> int:
    """Return a number of seconds or milliseconds as microseconds since 1970. Raises ValueError."""
    seconds = Decimal(text)
    if not PLAUSIBLE_SECONDS[0] <= seconds <= PLAUSIBLE_SECONDS[1]:
        seconds = (seconds / 1_000).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    if not PLAUSIBLE_SECONDS[0] <= seconds <= PLAUSIBLE_SECONDS[1]:
        raise ValueError(f"{text} is no time of a post")
    return int(seconds * 1_000_000)


def _followers(text: str | None) -> int | None:
    match = _FOLLOWERS.fullmatch(_plain(text or ""))
    if not match:
        return None
    amount = Fraction(match[1].replace(",", ""))
    count = amount * _SCALES[match[2].lower()]
    return int(count) if count.denominator == 1 and amount < 10**18 and count <= _BIGINT[1] else None
