"""Where the tables of a lake lie outside a workspace: a folder of this machine; for one of a bucket see `bucket.py`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import uuid4

from pinlake.errors import LakeError
from pinlake.lake.lease import lease
from pinlake.lake.run import Run

MARKER = ".pinlake"
MARKER_TEXT = "The tables of a pinlake lake are in this folder.\n"
LEFT_OVER = ".left-over"
LOG = "_delta_log"


_COMMIT = re.compile(r"\d{20}\.json")


class Commit(NamedTuple):
    """A commit of a table: its version, and when it was written, in milliseconds since 1970."""

    version: int
    millis: int

    @classmethod
    def of(cls, name: str, millis: int) -> Commit:
        """By the name of its file, which all have as many digits."""
        return cls(int(name.removesuffix(".json")), millis)


def last_of(names: Iterable[str]) -> str | None:
    """The file of the last commit among the names in a table's log; None where there is none."""
    return max((name for name in names if _COMMIT.fullmatch(name)), default=None)


def kept_as(table: str) -> str:
    """A place of its own for what was in the table's place."""
    return f"{LEFT_OVER}/{table}-{uuid4().hex[:8]}"


class LakePlace(Protocol):
    """A folder for tables, each in a folder by its name."""

    location: str
    """The folder as Spark names it."""

    def __str__(self) -> str:
        """The folder as messages name it."""

    def check(self, write: bool = True) -> None:
        """Raise LakeError where it can't be a lake, or, to `write`, is not to be written. Writes nothing."""

    def is_lake(self) -> bool:
        """Whether a lake was made there."""

    def make(self) -> None:
        """Make it a lake. Raises LakeError where it can't be one."""

    def has(self, table: str) -> bool:
        """Whether anything is in the table's place."""

    def names(self, table: str) -> list[str]:
        """Names of files and folders in the table's place."""

    def log(self, table: str) -> list[str] | None:
        """Names in the table's log, None where it has no log."""

    def last_commit(self, table: str) -> Commit | None:
        """The table's last commit, None where it has none."""

    def set_aside(self, table: str) -> str:
        """Move what is in the table's place to where it is kept, and in nobody's way. Returns where, in the lake."""

    def remove(self, table: str) -> None:
        """Remove what is in the table's place."""

    def hold(self, run: Run, wait: float) -> AbstractContextManager[None]:
        """Hold the lake for a run, after waiting at most `wait` seconds. Raises LakeBusyError that says who has it."""

    def check_held(self) -> None:
        """Raise LakeError where whoever holds it has lost it meanwhile."""


class FolderPlace:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.location = str(self.root)
        # As it was given.
        self._name = root

    def __str__(self) -> str:
        return str(self._name)

    def check(self, write: bool = True) -> None:
        check_folder(self._name)
        if write:
            check_writable(self._name)

    def is_lake(self) -> bool:
        return (self.root / MARKER).is_file()

    def make(self) -> None:
        check_folder(self.root)
        if self.is_lake():
            return
        check_writable(self.root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / MARKER).write_text(MARKER_TEXT, encoding="utf-8")
        except OSError as error:
            raise LakeError(
                f"lake {self.root} can't be made: {error.strerror or error}; give another folder with --lake"
            ) from error

    def has(self, table: str) -> bool:
        return (self.root / table).exists()

    def names(self, table: str) -> list[str]:
        return [path.name for path in (self.root / table).iterdir()]

    def log(self, table: str) -> list[str] | None:
        log = self.root / table / LOG
        return [path.name for path in log.iterdir()] if log.is_dir() else None

    def last_commit(self, table: str) -> Commit | None:
        if (name := last_of(self.log(table) or [])) is None:
            return None
        return Commit.of(name, (self.root / table / LOG / name).stat().st_mtime_ns // 1_000_000)

    def set_aside(self, table: str) -> str:
        (self.root / LEFT_OVER).mkdir(exist_ok=True)
        kept = kept_as(table)
        (self.root / table).rename(self.root / kept)
        return kept

    def remove(self, table: str) -> None:
        shutil.rmtree(self.root / table)

    def hold(self, run: Run, wait: float) -> AbstractContextManager[None]:
        return lease(self.root, run, wait)

    def check_held(self) -> None:
        """Nothing: the operating system's lock can't be lost."""


def nearest_folder(path: Path) -> Path:
    """The path itself where it is there, else the folder above that is: where it would be made."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def check_folder(root: Path) -> None:
    """Raise LakeError where the folder neither is a lake nor can become one. Writes nothing."""
    if (path := os.fsencode(root.absolute()).decode(errors="backslashreplace")) != str(root.absolute()):
        raise LakeError(f"lake {path} has a path that is not UTF-8, which Spark can't name; give another with --lake")
    if root.exists() and not root.is_dir():
        raise LakeError(f"lake {root} is a file; give a folder with --lake")
    if root.is_dir() and not (root / MARKER).is_file():
        other = next((entry.name for entry in sorted(root.iterdir())), None)
        if other is not None:
            raise LakeError(
                f"{root} holds something else ({other}) and no lake; give an empty or a new folder with --lake"
            )
    nearest = nearest_folder(root)
    if not nearest.is_dir():
        raise LakeError(f"lake {root} can't be made: {nearest} is a file; give another folder with --lake")


def check_writable(root: Path) -> None:
    """Raise LakeError where the lake's folder, or the one that it would be made in, can't be written."""
    nearest = nearest_folder(root)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise LakeError(f"lake {root} can't be written: no permission in {nearest}; give another folder with --lake")
