"""Where JSON values begin and end in a text: the text itself is kept, so no number is rounded and no key is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

BLANKS = " \t\r\n"
_BLANK = re.compile(f"[{BLANKS}]*")
_COMMA = re.compile(f"[{BLANKS}]*,[{BLANKS}]*")

Decode = Callable[[str, int], tuple[Any, int]]


def decoder(strict: bool = True) -> Decode:
    """A decoder of the value at a place in a text. Without `strict`, strings may hold raw control characters.

    Numbers are only checked, never used: kept as text, no length limit and no rounding can get in the way.
    """
    return json.JSONDecoder(parse_int=str, parse_float=str, strict=strict).raw_decode


def value_end(decode: Decode, text: str, at: int) -> int | None:
    """Where the JSON value at `at` ends; None where there is none, or where something else touches its end.

    Objects and arrays may follow each other without a blank: their own brackets part them.
    """
    try:
        end = decode(text, at)[1]
    except (ValueError, RecursionError):
        return None
    if end == len(text) or text[end] in BLANKS:
        return end
    return end if text[at] in "{[" and text[end] in "{[" else None


def elements(decode: Decode, text: str, at: int = 0) -> list[str]:
    """The texts of the elements of the JSON array at `at`."""
    found = []
    at = skip_blanks(text, at + 1)
    while text[at] != "]":
        end = decode(text, at)[1]
        found.append(text[at:end])
        at = _after_comma(text, end)
    return found


def members(decode: Decode, text: str) -> dict[str, str]:
    """The texts of the values in a JSON object, by their keys; of a key that comes twice the last."""
    found = {}
    at = skip_blanks(text, 1)
    while text[at] != "}":
        key, at = decode(text, at)
        at = skip_blanks(text, skip_blanks(text, at) + 1)
        end = decode(text, at)[1]
        found[key] = text[at:end]
        at = _after_comma(text, end)
    return found


def skip_blanks(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None  # the pattern matches the empty text
    return match.end()


def _after_comma(text: str, at: int) -> int:
    comma = _COMMA.match(text, at)
    return comma.end() if comma else skip_blanks(text, at)
