"""The marks that the figures of the answers are made of: bars, dots, lines, and the page they are on.

Only what every version of plotly since 5 knows: a workspace brings its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any, NamedTuple

import plotly.graph_objects as go

from pinlake.lake.model import GOLD
from pinlake.show.ticks import scale, ticks
from pinlake.topics import CATEGORIES

SEVERAL = "#8a8a8a"
PLAIN = "#3b6ea8"
_MOST_LETTERS = 48
_CATEGORY_COLOURS = dict(
    zip(
        CATEGORIES,
        (
            *("#4e79a7", "#e377c2", "#2e7d32", "#f28e2b", "#9467bd", "#17a2b8", "#8c6d31"),
            *("#bcbd22", "#1f3b73", "#ff9d9a", "#59310b", "#d62728", "#76b7b2"),
        ),
        strict=True,
    )
)


class Top(NamedTuple):
    """A mark: what it stands for, the names that share it where they tie, and its number."""

    group: str
    names: list[str]
    number: Any


def _label(names: Sequence[str]) -> str:
    """As many names as there is room for, and how many more there are; a name alone that is too long is cut."""
    for number in range(min(len(names), 3), 0, -1):
        more = f" and {len(names) - number} more" if len(names) > number else ""
        text = ", ".join(names[:number]) + more
        if len(text) <= _MOST_LETTERS:
            break
    else:
        text = names[0][: _MOST_LETTERS - len(more) - 1] + "…" + more
    # The angle bracket would start a tag.
    return text.replace("<", "&lt;")


def colour(names: Sequence[str]) -> str:
    """A category always has the same colour; grey stands for several that tie."""
    return SEVERAL if len(names) > 1 else _CATEGORY_COLOURS.get(names[0], PLAIN)


def _room(tops: Sequence[Top]) -> float:
    """The share of the width that what stands beside the marks takes."""
    return min(0.12 + max(len(_label(names)) for _, names, _ in tops) / 120, 0.5)


def bars(name: str, tops: Sequence[Top], limited: str = "", x: str = "posts") -> go.Figure:
    """Lying bars, the first at the top, what they are of beside them."""
    bar = go.Bar(
        x=[number for _, _, number in tops],
        y=[group for group, _, _ in tops],
        orientation="h",
        text=[_label(names) for _, names, _ in tops],
        textposition="outside",
        cliponaxis=False,
        marker_color=[colour(names) for _, names, _ in tops],
        hovertemplate="%{y}: %{x:,} (%{text})<extra></extra>",
    )
    highest = max(number for _, _, number in tops) or 1
    page = laid_out(name, [bar], limited, x=x, height=_height(tops))
    page.update_xaxes(range=[0, highest / (1 - _room(tops))], **ticks(0, highest, "linear"))
    return page.update_yaxes(autorange="reversed", type="category")


def dots(name: str, tops: Sequence[Top], limited: str = "", x: str = "followers") -> go.Figure:
    """Dots, since on a logarithmic axis a bar's length would mean nothing."""
    numbers = [number for _, _, number in tops]
    dot = go.Scatter(
        x=numbers,
        y=[group for group, _, _ in tops],
        mode="markers+text",
        text=["  " + _label(names) for _, names, _ in tops],
        textposition="middle right",
        cliponaxis=False,
        marker={"size": 10, "color": PLAIN},
        hovertemplate="%{y}: %{x:,}<extra></extra>",
    )
    kind = scale(numbers)
    page = laid_out(name, [dot], limited, x=x, height=_height(tops), x_type=kind)
    highest = max(numbers) or 1
    low, high = (log10(min(numbers)), log10(highest)) if kind == "log" else (0, highest)
    apart = high - low
    least = low - apart * 0.1 if kind == "log" else 0
    page.update_xaxes(range=[least, high + apart * (_room(tops) / (1 - _room(tops)) + 0.05)])
    page.update_xaxes(**ticks(10**least if kind == "log" else 0, highest, kind))
    return page.update_yaxes(autorange="reversed", type="category")


