"""Run independent jobs in parallel threads. A small commit mostly waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = 4


def side_by_side(*jobs: Callable[[], T]) -> list[T]:
    """Run all jobs and return their results in order. Raises the first failed job's error when all have ended."""
    if not jobs:
        return []
    with ThreadPoolExecutor(max_workers=min(len(jobs), _AT_ONCE)) as pool:
        running = [pool.submit(job) for job in jobs]
    return [job.result() for job in running]
