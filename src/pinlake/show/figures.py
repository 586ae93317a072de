"""Every figure, once, as a Vega-Lite chart: a notebook shows it, a picture of it is stored, a page can hold it.

Needs altair, which the runtime of a workspace lacks. Pictures also need vl-convert-python.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import altair as alt

from pinlake.errors import printable
from pinlake.gold.tables import check_name
from pinlake.lake.model import GOLD
from pinlake.show.answer_rows import AGE_GROUPS, MOST, SHORTENED, Mark, Row, crossed, marks
from pinlake.show.sentences import listed
from pinlake.topics import CATEGORIES

if TYPE_CHECKING:
    from pinlake.show.explore import Posts

# What JupyterLab 4 draws itself, without a network. It knows version 5 of Vega-Lite, of which these charts are too.
VEGA_LITE = "application/vnd.vegalite.v5+json"
_CDN = "https://cdn.jsdelivr.net/npm"
_SCRIPTS = {"vega": alt.VEGA_VERSION, "vega-lite": alt.VEGALITE_VERSION, "vega-embed": alt.VEGAEMBED_VERSION}
# As vl-convert names it: 6.4 for 6.4.1.
_VERSION = alt.VEGALITE_VERSION.rpartition(".")[0]

# Sizes are pixels of the chart; a picture has more of them.
_SCALE = 1.5
_WIDTH, _HEIGHT, _PANEL, _PANEL_HEIGHT, _STEP = 560, 300, 330, 220, 24
_LABEL = 340
_PANEL_LETTERS = 48
# So many numbers have room beside the points or bars of a figure.
_MOST_NUMBERS = 12
_MOST_LETTERS = 200

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


@dataclass(frozen=True)
class Figure:
    """A chart with its title, and what each place shows of it."""

    title: str
    chart: Any  # the classes of Altair's charts share no base that has a height

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The chart in Vega-Lite."""
        styled = (
            self.chart.configure_view(stroke=None)
            .configure_axis(domain=False, ticks=False, gridColor="#e6e6e6", labelPadding=6, titleFontWeight="normal")
            .configure_title(anchor="start", fontSize=14, subtitleColor="#555", offset=12)
            .configure_legend(titleFontWeight="normal")
            .configure_line(strokeJoin="round")
        )
        spec: dict[str, Any] = styled.to_dict()
        return spec

    def png(self) -> bytes:
        """A picture, the same bytes every time. Needs vl-convert-python and pillow."""
        from PIL import Image
        from vl_convert import vegalite_to_png

        drawn = Image.open(io.BytesIO(vegalite_to_png(self.spec, vl_version=_VERSION, scale=_SCALE))).convert("RGB")
        # The renderer hardly compresses. With the commonest 256 colours alone it is a tenth of the bytes.
        colours: Any = drawn.getcolors(drawn.width * drawn.height)  # with how many pixels each has
        palette = Image.new("P", (1, 1))
        palette.putpalette([part for _, colour in sorted(colours)[-256:] for part in colour])
        out = io.BytesIO()
        drawn.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        return out.getvalue()

    def html(self, inline: bool = False) -> str:
        """A part of a page with the chart. `inline` has the scripts in it, 0.9 MB, and needs vl-convert-python."""
        # What is in a record can't end the script: there is no `<` in it.
        spec = json.dumps(self.spec).replace("<", r"\u003c")
        return (
            f"{_scripts(inline)}\n<div>{_NO_SCRIPTS}</div>\n"
            f'<script>vegaEmbed(document.currentScript.previousElementSibling, {spec}, {{mode: "vega-lite"}})</script>'
        )

    def mime_bundle(self) -> dict[str, Any]:
        """What a Jupyter front end can choose from. Needs vl-convert-python."""
        return {
            VEGA_LITE: self.spec,
            "image/png": base64.b64encode(self.png()).decode("ascii"),
            "text/plain": f"Figure: {self.title}",
        }

    def _repr_html_(self) -> str:
        """What a workspace's `display` asks for. The scripts come from a server unless vl-convert-python is there."""
        return self.html(inline=find_spec("vl_convert") is not None)


_NO_SCRIPTS = (
    f"No figure: its scripts could not be loaded from {_CDN}. Where your network blocks that server, run "
    "<code>%pip install vl-convert-python</code> in a cell of its own, then this cell again."
)


