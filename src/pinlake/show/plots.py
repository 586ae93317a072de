"""The ten answers as plotly figures, and as the tables below them: rows in, a figure or a table out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from pinlake.gold.tables import check_name
from pinlake.lake.model import GOLD
from pinlake.show import marks
from pinlake.show.marks import PLAIN, SEVERAL, Top

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
Rows = list[Row]

# There are 243 countries: more bars than these nobody can read.
MOST = 15
AGE_GROUPS = ("18-24", "25-35", "36-50", "50+", "Unknown")

_AGE_COLOURS = dict(zip(AGE_GROUPS, ("#2a9d8f", "#3b6ea8", "#7b4fa3", "#c8553d", SEVERAL), strict=True))


def figure(name: str, rows: pandas.DataFrame | Iterable[Row]) -> go.Figure:
    """The figure of the gold table `name` from its rows, in any order. Raises UsageError where there is none."""
    check_name(name)
    records: Rows = rows.to_dict("records") if hasattr(rows, "to_dict") else [dict(row) for row in rows]
    return FIGURES[name](records) if records else marks.empty(name)


def table(name: str, rows: Iterable[Row]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """What the figure shows as a table: columns, and rows in the figure's order.

    Raises UsageError where there is none.
    """
    check_name(name)
    records = [dict(row) for row in rows]
    columns = GOLD[name].column_names
    if name in _TOPS:
        tops = _TOPS[name](records)
        if len(columns) == 2:
            return columns, [(top.group, top.number) for top in tops]
        return columns, [(top.group, ", ".join(top.names), top.number) for top in tops]
    if name in _FIELDS:
        down, across, number = _FIELDS[name]
        found = {(row[down], row[across]): row[number] for row in records}
        years = sorted({row[across] for row in records})
        return [down, *map(str, years)], [
            (each, *(found.get((each, year)) for year in years)) for each in _down(name, records)
        ]
    year, number = columns
    return columns, [(str(row[year]), row[number]) for row in sorted(records, key=lambda row: int(row[year]))]


def top_category_by_country(rows: Rows) -> go.Figure:
    """The countries with the highest counts, a bar each; several categories share a bar where they tie."""
    limited = _of_all(rows, "country", "with most such posts")
    return marks.bars("top_category_by_country", _TOPS["top_category_by_country"](rows), limited)


def category_posts_by_year(rows: Rows) -> go.Figure:
    """A field for each year and category, the category with most posts at the top."""
    counts = {(row["category"], row["post_year"]): row["category_count"] for row in rows}
    years = sorted({row["post_year"] for row in rows})
    names = _down("category_posts_by_year", rows)[::-1]
    numbers = [[counts.get((name, year), 0) for year in years] for name in names]
    field = go.Heatmap(
        x=[str(year) for year in years],
        y=names,
        z=numbers,
        text=[[f"{number:,}" for number in line] for line in numbers],
        texttemplate="%{text}",
        colorscale="Blues",
        showscale=False,  # each field has its number
        hovertemplate="%{y}, %{x}: %{z:,} posts<extra></extra>",
    )
    return marks.laid_out("category_posts_by_year", [field], x="year (UTC)", height=480, x_type="category")


def top_category_by_year(rows: Rows) -> go.Figure:
    """A bar for each year, the first at the top."""
    return marks.bars("top_category_by_year", _TOPS["top_category_by_year"](rows))


def top_user_by_country(rows: Rows) -> go.Figure:
    """The countries whose top poster has most followers, a dot each, the poster's name beside it."""
    limited = _of_all(rows, "country", "whose posters have most")
    return marks.dots("top_user_by_country", _TOPS["top_user_by_country"](rows), limited)


def top_country_by_followers(rows: Rows) -> go.Figure:
    """A bar for the country; more where countries tie."""
    return marks.bars("top_country_by_followers", _TOPS["top_country_by_followers"](rows), x="followers")


def top_category_by_age_group(rows: Rows) -> go.Figure:
    """A bar for each age group, the youngest at the top."""
    return marks.bars("top_category_by_age_group", _TOPS["top_category_by_age_group"](rows))


def median_followers_by_age_group(rows: Rows) -> go.Figure:
    """A dot for each age group, the youngest at the top."""
    name = "median_followers_by_age_group"
    return marks.dots(name, _TOPS[name](rows), x="median followers")


