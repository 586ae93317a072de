"""Timing: one uncounted warm-up of each case, then the cases in turn (A B A B). Results are medians."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from benchmarks.memory import PeakMemory

Work = Callable[[], object]
Say = Callable[[str], None]

USUAL, SLOW = 5, 3
_SLOW_SECONDS = 60


@dataclass(frozen=True)
class Case:
    """A case to time. `prepare` runs before each repetition, isn't timed, and returns the function to time."""

    name: str
    prepare: Callable[[], Work]


@dataclass(frozen=True)
class Timing:
    """The seconds of each counted repetition, and the highest memory of all repetitions, in bytes."""

    name: str
    seconds: tuple[float, ...]
    peak: int

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)


def ready(name: str, work: Work) -> Case:
    """A case without preparation."""
    return Case(name, lambda: work)


def interleaved(cases: Sequence[Case], say: Say, repetitions: int | None, only_new: bool = False) -> list[Timing]:
    """Time the cases in turn, so that a slowdown of the machine affects all of them.

    `repetitions` defaults to five, or to three if a warm-up took more than a minute. `only_new` measures only the
    memory of processes that the work starts.
    """
    warm = [_once(case, "warm-up", say, only_new)[0] for case in cases]
    count = repetitions or (SLOW if max(warm) > _SLOW_SECONDS else USUAL)
    taken: list[list[tuple[float, int]]] = [[] for _ in cases]
    for number in range(1, count + 1):
        for case, results in zip(cases, taken, strict=True):
            results.append(_once(case, f"{number}/{count}", say, only_new))
    return [
        Timing(case.name, tuple(seconds for seconds, _ in results), max(peak for _, peak in results))
        for case, results in zip(cases, taken, strict=True)
    ]


def once(case: Case, say: Say) -> Timing:
    """Time a case once, without a warm-up, for work that can't be repeated."""
    seconds, peak = _once(case, "once", say, only_new=False)
    return Timing(case.name, (seconds,), peak)


def _once(case: Case, number: str, say: Say, only_new: bool) -> tuple[float, int]:
    work = case.prepare()
    # Flush earlier writes, so that this case doesn't pay for them.
    os.sync()
    with PeakMemory(only_new) as memory:
        start = perf_counter()
        work()
        seconds = perf_counter() - start
    say(f"{case.name}, {number}: {seconds:.3f} s")
    return seconds, memory.peak
