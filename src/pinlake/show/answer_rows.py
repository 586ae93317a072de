"""An answer's rows in the order in which people read them: what its figure and the table below the figure show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from pinlake.gold.tables import Rows
from pinlake.lake.model import GOLD

Row = Mapping[str, Any]

AGE_GROUPS = ("18-24", "25-35", "36-50", "50+", "Unknown")
# There are 243 countries. Nobody can read a figure with more bars than these.
MOST = 15
SHORTENED = ("top_category_by_country", "top_user_by_country")
# Answers with two groups: the column whose values are the lines of the table. The other one is a year.
CROSSED = {
    "category_posts_by_year": "category",
    "median_followers_by_join_year_and_age_group": "age_group",
}


class Mark(NamedTuple):
    """One group of an answer, the names that share its number where they tie, and the number."""

    group: str
    names: list[str]
    number: Any


def records(name: str, rows: Rows) -> list[dict[str, Any]]:
    """The rows of the gold table `name` with the names of its columns."""
    return [dict(zip(GOLD[name].column_names, row, strict=True)) for row in rows]


def marks(name: str, rows: Iterable[Row]) -> list[Mark]:
    """A mark for each group: countries from the highest number on, years and age groups in their own order.

    `names` is empty for an answer that has no column between the group and the number.
    """
    by, *named, number = GOLD[name].column_names
    by_group: dict[str, Mark] = {}
    for row in sorted(rows, key=lambda row: [str(row[column]) for column in (by, *named)]):
        mark = by_group.setdefault(str(row[by]), Mark(str(row[by]), [], row[number]))
        mark.names.extend(str(row[column]) for column in named)
    return sorted(by_group.values(), key=partial(_place, by))


def crossed(name: str, rows: Iterable[Row]) -> tuple[list[str], list[int], dict[tuple[str, int], Any]]:
    """Of an answer in `CROSSED`: its groups, its years, and the number of each pair of them that has one.

    Categories come from the one with the highest sum on, age groups from the youngest on.
    """
    down = CROSSED[name]
    across = next(column for column in GOLD[name].column_names if column.endswith("year"))
    number = GOLD[name].column_names[-1]
    numbers = {(str(row[down]), int(row[across])): row[number] for row in rows}
    sums: Counter[str] = Counter()
    for (group, _), value in numbers.items():
        sums[group] += value
    in_order = sorted(sums, key=_age_place if down == "age_group" else lambda group: (-sums[group], group))
    return in_order, sorted({year for _, year in numbers}), numbers


def table(name: str, rows: Iterable[Row]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """What the figure of the gold table `name` shows, as columns and rows."""
    columns = GOLD[name].column_names
    if name in CROSSED:
        groups, years, numbers = crossed(name, rows)
        lines = [(group, *(numbers.get((group, year)) for year in years)) for group in groups]
        return [CROSSED[name], *map(str, years)], lines
    shown = marks(name, rows)[: MOST if name in SHORTENED else None]
    named = len(columns) == 3
    return columns, [(mark.group, *[", ".join(mark.names)] * named, mark.number) for mark in shown]


def _place(by: str, mark: Mark) -> tuple[Any, ...]:
    match by:
        case "country":
            return -mark.number, mark.group
        case "age_group":
            return _age_place(mark.group)
        case _:
            return (int(mark.group),)


def _age_place(group: str) -> tuple[int, str]:
    return (AGE_GROUPS.index(group) if group in AGE_GROUPS else len(AGE_GROUPS)), group
