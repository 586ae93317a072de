"""The DAG as Airflow reads it, without a run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("airflow", reason="`make test-airflow` runs this")

from tests.airflow.conftest import DAG_FILE

HERE = Path(__file__).parent
INFRA = DAG_FILE.parents[1]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of the DAG. AIRFLOW_HOME is set before Airflow is imported, because that writes to it."""
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("home"))
    sys.path.insert(0, str(DAG_FILE.parent))
    try:
        import pinlake

        return pinlake
    finally:
        sys.path.remove(str(DAG_FILE.parent))


@pytest.fixture
def dag(module: Any) -> Any:
    from airflow.sdk import DAG

    (found,) = [each for each in vars(module).values() if isinstance(each, DAG)] or [module.run.dag]
    return found


def test_it_is_imported_without_a_warning(tmp_path: Path) -> None:
    """A warning from this file, or about how it uses Airflow, is an error; Airflow's own about others are not."""
    done = subprocess.run(
        [sys.executable, "-W", "error:::pinlake", "-W", "error:::__main__", str(DAG_FILE)],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_check_run_counts_judge(dag: Any) -> None:
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "check": {"run"},
        "run": {"counts"},
        "counts": {"judge"},
        "judge": set(),
    }


def test_it_waits_in_the_triggerer_and_not_for_ever(dag: Any) -> None:
    run = dag.get_task("run")
    assert run.deferrable
    assert run.execution_timeout == timedelta(hours=6)


def test_every_task_is_tried_again_and_told_of(module: Any, dag: Any) -> None:
    for task in dag.tasks:
        assert task.retries == 2
        assert task.retry_delay == timedelta(minutes=5)
        assert task.on_failure_callback == task.on_retry_callback == [module.tell]


def test_it_is_found_and_explained(dag: Any) -> None:
    assert dag.tags == {"pinlake", "databricks"}
    assert [task.task_id for task in dag.tasks if f"| `{task.task_id}` |" not in dag.doc_md] == []
    assert not dag.catchup
    assert dag.max_active_runs == 1


def test_a_topic_is_judged_by_its_new_records_and_after_a_backfill_by_all(module: Any) -> None:
    new = [{"topic": "pin", "new_records": 10, "quarantined": 1, "bad_share": 0.1}]
    every = [{"records": "bronze", "pin": 50, "geo": 40}, {"records": "quarantined", "pin": 2, "geo": 0}]
    assert module.judged({"clean": new, "quality": every}) == [("pin", 1, 10)]
    assert module.judged({"rebuild": every}) == [("pin", 2, 50), ("geo", 0, 40)]


def test_the_provider_is_that_of_mwaas_constraints() -> None:
    """MWAA refuses a requirement that its constraints for this version of Airflow exclude."""
    (wanted,) = (INFRA / "requirements.txt").read_text(encoding="utf-8").split()
    template = (INFRA.parent / "aws" / "schedule.yml").read_text(encoding="utf-8")
    airflow = re.search(r"AirflowVersion:\n(?:.*\n)+?    Default: (\S+)", template)[1]
    pins = (HERE / f"requirements-{airflow}.txt").read_text(encoding="utf-8").splitlines()
    assert f"apache-airflow=={airflow}" in pins
    assert wanted in pins


def test_the_environment_is_one_of_those_that_are_pinned() -> None:
    pins = (HERE / f"requirements-{version('apache-airflow')}.txt").read_text(encoding="utf-8").splitlines()
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[^ ]+( ; .+)?", pin)] == []
