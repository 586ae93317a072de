"""A dump in a local folder, a volume or a mount."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from pinlake.dump.store import Content, Entry, Stat, Store, is_hidden, not_written
from pinlake.errors import MachineError, SourceError

# Error numbers of file systems that don't support hard links or fsync.
_NOT_THERE = {errno.EPERM, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


class FolderStore(Store):
    """Objects as files below a folder.

    With `sync`, an object's content is on the disk when `write` returns, and its name when `settle` returns.

    Some file systems, such as volumes, don't support hard links. If two processes write the same object there at the
    same moment, the later one overwrites the earlier one.
    """

    def __init__(self, root: str | Path, sync: bool = False) -> None:
        self._sync = sync
        self._unsettled: set[str] = set()
        if sync:
            # A disk syncs several files at once in the time of one.
            self.at_once = 8
        # Absolute, because workers of a Spark Connect session have a different working folder.
        self.root = os.path.abspath(root)

    def entries(self, folder: str, after: str = "", prefix: str = "") -> list[Entry]:
        """Names in a folder, as `Store.entries`. Ignores `after`."""
        try:
            with os.scandir(self._path(folder)) as listing:
                return sorted(Entry(entry.name, entry.is_dir()) for entry in listing if entry.name.startswith(prefix))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise SourceError(
                f"folder {self._path(folder)} can't be listed ({error.strerror}); allow reading it, or move it away"
            ) from error

    def walk(self, folder: str) -> list[str]:
        """Keys of all objects below a folder, as `Store.walk`."""
        keys = []
        for entry in self.entries(folder):
            key = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.is_folder:
                keys.append(key)
            elif not is_hidden(entry.name):
                keys += self.walk(key)
        return sorted(keys)

    def stat(self, key: str) -> Stat:
        """An object's size and time. Raises OSError."""
        return _size_and_time(os.stat(self._path(key)))

    def read(self, key: str) -> Content:
        """An object's content. Raises OSError."""
        with open(self._path(key), "rb", buffering=0) as file:
            size, modified = _size_and_time(os.fstat(file.fileno()))
            return Content(file.readall(), size, modified)

    def write(self, key: str, content: bytes) -> None:
        """Create an object. Raises FileExistsError if it exists, MachineError if it can't be written."""
        path = self._path(key)
        try:
            try:
                self._write(path, content)
            except FileNotFoundError:
                _make_folders(os.path.dirname(path), self._sync)
                self._write(path, content)
        except FileExistsError:
            raise
        except OSError as error:
            raise not_written(path, error) from error

    def _write(self, path: str, content: bytes) -> None:
        unfinished = f"{self.root}/.unfinished-{uuid4()}"
        try:
            _write_file(unfinished, content, self._sync)
            _name(unfinished, path)
            if self._sync:
                self._unsettled.add(os.path.dirname(path))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished)

    def settle(self) -> None:
        """Sync the folders of written objects. Raises MachineError if a folder can't be synced."""
        # Once for many objects, because it takes as long as writing one. File systems keep the order of names, so a
        # power failure loses only the last ones.
        while self._unsettled:
            folder = self._unsettled.pop()
            try:
                _sync_folder(folder)
            except OSError as error:
                self._unsettled.add(folder)
                raise MachineError(
                    f"{folder}: its names can't be written to the disk ({error.strerror}). Free the disk, or give "
                    "another folder."
                ) from error

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root


def _name(unfinished: str, path: str) -> None:
    """Give a file its final name. Raises FileExistsError if the name exists."""
    # Unlike a rename, a hard link never replaces an existing file.
    try:
        os.link(unfinished, path)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        # O_EXCL on the final name is no alternative: a reader could see an incomplete object, also after a kill.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(unfinished, path)


def _write_file(path: str, content: bytes, sync: bool) -> None:
    """Write a file with system calls, which are a third faster than a file object. There may be one file per record."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        # Otherwise a power failure could leave a name on the disk without its content.
        if sync:
            _sync(descriptor)
    finally:
        os.close(descriptor)


def _make_folders(path: str, sync: bool) -> None:
    """Create the folder and its parents. With `sync`, their names are on the disk afterwards."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make_folders(above, sync)
    with suppress(FileExistsError):
        os.mkdir(path)
    # Also if another thread has just created the folder: it may not have synced it yet.
    if sync:
        _sync_folder(above)


def _sync_folder(path: str) -> None:
    """Write the names in a folder to the disk. Syncing a file doesn't guarantee that for its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise


def _size_and_time(stat: os.stat_result) -> Stat:
    return Stat(stat.st_size, stat.st_mtime_ns // 1000)
