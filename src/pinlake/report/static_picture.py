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
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

_DOTS_AN_INCH = 80
_WIDTH = 900


def static_png(figure: go.Figure) -> bytes:
    """The figure's bars, dots, lines and fields of numbers with titles and axes; other marks are left out."""
    layout = figure.layout
    page = Figure(figsize=(_WIDTH / _DOTS_AN_INCH, (layout.height or 420) / _DOTS_AN_INCH), dpi=_DOTS_AN_INCH)
    canvas = FigureCanvasAgg(page)
    axes = page.add_subplot()
    _draw_axes(axes, figure)
    for trace in figure.data:
        match trace.type:
            case "bar":
                _draw_bars(axes, trace)
            case "scatter":
                _draw_scatter(axes, trace)
            case "heatmap":
                _draw_field(axes, trace)
    if layout.showlegend:
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    for note in layout.annotations:
        axes.text(note.x, note.y, _plain(note.text), transform=axes.transAxes, ha="center", va="center")
    page.tight_layout()
    out = io.BytesIO()
    # Without its own name and version in the file: the same figure gives the same bytes.
    canvas.print_png(out, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return out.getvalue()


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
    upright = all(_is_upright(trace) for trace in figure.data)
    axes.grid(axis="y" if upright else "x", color="#e6e6e6")
    axes.set_axisbelow(True)
    if layout.xaxis.type == "log":
        axes.set_xscale("log")
    if layout.yaxis.type == "log":
        axes.set_yscale("log")
    if layout.xaxis.range:
        low, high = layout.xaxis.range
        axes.set_xlim((10**low, 10**high) if layout.xaxis.type == "log" else (low, high))
    if layout.xaxis.categoryarray:
        # A category has its place from the first mark that has it.
        axes.plot(list(layout.xaxis.categoryarray), [_any_number(figure)] * len(layout.xaxis.categoryarray), alpha=0)
    if layout.yaxis.autorange == "reversed":
        axes.invert_yaxis()
    for axis, kind in ((axes.xaxis, layout.xaxis.type), (axes.yaxis, layout.yaxis.type)):
        if kind == "log":
            low, high = axis.get_view_interval()
            # Steps between the powers of ten only where there are few of these: numbers would overlap.
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,), numticks=12))
            axis.set_minor_formatter(NullFormatter())
        if kind != "category":
            axis.set_major_formatter(lambda number, _: f"{number:,.10g}")


def _draw_bars(axes: Axes, trace: Any) -> None:
    draw = axes.bar if _is_upright(trace) else axes.barh
    marks, numbers = (trace.x, trace.y) if _is_upright(trace) else (trace.y, trace.x)
    bars = draw(list(marks), list(numbers), color=trace.marker.color)
    beside = axes.bar_label(bars, [_plain(text) for text in trace.text], padding=4, fontsize=9)
    _keep_out_of_layout(beside)
    if _is_upright(trace):
        axes.margins(y=0.15)


def _draw_scatter(axes: Axes, trace: Any) -> None:
    line = "-" if "lines" in trace.mode else ""
    axes.plot(list(trace.x), list(trace.y), line + "o", color=trace.marker.color, label=trace.name)
    if "text" in trace.mode:
        beside = "right" in trace.textposition
        if not beside:
            axes.margins(y=0.15)
        _keep_out_of_layout(
            axes.annotate(
                _plain(text).strip(),
                (x, y),
                xytext=(8, 0) if beside else (0, 8),
                textcoords="offset points",
                ha="left" if beside else "center",
                va="center" if beside else "bottom",
                fontsize=9,
                annotation_clip=False,
            )
            for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
        )


def _draw_field(axes: Axes, trace: Any) -> None:
    highest = max(max(line) for line in trace.z)
    axes.imshow(trace.z, cmap=trace.colorscale and "Blues", aspect="auto", origin="lower")
    axes.set_xticks(range(len(trace.x)), trace.x)
    axes.set_yticks(range(len(trace.y)), trace.y)
    for row, line in enumerate(trace.z):
        for column, number in enumerate(line):
            colour = "white" if number > highest * 0.6 else "black"
            axes.text(column, row, trace.text[row][column], ha="center", va="center", color=colour, fontsize=9)


def _keep_out_of_layout(texts: Iterable[Artist]) -> None:
    """The figure leaves room for them on its axis; the layout would take it from the axes once more."""
    for text in texts:
        text.set_in_layout(False)


def _is_upright(trace: Any) -> bool:
    """Whether numbers go up: bars that stand, lines over years."""
    return trace.orientation != "h" if trace.type == "bar" else "lines" in (trace.mode or "")


def _any_number(figure: go.Figure) -> Any:
    return next((number for trace in figure.data for number in trace.y), 1)


def _plain(text: str) -> str:
    """Without tags, and with dollar signs that start no formula."""
    return unescape(re.sub(r"<[^>]*>", "", text)).replace("$", r"\$")
