"""Source rows of the emulator from three JSON lines files."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from math import isinf
from pathlib import Path

from pinlake.emulate.rows import Post, Record, refuse_constant
from pinlake.errors import SourceError
from pinlake.topics import TOPICS


class FileRows:
    """Posts from `raw_pin.jsonl`, `raw_geo.jsonl` and `raw_user.jsonl` in a folder. Post i is line i of each file.

    The rows are not changed. Their post ids may repeat and need not be the same in the three files.
    """

    def __init__(self, folder: Path) -> None:
        """Read every row once to index the lines.

        Raises SourceError, with file and line, if a file is missing or unreadable, or a line is missing or not a JSON
        object.
        """
        self.label = str(folder)
        self._files = [folder / f"raw_{topic}.jsonl" for topic in TOPICS]
        for file in self._files:
            if not file.is_file():
                raise SourceError(
                    f"{file}: no such file. Rows are read from {', '.join(f.name for f in self._files)} in one folder."
                )
        # Where each line starts.
        self._starts = [array("q", _starts_of(file)) for file in self._files]
        counts = [len(starts) for starts in self._starts]
        if min(counts) < max(counts):
            short = self._files[counts.index(min(counts))]
            raise SourceError(
                f"{short}: line {min(counts) + 1} is missing, but other topics have it. Give all three files equally "
                "many rows."
            )

    def __len__(self) -> int:
        return len(self._starts[0])

    def posts(self, numbers: Iterable[int]) -> Iterator[Post]:
        """Read the posts with these numbers, in this order. Raises SourceError if a line is not a JSON object."""
        with ExitStack() as stack:
            opened = [stack.enter_context(file.open("rb")) for file in self._files]
            for number in numbers:
                for lines, starts in zip(opened, self._starts, strict=True):
                    lines.seek(starts[number])
                pairs = zip(opened, self._files, strict=True)
                yield Post(*(_parse(lines.readline(), file, number + 1) for lines, file in pairs))


def _starts_of(file: Path) -> Iterator[int]:
    start = 0
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                _parse(line, file, number)
                yield start
                start += len(line)
    except OSError as error:
        raise SourceError(
            f"{file}: can't be read ({error.strerror}). Allow reading it or give another folder."
        ) from error


def _parse(line: bytes, file: Path, number: int) -> Record:
    try:
        record = json.loads(line, parse_constant=refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file}: line {number} is not JSON ({error}). Write one JSON object per line.") from error
    if not isinstance(record, dict):
        found = type(record).__name__
        raise SourceError(f"{file}: line {number} holds a {found}, not an object. Write one JSON object per line.")
    return record


def _finite(text: str) -> float:
    """Parse a float. Raises ValueError for a number that is too large: it would be written as Infinity, not JSON."""
    if isinf(number := float(text)):
        raise ValueError(f"{text} is too large a number")
    return number
