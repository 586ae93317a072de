"""How often a run asks Spark: each time costs up to a second, whatever the data is, and is soon added unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from benchmarks.executions import CASES, executions
from pinlake.emulate.emulator import emulate
from tests.cli.conftest import leave_only_logs, pinlake


@pytest.mark.slow
def test_a_run_asks_spark_no_more_often_than_it_has_to(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_only_logs(monkeypatch, tmp_path)

    def of_this_session() -> int:
        before = last_execution()
        done = pinlake("run", "--source", tmp_path / "dump", "--lake", tmp_path / "lake")
        assert done.exit_code == 0, done.stderr
        return last_execution() - before

    def last_execution() -> int:
        spark._jsc.sc().listenerBus().waitUntilEmpty()
        return int(spark._jsparkSession.sharedState().statusStore().executionsList().last().executionId())

    assert spark.range(1).count() == 1  # so that there is a last one
    emulate(tmp_path / "dump", posts=1_000, dirt=0.02, duplicates=0.03)
    # The second one in a process of its own, as users start it, with Spark's event log.
    found = [of_this_session(), executions(tmp_path, tmp_path / "dump")]
    emulate(tmp_path / "dump", posts=300, seed=1, dirt=0.02, duplicates=0.03, append=True)
    found.append(of_this_session())
    assert all(found), "nothing was counted"
    assert {case.name: count for case, count in zip(CASES, found, strict=True) if count > case.goal * 1.1} == {}
