"""A lake in a bucket of S3: its tables for Spark by `s3a`, everything else by the store that also reads dumps.

Delta on S3 needs that one process writes at a time, so the lease is what keeps the tables whole: an object that only
the holder can replace, and does every few seconds.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from uuid import uuid4

from pinlake.errors import LakeBusyError, LakeError, PinlakeError
from pinlake.lake.place import LOG, MARKER, MARKER_TEXT, Commit, kept_as, last_of
from pinlake.lake.run import Run
from pinlake.lake.s3_lake import LakeBucket

LEASE = ".lease.json"
# Seconds. A lease that wasn't renewed for so long is of a process that ended without giving it back.
RENEW_EVERY, EXPIRES_AFTER = 10.0, 60.0
# A renewal must have failed, and no commit be begun, well before another run may take it.
_PATIENCE, _SILENT_AT_MOST = 15.0, 45.0
# What is in a lease that nobody holds.
FREE = b"{}"
_LOOK_EVERY = 2.0


class BucketPlace:
    """A folder of a bucket."""

    def __init__(self, store: LakeBucket) -> None:
        self.store = store
        self._lease: _Lease | None = None
        self.location = "s3a://" + store.root.removeprefix("s3://")

    def __str__(self) -> str:
        return self.store.root

    def check(self, write: bool = True) -> None:
        """What a bucket allows is seen when it is asked: to look is a request, to try a write would be one."""
        names = {entry.name for entry in self.store.entries("")}
        if names and MARKER not in names:
            raise LakeError(
                f"{self} holds something else ({min(names)}) and no lake; give an empty or a new prefix with --lake"
            )

    def is_lake(self) -> bool:
        return any(entry.name == MARKER for entry in self.store.entries(""))

    def make(self) -> None:
        self.check()
        if not self.is_lake():
            try:
                self.store.write(MARKER, MARKER_TEXT.encode())
            except FileExistsError:
                return  # another run was faster

    def has(self, table: str) -> bool:
        return self.store.holds_any(table)

    def names(self, table: str) -> list[str]:
        return [entry.name for entry in self.store.entries(table)]

    def log(self, table: str) -> list[str] | None:
        return [entry.name for entry in self.store.entries(f"{table}/{LOG}")] or None

    def last_commit(self, table: str) -> Commit | None:
        if (name := last_of(self.log(table) or [])) is None:
            return None
        return Commit.of(name, self.store.stat(f"{table}/{LOG}/{name}").modified // 1000)

    def set_aside(self, table: str) -> str:
        self.store.move_all(table, kept := kept_as(table))
        return kept

    def remove(self, table: str) -> None:
        self.store.remove_all(table)

    @contextmanager
    def hold(self, run: Run, wait: float) -> Iterator[None]:
        """See `LakePlace`. Raises LakeError too where the lease was lost meanwhile."""
        lease = _Lease(self.store.quickly(_PATIENCE), run)
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
            found = self._store.read_tagged(LEASE)
            if found is None or not _is_held(found.content, found.age):
                self._tag = self._store.replace(LEASE, self._content(), found.tag if found else None)
                if self._tag is not None:
                    self._renewed = _now()
                    return
                continue  # another was faster: see who
            holder = _holder(found.content)
            if not told:
                self._run.report("lake", f"waiting for {holder}")
                told = True
            if time.monotonic() >= deadline:
                raise LakeBusyError(
                    f"lake {self._store.root} is held by {holder}; wait until it ends, or wait longer than {wait:g} s "
                    "with PINLAKE_LAKE_WAIT"
                )
            time.sleep(min(_LOOK_EVERY, max(deadline - time.monotonic(), 0.1)))

    def renew_until(self, ended: Event) -> None:
        while not ended.wait(RENEW_EVERY) and self.lost is None:
            try:
                self._tag = self._store.replace(LEASE, self._content(), self._tag)
                self.lost = None if self._tag else "another run has taken it"
                self._renewed = _now()
            except PinlakeError as error:
                self.lost = str(error)

    def give_back(self) -> None:
        """Not removed: an object that is always there is always replaced, by one of those who want to."""
        if self._tag is None:
            return
        try:
            if self._store.replace(LEASE, FREE, self._tag) is None:
                self.lost = "another run has taken it"
        except PinlakeError:
            pass  # it expires

    def check(self, place: str) -> None:
        """Raise LakeError where it was lost, or is about to be: this process may have slept, or heard of no server."""
        silent = _now() - self._renewed
        if self.lost is None and silent > _SILENT_AT_MOST:
            self.lost = f"it was not renewed for {silent:.0f} s"
        if self.lost is not None:
            raise LakeError(
                f"lake {place}: the lease was lost while the run went on ({self.lost}), so another may have written at "
                "the same time; run again, and `pinlake status` says whether the sums hold"
            )

    def _content(self) -> bytes:
        holder = {"run_id": self._run.id, "host": socket.gethostname(), "pid": os.getpid(), "renewed": uuid4().hex}
        return json.dumps(holder).encode()


def _now() -> float:
    """Seconds of a clock that goes on while the machine sleeps: on Linux Python's monotonic one stands still then."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _is_held(content: bytes, age: float) -> bool:
    return content != FREE and age < EXPIRES_AFTER


def _holder(content: bytes) -> str:
    try:
        found = json.loads(content)
        return f"run {found['run_id']} (process {found['pid']} on {found['host']})"
    except (ValueError, KeyError):
        return "another run"
