"""The ten answers as plotly figures: rows in, a figure out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from pinlake.query.gold import check_name, ordered
from pinlake.report import marks
from pinlake.report.marks import PLAIN, SEVERAL, Top
from pinlake.report.ticks import ticks

if TYPE_CHECKING:
    import pandas

    from pinlake.lake.lake import Lake

Row = dict[str, Any]
Rows = list[Row]

# There are 243 countries: more bars than these nobody can read.
MOST = 25
AGE_GROUPS = ("18-24", "25-35", "36-50", "50+", "Unknown")

_AGE_COLOURS = dict(zip(AGE_GROUPS, ("#2a9d8f", "#3b6ea8", "#7b4fa3", "#c8553d", SEVERAL), strict=True))


def figure(name: str, rows: pandas.DataFrame | Iterable[Row]) -> go.Figure:
    """The figure of the gold table `name` from its rows, in any order. Raises UsageError where there is none."""
    check_name(name)
    records: Rows = rows.to_dict("records") if hasattr(rows, "to_dict") else [dict(row) for row in rows]
    return FIGURES[name](records) if records else marks.empty(name)


def answer(lake: Lake, name: str) -> go.Figure:
    """The figure of a lake's gold table. Raises UsageError for an unknown name, LakeError before the first query."""
    return figure(name, [row.asDict() for row in ordered(lake, name).collect()])


def top_category_by_country(rows: Rows) -> go.Figure:
    """The countries with the highest counts, a bar each; several categories share a bar where they tie."""
    tops = _tied(rows, "country", "category", "category_count")
    return marks.bars("top_category_by_country", _highest(tops), _of_all(tops, "with most such posts"))


def category_posts_by_year(rows: Rows) -> go.Figure:
    """A field for each year and category, the category with most posts at the top."""
    counts = {(row["category"], row["post_year"]): row["category_count"] for row in rows}
    years = sorted({row["post_year"] for row in rows})
    totals = {name: sum(counts.get((name, year), 0) for year in years) for name in {row["category"] for row in rows}}
    names = sorted(totals, key=lambda name: (totals[name], name))
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
    tops = _tied(rows, "post_year", "category", "category_count")
    return marks.bars("top_category_by_year", sorted(tops, key=lambda top: int(top.group)))


def top_user_by_country(rows: Rows) -> go.Figure:
    """The countries whose top poster has most followers, a dot each, the poster's name beside it."""
    tops = _tied(rows, "country", "poster_name", "follower_count")
    return marks.dots("top_user_by_country", _highest(tops), _of_all(tops, "whose posters have most"))


def top_country_by_followers(rows: Rows) -> go.Figure:
    """A bar for the country; more where countries tie."""
    tops = _numbered(rows, "country", "follower_count")
    return marks.bars("top_country_by_followers", sorted(tops), x="followers")


def top_category_by_age_group(rows: Rows) -> go.Figure:
    """A bar for each age group, the youngest at the top."""
    tops = _tied(rows, "age_group", "category", "category_count")
    return marks.bars("top_category_by_age_group", sorted(tops, key=lambda top: _age_place(top.group)))


def median_followers_by_age_group(rows: Rows) -> go.Figure:
    """A dot for each age group, the youngest at the top."""
    tops = sorted(_numbered(rows, "age_group", "median_follower_count"), key=lambda top: _age_place(top.group))
    return marks.dots("median_followers_by_age_group", tops, x="median followers")


def users_joined_by_year(rows: Rows) -> go.Figure:
    """An upright bar for each year."""
    ordered = sorted(rows, key=lambda row: int(row["join_year"]))
    numbers = [row["number_users_joined"] for row in ordered]
    bar = go.Bar(
        x=[str(row["join_year"]) for row in ordered],
        y=numbers,
        text=[f"{number:,}" for number in numbers],
        textposition="outside",
        cliponaxis=False,
        marker_color=PLAIN,
        hovertemplate="%{x}: %{y:,} users<extra></extra>",
    )
    page = marks.laid_out("users_joined_by_year", [bar], x="year (UTC)", y="users who joined", x_type="category")
    # Room for the numbers above the bars.
    highest = (max(numbers) or 1) * 1.12
    return page.update_yaxes(range=[0, highest], **ticks(0, highest, "linear"))


def median_followers_by_join_year(rows: Rows) -> go.Figure:
    """One line over the years."""
    return marks.lines("median_followers_by_join_year", [marks.line("all ages", _over_years(rows), PLAIN, True)])


def median_followers_by_join_year_and_age_group(rows: Rows) -> go.Figure:
    """A line for each age group over the years."""
    groups = sorted({row["age_group"] for row in rows}, key=_age_place)
    drawn = [
        marks.line(
            group,
            _over_years(row for row in rows if row["age_group"] == group),
            _AGE_COLOURS.get(group, SEVERAL),
        )
        for group in groups
    ]
    return marks.lines("median_followers_by_join_year_and_age_group", drawn)


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


def _of_all(tops: Sequence[Top], which: str) -> str:
    return f"the {MOST} of {len(tops)} countries {which}" if len(tops) > MOST else ""


def _age_place(group: object) -> tuple[int, str]:
    known = AGE_GROUPS.index(str(group)) if group in AGE_GROUPS else len(AGE_GROUPS)
    return known, str(group)
