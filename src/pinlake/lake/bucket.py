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

from pinlake.errors import LakeError, PinlakeError
from pinlake.lake.place import LEFT_OVER, LOG, MARKER, MARKER_TEXT
from pinlake.lake.run import Run
from pinlake.store.s3_lake import LakeBucket

LEASE = ".lease.json"
# Seconds. A lease that wasn't renewed for so long is of a process that ended without giving it back.
RENEW_EVERY, EXPIRES_AFTER = 10.0, 60.0
_LOOK_EVERY = 2.0


class BucketPlace:
    """A folder of a bucket."""

    def __init__(self, store: LakeBucket) -> None:
        self.store = store
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

    def log(self, table: str) -> list[str] | None:
        return [entry.name for entry in self.store.entries(f"{table}/{LOG}")] or None

    def set_aside(self, table: str) -> None:
        self.store.move_all(table, f"{LEFT_OVER}/{table}-{uuid4().hex[:8]}")

    def remove(self, table: str) -> None:
        self.store.remove_all(table)

    @contextmanager
    def hold(self, run: Run, wait: float) -> Iterator[None]:
        """See `LakePlace`. Raises LakeError too where the lease was lost meanwhile: what was committed stays."""
        lease = _Lease(self.store, run)
        lease.take(wait)
        ended = Event()
        renewing = Thread(target=lease.renew_until, args=(ended,), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            lease.give_back()
        if lease.lost is not None:
            raise LakeError(
                f"lake {self}: the lease was lost while the run went on ({lease.lost}), so another may have written at "
                "the same time; run again, and `pinlake status` says whether the sums hold"
            )


class _Lease:
    def __init__(self, store: LakeBucket, run: Run) -> None:
        self._store = store
        self._run = run
        self._tag: str | None = None
        self.lost: str | None = None

    def take(self, wait: float) -> None:
        deadline = time.monotonic() + wait
        told = False
        while True:
            found = self._store.read_tagged(LEASE)
            if found is None or not _is_held(found.content, found.age):
                self._tag = self._store.replace(LEASE, self._content(), found.tag if found else None)
                if self._tag is not None:
                    return
                continue  # another was faster: see who
            holder = _holder(found.content)
            if not told:
                self._run.report("lake", f"waiting for {holder}")
                told = True
            if time.monotonic() >= deadline:
                raise LakeError(
                    f"lake {self._store.root} is held by {holder}; wait until it ends, or wait longer than {wait:g} s "
                    "with PINLAKE_LAKE_WAIT"
                )
            time.sleep(min(_LOOK_EVERY, max(deadline - time.monotonic(), 0.1)))

    def renew_until(self, ended: Event) -> None:
        while not ended.wait(RENEW_EVERY) and self.lost is None:
            try:
                self._tag = self._store.replace(LEASE, self._content(), self._tag)
            except PinlakeError as error:
                self.lost = str(error)
                return
            if self._tag is None:
                self.lost = "another run has taken it"

    def give_back(self) -> None:
        """Not removed: an object that is always there is always replaced, by one of those who want to."""
        if self.lost is None:
            self._store.replace(LEASE, b"{}", self._tag)

    def _content(self) -> bytes:
        holder = {"run_id": self._run.id, "host": socket.gethostname(), "pid": os.getpid(), "renewed": uuid4().hex}
        return json.dumps(holder).encode()


def _is_held(content: bytes, age: float) -> bool:
    return content != b"{}" and age < EXPIRES_AFTER


def _holder(content: bytes) -> str:
    try:
        found = json.loads(content)
        return f"run {found['run_id']} (process {found['pid']} on {found['host']})"
    except (ValueError, KeyError):
        return "another run"
