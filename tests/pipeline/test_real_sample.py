"""The whole way with real records: all ten answers right, and a second run changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.emulate.emulator import emulate
from pinlake.emulate.files import FileRows
from pinlake.lake.model import GOLD
from tests.pipeline.conftest import System, as_numbers, read_csv


@pytest.fixture(scope="module")
def loaded(real_sample: Path, system, tmp_path_factory: pytest.TempPathFactory) -> System:
    folder = tmp_path_factory.mktemp("real")
    emulate(folder / "dump", posts=None, rows=FileRows(real_sample))
    made = system(folder / "dump", folder / "lake")
    made.run()
    return made


@pytest.mark.parametrize("name", GOLD)
def test_answer_is_right(loaded: System, real_sample: Path, name: str) -> None:
    header, expected = read_csv(real_sample / "answers" / f"{name}.csv")
    assert GOLD[name].column_names == header
    assert [as_numbers(row) for row in loaded.answers()[name]] == expected


def test_six_records_of_each_topic_came_twice(loaded: System) -> None:
    for count in loaded.counts().values():
        assert (count.received, count.bronze, count.silver, count.deduplicated) == (322, 322, 316, 6)
        assert (count.conflicts, count.quarantined, count.backlog, count.orphans) == (0, 0, 0, 0)


def test_real_records_breach_no_fact(loaded: System) -> None:
    assert loaded.rows("SELECT ind, _warnings FROM silver_post WHERE _warnings IS NOT NULL") == []


def test_second_run_finds_nothing_new(loaded: System) -> None:
    tables = ("bronze", "silver_pin", "silver_geo", "silver_user", "silver_post", *GOLD)
    before = {table: loaded.lake.version(table) for table in tables}
    loaded.run()
    assert {table: loaded.lake.version(table) for table in tables} == before
