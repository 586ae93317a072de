"""Upkeep of tables, and their removal."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from pinlake.lake.lake import Lake
from pinlake.lake.place import MARKER
from pinlake.maintenance import maintain
from pinlake.pipeline import new_run

pytestmark = pytest.mark.slow


@pytest.fixture
def lake(spark, tmp_path: Path) -> Lake:
    made = Lake(spark, f"t_{uuid4().hex[:12]}", root=tmp_path / "lake")
    rows = spark.createDataFrame([(2020, 3)], "join_year int, number_users_joined bigint")
    for number in range(3):
        made.append("users_joined_by_year", rows, (f"app {number}", 1))
    return made


def test_small_files_are_put_together_and_rows_stay(lake: Lake) -> None:
    said: list[str] = []
    done = maintain(lake, new_run(lambda stage, message: said.append(f"{stage} {message}")))
    assert [(each.table, each.files_before, each.files_after) for each in done] == [("users_joined_by_year", 3, 1)]
    assert said == ["upkeep users_joined_by_year: 3 files to 1"]
    assert lake.read("users_joined_by_year").count() == 3


def test_a_dropped_lake_has_no_tables_and_no_files_and_can_be_filled_again(lake: Lake) -> None:
    assert lake.drop_all() == ["users_joined_by_year"]
    assert not lake.exists("users_joined_by_year")
    assert [path.name for path in lake.root.iterdir()] == [MARKER]
    rows = lake.spark.createDataFrame([(2021, 1)], "join_year int, number_users_joined bigint")
    lake.append("users_joined_by_year", rows, ("app", 1))
    assert lake.read("users_joined_by_year").collect() == [(2021, 1)]
