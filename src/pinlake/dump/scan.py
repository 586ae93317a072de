"""Find the ends of JSON values in a text. Values stay text, so no number is rounded and no key is lost."""

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
    """A decoder for the JSON value at a position in a text. Without `strict`, strings may have raw control characters.

    The decoder returns numbers as text, so they have no length limit and aren't rounded.
    """
    return json.JSONDecoder(parse_int=str, parse_float=str, strict=strict).raw_decode


def value_end(decode: Decode, text: str, at: int) -> int | None:
    """The end of the JSON value at `at`. None if there is none, or if other text follows it without whitespace.

    Objects and arrays may follow each other without whitespace.
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
    texts = []
    at = skip_blanks(text, at + 1)
    while text[at] != "]":
        end = decode(text, at)[1]
        texts.append(text[at:end])
        at = _after_comma(text, end)
    return texts


def members(decode: Decode, text: str) -> dict[str, str]:
    """The texts of the values in a JSON object, by key. The last value of a duplicate key wins."""
    texts = {}
    at = skip_blanks(text, 1)
    while text[at] != "}":
        key, at = decode(text, at)
        at = skip_blanks(text, skip_blanks(text, at) + 1)
        end = decode(text, at)[1]
        texts[key] = text[at:end]
        at = _after_comma(text, end)
    return texts


def skip_blanks(text: str, at: int) -> int:
    """The position of the first character from `at` on that isn't JSON whitespace."""
    match = _BLANK.match(text, at)
    assert match is not None  # the pattern matches the empty text
    return match.end()


def _after_comma(text: str, at: int) -> int:
    comma = _COMMA.match(text, at)
    return comma.end() if comma else skip_blanks(text, at)
