"""Jobs that start other jobs of their bundle."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pinlake.errors import BundleError
from pinlake.job.model import read_job
from pinlake.job.result import JobResult
from pinlake.job.runner import check_job, run_job
from pinlake.job.state import State
from tests.bundle.reading import TARGETS, bundle, bundle_with_options
from tests.job.conftest import job_task, notebook_task, states

SHOW = ["import os, json\ndbutils.notebook.exit(json.dumps([os.getpid(), dbutils.widgets.getAll()]))"]


def parameters(**defaults: str) -> list[dict[str, str]]:
    return [{"name": name, "default": default} for name, default in defaults.items()]


def shown(result: JobResult) -> str:
    printed = io.StringIO()
    Console(file=printed, width=120).print(result.timeline())
    return printed.getvalue()


def test_a_started_job_gets_the_tasks_parameters_and_over_them_the_jobs(run: Any, tmp_path: Path) -> None:
    own = {"own": "{{tasks.first.values.said}}", "both": "task", "lake": "/Volumes/x"}
    inner = {
        "tasks": [notebook_task("show", parameters={"why": "because"})],
        "parameters": parameters(own="-", both="-", lake="-", storage="volume", untouched="default"),
    }
    result = run(
        [notebook_task("first", notebook="says"), job_task("second", "inner", after="first", parameters=own)],
        {"show": SHOW, "says": ["dbutils.jobs.taskValues.set('said', 'second')", *SHOW]},
        parameters=parameters(both="job", other="job"),
        others={"inner": inner},
        lake=tmp_path / "lake",
    )
    second = result.task("second")
    assert (second.state, second.said, second.attempts) == (State.SUCCESS, "job inner: 1 tasks", 1)
    here = {"lake": str(tmp_path / "lake"), "storage": "local"}
    expected = {"own": "second", "both": "job", **here, "untouched": "default"}
    assert second.job.parameters == expected
    kernel, seen = json.loads(second.job.task("show").said)
    assert seen == {**expected, "why": "because"}
    assert kernel == json.loads(result.task("first").said)[0], "not the same kernel"
    assert second.job.task("show").notebook == tmp_path / "out" / "second" / "show.ipynb"
    assert second.job.task("show").start >= second.start


def test_the_timeline_shows_its_tasks_below_the_task_that_started_it(run: Any, reports: Any) -> None:
    tasks = [job_task("starts", "inner"), notebook_task("after", after="starts", notebook="quiet")]
    others = {"inner": {"tasks": [job_task("again", "innermost")]}, "innermost": {"tasks": [notebook_task("quiet")]}}
    result = run(tasks, {"quiet": ["1"]}, others=others)
    rows = re.findall(r"^│ (.{9})", shown(result), re.MULTILINE)
    assert [name.rstrip() for name in rows] == ["starts", "  again", "    quiet", "after"]
    assert ("starts/again/quiet", "quiet.ipynb") in reports
    document = result.model_dump(mode="json")
    assert [task["task"] for task in document["tasks"][0]["job"]["tasks"]] == ["again"]


def test_a_failing_job_fails_the_task_that_started_it_after_its_retries(run: Any) -> None:
    inner = {"tasks": [notebook_task("good", notebook="quiet"), notebook_task("bad", after="good")]}
    tasks = [job_task("starts", "inner", max_retries=1), notebook_task("after", after="starts", notebook="quiet")]
    result = run(tasks, {"quiet": ["1"], "bad": ["assert False, 'not good'"]}, others={"inner": inner})
    assert states(result) == {"starts": "failed", "after": "upstream failed"}
    starts = result.task("starts")
    assert (starts.attempts, starts.said) == (2, "job inner, task bad: cell 1 of 1: AssertionError: not good")
    assert states(starts.job) == {"good": "success", "bad": "failed"}
    assert not result.succeeded


def test_a_job_that_succeeds_though_a_task_failed_says_so(run: Any) -> None:
    always = {**notebook_task("always", after="bad", notebook="quiet"), "run_if": "ALL_DONE"}
    notebooks = {"quiet": ["1"], "bad": ["assert False, 'not good'"]}
    result = run([notebook_task("bad"), always], notebooks)
    assert (result.succeeded, result.failed, result.model_dump()["failed"]) == (True, ["bad"], ["bad"])
    assert "success, with failures, after" in shown(result)
    inner = {"tasks": [notebook_task("bad"), always]}
    result = run([job_task("starts", "inner")], notebooks, others={"inner": inner})
    assert (result.succeeded, result.failed) == (True, [])
    assert result.task("starts").said == "job inner: 2 tasks, of which bad failed"
    assert "with failures" not in shown(result)


@pytest.mark.slow
def test_time_is_limited_by_the_task_the_job_and_the_job_that_started_it(run: Any, tmp_path: Path) -> None:
    inner = {"tasks": [notebook_task("slow"), notebook_task("next", notebook="slow")]}
    done = tmp_path / "done"
    slow = {"slow": [f"import pathlib, time\ntime.sleep(60)\npathlib.Path({str(done)!r}).touch()"]}
    result = run([job_task("starts", "inner", timeout_seconds=1)], slow, others={"inner": inner})
    assert (result.state, result.task("starts").state) == (State.TIMED_OUT, State.TIMED_OUT)
    assert states(result.task("starts").job) == {"slow": "timed out", "next": "canceled"}
    result = run([job_task("starts", "inner")], slow, timeout_seconds=1, others={"inner": inner})
    assert states(result.task("starts").job) == {"slow": "timed out", "next": "canceled"}
    result = run([job_task("starts", "inner")], slow, others={"inner": {**inner, "timeout_seconds": 1}})
    assert states(result.task("starts").job) == {"slow": "timed out", "next": "canceled"}
    assert not done.exists(), "the notebook ran to its end"


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ({"small": "small"}, "task 'starts': jobs form a cycle: small → small; take one run_job_task out"),
        ({"small": "a", "a": "b", "b": "a"}, "task 'starts': jobs form a cycle: a → b → a; take"),
        (
            {"small": "17"},
            "databricks.yml, job small, tasks.starts.run_job_task.job_id: 17 is not a job of this bundle; use ",
        ),
        ({"small": "leaf", "leaf": "no such notebook"}, "notebook .*gone.ipynb does not exist"),
    ],
)
def test_nothing_is_started_of_jobs_that_cant_end(run: Any, tmp_path: Path, jobs: dict[str, str], told: str) -> None:
    def tasks(job: str) -> list[dict[str, Any]]:
        before = notebook_task("quiet")
        if job == "no such notebook":
            return [notebook_task("gone")]
        if job.isdigit():
            return [before, {"task_key": "starts", "run_job_task": {"job_id": int(job)}}]
        return [before, job_task("starts", job)]

    others = {name: {"tasks": tasks(started)} for name, started in jobs.items() if name != "small"}
    with pytest.raises(BundleError, match=told):
        run(tasks(jobs["small"]), {"quiet": ["1"]}, others=others)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"job_parameters": {"no": "1"}}, "job 'inner' has no parameter 'no'; its parameters are own"),
        ({"job_parameters": {"onw": "1"}}, "job 'inner' has no parameter 'onw', did you mean own"),
        ({"job_parameters": {"own": "{{tasks.x.values.y}}"}}, "no task 'x' comes before"),
        ({"notebook_params": {"own": "1"}}, "tasks.starts.run_job_task.notebook_params: not supported by the local"),
    ],
)
def test_parameters_that_lead_nowhere(run: Any, tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    task = {"task_key": "starts", "run_job_task": {"job_id": "${resources.jobs.inner.id}", **settings}}
    inner = {"tasks": [notebook_task("quiet")], "parameters": parameters(own="-")}
    with pytest.raises(BundleError, match=told):
        run([task], {"quiet": ["1"]}, others={"inner": inner})
    assert not (tmp_path / "out").exists()


def test_the_arrival_of_files_runs_the_pipeline_here_too() -> None:
    assert list(check_job(bundle("dev"), "arrival")) == ["arrival", "pipeline"]


def test_maintenance_runs_the_pipeline_with_an_audit_here_too() -> None:
    jobs = check_job(bundle("dev"), "maintenance")
    assert list(jobs) == ["maintenance", "pipeline"]
    assert jobs["maintenance"].tasks[0].parameters == {"audit": "true"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_job_of_the_bundle_can_run_here_but_that_of_the_dashboard(target: str) -> None:
    found = bundle_with_options(target)
    for key, written in found.jobs.items():
        if key != "weekly":
            assert read_job(key, written, found.files[key]).tasks
    with pytest.raises(
        BundleError, match=r"job weekly, tasks\.snapshot\.dashboard_task: not supported by the local runner"
    ):
        read_job("weekly", found.jobs["weekly"], found.files["weekly"])


def test_only_parameters_of_the_job_are_taken() -> None:
    """What a task is given is its own: it would take the place of each task's."""
    for name in ("source", "run_date"):
        with pytest.raises(BundleError, match=f"job 'pipeline' has no parameter '{name}'; its parameters are catalog,"):
            run_job(bundle("dev"), "pipeline", {name: "x"})
