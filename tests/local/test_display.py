"""`display`: DataFrames for browsers and for terminals."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinlake.local import display as module
from pinlake.show.figure import VEGA_LITE
from pinlake.show.figures import columns
from pinlake.show.views import TOTAL


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(module._ipython, "display", lambda value, **_: found.append(value))
    return found


def head(name: str, side: str) -> str:
    return cell(name, side).replace("td", "th")


def cell(text: str, side: str) -> str:
    one_line = "; white-space: nowrap" if side == "right" else ""
    return f'<td style="text-align: {side}{one_line}">{text}</td>'


def test_a_frame_is_an_html_table_and_text(spark: SparkSession, shown: list[Any]) -> None:
    frame = spark.sql("SELECT 1234567 AS n, '<b>' AS text, NULL AS nothing, array('a', 'b') AS list, true AS flag")
    module.display(frame)
    (found,) = shown
    names = [head("n", "right"), *(head(name, "left") for name in ("text", "nothing", "list", "flag"))]
    assert f"<thead><tr>{''.join(names)}</tr></thead>" in found["text/html"]
    texts = [cell(text, "left") for text in ("&lt;b&gt;", "<i>null</i>", "a, b", "true")]
    assert f"<tr>{cell('1,234,567', 'right')}{''.join(texts)}</tr>" in found["text/html"]
    assert "<p>1 row</p>" in found["text/html"]
    assert "1,234,567" in found["text/plain"]
    assert found["text/plain"].endswith("\n1 row")
    assert "\x1b" not in found["text/plain"]


def test_numbers_are_written_as_people_read_them(spark: SparkSession, shown: list[Any]) -> None:
    module.display(
        spark.sql("SELECT 2015 AS year, 161000D AS median, 0.0032D AS bad_share UNION ALL SELECT 2016, NULL, 0")
    )
    for text in ("2015", "161,000", "0.3%", "<i>null</i>", "0.0%"):
        assert cell(text, "right") in shown[0]["text/html"]


def test_times_stay_in_one_line(spark: SparkSession, shown: list[Any]) -> None:
    module.display(spark.sql("SELECT '2026-11-24T12:05:01Z' AS at, 'at noon' AS text"))
    html = shown[0]["text/html"]
    assert cell('<span style="white-space: nowrap">2026-11-24T12:05:01Z</span>', "left") in html
    assert cell("at noon", "left") in html
    module.display(spark.sql("SELECT 'from 2019:02:21 01:32:50 on' AS text"))
    text = 'from <span style="white-space: nowrap">2019:02:21 01:32:50</span> on'
    assert cell(text, "left") in shown[1]["text/html"]


def test_a_view_of_the_first_rows_says_how_many_there_are(spark: SparkSession, shown: list[Any]) -> None:
    frame = spark.range(5)
    setattr(frame, TOTAL, 12_000)
    module.display(frame)
    assert "<p>the first 5 of 12,000 rows</p>" in shown[0]["text/html"]
    assert shown[0]["text/plain"].endswith("\nthe first 5 of 12,000 rows")
    setattr(frame, TOTAL, 5)
    module.display(frame)
    assert "<p>5 rows</p>" in shown[1]["text/html"]


def test_a_long_frame_is_cut(spark: SparkSession, shown: list[Any]) -> None:
    module.display(spark.range(1001))
    (found,) = shown
    assert found["text/html"].count("<tr>") == 1001
    assert "<p>the first 1,000 rows</p>" in found["text/html"]
    assert "… and 950 more: in the HTML table" in found["text/plain"]


def test_a_figure_is_a_chart_and_a_picture(shown: list[Any]) -> None:
    module.display(columns("Users", [("2015", 3)], "users"))
    (found,) = shown
    assert found.keys() == {VEGA_LITE, "image/png", "text/plain"}
    assert found[VEGA_LITE]["title"] == "Users"
    assert base64.b64decode(found["image/png"]).startswith(b"\x89PNG")
    assert found["text/plain"] == "Figure: Users"


def test_anything_else_is_ipythons(shown: list[Any]) -> None:
    module.display("text", 5)
    assert shown == ["text", 5]