def _scripts(inline: bool) -> str:
    if not inline:
        return "".join(f'<script src="{_CDN}/{name}@{version}"></script>' for name, version in _SCRIPTS.items())
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", _VERSION)
    return f"<script>{bundle}</script>"


def answer(name: str, rows: Iterable[Row]) -> Figure:
    """The figure of the gold table `name` from its rows, in any order. Raises UsageError for an unknown name."""
    check_name(name)
    given = list(rows)
    return DRAWN[name](name, given) if given else empty(GOLD[name].comment)


def empty(title: str) -> Figure:
    """The title, and a note that there are no rows."""
    note = alt.Chart(_data([{"note": "no rows"}])).mark_text(fontSize=13, color="#555").encode(text="note:N")
    return _figure(title, [note], height=60)


def bars(title: str, ranked: Sequence[Mark], number: str = "posts", subtitle: str = "") -> Figure:
    """Lying bars, the first at the top, with the names or the number of each at its end."""
    base = _ranked(ranked, number)
    bar = base.mark_bar().encode(
        x=_number(alt.X, number, [mark.number for mark in ranked]), color=alt.Color("colour:N", scale=None)
    )
    return _figure(title, [bar, _beside(base, dx=5)], subtitle, alt.Step(_STEP))


def dots(title: str, ranked: Sequence[Mark], number: str = "followers", subtitle: str = "") -> Figure:
    """Dots, because the length of a bar means nothing on a logarithmic axis."""
    base = _ranked(ranked, number)
    axis = _followers(alt.X, number, [mark.number for mark in ranked])
    dot = base.mark_circle(size=110, opacity=1, color=PLAIN).encode(x=axis)
    return _figure(title, [dot, _beside(base, dx=10)], subtitle, alt.Step(_STEP))


def columns(title: str, numbers: Sequence[tuple[str, int]], number: str, group: str = "") -> Figure:
    """Standing bars in the order of the groups, with the number of each above it."""
    values: list[Row] = [{"group": name, "number": count} for name, count in numbers]
    base = _chart(values).encode(
        x=alt.X("group:N", sort=None, title=group or None, axis=_YEARS),
        y=_number(alt.Y, number, [count for _, count in numbers], grid=len(numbers) > _MOST_NUMBERS),
        tooltip=_tooltip(number, "group"),
    )
    # One bar alone would be as wide as the figure.
    bar = base.mark_bar(color=PLAIN, size=60 if len(numbers) <= 5 else alt.Undefined)
    return _figure(title, [bar, *_above(base, numbers)])


