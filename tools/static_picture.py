"""A plotly figure as a PNG, for places that show no plotly: GitHub, mail.

Plotly's own export starts a browser. matplotlib is enough for the marks that `plots` uses, and gives the same bytes for
the same figure.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from html import unescape
from typing import Any

import plotly.graph_objects as go
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tools.drawable import FONT, drawable

_DOTS_AN_INCH = 80
_WIDTH = 900
_BESIDE: dict[str, dict[str, Any]] = {
    side: {"xytext": shift, "textcoords": "offset points", "ha": across, "va": up}
    for side, shift, across, up in (
        ("middle right", (8, 0), "left", "center"),
        ("top center", (0, 8), "center", "bottom"),
        ("bottom center", (0, -8), "center", "top"),
    )
}


def static_png(figure: go.Figure) -> bytes:
    """The figure's bars, dots, lines and fields of numbers with titles and axes; other marks are left out."""
    with rc_context({"font.family": FONT}):
        return _drawn(figure)


def _drawn(figure: go.Figure) -> bytes:
    layout = figure.layout
    page = Figure(figsize=(_WIDTH / _DOTS_AN_INCH, (layout.height or 420) / _DOTS_AN_INCH), dpi=_DOTS_AN_INCH)
    canvas = FigureCanvasAgg(page)
    panels = _panels(figure)
    for place, panel in enumerate(panels, start=1):
        columns = min(len(panels), 2)
        axes = page.add_subplot(-(-len(panels) // columns), columns, place)
        _draw_panel(axes, panel)
    if len(panels) > 1:
        page.suptitle(_plain(layout.title.text), x=0.01, ha="left")
    page.tight_layout()
    out = io.BytesIO()
    # Without its own name and version in the file: the same figure gives the same bytes.
    canvas.print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()


def _panels(figure: go.Figure) -> list[go.Figure]:
    """The figures that one of several panels was made of: each has axes of its own, and a note for its title."""
    numbers = dict.fromkeys((trace.xaxis or "x")[1:] for trace in figure.data)
    if len(numbers) < 2:
        return [figure]
    return [
        go.Figure(
            [
                {**trace.to_plotly_json(), "xaxis": "x", "yaxis": "y"}
                for trace in figure.data
                if (trace.xaxis or "x")[1:] == number
            ],
            {
                "title": {"text": note.text},
                **{
                    f"{letter}axis": figure.layout[f"{letter}axis{number}"].to_plotly_json()
                    | {"anchor": other, "domain": [0, 1]}
                    for letter, other in ("xy", "yx")
                },
            },
        )
        for number, note in zip(numbers, figure.layout.annotations, strict=True)
    ]


def _draw_panel(axes: Axes, figure: go.Figure) -> None:
    _draw_axes(axes, figure)
    for trace in figure.data:
        match trace.type:
            case "bar":
                _draw_bars(axes, figure, trace)
            case "scatter":
                _draw_scatter(axes, figure, trace)
            case "heatmap":
                _draw_field(axes, trace)
    if figure.layout.showlegend:
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    for note in figure.layout.annotations:
        axes.text(note.x, note.y, _plain(note.text), transform=axes.transAxes, ha="center", va="center")


def _draw_axes(axes: Axes, figure: go.Figure) -> None:
    layout = figure.layout
    title, _, small = layout.title.text.partition("<br>")
    axes.set_title(_plain(title) + (f"\n({_plain(small)})" if small else ""), loc="left", fontsize=12)
    axes.set_xlabel(layout.xaxis.title.text or "")
    axes.set_ylabel(layout.yaxis.title.text or "")
    axes.spines[["top", "right"]].set_visible(False)
    if layout.xaxis.visible is False:
        axes.set_axis_off()
        return
    if any(trace.type == "heatmap" for trace in figure.data):
        axes.tick_params(length=0)
        return
    axes.set_axisbelow(True)
    if layout.xaxis.type != "category":
        axes.grid(axis="x", color="#e6e6e6")
    if layout.yaxis.type != "category":
        axes.grid(axis="y", color="#e6e6e6")
    if layout.xaxis.type == "log":
        axes.set_xscale("log")
    if layout.yaxis.type == "log":
        axes.set_yscale("log")
    for axis, given, limit in ((axes.xaxis, layout.xaxis, axes.set_xlim), (axes.yaxis, layout.yaxis, axes.set_ylim)):
        if given.range:
            low, high = given.range
            limit((10**low, 10**high) if given.type == "log" else (low, high))
        if given.type == "category":
            names = _categories(figure, given, "x" if axis is axes.xaxis else "y")
            ticked = names if given.tickvals is None else list(given.tickvals)
            texts = names if given.ticktext is None else given.ticktext
            axis.set_ticks([names.index(name) for name in ticked], [_plain(text) for text in texts])
            limit((len(names) - 0.5, -0.5) if given.autorange == "reversed" else (-0.5, len(names) - 0.5))
        elif given.tickvals is not None:
            axis.set_minor_locator(NullLocator())
            axis.set_ticks(list(given.tickvals), list(given.ticktext))


def _categories(figure: go.Figure, axis: Any, letter: str) -> list[str]:
    """The names along an axis: in the order that it gives, else in that of the marks."""
    return list(axis.categoryarray or dict.fromkeys(name for trace in figure.data for name in trace[letter]))


def _placed(figure: go.Figure, trace: Any, letter: str) -> list[Any]:
    """Where a mark stands along an axis: numbers as they are, names by their place."""
    axis = figure.layout[f"{letter}axis"]
    if axis.type != "category":
        return list(trace[letter])
    names = _categories(figure, axis, letter)
    return [names.index(name) for name in trace[letter]]


def _draw_bars(axes: Axes, figure: go.Figure, trace: Any) -> None:
    draw = axes.bar if _is_upright(trace) else axes.barh
    marks, numbers = ("x", "y") if _is_upright(trace) else ("y", "x")
    bars = draw(_placed(figure, trace, marks), list(trace[numbers]), color=trace.marker.color)
    beside = axes.bar_label(bars, [_plain(text) for text in trace.text], padding=4, fontsize=9)
    _keep_out_of_layout(beside)


def _draw_scatter(axes: Axes, figure: go.Figure, trace: Any) -> None:
    across, up = _placed(figure, trace, "x"), _placed(figure, trace, "y")
    if isinstance(trace.marker.size, list | tuple):
        # A size is a width in plotly, an area in matplotlib.
        areas = [(size * 72 / _DOTS_AN_INCH) ** 2 for size in trace.marker.size]
        axes.scatter(across, up, s=areas, color=trace.marker.color, alpha=trace.marker.opacity, linewidths=0)
        return
    marks = ("-" if "lines" in trace.mode else "") + ("o" if "markers" in trace.mode else "")
    axes.plot(across, up, marks, color=trace.marker.color, label=_plain(trace.name or ""))
    if "text" in trace.mode:
        sides = [trace.textposition] * len(up) if isinstance(trace.textposition, str) else trace.textposition
        _keep_out_of_layout(
            axes.annotate(_plain(text).strip(), (x, y), annotation_clip=False, fontsize=9, **_BESIDE[side])
            for x, y, text, side in zip(across, up, trace.text, sides, strict=True)
        )


def _draw_field(axes: Axes, trace: Any) -> None:
    highest = max(max(line) for line in trace.z)
    axes.imshow(trace.z, cmap=trace.colorscale and "Blues", aspect="auto", origin="lower")
    axes.set_xticks(range(len(trace.x)), map(_plain, trace.x))
    axes.set_yticks(range(len(trace.y)), map(_plain, trace.y))
    for row, line in enumerate(trace.z):
        for column, number in enumerate(line):
            colour = "white" if number > highest * 0.6 else "black"
            axes.text(column, row, trace.text[row][column], ha="center", va="center", color=colour, fontsize=9)


def _keep_out_of_layout(texts: Iterable[Artist]) -> None:
    """The figure leaves room for them on its axis; the layout would take it from the axes once more."""
    for text in texts:
        text.set_in_layout(False)


def _is_upright(trace: Any) -> bool:
    return bool(trace.orientation != "h")


def _plain(text: str) -> str:
    """Without tags, in letters that the font has, and with dollar signs that start no formula."""
    return drawable(unescape(re.sub(r"<[^>]*>", "", text))).replace("$", r"\$")
