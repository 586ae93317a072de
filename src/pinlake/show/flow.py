"""Where every record went, as a flow picture: received, bronze, and what bronze became. Widths are records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pinlake.lake.row_count import TopicCount

_WIDTH, _HEIGHT, _BAR, _GAP = 720, 260, 14, 18
_COLUMNS = (0, 300, 560)
# What bronze becomes, by the names of the counts.
ENDS = {
    "silver": "silver",
    "deduplicated": "duplicates",
    "conflicts": "conflicts",
    "quarantined": "quarantine",
    "backlog": "backlog",
}


class Bar(NamedTuple):
    """A stage or an end: what it is called, how many records, and its rectangle in pixels."""

    label: str
    records: int
    x: float
    y: float
    height: float


class Ribbon(NamedTuple):
    """Records that go from one bar to another, as an SVG path."""

    kind: str
    label: str
    records: int
    path: str


@dataclass(frozen=True)
class Flow:
    """The picture: its size in pixels, bars and ribbons."""

    width: int
    height: float
    bar: int
    bars: list[Bar]
    ribbons: list[Ribbon]


def flow(counts: Sequence[TopicCount]) -> Flow:
    """The flow of the records of all topics. Empty bars are left out."""
    received = {count.topic: count.received for count in counts}
    bronze = {"bronze": sum(count.bronze for count in counts)}
    unreadable = {"unreadable": sum(count.unreadable for count in counts)}
    ends = {label: sum(getattr(count, name) for count in counts) for name, label in ENDS.items()}
    scale = _HEIGHT / max(1, *received.values(), sum(received.values()))
    columns = [received, bronze | unreadable, ends]
    bars: dict[str, Bar] = {}
    for x, column in zip(_COLUMNS, columns, strict=True):
        y = 0.0
        for label, records in column.items():
            if records:
                # A single record can be seen, too.
                bars[label] = Bar(label, records, x, y, max(records * scale, 1.5))
                y += bars[label].height + _GAP
    links = [(count.topic, "bronze", count.bronze) for count in counts]
    links += [(count.topic, "unreadable", count.unreadable) for count in counts]
    links += [("bronze", label, records) for label, records in ends.items()]
    return Flow(
        _WIDTH,
        max([bar.y + bar.height for bar in bars.values()], default=0) + _GAP,
        _BAR,
        list(bars.values()),
        _ribbons(bars, links, scale),
    )


def _ribbons(bars: dict[str, Bar], links: Sequence[tuple[str, str, int]], scale: float) -> list[Ribbon]:
    taken = dict.fromkeys(bars, 0.0)
    given = dict.fromkeys(bars, 0.0)
    ribbons = []
    for start, end, records in links:
        if not records:
            continue
        width = max(records * scale, 1.5)
        left, right = bars[start], bars[end]
        x, to = left.x + _BAR, right.x
        top, bottom = left.y + given[start], right.y + taken[end]
        given[start] += width
        taken[end] += width
        middle = (x + to) / 2
        path = (
            f"M{x:.1f} {top:.1f}C{middle:.1f} {top:.1f} {middle:.1f} {bottom:.1f} {to:.1f} {bottom:.1f}"
            f"v{width:.1f}C{middle:.1f} {bottom + width:.1f} {middle:.1f} {top + width:.1f} {x:.1f} {top + width:.1f}z"
        )
        ribbons.append(Ribbon(end, f"{start} → {end}", records, path))
    return ribbons
