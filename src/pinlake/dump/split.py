"""Split the bytes of one dump object into records, without losing any.

- JSON values follow one another, separated by whitespace or line ends. Each is a record.
- Each element of an array is a record, and so is each record in a request to a REST proxy.
- A line that can't be parsed is one bad record. Reading continues with the next line.
- An object in which nothing can be parsed is one bad record.

This module runs on Spark's workers, so it uses only the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from pinlake.dump.scan import BLANKS, decoder, elements, skip_blanks, value_end
from pinlake.dump.unwrap import PREFIX_SIZE, prefixed_parts, records_in, unwrap


class Record(NamedTuple):
    """One record: its text, or its bytes (`raw`) if they aren't text in any Unicode encoding.

    `message`: the index of its Kafka message in the object, from 0. The elements of an array came in one message.
    `content`: the record without its wrapping; None if it has none.
    `wrapping`: the name of the wrapping; None if it has none.
    """

    message: int
    text: str | None
    raw: bytes | None = None
    content: str | None = None
    wrapping: str | None = None


class Split(NamedTuple):
    """The records of an object in order, and its number of Kafka messages. An empty array is a message too."""

    records: list[Record]
    messages: int


class Splitter:
    """Splits objects into records. Can't be pickled: create one on each worker."""

    def __init__(self) -> None:
        self._strict = decoder()
        # Accepts raw control characters, such as a tab, in the strings of a record on one line.
        self._lenient = decoder(strict=False)

    def split(self, content: bytes) -> Split:
        """The records of an object. None for an object that is empty or only whitespace."""
        parts = prefixed_parts(content)
        if not parts:
            return self._split(content)
        records: list[Record] = []
        messages = 0
        for part in parts:
            split = self._split(part[PREFIX_SIZE:])
            records += [_with_prefix(record, messages, part, len(split.records) == 1) for record in split.records]
            messages += split.messages
        return Split(records, messages)

    def _split(self, content: bytes) -> Split:
        # json.detect_encoding knows UTF-8, 16 and 32, with a byte order mark or without.
        encoding = json.detect_encoding(content)
        if not encoding.startswith("utf-8"):
            try:
                split, parsed = self._split_text(content.decode(encoding))
                if parsed or not split.records or not encoding.endswith(("-le", "-be")):
                    return split
            except UnicodeDecodeError:
                pass
            # Without a byte order mark, a NUL byte at the beginning looks like UTF-16. It may be garbage in UTF-8.
            encoding = "utf-8"
        try:
            return self._split_text(content.decode(encoding))[0]
        except UnicodeDecodeError:
            # Invalid bytes become surrogate characters. Only the records that have one are converted back to bytes.
            split, _ = self._split_text(content.decode(encoding, "surrogateescape"))
            return split._replace(records=[_with_bytes(record) for record in split.records])

    def _split_text(self, text: str) -> tuple[Split, bool]:
        """The records, and True if any of them could be parsed."""
        records: list[Record] = []
        messages, parsed = 0, False
        for parts, good in self._values(text):
            records += [self._record(messages, part, good) for part in parts]
            messages += 1
            parsed = parsed or good
        if messages and not parsed:
            return Split([Record(0, text.strip(BLANKS))], 1), False
        return Split(records, messages), parsed

    def _record(self, message: int, text: str, is_json: bool) -> Record:
        wrapped = unwrap(self._lenient, text) if is_json else None
        return Record(message, text, None, *wrapped) if wrapped else Record(message, text)

    def _values(self, text: str) -> Iterator[tuple[list[str], bool]]:
        """For each message: the texts of its records, and True if it could be parsed. An array has several records."""
        at = skip_blanks(text, 0)
        while at < len(text):
            end = value_end(self._strict, text, at)
            if end is None:
                end = _line_end(text, at)
                yield from self._line_values(text[at:end])
            else:
                yield self._parts(text[at:end]), True
            at = skip_blanks(text, end)

    def _line_values(self, line: str) -> Iterator[tuple[list[str], bool]]:
        """The same for a line that doesn't begin with a strict JSON value: lenient values, then one bad record."""
        at = 0
        while at < len(line):
            end = value_end(self._lenient, line, at)
            if end is None:
                yield [line[at:].rstrip(BLANKS)], False
                return
            yield self._parts(line[at:end]), True
            at = skip_blanks(line, end)

    def _parts(self, value: str) -> list[str]:
        """The value, or its records if it is an array or a request to a REST proxy."""
        if value[0] == "[":
            return elements(self._lenient, value)
        records = records_in(self._lenient, value) if value[0] == "{" else None
        return [value] if records is None else records


def _with_bytes(record: Record) -> Record:
    """The record as bytes, if it has a character that represents an invalid byte."""
    assert record.text is not None
    try:
        record.text.encode()
    except UnicodeEncodeError:
        return Record(record.message, None, record.text.encode("utf-8", "surrogateescape"))
    return record


def _with_prefix(record: Record, messages: int, part: bytes, is_alone: bool) -> Record:
    """A record of a message with the Schema Registry's prefix. Its text has the prefix if it is the only record."""
    message, content = messages + record.message, record.content or record.text
    if content is None:
        return record._replace(message=message)
    name = f"{record.wrapping} of registry prefix" if record.wrapping else "registry prefix"
    if not is_alone:
        return Record(message, record.text, None, content, name)
    sent = part.rstrip(BLANKS.encode())
    try:
        return Record(message, sent.decode(), None, content, name)
    except UnicodeDecodeError:
        return Record(message, None, sent, content, name)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
