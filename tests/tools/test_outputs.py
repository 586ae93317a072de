"""What is kept of a run's outputs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import nbformat
import pytest

from pinlake.lake.model import GOLD, TABLES
from pinlake.show.figure import VEGA_LITE
from pinlake.show.summary import _ODD
from tools.notebook_outputs import MADE_UP, first_rows, in_order, keep, plain

SINCE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PLACES = {"/tmp/some-run/job": "work"}


def notebook(*outputs: dict[str, Any]) -> Any:
    cell = {"cell_type": "code", "id": "look", "source": "", "metadata": {"execution": {"iopub.status.busy": "now"}}}
    document = {"cells": [{**cell, "execution_count": 7, "outputs": list(outputs)}], "metadata": {}}
    return nbformat.from_dict({**document, "nbformat": 4, "nbformat_minor": 5})  # type: ignore[no-untyped-call]


def kept(*outputs: dict[str, Any]) -> Any:
    found = notebook(*outputs)
    keep(found, PLACES, SINCE)
    note, *rest = found.cells[0].outputs
    assert note.data["text/plain"] == MADE_UP
    return rest


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def table(rows: int) -> str:
    body = "\n".join(f"<tr><td>{number}</td></tr>" for number in range(rows))
    return f"<table>\n<thead><tr><th>n</th></tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n<p>{rows} rows</p>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run 20261124T120501Z-3e04b48a", "run 20260101T120000Z-0123abcd"),
        ("at 2026-11-24T12:05:01.123456Z.", "at 2026-01-01T12:00:00Z."),
        ("at 2026-11-24 05:05:01", "at 2026-01-01 12:00:00"),
        ("dirty 2026-13-41 25:61:00", "dirty 2026-13-41 25:61:00"),
        ("posted 2022-07-08T10:20:30Z", "posted 2022-07-08T10:20:30Z"),
        ("<Figure at 0x7f12ab34cd>", "<Figure at 0x0>"),
        ("colour 0xffff and /tmp/some-run/job/dump/topics", "colour 0xffff and work/dump/topics"),
    ],
)
def test_what_differs_from_run_to_run_is_replaced(text: str, expected: str) -> None:
    assert plain(text, PLACES, SINCE) == expected


def test_a_long_table_keeps_its_first_rows_and_says_so() -> None:
    found = first_rows(table(26))
    assert found.count("<td>") == 25
    assert found.endswith("</table>\n<p>kept in this file: the first 25 of 26 rows</p>")
    view = table(26).replace("26 rows", "the first 16 of 3,000 rows")
    assert first_rows(view).endswith("</table>\n<p>kept in this file: the first 25 of 3,000 rows</p>")


def test_the_accounting_is_kept_as_a_whole() -> None:
    counts = len(TABLES["row_count"].columns) - len(("run_id", "at", "topic"))
    assert first_rows(table(counts)) == table(counts)


def test_the_report_is_kept_as_a_whole() -> None:
    """Records and posts, the answers, what is odd in the accounting, drift and names."""
    lines = 2 + len(GOLD) + len(_ODD) + 2
    assert first_rows(table(lines)) == table(lines)


@pytest.mark.parametrize("html", [table(25), table(0), "<b>no table</b>"])
def test_what_is_short_stays_as_it_is(html: str) -> None:
    assert first_rows(html) == html


def test_a_table_is_kept_once_and_as_text_only_its_length() -> None:
    (output,) = kept(shown({"text/html": table(3), "text/plain": "│ 1 │\n│ 2 │\n3 rows"}))
    assert output.data == {"text/html": table(3), "text/plain": "3 rows"}


def test_what_was_printed_is_one_piece_without_stderr() -> None:
    found = kept(printed("clean: user: b\n"), printed("WARN\n", "stderr"), printed("clean: geo: a\n"))
    assert [each.text for each in found] == ["clean: geo: a\nclean: user: b\n"]
    assert [each.text for each in kept(printed("SELECT b\nFROM a\n"))] == ["SELECT b\nFROM a\n"]


def test_lines_of_progress_come_as_things_happened_and_topics_in_a_fixed_order() -> None:
    """Topics report from threads: which comes first is chance, and what is said of one topic is none."""
    happened = [
        *("ingest: user: 3 new objects", "ingest: pin: 2 new objects", "ingest: 5 objects in bronze"),
        *("clean: user: 3 records, 1 to quarantine", "clean: pin: 2 records, 0 to quarantine"),
        *("clean: pin: 2 records in silver_pin", "clean: user: 2 records in silver_user", "clean: silver_post made"),
        *("stream: batch 10: 3 records", "stream: batch 9: 3 records"),
    ]
    other = [happened[n] for n in (1, 0, 2, 4, 5, 3, 6, 7, 8, 9)]
    expected = [happened[n] for n in (1, 0, 2, 4, 5, 3, 6, 7, 8, 9)]
    for lines in (happened, other):
        assert in_order("".join(f"{line}\n" for line in lines)) == "".join(f"{line}\n" for line in expected)


def test_counts_and_times_of_execution_go() -> None:
    found = notebook({**shown({"text/plain": "1"}), "output_type": "execute_result", "execution_count": 7})
    keep(found, PLACES, SINCE)
    cell = found.cells[0]
    assert (cell.execution_count, cell.outputs[1].execution_count, cell.metadata) == (1, 1, {})
    nbformat.validate(found)


def test_of_a_figure_the_picture_is_kept() -> None:
    data = {"image/png": "iVBORw0KGgo=", "text/plain": "Figure: Distinct users who joined in each year"}
    (output,) = kept(shown({VEGA_LITE: {"mark": "bar"}, **data}))
    assert output.data == data
