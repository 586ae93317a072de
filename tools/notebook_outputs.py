"""What a run left in a notebook, made fit to be kept: small, with pictures, and the same bytes after every run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from nbformat import NotebookNode, from_dict

from pinlake.lake.model import TABLES
from pinlake.show.figure import VEGA_LITE
from pinlake.topics import TOPICS

# The report has a line for each answer and for all that may be odd, and must not be cut.
MOST_ROWS = 25

# What is worked on by several threads at once, in the order in which people name it.
_SIDE_BY_SIDE = (*TOPICS, *TABLES)
# What stands above the first output: the pages look like somebody's numbers.
MADE_UP = "Made-up data: the numbers in this file come from posts that pinlake made up from a seed."

_SOME_RUN = "20260101T120000Z-0123abcd"
_SOME_TIME = "2026-01-01{}12:00:00"
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d+)?")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_BODY = re.compile(r"(<tbody>)(.*?)(</tbody>)", re.S)
_NOTE = re.compile(r"<p>(.*?)</p>")
_ROW = re.compile(r"<tr\b.*?</tr>", re.S)


def keep(notebook: NotebookNode, places: Mapping[str, str], since: datetime) -> None:
    """Normalise all outputs in place. `places` says what stands for which folder of the run; `since` is its start."""
    number = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        number += 1
        cell.execution_count = number
        cell.outputs = [_kept(output, number, places, since) for output in _joined(cell.outputs)]
    _tell_whose(notebook)
    notebook.metadata.language_info = {"name": "python"}


def _tell_whose(notebook: NotebookNode) -> None:
    """Say above the first output that the numbers are nobody's."""
    for cell in notebook.cells:
        if cell.get("outputs"):
            data = {"text/markdown": f"*{MADE_UP}*", "text/plain": MADE_UP}
            told = {"output_type": "display_data", "metadata": {}, "data": data}
            cell.outputs.insert(0, from_dict(told))  # type: ignore[no-untyped-call]
            return


def plain(text: str, places: Mapping[str, str], since: datetime) -> str:
    """The text without what differs from run to run: run ids, times of the run, folders, addresses in memory.

    Times of the data stay: they are of years before `since`, which no run is.
    """

    def stamped(found: re.Match[str]) -> str:
        try:
            moment = datetime.fromisoformat(f"{found[1]}T{found[3]}").replace(tzinfo=UTC)
        except ValueError:
            return found[0]  # records in quarantine have months that no year has
        # A time stamp without a zone may be that of any zone.
        return _SOME_TIME.format(found[2]) if moment > since - timedelta(days=1) else found[0]

    for place, name in places.items():
        text = text.replace(place, name)
    return _ADDRESS.sub("0x0", _INSTANT.sub(stamped, _RUN_ID.sub(_SOME_RUN, text)))


def first_rows(html: str) -> str:
    """The table with its first rows only; how many there are stands below it."""
    body = _BODY.search(html)
    rows = _ROW.findall(body[2]) if body else []
    if len(rows) <= MOST_ROWS:
        return html
    assert body is not None  # it has rows
    shown = body[1] + "".join(rows[:MOST_ROWS]) + body[3]
    return html[: body.start()] + shown + _NOTE.sub(_told, html[body.end() :], count=1)


def _told(note: re.Match[str]) -> str:
    # A view of the first rows has said "the first 20 of 300 rows": the whole is what counts.
    return f"<p>kept in this file: the first {MOST_ROWS} of {note[1].rpartition(' of ')[2]}</p>"


def in_order(text: str) -> str:
    """Lines of progress in the order in which things happened, as far as that is no chance.

    Topics, and tables in upkeep, are worked on side by side: each one's lines stay in their order, and stand together.
    Every other line comes when all before it is done, and keeps its place.
    """
    groups = groupby(text.splitlines(keepends=True), lambda line: _place(line) is None)
    return "".join(line for _, lines in groups for line in sorted(lines, key=lambda line: _place(line) or 0))


def _place(line: str) -> int | None:
    """The place of the topic or the table in `stage: topic: what was done`; None for other lines."""
    parts = line.split(": ", 2)
    return _SIDE_BY_SIDE.index(parts[1]) if len(parts) == 3 and parts[1] in _SIDE_BY_SIDE else None


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Without stderr, and what was printed in one piece: a kernel cuts it as the time passes."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name != "stderr":
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
            else:
                kept.append(output)
    return kept


def _kept(output: NotebookNode, number: int, places: Mapping[str, str], since: datetime) -> NotebookNode:
    if output.output_type == "stream":
        output.text = in_order(plain(output.text, places, since))
        return output
    if "execution_count" in output:
        output.execution_count = number
    data: dict[str, Any] = output.get("data", {})
    # GitHub shows the picture of a figure. The chart would be the same once more, in more bytes.
    data.pop(VEGA_LITE, None)
    if "text/html" in data:
        data["text/html"] = plain(first_rows(data["text/html"]), places, since)
        # The rows once more, but for the number of them.
        data["text/plain"] = data.get("text/plain", "").rpartition("\n")[2]
    if "text/plain" in data:
        data["text/plain"] = plain(data["text/plain"], places, since)
    return output
