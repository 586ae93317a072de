"""The local `dbutils.fs`: folders and files, and clear errors for features that exist only in a workspace."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pinlake.local.errors import LocalError, NotThereError


class FileInfo(NamedTuple):
    """An entry of a folder. Names of folders end with a slash. `size` is in bytes, 0 for folders.

    `modificationTime` is in milliseconds since 1970.
    """

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 the name in Databricks

    def isDir(self) -> bool:  # noqa: N802
        """Return whether the entry is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802
        """Return whether the entry is a file."""
        return not self.isDir()


class Files:
    """The local `dbutils.fs`. Paths are plain paths or `file:/…`; other schemes raise LocalError."""

    def ls(self, dir: str) -> list[FileInfo]:
        """Return the entries of a folder sorted by name. Raises LocalError if the path does not exist."""
        folder = _existing(dir)
        return [_info(path) for path in (sorted(folder.iterdir()) if folder.is_dir() else [folder])]

    def mkdirs(self, dir: str) -> bool:
        """Create a folder and its parents. Always returns True."""
        _path(dir).mkdir(parents=True, exist_ok=True)
        return True

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:
        """Write text in UTF-8. Raises LocalError if the file exists and `overwrite` is not set."""
        path = _path(file)
        if path.exists() and not overwrite:
            raise LocalError(f"{path} is there already; give overwrite=True, or another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents, encoding="utf-8")
        return True

    def head(self, file: str, max_bytes: int = 65536) -> str:
        """Return the first `max_bytes` bytes of a file as text. Raises LocalError if it does not exist."""
        with _existing(file).open("rb") as opened:
            return opened.read(max_bytes).decode("utf-8", errors="replace")

    def cp(self, from_: str, to: str, recurse: bool = False) -> bool:
        """Copy a file, or with `recurse` a folder. Raises LocalError."""
        source, target = _existing(from_), _path(to)
        if source.is_dir():
            _need_recurse(source, recurse)
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            _copy_file(source, target)
        return True

    def mv(self, from_: str, to: str, recurse: bool = False) -> bool:
        """Move a file, or with `recurse` a folder. Raises LocalError."""
        source, target = _existing(from_), _path(to)
        if source.is_dir():
            _need_recurse(source, recurse)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
        return True

    def rm(self, dir: str, recurse: bool = False) -> bool:
        """Remove a file, or with `recurse` a folder. Returns False if it does not exist. Raises LocalError."""
        path = _path(dir)
        if not path.exists():
            return False
        if path.is_dir():
            _need_recurse(path, recurse)
            shutil.rmtree(path)
        else:
            path.unlink()
        return True

    def mounts(self) -> NoReturn:
        """Raise LocalError: mounts exist only in a workspace."""
        _no_mounts("mounts")

    def mount(self, *_: Any, **__: Any) -> NoReturn:
        """Raise LocalError: mounts exist only in a workspace."""
        _no_mounts("mount")

    def unmount(self, *_: Any, **__: Any) -> NoReturn:
        """Raise LocalError: mounts exist only in a workspace."""
        _no_mounts("unmount")

    def updateMount(self, *_: Any, **__: Any) -> NoReturn:  # noqa: N802
        """Raise LocalError: mounts exist only in a workspace."""
        _no_mounts("updateMount")

    def refreshMounts(self) -> NoReturn:  # noqa: N802
        """Raise LocalError: mounts exist only in a workspace."""
        _no_mounts("refreshMounts")

    def help(self, _: str = "") -> None:
        """Print the available functions."""
        print("dbutils.fs on this machine has ls, mkdirs, put, head, cp, mv and rm, on plain paths and file:/…")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotThereError(
            f"dbutils.fs.{name} exists only in a workspace; here there are ls, mkdirs, put, head, cp, mv, rm"
        )


def _no_mounts(name: str) -> NoReturn:
    raise LocalError(
        f"dbutils.fs.{name}: mounts exist only in a workspace; here set storage to local, and source to the folder of "
        "the dump"
    )


def _path(text: str) -> Path:
    """Return a local path. Raises LocalError for a scheme that exists only in a workspace."""
    scheme, colon, rest = str(text).partition(":")
    if not colon:
        return Path(text)
    if scheme == "file":
        return Path("/" + rest.lstrip("/"))
    raise LocalError(f"{text}: {scheme}: exists only in a workspace; here give a plain path, or file:/…")


def _existing(text: str) -> Path:
    path = _path(text)
    if not path.exists():
        raise LocalError(f"{path} is not there; give the path of a file or folder on this machine")
    return path


def _info(path: Path) -> FileInfo:
    found = path.stat()
    end = "/" if path.is_dir() else ""
    size = 0 if end else found.st_size
    return FileInfo(f"file:{path.absolute()}{end}", path.name + end, size, int(found.st_mtime * 1000))


def _need_recurse(path: Path, recurse: bool) -> None:
    if not recurse:
        raise LocalError(f"{path} is a folder; give recurse=True to take it with all that is in it")


def _copy_file(source: Path, target: Path) -> None:
    place = target / source.name if target.is_dir() else target
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