def line(label: str, points: Sequence[tuple[int, float]], colour: str, with_text: bool = False) -> go.Scatter:
    """A line through (year, number) points, the numbers beside them where there is room."""
    numbers = [number for _, number in points]
    return go.Scatter(
        x=[str(year) for year, _ in points],
        y=numbers,
        name=label,
        mode="lines+markers+text" if with_text else "lines+markers",
        text=[f"{number:,.10g}" for number in numbers] if with_text else None,
        textposition=_sides(numbers) if with_text else None,
        cliponaxis=False,
        line={"color": colour, "width": 2},
        marker={"size": 8, "color": colour},
        hovertemplate="%{x}: %{y:,}<extra>%{fullData.name}</extra>",
    )


def _sides(numbers: Sequence[float]) -> list[str]:
    """Where each point's number stands: not where the line to the next points goes."""
    around = [[*numbers[max(place - 1, 0) : place], *numbers[place + 1 : place + 2]] for place in range(len(numbers))]
    return [
        "bottom center" if near and number < sum(near) / len(near) else "top center"
        for number, near in zip(numbers, around, strict=True)
    ]


def upright(name: str, numbers: Sequence[tuple[str, int]], what: str, x: str, y: str) -> go.Figure:
    """A standing bar for each name, its number above it."""
    bar = go.Bar(
        x=[each for each, _ in numbers],
        y=[number for _, number in numbers],
        text=[f"{number:,}" for _, number in numbers],
        textposition="outside",
        cliponaxis=False,
        marker_color=PLAIN,
        hovertemplate=f"%{{x}}: %{{y:,}} {what}<extra></extra>",
    )
    # Room for the numbers above the bars.
    highest = (max(number for _, number in numbers) or 1) * 1.12
    page = laid_out(name, [bar], x=x, y=y, x_type="category")
    return page.update_yaxes(range=[0, highest], **ticks(0, highest, "linear"))


def months(name: str, numbers: Sequence[tuple[str, int]]) -> go.Figure:
    """A line through numbers of posts by month (2018-01), with a tick for each year."""
    line = go.Scatter(
        x=[month for month, _ in numbers],
        y=[number for _, number in numbers],
        mode="lines",
        line={"color": PLAIN, "width": 2},
        marker={"color": PLAIN},
        hovertemplate="%{x}: %{y:,} posts<extra></extra>",
    )
    highest = (max(number for _, number in numbers) or 1) * 1.05
    page = laid_out(name, [line], x="month (UTC)", y="posts", x_type="category")
    page.update_yaxes(range=[0, highest], **ticks(0, highest, "linear"))
    years = [month for month, _ in numbers if month.endswith("-01")]
    return page.update_xaxes(tickvals=years, ticktext=[year[:4] for year in years])


def places(name: str, numbers: Sequence[tuple[float, float, int]]) -> go.Figure:
    """A dot for each place (latitude, longitude, posts), the larger the more posts.

    Without coasts: plotly fetches those from elsewhere.
    """
    highest = max(number for *_, number in numbers)
    dots = go.Scatter(
        x=[longitude for _, longitude, _ in numbers],
        y=[latitude for latitude, *_ in numbers],
        mode="markers",
        # The area stands for the number.
        marker={
            "size": [round(3 + 13 * (number / highest) ** 0.5, 1) for *_, number in numbers],
            "color": PLAIN,
            "opacity": 0.6,
            "line": {"width": 0},
        },
        customdata=[number for *_, number in numbers],
        hovertemplate="%{y:.0f}, %{x:.0f}: %{customdata:,} posts<extra></extra>",
    )
    page = laid_out(name, [dots], x="longitude", y="latitude", height=480)
    page.update_xaxes(range=[-180, 180], tickvals=list(range(-180, 181, 90)), ticktext=_degrees(range(-180, 181, 90)))
    return page.update_yaxes(range=[-90, 90], tickvals=list(range(-90, 91, 30)), ticktext=_degrees(range(-90, 91, 30)))


