"""Format the results as a Markdown page, with a table for each benchmark and a line for each comparison."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.measure import Timing
from benchmarks.results import Result, Row

_HEAD = (
    "what",
    "ours",
    "yardstick",
    "ratio",
    "goal",
    "met",
    "e242087",
    "objects/s",
    "MB/s",
    "peak memory: ours / yardstick",
    "repetitions",
    "note",
)

_BEFORE: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("e242087.json").read_text(encoding="utf-8"))

_INTRODUCTION = """# Benchmarks

Made by `make bench` (`python -m benchmarks`), never by hand. `results.json` beside this page has every single time.

- Times are medians in seconds, warm: one uncounted repetition comes first, and the files are in the page cache.
- Ours and its yardstick are measured in the same run, in turn (A B A B). Five repetitions, or as many as the table
  says: three where one takes over a minute.
- All that runs in this process shares one local Spark session with {memory} of driver memory.
- Peak memory is the resident size of the driver, the JVM and the Python workers added up; pages that they share count
  more than once. A JVM keeps what it once took, so what runs later in a session never shows less than what ran before.
- e242087 is the version before the one pass from the dump to the answers, measured on 2026-11-25 on a machine of the
  same kind: its time, and its ratio.
- "Faster" is the yardstick's time divided by ours, every other ratio is ours divided by the yardstick's.
"""


def page(results: Sequence[Result], memory: str) -> str:
    """The page RESULTS.md. `memory` is the driver memory, such as 4g."""
    return "\n".join([_INTRODUCTION.format(memory=memory), *_summary(results), *map(section, results)])


def section(result: Result) -> str:
    """The section of one benchmark."""
    lines = [
        f"## {result.name}: {result.title}",
        "",
        result.about,
        "",
        *_table(_HEAD, [_cells(result.name, row) for row in result.rows]),
        "",
        f"{result.taken}, load {result.machine.load:g} before: {result.machine.line()}",
        "",
    ]
    return "\n".join(lines)


def _summary(results: Sequence[Result]) -> list[str]:
    rows = [(result.name, row) for result in results for row in result.rows if row.goal]
    cells = [[name, row.what, *_comparison(row), _before(name, row)] for name, row in rows]
    return ["## Goals", "", *_table(("benchmark", *_HEAD[:7]), cells), ""]


def _cells(name: str, row: Row) -> list[str]:
    return [
        row.what,
        *_comparison(row),
        _before(name, row),
        f"{row.objects / row.ours.median:,.0f}" if row.objects else "",
        f"{row.size / row.ours.median / 1e6:,.1f}" if row.size else "",
        " / ".join(_gigabytes(timing) for timing in (row.ours, row.yardstick) if timing),
        str(len(row.ours.seconds)),
        row.note,
    ]


def _comparison(row: Row) -> list[str]:
    yardstick = f"{row.yardstick.name}: {_seconds(row.yardstick)}" if row.yardstick else ""
    return [_seconds(row.ours), yardstick, _ratio(row), _goal(row), _met(row)]


def _before(name: str, row: Row) -> str:
    """The result of the earlier version for the row, from `e242087.json`. Empty if there is none."""
    yardstick = f" | {row.yardstick.name}" if row.yardstick else ""
    return _BEFORE.get(name, {}).get(row.what + yardstick, "")


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    digits = f"{row.ratio:.2f}" if row.ratio >= 0.1 else f"{row.ratio:.3f}"
    return f"{digits} × faster" if row.is_faster_wanted else f"{digits} ×"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    limit = f"{row.goal.limit:.3g}"
    return {
        "at most times": f"at most {limit} ×",
        "at least times faster": f"at least {limit} × faster",
        "at most seconds": f"at most {limit} s",
    }[row.goal.kind]


def _met(row: Row) -> str:
    return {True: "met", False: "**missed**", None: ""}[row.is_met]


def _seconds(timing: Timing) -> str:
    return f"{timing.median:.2f} s" if timing.median >= 1 else f"{timing.median:.3f} s"


def _gigabytes(timing: Timing) -> str:
    return f"{timing.peak / 1024**3:.2f} GiB" if timing.peak else "unknown"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    return [_line(head), _line(["---"] * len(head)), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
