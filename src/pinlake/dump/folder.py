"""A dump in a folder of this machine, a volume or a mount."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import get_ident

from pinlake.dump.store import Content, Entry, Stat, is_hidden
from pinlake.errors import MachineError, SourceError

# How file systems say that they have no links, or no wish to be told when a file must be on the disk.
_NOT_THERE = {errno.EPERM, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


class FolderStore:
    """Objects as files below a folder. With `sync` what an object holds has reached the disk when it is written, its
    name when all is settled.

    Where the file system has no links, as volumes and other places in user space, two that write the same object at the
    very same moment are not kept apart: the later one stays.
    """

    at_once = 1

    def __init__(self, root: str | Path, sync: bool = False) -> None:
        self._sync = sync
        self._unsettled: set[str] = set()
        if sync:
            # Disks take several at once in the time of one.
            self.at_once = 8
        # Workers behind a Connect session have a working folder of their own.
        self.root = os.path.abspath(root)

    def entries(self, folder: str, after: str = "", prefix: str = "") -> list[Entry]:
        try:
            with os.scandir(self._path(folder)) as found:
                return sorted(Entry(entry.name, entry.is_dir()) for entry in found if entry.name.startswith(prefix))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise SourceError(
                f"folder {self._path(folder)} can't be listed ({error.strerror}); allow reading it, or move it away"
            ) from error

    def walk(self, folder: str) -> list[str]:
        found = []
        for entry in self.entries(folder):
            key = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.is_folder:
                found.append(key)
            elif not is_hidden(entry.name):
                found += self.walk(key)
        return sorted(found)

    def stat(self, key: str) -> Stat:
        return _size_and_time(os.stat(self._path(key)))

    def read(self, key: str) -> Content:
        with open(self._path(key), "rb", buffering=0) as file:
            size, modified = _size_and_time(os.fstat(file.fileno()))
            return Content(file.readall(), size, modified)

    def read_all(self, keys: Sequence[str]) -> Iterator[Content | OSError]:
        for key in keys:
            try:
                yield self.read(key)
            except OSError as error:
                yield error

    def write(self, key: str, content: bytes) -> None:
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
            raise MachineError(
                f"{path}: can't be written ({error.strerror}). Free the disk, allow writing or give another folder."
            ) from error

    def _write(self, path: str, content: bytes) -> None:
        unfinished = f"{self.root}/.unfinished-{os.getpid()}-{get_ident()}"
        try:
            _write_file(unfinished, content, self._sync)
            _name(unfinished, path)
            if self._sync:
                self._unsettled.add(os.path.dirname(path))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished)

    def settle(self) -> None:
        # Once for many names: one takes as long as the object itself. File systems keep names in their order, so what
        # a power cut takes are the last ones.
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
    """Give a file its name. Raises FileExistsError where that is taken."""
    # Unlike a rename, a link never takes the place of what is there.
    try:
        os.link(unfinished, path)
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        # Not O_EXCL on the name itself: whoever reads at that moment, or after a kill, would find an empty object.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(unfinished, path)


def _write_file(path: str, content: bytes, sync: bool) -> None:
    """Plain calls of the system, a third faster than a file object: there are as many objects as records."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        # Else a power cut could leave the name on the disk, and not what it stands for.
        if sync:
            _sync(descriptor)
    finally:
        os.close(descriptor)


def _make_folders(path: str, sync: bool) -> None:
    """Make the folder and those above it. With `sync` the names of those that are made have reached the disk."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make_folders(above, sync)
    with suppress(FileExistsError):
        os.mkdir(path)
    # Also where another thread has just made it, which may not have come to this line.
    if sync:
        _sync_folder(above)


def _sync_folder(path: str) -> None:
    """Have the names in a folder reach the disk: a file's own sync need not take its name there."""
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


def _size_and_time(found: os.stat_result) -> Stat:
    return Stat(found.st_size, found.st_mtime_ns // 1000)
