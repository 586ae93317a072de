"""Whole runs in a real Airflow, with its scheduler and its triggerer, against the jobs API on the loopback."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("airflow", reason="`make test-airflow` runs this")

from tests.airflow.conftest import Airflow
from tests.airflow.jobs_api import ERROR, JOBS

RUNS = {
    "good": {"job_parameters": {"case": "good", "audit": "true"}},
    "bad": {"job_parameters": {"case": "bad"}},
    "accepted": {"job_parameters": {"case": "bad"}, "bad_share": 0.15},
    "fails": {"job_parameters": {"case": "fails"}},
    "flaky": {"job_parameters": {"case": "flaky"}},
}


@pytest.fixture(scope="module")
def runs(airflow: Airflow) -> dict[str, str]:
    """The ids of all runs, which were started at the same time."""
    return {case: airflow.start("pinlake", **conf) for case, conf in RUNS.items()}


def test_a_run_starts_the_job_with_its_parameters_and_reads_the_counts(airflow: Airflow, runs: dict[str, str]) -> None:
    ended = airflow.end("pinlake", runs["good"])
    assert ended == dict.fromkeys(("dag", "check", "run", "counts", "judge"), "success")
    (started,) = airflow.api.of_case("good")
    assert JOBS[started.job] == "[test] pinlake pipeline"
    assert started.parameters == {"case": "good", "audit": "true"}
    log = airflow.log("pinlake", runs["good"], "run")
    assert "Pausing task as DEFERRED" in log
    assert f"/jobs/{started.job}/runs/{started.id}" in log
    assert '\\"records\\": \\"silver\\", \\"pin\\": 4800' in airflow.log("pinlake", runs["good"], "counts")


def test_too_many_bad_records_fail_with_their_numbers(airflow: Airflow, runs: dict[str, str]) -> None:
    ended = airflow.end("pinlake", runs["bad"])
    assert (ended["run"], ended["judge"], ended["dag"]) == ("success", "failed", "failed")
    log = airflow.log("pinlake", runs["bad"], "judge")
    assert "more than 5.0% of the records are bad: pin 140 of 1,000; their reasons are in the table quarantine" in log
    assert airflow.end("pinlake", runs["accepted"])["dag"] == "success"


def test_a_run_that_fails_says_its_state_its_error_and_its_address(airflow: Airflow, runs: dict[str, str]) -> None:
    ended = airflow.end("pinlake", runs["fails"])
    assert (ended["run"], ended["counts"], ended["dag"]) == ("failed", "upstream_failed", "failed")
    first, second = airflow.api.of_case("fails")
    line = next(
        line for line in airflow.log("pinlake", runs["fails"], "run").splitlines() if "pinlake: task run failed" in line
    )
    assert "FAILED" in line
    assert ERROR in line
    assert f"{airflow.api.address}/jobs/11/runs/{first.id}" in line
    assert not second.cancelled


def test_a_retry_starts_another_run(airflow: Airflow, runs: dict[str, str]) -> None:
    assert airflow.end("pinlake", runs["flaky"])["dag"] == "success"
    assert [run.result for run in airflow.api.of_case("flaky")] == ["FAILED", "SUCCESS"]


def test_a_run_that_takes_too_long_is_cancelled(airflow: Airflow) -> None:
    run = airflow.start("hurried", job_parameters={"case": "slow"})
    assert airflow.end("hurried", run)["run"] == "failed"
    (started,) = airflow.api.of_case("slow")
    assert started.cancelled
    log = airflow.log("hurried", run, "run")
    assert f"pinlake: run {started.id} was cancelled" in log
    assert "TaskDeferralTimeout" in log


def test_a_job_that_is_not_there_is_told_at_once(airflow: Airflow) -> None:
    run = airflow.start("lost")
    ended = airflow.end("lost", run)
    assert (ended["check"], ended["run"]) == ("failed", "upstream_failed")
    assert "no job '[test] gone' that this connection may see" in airflow.log("lost", run, "check")


def test_a_backfill_rebuilds_the_days(airflow: Airflow) -> None:
    days = {"from_date": "2026-11-03T00:00:00Z", "to_date": "2026-11-05T00:00:00Z"}
    airflow.ask("POST", "/api/v2/backfills", {"dag_id": "pinlake", "max_active_runs": 1, "dag_run_conf": {}, **days})
    until = time.monotonic() + 600
    while True:
        found = airflow.ask("GET", "/api/v2/dags/pinlake/dagRuns?run_type=backfill")["dag_runs"]
        if len(found) == 2 and {run["state"] for run in found} == {"success"}:
            break
        assert time.monotonic() < until, found
        time.sleep(1)
    started = [run.parameters for run in airflow.api.runs.values() if JOBS[run.job] == "[test] pinlake backfill"]
    assert [given["first_date"] for given in started] == ["2026-11-03", "2026-11-04"]
    assert [given["last_date"] for given in started] == ["2026-11-03", "2026-11-04"]
