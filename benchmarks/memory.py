"""Peak memory of a process tree, sampled from /proc: the Python driver, the JVM and the Python workers."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY_SECONDS = 0.2


class PeakMemory:
    """Measures peak memory within a `with` block. `peak` is in bytes, or 0 if there is no /proc.

    Adds up resident sizes. A page that two processes share counts twice, so the result is an upper bound. With
    `only_new`, counts only processes that start within the block.
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
    """The resident size, in bytes, of the process and its descendants, without the `old` ones."""
    return sum(_resident(process) for process in process_tree(root) - old)


def process_tree(root: int) -> frozenset[int]:
    """The ids of the process and all its running descendants."""
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
        # The name in parentheses may contain any characters. After it come the state and the parent.
        return int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
