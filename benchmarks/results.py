"""The results as typed rows, and how they are stored in `results.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.machine import Machine
from benchmarks.measure import Timing

GoalKind = Literal["at most times", "at least times faster", "at most seconds"]


@dataclass(frozen=True)
class Goal:
    """A limit on ours / yardstick, on yardstick / ours, or on our seconds."""

    kind: GoalKind
    limit: float


def at_most(times: float) -> Goal:
    """The goal that ours takes at most this many times as long as the yardstick."""
    return Goal("at most times", times)


def faster(times: float) -> Goal:
    """The goal that the yardstick takes at least this many times as long as ours."""
    return Goal("at least times faster", times)


def within(seconds: float) -> Goal:
    """The goal that ours takes at most this many seconds."""
    return Goal("at most seconds", seconds)


@dataclass(frozen=True)
class Row:
    """One comparison. `objects` and `size`, in bytes, are what one repetition of ours processes."""

    what: str
    ours: Timing
    yardstick: Timing | None = None
    goal: Goal | None = None
    objects: int | None = None
    size: int | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours / yardstick, or the reverse if the goal is to be faster. None without a yardstick."""
        if self.yardstick is None:
            return None
        ours, yardstick = self.ours.median, self.yardstick.median
        return yardstick / ours if self.is_faster_wanted else ours / yardstick

    @property
    def is_faster_wanted(self) -> bool:
        """True if the goal is to be faster than the yardstick."""
        return self.goal is not None and self.goal.kind == "at least times faster"

    @property
    def is_met(self) -> bool | None:
        """True if the goal is met. None without a goal."""
        if self.goal is None:
            return None
        if self.goal.kind == "at most seconds":
            return self.ours.median <= self.goal.limit
        assert self.ratio is not None, f"{self.what}: a ratio needs a yardstick"
        return self.ratio >= self.goal.limit if self.is_faster_wanted else self.ratio <= self.goal.limit


@dataclass(frozen=True)
class Result:
    """The rows of a benchmark, with the machine and the day of the measurement (`taken`, in UTC)."""

    name: str
    title: str
    about: str
    taken: str
    machine: Machine
    rows: list[Row] = field(default_factory=list)


def load(file: Path) -> dict[str, Result]:
    """The results by the name of the benchmark. Empty if the file doesn't exist."""
    if not file.exists():
        return {}
    return {name: _result(found) for name, found in json.loads(file.read_text(encoding="utf-8")).items()}


def save(results: Sequence[Result], file: Path) -> None:
    """Write the results. Includes medians, ratios and verdicts, for other programs that read the file."""
    whole = {result.name: _plain(result) for result in results}
    file.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(result: Result) -> dict[str, Any]:
    plain = asdict(result)
    for row, found in zip(result.rows, plain["rows"], strict=True):
        for timing in filter(None, (found["ours"], found["yardstick"])):
            timing["seconds"] = [round(seconds, 4) for seconds in timing["seconds"]]
        found["ours_median"] = round(row.ours.median, 4)
        found["yardstick_median"] = round(row.yardstick.median, 4) if row.yardstick else None
        found["ratio"] = round(row.ratio, 4) if row.ratio is not None else None
        found["met"] = row.is_met
    return plain


def _result(found: dict[str, Any]) -> Result:
    return Result(**{**found, "machine": Machine(**found["machine"]), "rows": [_row(row) for row in found["rows"]]})


def _row(found: dict[str, Any]) -> Row:
    goal = found["goal"]
    return Row(
        what=found["what"],
        ours=_timing(found["ours"]),
        yardstick=_timing(found["yardstick"]) if found["yardstick"] else None,
        goal=Goal(**goal) if goal else None,
        objects=found["objects"],
        size=found["size"],
        note=found["note"],
    )


def _timing(found: dict[str, Any]) -> Timing:
    return Timing(found["name"], tuple(found["seconds"]), found["peak"])