def users_joined_by_year(rows: Rows) -> go.Figure:
    """An upright bar for each year."""
    years = [(str(row["join_year"]), row["number_users_joined"]) for row in _by_year(rows)]
    return marks.upright("users_joined_by_year", years, "users", x="year (UTC)", y="users who joined")


def median_followers_by_join_year(rows: Rows) -> go.Figure:
    """One line over the years."""
    return marks.lines("median_followers_by_join_year", [marks.line("all ages", _over_years(rows), PLAIN, True)])


def median_followers_by_join_year_and_age_group(rows: Rows) -> go.Figure:
    """A line for each age group over the years."""
    name = "median_followers_by_join_year_and_age_group"
    drawn = [
        marks.line(
            group,
            _over_years(row for row in rows if row["age_group"] == group),
            _AGE_COLOURS.get(group, SEVERAL),
        )
        for group in _down(name, rows)
    ]
    return marks.lines(name, drawn)


FIGURES: dict[str, Callable[[Rows], go.Figure]] = {
    make.__name__: make
    for make in (
        top_category_by_country,
        category_posts_by_year,
        top_category_by_year,
        top_user_by_country,
        top_country_by_followers,
        top_category_by_age_group,
        median_followers_by_age_group,
        users_joined_by_year,
        median_followers_by_join_year,
        median_followers_by_join_year_and_age_group,
    )
}


# The marks of a figure, in its order.
_TOPS: dict[str, Callable[[Rows], list[Top]]] = {
    "top_category_by_country": lambda rows: _highest(_tied(rows, "country", "category", "category_count")),
    "top_category_by_year": lambda rows: sorted(
        _tied(rows, "post_year", "category", "category_count"), key=lambda top: int(top.group)
    ),
    "top_user_by_country": lambda rows: _highest(_tied(rows, "country", "poster_name", "follower_count")),
    "top_country_by_followers": lambda rows: sorted(_numbered(rows, "country", "follower_count")),
    "top_category_by_age_group": lambda rows: _by_age(_tied(rows, "age_group", "category", "category_count")),
    "median_followers_by_age_group": lambda rows: _by_age(_numbered(rows, "age_group", "median_follower_count")),
}
# What goes down and what across, and the number.
_FIELDS = {
    "category_posts_by_year": ("category", "post_year", "category_count"),
    "median_followers_by_join_year_and_age_group": ("age_group", "join_year", "median_follower_count"),
}


def _down(name: str, rows: Rows) -> list[str]:
    """What goes down: categories from the one with most posts on, age groups from the youngest on."""
    down, _, number = _FIELDS[name]
    if down == "age_group":
        return sorted({row[down] for row in rows}, key=_age_place)
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[down]] = totals.get(row[down], 0) + row[number]
    return sorted(totals, key=lambda each: (totals[each], each), reverse=True)


def _by_age(tops: Sequence[Top]) -> list[Top]:
    return sorted(tops, key=lambda top: _age_place(top.group))


def _by_year(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: int(row["join_year"]))


def _tied(rows: Rows, by: str, name: str, number: str) -> list[Top]:
    """One mark for each group: rows of a group are equal in number, else they would not both be at the top."""
    tops: dict[str, Top] = {}
    for row in sorted(rows, key=lambda row: (str(row[by]), str(row[name]))):
        group = str(row[by])
        tops.setdefault(group, Top(group, [], row[number])).names.append(str(row[name]))
    return list(tops.values())


def _numbered(rows: Rows, by: str, number: str) -> list[Top]:
    """One mark for each row, its number written beside it."""
    return [Top(str(row[by]), [f"{row[number]:,.10g}"], row[number]) for row in rows]


def _over_years(rows: Iterable[Row]) -> list[tuple[int, float]]:
    return sorted((int(row["join_year"]), row["median_follower_count"]) for row in rows)


def _highest(tops: Sequence[Top]) -> list[Top]:
    return sorted(tops, key=lambda top: (-top.number, top.group))[:MOST]


def _of_all(rows: Rows, by: str, which: str) -> str:
    there = len({row[by] for row in rows})
    return f"the {MOST} of {there:,} countries {which}" if there > MOST else ""


def _age_place(group: object) -> tuple[int, str]:
    known = AGE_GROUPS.index(str(group)) if group in AGE_GROUPS else len(AGE_GROUPS)
    return known, str(group)
