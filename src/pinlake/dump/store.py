"""The interface of a store of dump objects."""

from __future__ import annotations

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pinlake.errors import MachineError

_GZIP = b"\x1f\x8b"


class Entry(NamedTuple):
    """A name in a folder."""

    name: str
    is_folder: bool


class Content(NamedTuple):
    """An object's bytes as stored, possibly compressed, with its size in bytes and its modification time.

    `modified` is in whole microseconds since 1970 in UTC, as Spark stores timestamps. Seconds as a float would round,
    so unchanged objects would look changed. A datetime for each small object would cost more than reading it.
    """

    content: bytes
    size: int
    modified: int


class Stat(NamedTuple):
    """An object's size and time, as in `Content`."""

    size: int
    modified: int


class Store(ABC):
    """A place that holds dump objects. Keys are paths relative to the root, with slashes.

    A store can be pickled, because it is sent to Spark's workers.
    """

    root: str
    """The path or URL of the root, as messages show it."""
    at_once: int = 1
    """The number of objects to write or read in parallel."""

    @abstractmethod
    def entries(self, folder: str, after: str = "", prefix: str = "") -> list[Entry]:
        """Names in a folder that begin with `prefix`, sorted. Empty if the folder doesn't exist.

        A store may leave out names that don't sort after `after`. Raises SourceError if the folder can't be listed.
        """

    @abstractmethod
    def walk(self, folder: str) -> list[str]:
        """Keys of all objects below a folder, sorted, without those in hidden folders.

        Raises SourceError if a folder can't be listed.
        """

    @abstractmethod
    def stat(self, key: str) -> Stat:
        """An object's size and time. Raises OSError if they can't be read."""

    @abstractmethod
    def read(self, key: str) -> Content:
        """An object's content. Raises OSError if only this object can't be read, SourceError if none can."""

    def read_or_error(self, key: str) -> Content | OSError:
        """The result or the OSError of `read`. Raises SourceError."""
        try:
            return self.read(key)
        except OSError as error:
            return error

    def read_all(self, keys: Sequence[str]) -> Iterator[Content | OSError]:
        """The result of `read_or_error` for each key, in order."""
        return map(self.read_or_error, keys)

    @abstractmethod
    def write(self, key: str, content: bytes) -> None:
        """Create an object atomically. Raises FileExistsError if it exists, MachineError if it can't be written."""

    def settle(self) -> None:  # noqa: B027 most stores have nothing to do
        """Make written objects durable, if the store was opened so. Raises MachineError."""


def unpack(content: bytes) -> bytes:
    """The content, decompressed if it is gzip, whatever its name. Raises OSError if it is truncated or corrupt."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"not a whole gzip file: {error}") from error


def not_written(path: str | Path, error: OSError) -> MachineError:
    """The error for a file of a dump that can't be written."""
    return MachineError(
        f"{path}: can't be written ({error.strerror}). Free the disk, allow writing or give another folder."
    )


def is_hidden(name: str) -> bool:
    """True for names that begin with _ or a dot. Other programs use them for markers, logs and partial files."""
    return name.startswith(("_", "."))


def stat_all(store: Store, keys: Sequence[str]) -> Iterator[Stat | None]:
    """The size and time of each object, in order. None if they can't be read."""
    # In parallel, because each call is slow on a volume. In chunks, because a task per object costs more on a disk.
    chunks = [keys[at : at + 1000] for at in range(0, len(keys), 1000)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for stats in pool.map(lambda chunk: [_stat(store, key) for key in chunk], chunks):
            yield from stats


def _stat(store: Store, key: str) -> Stat | None:
    try:
        return store.stat(key)
    except OSError:
        return None
