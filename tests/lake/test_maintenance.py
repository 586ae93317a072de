"""Upkeep of tables, and their removal."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame

from pinlake.lake.lake import Lake
from pinlake.lake.location import MARKER
from pinlake.lake.maintenance import maintain
from pinlake.pipeline import new_run

pytestmark = pytest.mark.slow


def a_row(lake: Lake) -> DataFrame:
    values = "'pin' AS topic, 'a' AS path, 'late' AS kind, '' AS message, 'r' AS run_id"
    return lake.spark.sql(f"SELECT {values}, timestamp'2020-01-01' AS found_at")


@pytest.fixture
def lake(spark, tmp_path: Path) -> Lake:
    made = Lake(spark, f"t_{uuid4().hex[:12]}", root=tmp_path / "lake")
    for number in range(3):
        made.append("object_report", a_row(made), (f"app {number}", 1))
    return made


def test_small_files_are_put_together_and_rows_stay(lake: Lake) -> None:
    said: list[str] = []
    done = maintain(lake, new_run(lambda stage, message: said.append(f"{stage} {message}")))
    assert [(each.table, each.files_before, each.files_after) for each in done] == [("object_report", 3, 1)]
    assert said == ["upkeep object_report: 3 files to 1"]
    assert lake.read("object_report").count() == 3


def test_a_dropped_lake_has_no_tables_and_no_files_and_can_be_filled_again(lake: Lake) -> None:
    assert lake.drop_all() == ["object_report"]
    assert not lake.exists("object_report")
    assert [path.name for path in lake.location.root.iterdir()] == [MARKER]
    lake.append("object_report", a_row(lake), ("app", 1))
    assert lake.read("object_report").count() == 1
