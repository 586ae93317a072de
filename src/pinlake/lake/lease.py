"""One lake, one writer, outside a workspace: a file lock in the lake, which ends with the process that holds it."""

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
    """Hold the lake in `root` for `run`, after waiting at most `wait` seconds.

    The operating system frees the lock of a dead process, so a lease needs no expiry and no clean-up. Raises
    LakeBusyError that says who holds the lake.
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
