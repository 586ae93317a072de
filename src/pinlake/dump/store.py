"""What every place of dump objects can do."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

_GZIP = b"\x1f\x8b"


class Entry(NamedTuple):
    """One name in a folder."""

    name: str
    is_folder: bool


class Content(NamedTuple):
    """An object's bytes as they lie there, and what the store says of it at that moment.

    `modified` is in microseconds since 1970 in UTC, whole ones, as Spark stores them: a float of seconds would make an
    unchanged object look changed, and a datetime for each of many small objects costs more than reading them.
    """

    content: bytes
    size: int
    modified: int


class Stat(NamedTuple):
    """An object's size and time, as in `Content`."""

    size: int
    modified: int


class Store(Protocol):
    """Keys are relative to the dump's root, with slashes. A store travels to Spark's workers, so it can be pickled."""

    root: str
    """The place as messages name it."""
    at_once: int
    """How many objects are worth being written or read side by side."""

    def entries(self, folder: str, after: str = "", prefix: str = "") -> list[Entry]:
        """Names in a folder that begin with `prefix`, sorted; none where the folder isn't there. Raises SourceError.

        Those that don't sort after `after` may be left out, where that saves work.
        """

    def walk(self, folder: str) -> list[str]:
        """Keys of all objects below a folder, sorted, but of those in hidden folders. Raises SourceError."""

    def stat(self, key: str) -> Stat:
        """What the store says of an object. Raises OSError."""

    def read(self, key: str) -> Content:
        """The object's bytes. Raises OSError where just this object can't be had, SourceError where none can."""

    def read_all(self, keys: Sequence[str]) -> Iterator[Content | OSError]:
        """What `read` gives or raises for each key in turn. Raises SourceError."""

    def write(self, key: str, content: bytes) -> None:
        """Make an object, whole or not at all. Raises FileExistsError where one is there, MachineError otherwise."""

    def settle(self) -> None:
        """Return when all that was written outlives a power cut, where that was asked for. Raises MachineError."""


def unpack(content: bytes) -> bytes:
    """The content, decompressed where it is gzip, whatever its name says. Raises OSError where it is cut."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"not a whole gzip file: {error}") from error


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that other programs leave beside objects: a mark, a log, a part."""
    return name.startswith(("_", "."))


def stat_all(store: Store, keys: Sequence[str]) -> Iterator[Stat | None]:
    """What the store says of each object in turn; None where it says nothing."""
    # Side by side and many to a call: on a volume each question travels, on a disk a call for each would cost more.
    chunks = [keys[at : at + 1000] for at in range(0, len(keys), 1000)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for found in pool.map(lambda chunk: [_stat(store, key) for key in chunk], chunks):
            yield from found


def _stat(store: Store, key: str) -> Stat | None:
    try:
        return store.stat(key)
    except OSError:
        return None