def field(title: str, groups: Sequence[str], years: Sequence[int], numbers: Mapping[tuple[str, int], int]) -> Figure:
    """A field for each group and year, the darker the higher its number."""
    values: list[Row] = [
        {"group": group, "year": str(year), "number": numbers.get((group, year), 0)}
        for group in groups
        for year in years
    ]
    most = max(1, *numbers.values())
    base = _chart(values).encode(
        x=alt.X("year:O", title="year (UTC)", axis=_YEARS),
        y=_group(values),
        tooltip=_tooltip("posts", "group", "year"),
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
        domain=[_text(group) for group in groups], range=[colours.get(group, _SEVERAL) for group in groups]
    )
    base = _chart(values).encode(
        x=alt.X("year:O", title="year in which the user joined (UTC)", axis=_YEARS),
        y=_followers(alt.Y, number, [value["number"] for value in values]),
        tooltip=_tooltip(number, "group", "year"),
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
        y=_number(alt.Y, "posts", [number for _, number in numbers]),
        tooltip=_tooltip("posts", "month"),
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
            x=_degrees(alt.X, "longitude", 180, 60),
            y=_degrees(alt.Y, "latitude", 90, 30),
            size=alt.Size(
                "number:Q",
                scale=alt.Scale(rangeMin=6, rangeMax=200),
                legend=alt.Legend(title="posts", values=sorted({1, -(-most // 4), most}), symbolStrokeWidth=0),
            ),
            tooltip=_tooltip("posts", "latitude", "longitude"),
        )
    )
    return _figure(title, [dot])


def one_look(posts: Posts) -> Figure:
    """Four small figures of all posts: when, where, what, and by whom."""
    if not posts.total:
        return empty("All posts in one look")
    return panels(
        f"{posts.total:,} posts in one look",
        [
            months("Posts by month", posts.months),
            places("Where posts come from", posts.places),
            bars("Posts by category", [Mark(name, [], number) for name, number in posts.categories]),
            columns("Posts by age group", posts.ages, "posts"),
        ],
    )


def panels(title: str, figures: Sequence[Figure], columns: int = 2) -> Figure:
    """Small figures side by side, each under its own title."""
    small = [figure.chart.properties(width=_PANEL, title=wrap(figure.title, _PANEL_LETTERS)) for figure in figures]
    for chart in small:
        if chart.height == _HEIGHT:
            chart.height = _PANEL_HEIGHT
    page = alt.concat(*small, columns=columns, spacing=40).properties(title=title)
    return Figure(title, page.resolve_scale(color="independent", shape="independent", size="independent"))


def _top(name: str, rows: Sequence[Row], draw: Callable[..., Figure], number: str) -> Figure:
    ranked = marks(name, rows)
    if name not in SHORTENED or len(ranked) <= MOST:
        return draw(GOLD[name].comment, ranked, number)
    return draw(
        GOLD[name].comment, ranked[:MOST], number, f"the {MOST} of {len(ranked):,} countries with the highest counts"
    )


def _category_posts_by_year(name: str, rows: Sequence[Row]) -> Figure:
    return field(GOLD[name].comment, *crossed(name, rows))


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
    return alt.Chart(_data(values))


def _data(values: Sequence[Row]) -> alt.InlineData:
    return alt.InlineData(
        [{name: _text(value) if isinstance(value, str) else value for name, value in row.items()} for row in values]
    )


def _text(text: str) -> str:
    """Text of a record in one line that every renderer takes: a control character would end the process that draws."""
    known = re.sub(r"[\ud800-\udfff\ufffe\uffff]", "\ufffd", printable(" ".join(text.split())))
    return known if len(known) <= _MOST_LETTERS else known[: _MOST_LETTERS - 1] + "…"


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
    return _chart(values).encode(y=_group(values), tooltip=_tooltip(number_title, "group", "label"))


def _label(names: Sequence[str]) -> str:
    """The first names, cut where there are several, and how many more there are. A figure cuts a long label itself."""
    return listed(name if len(names) == 1 or len(name) <= 16 else name[:15] + "…" for name in names)


def _colour(names: Sequence[str]) -> str:
    """A category always has the same colour; grey stands for several that tie."""
    return _SEVERAL if len(names) > 1 else CATEGORY_COLOURS.get("".join(names), PLAIN)


def _group(values: Sequence[Row]) -> alt.Y:
    in_order = list(dict.fromkeys(_text(value["group"]) for value in values))
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


def _number(axis: Any, title: str, numbers: Sequence[float], grid: bool = True) -> Any:
    """The axis of the field `number`, from 0 on. Ticks are whole numbers, because what is counted is."""
    label = "datum.value == 0 ? '0' : datum.value % 1 ? '' : datum.label"
    ticks = alt.Axis(format="~s", labelExpr=label, tickCount=6, grid=grid)
    scale = alt.Scale(zero=True) if max(numbers) >= 1 else alt.Scale(domain=[0, 1])
    return axis("number:Q", title=title, scale=scale, axis=ticks)


def _followers(axis: Any, title: str, numbers: Sequence[float]) -> Any:
    """The same, logarithmic where numbers are far apart, as followers are. Such an axis has no place for zero."""
    ratio = max(numbers) / min(numbers) if min(numbers) >= 1 else 1
    if ratio < 10:
        return _number(axis, title, numbers)
    steps = (1, 2, 5) if ratio < 200 else (1,)
    ticks = alt.Axis(format="~s", values=[step * 10**power for power in range(16) for step in steps])
    return axis("number:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=20), axis=ticks)


def _degrees(axis: Any, name: str, most: int, step: int) -> Any:
    marked = alt.Axis(values=list(range(-most, most + 1, step)), labelExpr="datum.label + '°'")
    return axis(f"{name}:Q", title=name, scale=alt.Scale(domain=[-most, most]), axis=marked)


def _tooltip(number: str, *names: str) -> list[alt.Tooltip]:
    return [*(alt.Tooltip(f"{name}:N") for name in names), alt.Tooltip("number:Q", title=number, format=",")]
