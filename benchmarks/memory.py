"""Peak memory of a tree of processes, sampled from /proc: Python driver, JVM and Python workers together."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY_SECONDS = 0.2


class PeakMemory:
    """Samples while it is open. `peak` is in bytes, and 0 where there is no /proc.

    Resident sizes are added up, so a page that two processes share counts twice: the figure is an upper bound. With
    `only_new` just the processes that start meanwhile count, not this one nor what it runs already.
    """

    def __init__(self, only_new: bool = False) -> None:
        self.peak = 0
        self._old = process_tree(os.getpid()) if only_new else frozenset[int]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_on, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _sample_on(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self.peak = max(self.peak, resident(os.getpid(), self._old))


def resident(root: int, old: frozenset[int] = frozenset()) -> int:
    """Bytes of the process and all its descendants but the `old` ones."""
    return sum(_resident(process) for process in process_tree(root) - old)


def process_tree(root: int) -> frozenset[int]:
    """The process and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        parent = _parent(entry)
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = set[int](), [root]
    while waiting:
        process = waiting.pop()
        found.add(process)
        waiting.extend(children.get(process, []))
    return frozenset(found)


def _parent(entry: Path) -> int | None:
    try:
        # The name in parentheses may hold anything, blanks too; what follows it is state and parent.
        return int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
