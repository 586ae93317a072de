"""Where dump objects lie: a folder on this machine, a volume or a mount. Object storage speaks the same three calls."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from pinlake.errors import SourceError


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
    """Keys are relative to the dump's root, with slashes."""

    def entries(self, folder: str) -> list[Entry]:
        """Names in a folder, sorted; an empty list where the folder isn't there. Raises SourceError."""

    def stat(self, key: str) -> Stat:
        """What the store says of an object. Raises OSError."""

    def read(self, key: str) -> Content:
        """The object's bytes. Raises OSError."""


class FolderStore:
    """A dump in a folder."""

    def __init__(self, root: str | Path) -> None:
        # Workers behind a Connect session have a working folder of their own.
        self.root = os.path.abspath(root)

    def entries(self, folder: str) -> list[Entry]:
        try:
            with os.scandir(self._path(folder)) as found:
                return sorted(Entry(entry.name, entry.is_dir()) for entry in found)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise SourceError(
                f"folder {self._path(folder)} can't be listed ({error.strerror}); allow reading it, or move it away"
            ) from error

    def stat(self, key: str) -> Stat:
        return _size_and_time(os.stat(self._path(key)))

    def read(self, key: str) -> Content:
        with open(self._path(key), "rb", buffering=0) as file:
            size, modified = _size_and_time(os.fstat(file.fileno()))
            return Content(file.readall(), size, modified)

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root


def unpack(key: str, content: bytes) -> bytes:
    """The content, decompressed where the name ends in `.gz`. Raises OSError where it is cut or not gzip."""
    if not key.endswith(".gz"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"not a whole gzip file: {error}") from error


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


def _size_and_time(found: os.stat_result) -> Stat:
    return Stat(found.st_size, found.st_mtime_ns // 1000)
