"""The lease of a lake in a folder: a file lock, so that only one run writes at a time."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pinlake.errors import LakeBusyError
from pinlake.lake.run import Run

LOCK_FILE = ".lease"
HOLDER_FILE = ".lease.json"


@contextmanager
def lease(root: Path, run: Run, wait: float) -> Iterator[None]:
    """Hold the lake in `root` for the `with` block. Waits at most `wait` seconds for another run.

    The operating system releases the lock when the process ends, so the lease needs no expiry. Raises LakeBusyError,
    which names the holder.
    """
    lock = FileLock(root / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        run.report("lake", f"waiting for {_holder(root)}")
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            raise LakeBusyError(
                f"lake {root} is held by {_holder(root)}; wait until it ends, or wait longer than {wait:g} s with "
                "PINLAKE_LAKE_WAIT"
            ) from None
    try:
        holder = {"run_id": run.id, "host": socket.gethostname(), "pid": os.getpid()}
        (root / HOLDER_FILE).write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        (root / HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def _holder(root: Path) -> str:
    try:
        found = json.loads((root / HOLDER_FILE).read_text(encoding="utf-8"))
        return f"run {found['run_id']} (process {found['pid']} on {found['host']})"
    except (OSError, ValueError, KeyError):
        return "another run"