def _degrees(numbers: Sequence[int]) -> list[str]:
    return [f"{number}°" for number in numbers]


def panels(title: str, figures: Sequence[go.Figure]) -> go.Figure:
    """Small figures side by side, two in a row, each under its own title. Names that need room belong on the left."""
    rows = (len(figures) + 1) // 2
    page = go.Figure(
        layout={
            "template": "none",
            "title": {"text": title},
            "height": 90 + 280 * rows,
            "margin": {"l": 60, "r": 40, "t": 80, "b": 50},
            "showlegend": False,
        }
    )
    for number, figure in enumerate(figures):
        row, column = divmod(number, 2)
        across = [0.0, 0.43] if column == 0 else [0.57, 1.0]
        up = [round(1 - (row + 0.78) / rows, 3), round(1 - (row + 0.06) / rows, 3)]
        suffix = str(number + 1) if number else ""
        for mark in figure.data:
            page.add_trace(mark).data[-1].update(xaxis=f"x{suffix}", yaxis=f"y{suffix}")
        for letter, other, domain in (("x", "y", across), ("y", "x", up)):
            axis = figure.layout[f"{letter}axis"].to_plotly_json()
            # Without a title of its own, which would run into the panel below.
            axis |= {"domain": domain, "anchor": f"{other}{suffix}", "title": {"text": ""}}
            page.layout[f"{letter}axis{suffix}"] = axis
        page.add_annotation(
            text=f"<b>{figure.layout.title.text}</b>",
            **{"x": across[0], "y": up[1], "xref": "paper", "yref": "paper", "showarrow": False},
            **{"xanchor": "left", "yanchor": "bottom"},
        )
    return page


def lines(name: str, over_years: Sequence[go.Scatter]) -> go.Figure:
    """Lines over the years in which users joined, medians of followers that are far apart on a logarithmic axis."""
    years = sorted({year for line in over_years for year in line.x})
    numbers = [number for line in over_years for number in line.y]
    kind = scale(numbers)
    page = laid_out(name, over_years, x="year in which the user joined (UTC)", y="median followers", y_type=kind)
    # Room for the numbers above and below the points.
    low, high = (min(numbers) / 1.5, max(numbers) * 1.5) if kind == "log" else (0, (max(numbers) or 1) * 1.12)
    page.update_yaxes(range=[log10(low), log10(high)] if kind == "log" else [low, high], **ticks(low, high, kind))
    # Years in their order, also where the first line has a gap.
    return page.update_xaxes(type="category", categoryorder="array", categoryarray=years)


def _height(tops: Sequence[Top]) -> int:
    return 150 + 24 * max(len(tops), 2)


def laid_out(
    name: str,
    marks: Sequence[Any],
    limited: str = "",
    *,
    x: str = "",
    y: str = "",
    height: int = 420,
    x_type: str | None = None,
    y_type: str | None = None,
) -> go.Figure:
    """The marks under the title of the table, or the one that is given. No template: it would be most of what a
    notebook stores of the figure.
    """
    title = GOLD[name].comment if name in GOLD else name
    axis = {"automargin": True, "gridcolor": "#e6e6e6", "zeroline": False}
    # Marks that nobody sees keep what is written off the axis.
    axis |= {"ticks": "outside", "tickcolor": "rgba(0,0,0,0)"}
    return go.Figure(
        data=list(marks),
        layout={
            "template": "none",
            "title": {"text": title + (f"<br><sub>{limited}</sub>" if limited else "")},
            "height": height,
            "margin": {"l": 60, "r": 60, "t": 70, "b": 50},
            "showlegend": len(marks) > 1,
            "xaxis": {**axis, "title": {"text": x}, "type": x_type},
            "yaxis": {**axis, "title": {"text": y}, "type": y_type},
        },
    )


def empty(name: str) -> go.Figure:
    """The title, and a note that there are no rows."""
    note = {"text": "no rows", "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    page = laid_out(name, [], height=200)
    return page.update_layout(annotations=[note]).update_xaxes(visible=False).update_yaxes(visible=False)
