"""`display` on this machine: DataFrames as tables, figures as charts, anything else as IPython shows it."""

from __future__ import annotations

import html
import io
from typing import Any

import IPython.display
from rich.console import Console

_ipython: Any = IPython.display  # it has no types
MOST_ROWS = 1000  # as many as a workspace shows
MOST_PLAIN_ROWS = 50
_WIDTH = 400  # a table is as wide as it must be; lines that are folded are hard to compare


def display(*objects: Any) -> None:
    """Show each object: a DataFrame as an HTML table of at most 1,000 rows, and as text for readers without a browser.

    A figure is shown as an interactive chart, or as a picture where the front end draws no charts.
    """
    for value in objects:
        if _is_frame(value):
            _ipython.display(_table(value), raw=True)
        elif hasattr(value, "mime_bundle"):  # a figure; its class would need altair for every notebook
            _ipython.display(value.mime_bundle(), raw=True)
        else:
            _ipython.display(value)


def display_html(text: str) -> None:
    """Show HTML, as `displayHTML` of a workspace does."""
    _ipython.display(_ipython.HTML(text))


def _is_frame(value: Any) -> bool:
    """A DataFrame of Spark, classic or Connect: asking its class would need both to be installed."""
    return type(value).__name__ == "DataFrame" and type(value).__module__.startswith("pyspark.sql")


def _table(frame: Any) -> dict[str, str]:
    """The rows by MIME type."""
    from pinlake.show.output import Result
    from pinlake.show.views import TOTAL

    result = Result.of(frame, limit=MOST_ROWS + 1)
    more = len(result.rows) > MOST_ROWS
    del result.rows[MOST_ROWS:]
    note = _note(len(result.rows), more, vars(frame).get(TOTAL))
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_jupyter=False, force_terminal=False)
    console.print(result.table(MOST_PLAIN_ROWS, "in the HTML table"))
    plain = "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
    return {"text/html": _html(result.columns, result.rows, note), "text/plain": f"{plain}\n{note}"}


def _note(shown: int, more: bool, total: int | None) -> str:
    """How many rows are shown, and of how many: a view of the first rows knows the number of them all."""
    if total is not None and total > shown:
        return f"the first {shown:,} of {total:,} rows"
    return f"the first {shown:,} rows" if more else f"{shown:,} row{'s' * (shown != 1)}"


def _html(columns: list[str], rows: list[list[Any]], note: str) -> str:
    sides = ["right" if _is_numeric([row[place] for row in rows]) else "left" for place in range(len(columns))]
    sides = [f"{side}; white-space: nowrap" if side == "right" else side for side in sides]
    # Each header as its column: Jupyter would align all of them to the right.
    head = _row("th", [html.escape(name) for name in columns], sides)
    body = "\n".join(_row("td", list(map(_text, columns, row)), sides) for row in rows)
    return (
        f'<table border="1" class="dataframe">\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>\n'
        f"<p>{note}</p>"
    )


def _row(tag: str, texts: list[str], sides: list[str]) -> str:
    cells = [f'<{tag} style="text-align: {side}">{text}</{tag}>' for text, side in zip(texts, sides, strict=True)]
    return f"<tr>{''.join(cells)}</tr>"


def _is_numeric(values: list[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def _text(column: str, value: Any) -> str:
    from pinlake.show.output import TIME, shown

    if value is None:
        return "<i>null</i>"
    if isinstance(value, float) and column.endswith("share"):
        return f"{value:.1%}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return html.escape(", ".join(map(shown, value)))
    # A browser would break a time at its hyphens.
    return TIME.sub(r'<span style="white-space: nowrap">\g<0></span>', html.escape(shown(value, column)))
