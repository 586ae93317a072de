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
            raise busy(root, _holder(root), wait) from None
    try:
        (root / HOLDER_FILE).write_text(json.dumps(holder(run)), encoding="utf-8")
        yield
    finally:
        (root / HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def holder(run: Run) -> dict[str, str | int]:
    """The content of the holder's file: the run and its process."""
    return {"run_id": run.id, "host": socket.gethostname(), "pid": os.getpid()}


def holder_name(content: bytes) -> str:
    """The run that holds the lake, for messages."""
    try:
        held = json.loads(content)
        return f"run {held['run_id']} (process {held['pid']} on {held['host']})"
    except (ValueError, KeyError):
        return "another run"


def busy(lake: object, holder: str, wait: float) -> LakeBusyError:
    """The error after `wait` seconds."""
    return LakeBusyError(
        f"lake {lake} is held by {holder}; wait until it ends, or wait longer than {wait:g} s with PINLAKE_LAKE_WAIT"
    )


def _holder(root: Path) -> str:
    try:
        return holder_name((root / HOLDER_FILE).read_bytes())
    except OSError:
        return holder_name(b"")
