"""Split the bytes of one dump object into records, whatever their shape, and lose nothing.

The rules: JSON values one after another, separated by blanks or line ends; an array's elements each a
record, and so are the records of a request to a REST proxy; a line that can't be parsed is one bad record and reading
goes on with the next line; an object in which nothing parses is one bad record. This module runs on Spark's workers, so
it needs nothing but the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from pinlake.dump.scan import BLANKS, decoder, elements, skip_blanks, value_end
from pinlake.dump.unwrap import PREFIX_SIZE, prefixed_parts, records_in, unwrap


class Record(NamedTuple):
    """One record: its text, or its bytes where they are not text in any Unicode encoding.

    `message` counts the Kafka messages of the object, from 0: an array came as one, so its elements share it. Where it
    came in a wrapping, `content` is what was in it, and `wrapping` says which.
    """

    message: int
    text: str | None
    raw: bytes | None = None
    content: str | None = None
    wrapping: str | None = None


class Split(NamedTuple):
    """The records of an object in their order, and how many Kafka messages it holds; an empty array is one too."""

    records: list[Record]
    messages: int


class Splitter:
    """Splits objects into records. One for each worker: it holds decoders that can't be sent to it."""

    def __init__(self) -> None:
        self._strict = decoder()
        # A raw tab or another control character inside a string is read where the record keeps to one line.
        self._lenient = decoder(strict=False)

    def split(self, content: bytes) -> Split:
        """The records of an object; none for an object that is empty or blank."""
        parts = prefixed_parts(content)
        if not parts:
            return self._split(content)
        records: list[Record] = []
        messages = 0
        for part in parts:
            found = self._split(part[PREFIX_SIZE:])
            records += [_with_prefix(record, messages, part, len(found.records) == 1) for record in found.records]
            messages += found.messages
        return Split(records, messages)

    def _split(self, content: bytes) -> Split:
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
        """The texts that each value gives, and whether it was parsed: one text, but for an array those in it."""
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
        """The same for a line at whose start no strict JSON value stands: lenient values, or one bad record."""
        at = 0
        while at < len(line):
            end = value_end(self._lenient, line, at)
            if end is None:
                yield [line[at:].rstrip(BLANKS)], False
                return
            yield self._parts(line[at:end]), True
            at = skip_blanks(line, end)

    def _parts(self, value: str) -> list[str]:
        """The value, or what is in it where it is an array or a request with records."""
        if value[0] == "[":
            return elements(self._lenient, value)
        records = records_in(self._lenient, value) if value[0] == "{" else None
        return [value] if records is None else records


def _with_bytes(record: Record) -> Record:
    """The record as bytes where a character in it stands for a byte."""
    assert record.text is not None
    try:
        record.text.encode()
    except UnicodeEncodeError:
        return Record(record.message, None, record.text.encode("utf-8", "surrogateescape"))
    return record


def _with_prefix(record: Record, messages: int, part: bytes, is_alone: bool) -> Record:
    """The record of a message with the Schema Registry's prefix: as it was sent where it is alone in its message."""
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
