"""`display`: DataFrames for browsers and for terminals."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinlake.local import display as module


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(module._ipython, "display", lambda value, **_: found.append(value))
    return found


def test_a_frame_is_an_html_table_and_text(spark: SparkSession, shown: list[Any]) -> None:
    frame = spark.sql("SELECT 1234567 AS n, '<b>' AS text, NULL AS nothing, array('a') AS list, true AS flag")
    module.display(frame)
    (found,) = shown
    head = "<tr><th>n</th><th>text</th><th>nothing</th><th>list</th><th>flag</th></tr>"
    assert head in found["text/html"]
    assert '<td style="text-align: right">1234567</td><td style="text-align: left">&lt;b&gt;</td>' in found["text/html"]
    assert "<td><i>null</i></td>" in found["text/html"]
    assert "<p>1 row</p>" in found["text/html"]
    assert "1,234,567" in found["text/plain"]
    assert found["text/plain"].endswith("\n1 row")
    assert "\x1b" not in found["text/plain"]


def test_a_long_frame_is_cut(spark: SparkSession, shown: list[Any]) -> None:
    module.display(spark.range(1001))
    (found,) = shown
    assert found["text/html"].count("<tr>") == 1001
    assert "<p>the first 1,000 rows</p>" in found["text/html"]
    assert "… and 950 more: in the HTML table" in found["text/plain"]


def test_anything_else_is_ipythons(shown: list[Any]) -> None:
    module.display("text", 5)
    assert shown == ["text", 5]
