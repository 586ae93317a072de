"""Jobs that start other jobs of their bundle."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pinlake.job.check import check_job, jobs_reached, others_given, parameters_taken
from pinlake.job.errors import BundleError
from pinlake.job.graph import State
from pinlake.job.result import JobResult
from tests.bundle.reading import bundle
from tests.job.conftest import job_task, notebook_task, states

SHOW = ["import os, json\ndbutils.notebook.exit(json.dumps([os.getpid(), dbutils.widgets.getAll()]))"]


def parameters(**defaults: str) -> list[dict[str, str]]:
    return [{"name": name, "default": default} for name, default in defaults.items()]


def shown(result: JobResult) -> str:
    printed = io.StringIO()
    Console(file=printed, width=120).print(result.timeline())
    return printed.getvalue()


def test_a_started_job_gets_the_tasks_parameters_and_over_them_the_jobs(run: Any, tmp_path: Path) -> None:
    own = {"own": "{{task.name}}", "both": "task", "lake": "/Volumes/x"}
    inner = {
        "tasks": [notebook_task("show", parameters={"why": "{{job.trigger.type}} of {{job.name}}"})],
        "parameters": parameters(own="-", both="-", lake="-", storage="volume", untouched="default"),
    }
    result = run(
        [notebook_task("first", notebook="show"), job_task("second", "inner", parameters=own)],
        {"show": SHOW},
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
    assert seen == {**expected, "why": "run_job_task of inner"}
    assert kernel == json.loads(result.task("first").said)[0], "not the same kernel"
    assert second.job.task("show").notebook == tmp_path / "out" / "second" / "show.ipynb"
    assert second.job.task("show").began >= second.began


def test_the_timeline_shows_its_tasks_below_the_task_that_started_it(run: Any, reports: Any) -> None:
    loop = {"task_key": "loop", "for_each_task": {"inputs": [1], "task": notebook_task("each", notebook="quiet")}}
    tasks = [job_task("starts", "inner"), notebook_task("after", after="starts", notebook="quiet")]
    result = run(tasks, {"quiet": ["1"]}, others={"inner": {"tasks": [loop]}})
    rows = re.findall(r"^│ (.{12})", shown(result), re.MULTILINE)
    assert [name.rstrip() for name in rows] == ["starts", "  loop", "    loop[1]", "after"]
    assert ("starts/loop[1]", "quiet.ipynb") in reports
    document = json.loads(json.dumps(result.document()))
    assert [task["task"] for task in document["tasks"][0]["job"]["tasks"]] == ["loop"]


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
    assert (result.succeeded, result.failed, result.document()["failed"]) == (True, ["bad"], ["bad"])
    assert "success, with failures, after" in shown(result)
    inner = {"tasks": [notebook_task("bad"), always]}
    result = run([job_task("starts", "inner")], notebooks, others={"inner": inner})
    assert (result.succeeded, result.failed) == (True, [])
    assert result.task("starts").said == "job inner: 2 tasks, of which bad failed"
    assert "with failures" not in shown(result)


@pytest.mark.slow
def test_time_is_limited_by_the_task_the_job_and_the_job_that_started_it(run: Any) -> None:
    inner = {"tasks": [notebook_task("slow"), notebook_task("next", notebook="slow")]}
    slow = {"slow": ["import time\ntime.sleep(60)"]}
    result = run([job_task("starts", "inner", timeout_seconds=1)], slow, others={"inner": inner})
    assert (result.state, result.task("starts").state) == (State.TIMED_OUT, State.TIMED_OUT)
    assert states(result.task("starts").job) == {"slow": "timed out", "next": "canceled"}
    result = run([job_task("starts", "inner")], slow, timeout_seconds=1, others={"inner": inner})
    assert states(result.task("starts").job) == {"slow": "timed out", "next": "canceled"}
    result = run([job_task("starts", "inner")], slow, others={"inner": {**inner, "timeout_seconds": 1}})
    assert states(result.task("starts").job) == {"slow": "timed out", "next": "canceled"}
    assert result.seconds < 30


def test_a_job_for_each_input(run: Any) -> None:
    each = job_task("each", "inner", parameters={"own": "{{input}}"})
    tasks = [{"task_key": "loop", "for_each_task": {"inputs": ["x", "y"], "task": each}}]
    inner = {"tasks": [notebook_task("show")], "parameters": parameters(own="-")}
    result = run(tasks, {"show": SHOW}, others={"inner": inner})
    shown = [json.loads(each.job.task("show").said)[1] for each in result.task("loop").inputs]
    assert shown == [{"own": "x"}, {"own": "y"}]


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ({"small": "small"}, "task 'starts': jobs start each other: small → small; take one run_job_task out"),
        ({"small": "a", "a": "b", "b": "a"}, "task 'starts': jobs start each other: a → b → a; take"),
        ({"small": "17"}, "task 'starts' starts job 17, which is none of this bundle's; .* job_id: "),
        ({"small": "leaf", "leaf": "no such notebook"}, "notebook .*gone.ipynb is not there"),
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
        ({"job_parameters": {"own": "{{tasks.x.values.y}}"}}, "task 'starts': .* no task is called 'x'"),
        ({"notebook_params": {"own": "1"}}, "task 'starts': notebook_params isn't handed on here; use job_parameters"),
    ],
)
def test_parameters_that_lead_nowhere(run: Any, tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    task = {"task_key": "starts", "run_job_task": {"job_id": "${resources.jobs.inner.id}", **settings}}
    inner = {"tasks": [notebook_task("quiet")], "parameters": parameters(own="-")}
    with pytest.raises(BundleError, match=told):
        run([task], {"quiet": ["1"]}, others={"inner": inner})
    assert not (tmp_path / "out").exists()


def test_a_disabled_task_starts_no_job(run: Any) -> None:
    tasks = [job_task("starts", "small", disabled=True), notebook_task("quiet")]
    assert states(run(tasks, {"quiet": ["1"]})) == {"starts": "disabled", "quiet": "success"}


def test_the_arrival_of_files_runs_the_pipeline_here_too() -> None:
    here = bundle("dev")
    check_job(here, "arrival")
    assert jobs_reached(here, "arrival") == ["arrival", "pipeline"]
    assert {"source", "lake", "audit"} <= parameters_taken(here, "arrival")


def test_maintenance_runs_the_pipeline_with_an_audit_here_too() -> None:
    here = bundle("dev")
    check_job(here, "maintenance")
    assert jobs_reached(here, "maintenance") == ["maintenance", "pipeline"]
    assert {"source", "lake"} <= parameters_taken(here, "maintenance")


def test_what_each_task_is_given_is_no_parameter_of_the_job() -> None:
    here = bundle("dev")
    told = "job 'pipeline' has no parameter 'source': its tasks have it, each its own; leave it out. The job's"
    with pytest.raises(BundleError, match=told):
        others_given(here, "pipeline", ["source"])
    with pytest.raises(BundleError, match="job 'maintenance' has no parameter 'audit': its tasks have it"):
        others_given(here, "maintenance", ["audit"])
    assert others_given(here, "pipeline", ["run_date", "audit"]) == ["run_date"]


def test_what_is_passed_for_somebody_else_reaches_the_jobs_own_notebooks(run: Any) -> None:
    tasks = [notebook_task("show"), job_task("starts", "inner")]
    inner = {"tasks": [notebook_task("show")], "parameters": parameters(own="-")}
    result = run(tasks, {"show": SHOW}, others={"inner": inner}, given={"run_date": "x"})
    assert json.loads(result.task("show").said)[1] == {"run_date": "x"}
    assert json.loads(result.task("starts").job.task("show").said)[1] == {"own": "-"}
