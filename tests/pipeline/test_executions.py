"""How often a run asks Spark: each time costs up to a second, whatever the data is, and is soon added unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from benchmarks.executions import CASES
from pinlake.emulate.emulator import emulate
from tests.cli.conftest import pinlake


@pytest.mark.slow
@pytest.mark.usefixtures("shared_disk")
def test_a_run_asks_spark_no_more_often_than_it_has_to(spark: SparkSession, tmp_path: Path) -> None:
    def executions() -> int:
        """The number of SQL executions of one run."""
        before = next_id()
        done = pinlake("run", "--source", tmp_path / "dump", "--lake", tmp_path / "lake")
        assert done.exit_code == 0, done.stderr
        return next_id() - before - 1

    def next_id() -> int:
        assert spark._jvm is not None
        return int(spark._jvm.org.apache.spark.sql.execution.SQLExecution.nextExecutionId())

    emulate(tmp_path / "dump", posts=300, dirt=0.1, duplicates=0.1)
    found = [executions(), executions()]
    emulate(tmp_path / "dump", posts=100, seed=1, dirt=0.1, duplicates=0.1, append=True)
    found.append(executions())
    assert all(found), "nothing was counted"
    assert {case.name: count for case, count in zip(CASES, found, strict=True) if count > case.goal * 1.1} == {}
