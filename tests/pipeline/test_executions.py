"""How often a run asks Spark: each time costs up to a second, whatever the data is, and is soon added unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.executions import counts


@pytest.mark.slow
def test_a_run_asks_spark_no_more_often_than_it_has_to(tmp_path: Path) -> None:
    found = {count.case: (count.executions, count.goal) for count in counts(tmp_path)}
    assert len(found) == 3
    assert {case: executions for case, (executions, goal) in found.items() if executions > goal * 1.1} == {}
    assert all(executions for executions, _ in found.values()), "nothing was counted"
    logs = [log.read_text(encoding="utf-8") for log in tmp_path.glob("*.log")]
    assert len(logs) == 3
    assert not any("CodeCache" in log for log in logs), "the JVM has no room for the code that it compiles"
