"""`display` on this machine: DataFrames as tables, anything else as IPython shows it."""

from __future__ import annotations

import html
import io
import json
from typing import Any

import IPython.display
from rich.console import Console

_ipython: Any = IPython.display  # it has no types
MOST_ROWS = 1000  # as many as a workspace shows
MOST_PLAIN_ROWS = 50
_WIDTH = 400  # a table is as wide as it must be; lines that are folded are hard to compare


def display(*objects: Any) -> None:
    """Show each object: a DataFrame as an HTML table of at most 1,000 rows, and as text for who has no browser."""
    for value in objects:
        if _is_frame(value):
            _ipython.display(_table(value), raw=True)
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
    from pinlake.report.output import Result

    result = Result.of(frame, limit=MOST_ROWS + 1)
    more = len(result.rows) > MOST_ROWS
    del result.rows[MOST_ROWS:]
    note = f"the first {MOST_ROWS:,} rows" if more else f"{len(result.rows):,} row{'s' * (len(result.rows) != 1)}"
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_jupyter=False, force_terminal=False)
    console.print(result.table(MOST_PLAIN_ROWS, "in the HTML table"))
    plain = "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
    return {"text/html": _html(result.columns, result.rows, note), "text/plain": f"{plain}\n{note}"}


def _html(columns: list[str], rows: list[list[Any]], note: str) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return (
        f'<table border="1" class="dataframe">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n'
        f"<p>{note}</p>"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "<td><i>null</i></td>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td style="text-align: right">{value}</td>'
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f'<td style="text-align: left">{html.escape(text)}</td>'
