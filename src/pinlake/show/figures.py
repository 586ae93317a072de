"""Each figure, defined once as a Vega-Lite chart. Notebooks show the chart, reports a picture of it.

Needs altair, which the runtime of a workspace lacks. Pictures also need vl-convert-python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import altair as alt

from pinlake.lake.model import GOLD
from pinlake.show import axes
from pinlake.show.answer_rows import AGE_GROUPS, MOST, SHORTENED, Mark, Row, crossed, marks
from pinlake.show.figure import Figure
from pinlake.show.sentences import listed
from pinlake.topics import CATEGORIES

if TYPE_CHECKING:
    from pinlake.show.explore import Posts

# Sizes are pixels of the chart.
_WIDTH, _HEIGHT, _PANEL, _PANEL_HEIGHT, _STEP = 560, 300, 330, 220, 24
_LABEL = 340
_PANEL_LETTERS = 48
# So many numbers have room beside the points or bars of a figure.
_MOST_NUMBERS = 12

PLAIN = "#0072b2"
_SEVERAL = "#8a8a8a"
# Paul Tol's and Okabe and Ito's colours, which people with any colour vision can tell apart as far as that is possible
# with thirteen. Names stand beside the bars all the same.
CATEGORY_COLOURS = dict(
    zip(
        CATEGORIES,
        (
            *("#0072b2", "#cc6677", "#117733", "#e69f00", "#332288", "#44aa99", "#663300"),
            *("#999933", "#88ccee", "#882255", "#d55e00", "#aa4499", "#ddcc77"),
        ),
        strict=True,
    )
)
AGE_COLOURS = dict(zip(AGE_GROUPS, ("#e69f00", "#56b4e9", "#009e73", "#0072b2", _SEVERAL), strict=True))
_YEARS = alt.Axis(labelAngle=0, labelOverlap=True)


def answer(name: str, rows: Iterable[Row]) -> Figure:
    """The figure of the gold table `name` from its rows, in any order."""
    given = list(rows)
    return DRAWN[name](name, given) if given else empty(GOLD[name].comment)


def empty(title: str) -> Figure:
    """The title, and a note that there are no rows."""
    note = _chart([{"note": "no rows"}]).mark_text(fontSize=13, color="#555").encode(text="note:N")
    return _figure(title, [note], height=60)


def bars(title: str, ranked: Sequence[Mark], number: str = "posts", subtitle: str = "") -> Figure:
    """Horizontal bars, the first at the top, with the names or the number of each at its end."""
    base = _ranked(ranked, number)
    bar = base.mark_bar().encode(
        x=axes.number(alt.X, number, [mark.number for mark in ranked]), color=alt.Color("colour:N", scale=None)
    )
    return _figure(title, [bar, _beside(base, dx=5)], subtitle, alt.Step(_STEP))


def dots(title: str, ranked: Sequence[Mark], number: str = "followers", subtitle: str = "") -> Figure:
    """Dots, because the length of a bar means nothing on a logarithmic axis."""
    base = _ranked(ranked, number)
    axis = axes.followers(alt.X, number, [mark.number for mark in ranked])
    dot = base.mark_circle(size=110, opacity=1, color=PLAIN).encode(x=axis)
    return _figure(title, [dot, _beside(base, dx=10)], subtitle, alt.Step(_STEP))


def columns(title: str, numbers: Sequence[tuple[str, int]], number: str, group: str = "") -> Figure:
    """Vertical bars in the order of the groups, with the number of each above it."""
    values: list[Row] = [{"group": name, "number": count} for name, count in numbers]
    base = _chart(values).encode(
        x=alt.X("group:N", sort=None, title=group or None, axis=_YEARS),
        y=axes.number(alt.Y, number, [count for _, count in numbers], grid=len(numbers) > _MOST_NUMBERS),
        tooltip=axes.tooltip(number, "group"),
    )
    # One bar alone would be as wide as the figure.
    bar = base.mark_bar(color=PLAIN, size=60 if len(numbers) <= 5 else alt.Undefined)
    return _figure(title, [bar, *_above(base, numbers)])


def heatmap(title: str, groups: Sequence[str], years: Sequence[int], numbers: Mapping[tuple[str, int], int]) -> Figure:
    """A heat map: a cell for each group and year, darker for higher numbers."""
    values: list[Row] = [
        {"group": group, "year": str(year), "number": numbers.get((group, year), 0)}
        for group in groups
        for year in years
    ]
    most = max(1, *numbers.values())
    base = _chart(values).encode(
        x=alt.X("year:O", title="year (UTC)", axis=_YEARS),
        y=_group(values),
        tooltip=axes.tooltip("posts", "group", "year"),
    )
    rect = base.mark_rect().encode(
        color=alt.Color("number:Q", scale=alt.Scale(scheme="blues", domain=[0, most]), legend=None)
    )
    text = base.mark_text().encode(
        text=alt.Text("number:Q", format=","),
        color=alt.condition(f"datum.number > {most * 0.6}", alt.value("white"), alt.value("black")),
    )
    return _figure(title, [rect, text][: 1 + (len(years) <= _MOST_NUMBERS)], height=alt.Step(_STEP))


def lines(title: str, number: str, groups: Mapping[str, Mapping[int, float]], colours: Mapping[str, str]) -> Figure:
    """A line for each group over the years in which users joined; the legend names them where there are several."""
    values: list[Row] = [
        {"group": group, "year": str(year), "number": value, "low": low}
        for group, over_years in groups.items()
        for (year, value), low in zip(sorted(over_years.items()), _low(over_years), strict=True)
    ]
    legend = alt.Legend(title="age group") if len(groups) > 1 else None
    shades = alt.Scale(
        domain=[axes.text(group) for group in groups], range=[colours.get(group, _SEVERAL) for group in groups]
    )
    base = _chart(values).encode(
        x=alt.X("year:O", title="year in which the user joined (UTC)", axis=_YEARS),
        y=axes.followers(alt.Y, number, [value["number"] for value in values]),
        tooltip=axes.tooltip(number, "group", "year"),
    )
    line = base.mark_line().encode(color=alt.Color("group:N", scale=shades, legend=legend))
    point = base.mark_point(size=60, filled=True, opacity=1).encode(
        color=alt.Color("group:N", scale=shades, legend=legend),
        shape=alt.Shape("group:N", scale=alt.Scale(domain=shades.domain), legend=legend),
    )
    return _figure(title, [line, point, *(_above(base, values) if len(groups) == 1 else [])])


def months(title: str, numbers: Sequence[tuple[str, int]]) -> Figure:
    """A line through the numbers of posts by month (2018-01), with a tick for each year."""
    if not numbers:
        return empty(title)
    values: list[Row] = [{"month": month, "number": number} for month, number in numbers]
    januaries = [month for month, _ in numbers if month.endswith("-01")]
    axis = alt.Axis(values=januaries, labelExpr="slice(datum.label, 0, 4)") if januaries else alt.Axis()
    axis.labelAngle, axis.labelOverlap = 0, True
    base = _chart(values).encode(
        x=alt.X("month:O", title="month (UTC)", axis=axis),
        y=axes.number(alt.Y, "posts", [number for _, number in numbers]),
        tooltip=axes.tooltip("posts", "month"),
    )
    return _figure(title, [base.mark_line(color=PLAIN, point={"size": 15, "color": PLAIN})])


def places(title: str, numbers: Sequence[tuple[float, float, int]]) -> Figure:
    """A dot for each place (latitude, longitude, posts), whose area stands for the number of posts."""
    if not numbers:
        return empty(title)
    values: list[Row] = [{"latitude": up, "longitude": across, "number": number} for up, across, number in numbers]
    most = max(number for *_, number in numbers)
    dot = (
        _chart(values)
        .mark_circle(color=PLAIN, opacity=0.6)
        .encode(
            x=axes.degrees(alt.X, "longitude", 180, 60),
            y=axes.degrees(alt.Y, "latitude", 90, 30),
            size=alt.Size(
                "number:Q",
                scale=alt.Scale(rangeMin=6, rangeMax=200),
                legend=alt.Legend(title="posts", values=sorted({1, -(-most // 4), most}), symbolStrokeWidth=0),
            ),
            tooltip=axes.tooltip("posts", "latitude", "longitude"),
        )
    )
    return _figure(title, [dot])


def one_look(posts: Posts) -> Figure:
    """Four small figures of all posts, each under its own title: when, where, what, and by whom."""
    if not posts.total:
        return empty("Overview of all posts")
    title = f"Overview of {posts.total:,} posts"
    figures = (
        months("Posts by month", posts.months),
        places("Where posts come from", posts.places),
        bars("Posts by category", [Mark(name, [], number) for name, number in posts.categories]),
        columns("Posts by age group", posts.ages, "posts"),
    )
    small = [figure.chart.properties(width=_PANEL, title=wrap(figure.title, _PANEL_LETTERS)) for figure in figures]
    for chart in small:
        if chart.height == _HEIGHT:
            chart.height = _PANEL_HEIGHT
    page = alt.concat(*small, columns=2, spacing=40).properties(title=title)
    return Figure(title, page.resolve_scale(color="independent", shape="independent", size="independent"))


def _top(name: str, rows: Sequence[Row], draw: Callable[..., Figure], number: str) -> Figure:
    ranked = marks(name, rows)
    most = MOST if name in SHORTENED else len(ranked)
    subtitle = f"the {most} of {len(ranked):,} countries with the highest counts" if len(ranked) > most else ""
    return draw(GOLD[name].comment, ranked[:most], number, subtitle)


def _category_posts_by_year(name: str, rows: Sequence[Row]) -> Figure:
    return heatmap(GOLD[name].comment, *crossed(name, rows))


def _users_joined_by_year(name: str, rows: Sequence[Row]) -> Figure:
    numbers = [(mark.group, mark.number) for mark in marks(name, rows)]
    return columns(GOLD[name].comment, numbers, "users who joined", "year (UTC)")


def _followers_by_join_year(name: str, rows: Sequence[Row]) -> Figure:
    over_years = {int(mark.group): mark.number for mark in marks(name, rows)}
    return lines(GOLD[name].comment, "median followers", {"all ages": over_years}, {"all ages": PLAIN})


def _followers_by_join_year_and_age(name: str, rows: Sequence[Row]) -> Figure:
    groups, years, numbers = crossed(name, rows)
    over_years = {group: {year: numbers[group, year] for year in years if (group, year) in numbers} for group in groups}
    return lines(GOLD[name].comment, "median followers", over_years, AGE_COLOURS)


DRAWN: dict[str, Callable[[str, Sequence[Row]], Figure]] = {
    "top_category_by_country": partial(_top, draw=bars, number="posts"),
    "category_posts_by_year": _category_posts_by_year,
    "top_category_by_year": partial(_top, draw=bars, number="posts"),
    "top_user_by_country": partial(_top, draw=dots, number="followers"),
    "top_country_by_followers": partial(_top, draw=bars, number="followers"),
    "top_category_by_age_group": partial(_top, draw=bars, number="posts"),
    "median_followers_by_age_group": partial(_top, draw=dots, number="median followers"),
    "users_joined_by_year": _users_joined_by_year,
    "median_followers_by_join_year": _followers_by_join_year,
    "median_followers_by_join_year_and_age_group": _followers_by_join_year_and_age,
}


def _figure(title: str, layers: Sequence[alt.Chart], subtitle: str = "", height: Any = _HEIGHT) -> Figure:
    text = alt.TitleParams(title, subtitle=subtitle) if subtitle else title
    return Figure(title, alt.layer(*layers).properties(title=text, width=_WIDTH, height=height))


def _chart(values: Sequence[Row]) -> alt.Chart:
    texts = [
        {name: axes.text(value) if isinstance(value, str) else value for name, value in row.items()} for row in values
    ]
    return alt.Chart(alt.InlineData(texts))


def _ranked(ranked: Sequence[Mark], number_title: str) -> alt.Chart:
    """The marks one below another, the first at the top."""
    values: list[Row] = [
        {
            "group": group,
            "label": _label(names) if names else f"{number:,.10g}",
            "number": number,
            "colour": _colour(names),
        }
        for group, names, number in ranked
    ]
    return _chart(values).encode(y=_group(values), tooltip=axes.tooltip(number_title, "group", "label"))


def _label(names: Sequence[str]) -> str:
    """The first names, cut where there are several, and how many more there are. A figure cuts a long label itself."""
    return listed(name if len(names) == 1 or len(name) <= 16 else name[:15] + "…" for name in names)


def _colour(names: Sequence[str]) -> str:
    """A category always has the same colour; grey stands for several that tie."""
    return _SEVERAL if len(names) > 1 else CATEGORY_COLOURS.get("".join(names), PLAIN)


def _group(values: Sequence[Row]) -> alt.Y:
    in_order = list(dict.fromkeys(axes.text(value["group"]) for value in values))
    return alt.Y("group:N", sort=in_order, title=None)


def _beside(base: alt.Chart, dx: int) -> alt.Chart:
    text: alt.Chart = base.mark_text(align="left", dx=dx, limit=_LABEL).encode(x="number:Q", text="label:N")
    return text


def _above(base: alt.Chart, numbers: Sequence[Any]) -> list[alt.Chart]:
    """The number of each mark above it, or below where `low` is set, where they have room."""
    side = alt.ExprRef("datum.low ? 16 : -10")
    text = base.mark_text(dy=side).encode(text=alt.Text("number:Q", format=","))
    return [text] if len(numbers) <= _MOST_NUMBERS else []


def _low(over_years: Mapping[int, float]) -> list[bool]:
    """Whether the line to the points before and after each point goes up from it: its number then has room below."""
    numbers = [number for _, number in sorted(over_years.items())]
    around = [numbers[max(place - 1, 0) : place] + numbers[place + 1 : place + 2] for place in range(len(numbers))]
    return [bool(near) and number < sum(near) / len(near) for number, near in zip(numbers, around, strict=True)]
