"""A lake in an S3 bucket: Spark accesses the tables through `s3a`, everything else uses the store that reads dumps.

On S3, Delta supports a single writing process, so the lease protects the tables. It is an object that only its holder
can replace. The holder renews it every few seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from uuid import uuid4

from pinlake.errors import LakeError, PinlakeError
from pinlake.lake.lease import HOLDER_FILE, busy, holder, holder_name
from pinlake.lake.location import LOG, MARKER, MARKER_TEXT, Commit, kept_as, last_commit
from pinlake.lake.run import Run
from pinlake.lake.s3_lake import LakeBucket

# Seconds. A lease expires if it isn't renewed in this time: its process ended without releasing it.
RENEW_EVERY, EXPIRES_AFTER = 10.0, 60.0
# Seconds. Well before the lease expires, a renewal gives up, and the holder begins no more commits.
_PATIENCE, _SILENT_AT_MOST = 15.0, 45.0
# The content of a lease that no run holds.
FREE = b"{}"
_LOOK_EVERY = 2.0


class BucketLocation(LakeBucket):
    """A folder in a bucket that holds a lake. Has the methods of `FolderLocation`."""

    _lease: _Lease | None = None

    @property
    def uri(self) -> str:
        """The folder as Spark names it."""
        return "s3a://" + self.root.removeprefix("s3://")

    def __str__(self) -> str:
        return self.root

    def check(self, write: bool = True) -> None:
        """Raise LakeError if the folder has other objects and isn't a lake, SourceError if it can't be listed.

        Doesn't test whether it can be written: that would need a write.
        """
        names = self.names("")
        if names and MARKER not in names:
            raise LakeError(
                f"{self} is not a lake: it contains {min(names)}; give an empty or a new prefix with --lake"
            )

    def is_lake(self) -> bool:
        """True if the folder has the marker of a lake."""
        return MARKER in self.names("")

    def make(self) -> None:
        """Write the marker. Raises LakeError if the folder has other objects, MachineError if it can't be written."""
        self.check()
        if not self.is_lake():
            try:
                self.write(MARKER, MARKER_TEXT.encode())
            except FileExistsError:
                return  # another run has made it

    def names(self, folder: str) -> list[str]:
        """Names of objects and folders in a folder of the lake, such as a table's."""
        return [entry.name for entry in self.entries(folder)]

    def log(self, table: str) -> list[str] | None:
        """Names in the table's log. None if it has no log."""
        return self.names(f"{table}/{LOG}") or None

    def last_commit(self, table: str) -> Commit | None:
        """The table's last commit. None if it has none."""
        return last_commit(self.log(table), lambda name: self.stat(f"{table}/{LOG}/{name}").modified // 1000)

    def set_aside(self, table: str) -> str:
        """Move the objects of the table to a folder of left-overs. Returns its path in the lake."""
        self.move(table, kept := kept_as(table))
        return kept

    @contextmanager
    def hold(self, run: Run, wait: float) -> Iterator[None]:
        """Hold the lease and renew it in a thread. Raises LakeBusyError as `lease`, and LakeError if it is lost."""
        lease = _Lease(self.quickly(_PATIENCE), run)
        lease.take(wait)
        self._lease = lease
        ended = Event()
        renewing = Thread(target=lease.renew_until, args=(ended,), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            lease.give_back()
            self._lease = None
        lease.check(str(self))

    def check_held(self) -> None:
        """Raise LakeError if the lease was lost, or wasn't renewed for too long."""
        if self._lease is not None:
            self._lease.check(str(self))


class _Lease:
    def __init__(self, store: LakeBucket, run: Run) -> None:
        self._store = store
        self._run = run
        self._tag: str | None = None
        self._renewed = 0.0
        self.lost: str | None = None

    def take(self, wait: float) -> None:
        deadline = time.monotonic() + wait
        told = False
        while True:
            current = self._store.read_tagged(HOLDER_FILE)
            if current is None or current.content == FREE or current.age >= EXPIRES_AFTER:
                self._tag = self._store.replace(HOLDER_FILE, self._content(), current.tag if current else None)
                if self._tag is not None:
                    self._renewed = _now()
                    return
                continue  # another run has taken it: read the lease again
            held_by = holder_name(current.content)
            if not told:
                self._run.report("lake", f"waiting for {held_by}")
                told = True
            if time.monotonic() >= deadline:
                raise busy(self._store.root, held_by, wait)
            time.sleep(min(_LOOK_EVERY, max(deadline - time.monotonic(), 0.1)))

    def renew_until(self, ended: Event) -> None:
        while not ended.wait(RENEW_EVERY) and self.lost is None:
            try:
                self._tag = self._store.replace(HOLDER_FILE, self._content(), self._tag)
                self.lost = None if self._tag else "another run has taken it"
                self._renewed = _now()
            except PinlakeError as error:
                self.lost = str(error)

    def give_back(self) -> None:
        """Replace the lease with a free one.

        The object isn't deleted, so that only one of several waiting runs can replace it.
        """
        if self._tag is None:
            return
        try:
            if self._store.replace(HOLDER_FILE, FREE, self._tag) is None:
                self.lost = "another run has taken it"
        except PinlakeError:
            pass  # it expires

    def check(self, location: str) -> None:
        """Raise LakeError if the lease was lost or is about to expire, for example after the machine was suspended."""
        silent = _now() - self._renewed
        if self.lost is None and silent > _SILENT_AT_MOST:
            self.lost = f"it was not renewed for {silent:.0f} s"
        if self.lost is not None:
            raise LakeError(
                f"lake {location}: the lease was lost while the run went on ({self.lost}), so another may have written "
                "at the same time; run again, and `pinlake status` says whether the sums hold"
            )

    def _content(self) -> bytes:
        return json.dumps({**holder(self._run), "renewed": uuid4().hex}).encode()


def _now() -> float:
    """Seconds of a clock that includes suspension. On Linux, Python's monotonic clock stops while a machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
