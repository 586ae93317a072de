"""Independent tables side by side: a small commit is mostly waiting."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = 4


def side_by_side(*jobs: Callable[[], T]) -> list[T]:
    """What the jobs return, in their order. Raises the first job's error when all have ended."""
    if not jobs:
        return []
    with ThreadPoolExecutor(max_workers=min(len(jobs), _AT_ONCE)) as pool:
        running = [pool.submit(job) for job in jobs]
    return [job.result() for job in running]
