"""Split the bytes of one dump object into records, whatever their shape, and lose nothing.

The rules: JSON values one after another, separated by blanks or line ends; an array's elements each a
record; a line that can't be parsed is one bad record and reading goes on with the next line; an object in which
nothing parses is one bad record. This module runs on Spark's workers, so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_BLANKS = " \t\r\n"
_BLANK = re.compile(f"[{_BLANKS}]*")
_COMMA = re.compile(f"[{_BLANKS}]*,[{_BLANKS}]*")

Decode = Callable[[str, int], tuple[Any, int]]


class Record(NamedTuple):
    """One record: its text, or its bytes where they are not text in any Unicode encoding.

    `message` counts the Kafka messages of the object, from 0: an array came as one, so its elements share it.
    """

    message: int
    text: str | None
    raw: bytes | None = None


class Split(NamedTuple):
    """The records of an object in their order, and how many Kafka messages it holds; an empty array is one too."""

    records: list[Record]
    messages: int


class Splitter:
    """Splits objects into records. One for each worker: it holds decoders that can't be sent to it."""

    def __init__(self) -> None:
        # Numbers are only checked, never used: kept as text, no length limit and no rounding can get in the way.
        self._strict = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
        # A raw tab or another control character inside a string is read where the record keeps to one line.
        self._lenient = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode

    def split(self, content: bytes) -> Split:
        """The records of an object; none for an object that is empty or blank."""
        # json.detect_encoding knows UTF-8, 16 and 32, with a byte order mark or without.
        encoding = json.detect_encoding(content)
        if not encoding.startswith("utf-8"):
            try:
                found, parsed = self._split_text(content.decode(encoding))
                if parsed or not found.records or not encoding.endswith(("-le", "-be")):
                    return found
            except UnicodeDecodeError:
                pass
            # Without a mark a NUL byte at the beginning is taken for one; it may as well be dirt in UTF-8.
            encoding = "utf-8"
        try:
            return self._split_text(content.decode(encoding))[0]
        except UnicodeDecodeError:
            # Each byte that is no text becomes one character that stands for it, and only its own record turns back.
            found, _ = self._split_text(content.decode(encoding, "surrogateescape"))
            return found._replace(records=[_with_bytes(record) for record in found.records])

    def _split_text(self, text: str) -> tuple[Split, bool]:
        """The records, and whether any of them could be parsed."""
        records: list[Record] = []
        messages, parsed = 0, False
        for parts, good in self._values(text):
            records += [Record(messages, part) for part in parts]
            messages += 1
            parsed = parsed or good
        if messages and not parsed:
            return Split([Record(0, text.strip(_BLANKS))], 1), False
        return Split(records, messages), parsed

    def _values(self, text: str) -> Iterator[tuple[list[str], bool]]:
        """The texts that each value gives, and whether it was parsed: one text, but for an array those in it."""
        at = _skip_blanks(text, 0)
        while at < len(text):
            end = _value_end(self._strict, text, at)
            if end is None:
                end = _line_end(text, at)
                yield from self._line_values(text[at:end])
            else:
                yield _elements(self._strict, text, at, end), True
            at = _skip_blanks(text, end)

    def _line_values(self, line: str) -> Iterator[tuple[list[str], bool]]:
        """The same for a line at whose start no strict JSON value stands: lenient values, or one bad record."""
        at = 0
        while at < len(line):
            end = _value_end(self._lenient, line, at)
            if end is None:
                yield [line[at:].rstrip(_BLANKS)], False
                return
            yield _elements(self._lenient, line, at, end), True
            at = _skip_blanks(line, end)


def _with_bytes(record: Record) -> Record:
    """The record as bytes where a character in it stands for a byte."""
    assert record.text is not None
    try:
        record.text.encode()
    except UnicodeEncodeError:
        return Record(record.message, None, record.text.encode("utf-8", "surrogateescape"))
    return record


def _elements(decode: Decode, text: str, at: int, end: int) -> list[str]:
    """The value at `at`, or the elements of it where it is an array."""
    if text[at] != "[":
        return [text[at:end]]
    elements = []
    at = _skip_blanks(text, at + 1)
    while text[at] != "]":
        element_end = decode(text, at)[1]
        elements.append(text[at:element_end])
        comma = _COMMA.match(text, element_end)
        at = comma.end() if comma else _skip_blanks(text, element_end)
    return elements


def _value_end(decode: Decode, text: str, at: int) -> int | None:
    """Where the JSON value at `at` ends; None where there is none, or where something else touches its end.

    Objects and arrays may follow each other without a blank: their own brackets part them.
    """
    try:
        end = decode(text, at)[1]
    except (ValueError, RecursionError):
        return None
    if end == len(text) or text[end] in _BLANKS:
        return end
    return end if text[at] in "{[" and text[end] in "{[" else None


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None  # the pattern matches the empty text
    return match.end()


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
