"""The folder that holds the tables of a lake outside a workspace. For a folder in a bucket, see `bucket.py`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from uuid import uuid4

from pinlake.errors import LakeError
from pinlake.lake.lease import lease
from pinlake.lake.run import Run

if TYPE_CHECKING:
    from pinlake.lake.bucket import BucketLocation

MARKER = ".pinlake"
MARKER_TEXT = "The tables of a pinlake lake are in this folder.\n"
LEFT_OVER = ".left-over"
LOG = "_delta_log"

_COMMIT = re.compile(r"\d{20}\.json")
# Names in the folder of a table whose first commit isn't complete.
_DATA = re.compile(rf"\.?part-.*|\w+=.*|{LOG}")


class Commit(NamedTuple):
    """A commit of a table: its version, and the time of its file, in milliseconds since 1970 in UTC."""

    version: int
    millis: int


def last_commit(names: Iterable[str] | None, millis: Callable[[str], int]) -> Commit | None:
    """The last commit among the names in a table's log, such as 00000000000000000012.json. None if there is none.

    `millis` returns the time of a file in the log.
    """
    name = max((name for name in names or () if _COMMIT.fullmatch(name)), default=None)
    return Commit(int(name.removesuffix(".json")), millis(name)) if name else None


def kept_as(table: str) -> str:
    """A unique path in the lake to which the content of a table's folder can be moved."""
    return f"{LEFT_OVER}/{table}-{uuid4().hex[:8]}"


class FolderLocation:
    """A local folder that holds a lake. Each table is in a subfolder with its name.

    `uri` is the folder as Spark names it. `BucketLocation` has the same methods.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.uri = str(self.root)
        # The path as given, for messages.
        self._name = root

    def __str__(self) -> str:
        return str(self._name)

    def check(self, write: bool = True) -> None:
        """Raise LakeError as `check_folder` and, with `write`, `check_writable`."""
        check_folder(self._name)
        if write:
            check_writable(self._name)

    def is_lake(self) -> bool:
        """True if the folder has the marker of a lake."""
        return (self.root / MARKER).is_file()

    def make(self) -> None:
        """Create the folder with its marker. Raises LakeError if it can't."""
        check_folder(self.root)
        if self.is_lake():
            return
        check_writable(self.root)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / MARKER).write_text(MARKER_TEXT, encoding="utf-8")
        except OSError as error:
            raise LakeError(
                f"lake {self.root} can't be created: {error.strerror or error}; give another folder with --lake"
            ) from error

    def has(self, table: str) -> bool:
        """True if the table's folder exists."""
        return (self.root / table).exists()

    def names(self, table: str) -> list[str]:
        """Names of files and folders in the table's folder."""
        return [path.name for path in (self.root / table).iterdir()]

    def log(self, table: str) -> list[str] | None:
        """Names in the table's log. None if it has no log."""
        log = self.root / table / LOG
        return [path.name for path in log.iterdir()] if log.is_dir() else None

    def last_commit(self, table: str) -> Commit | None:
        """The table's last commit. None if it has none."""
        log = self.root / table / LOG
        return last_commit(self.log(table), lambda name: (log / name).stat().st_mtime_ns // 1_000_000)

    def set_aside(self, table: str) -> str:
        """Rename the table's folder to a folder of left-overs. Returns its path in the lake."""
        (self.root / LEFT_OVER).mkdir(exist_ok=True)
        kept = kept_as(table)
        (self.root / table).rename(self.root / kept)
        return kept

    def remove(self, table: str) -> None:
        """Remove the table's folder."""
        shutil.rmtree(self.root / table)

    def hold(self, run: Run, wait: float) -> AbstractContextManager[None]:
        """Hold the file lock for the `with` block, after a wait of at most `wait` seconds. See `lease`."""
        return lease(self.root, run, wait)

    def check_held(self) -> None:
        """Do nothing: a process can't lose a file lock."""


# The folder of a lake outside a workspace.
LakeLocation: TypeAlias = "FolderLocation | BucketLocation"


def nearest_folder(path: Path) -> Path:
    """The path itself if it exists, otherwise its nearest parent that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def check_folder(root: Path) -> None:
    """Raise LakeError if the folder isn't a lake and can't become one. Writes nothing."""
    if (path := os.fsencode(root.absolute()).decode(errors="backslashreplace")) != str(root.absolute()):
        raise LakeError(f"lake {path} has a path that is not UTF-8, which Spark can't name; give another with --lake")
    if root.exists() and not root.is_dir():
        raise LakeError(f"lake {root} is a file; give a folder with --lake")
    if root.is_dir() and not (root / MARKER).is_file():
        other = next((entry.name for entry in sorted(root.iterdir())), None)
        if other is not None:
            raise LakeError(f"{root} is not a lake: it contains {other}; give an empty or a new folder with --lake")
    nearest = nearest_folder(root)
    if not nearest.is_dir():
        raise LakeError(f"lake {root} can't be created: {nearest} is a file; give another folder with --lake")


def check_writable(root: Path) -> None:
    """Raise LakeError if the lake's folder, or the folder in which it would be created, can't be written."""
    nearest = nearest_folder(root)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise LakeError(f"lake {root} can't be written: no permission in {nearest}; give another folder with --lake")


def is_committed(location: LakeLocation, table: str) -> bool:
    """True if the table has a commit, False if its folder only holds data of an incomplete first commit.

    Raises LakeError if the folder holds other files and no log.
    """
    commits = location.log(table)
    if commits is not None:
        return any(name.endswith((".json", ".parquet")) for name in commits)
    if all(_DATA.fullmatch(name) for name in location.names(table)):
        return False
    raise LakeError(
        f"{location}/{table} is not a Delta table (no {LOG} in it); move it away: a run makes the table again"
    )
