"""A job as it is written: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pinlake.errors import BundleError, JobError
from pinlake.job.model import ConditionTask, Job, filled, read_job

VALUES = {"before": {"count": 3, "names": ["a", "b"], "flag": True, "text": "t"}}


def task(key: str, *after: str, **settings: Any) -> dict[str, Any]:
    """A task; `after` names tasks, with an outcome as `name=true`."""
    depends = [dict(zip(("task_key", "outcome"), name.split("="), strict=False)) for name in after]
    kind = {} if "condition_task" in settings else {"notebook_task": {"notebook_path": "n.ipynb"}}
    return {"task_key": key, "depends_on": depends, **kind, **settings}


def condition(key: str, *after: str, left: Any = "1", op: str = "GREATER_THAN") -> dict[str, Any]:
    return task(key, *after, condition_task={"left": left, "op": op, "right": "0"})


def given(key: str, *after: str, **parameters: Any) -> dict[str, Any]:
    """A task with parameters."""
    return task(key, *after, notebook_task={"notebook_path": "n.ipynb", "base_parameters": parameters})


def job(*tasks: dict[str, Any], **settings: Any) -> Job:
    return read_job("j", {"tasks": list(tasks), **settings}, Path("jobs.yml"))


def test_dependencies_come_first_else_the_written_order() -> None:
    found = job(task("d", "b", "c"), task("c", "a"), task("b"), task("a"))
    assert [task.task_key for task in found.tasks] == ["b", "a", "c", "d"]
    assert [found.before(key) for key in "abcd"] == [set(), set(), {"a"}, {"a", "b", "c"}]


def test_what_a_workspace_alone_needs_is_passed_over() -> None:
    found = job(task("a", environment_key="e", libraries=[], description="x"), name="n", tags={}, schedule={})
    assert [task.task_key for task in found.tasks] == ["a"]


def test_values_of_yaml_are_texts_of_a_job() -> None:
    found = job(
        condition("if"),
        {**given("a", number=1, flag=True, nothing="", many=[1]), "run_if": None, "max_retries": None},
        {**task("b"), "depends_on": [{"task_key": "if", "outcome": True}]},
        parameters=[{"name": "n", "default": 2}, {"name": "empty"}],
    )
    tasks = {task.task_key: task for task in found.tasks}
    assert tasks["a"].parameters == {"number": "1", "flag": "true", "nothing": "", "many": "[1]"}
    assert tasks["b"].depends_on[0].outcome == "true"
    assert found.defaults == {"n": "2", "empty": ""}


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([], "tasks: give the job tasks with unique keys"),
        ([task("a"), task("a")], "tasks: give the job tasks with unique keys"),
        ([task("a", "c"), task("b", "a"), task("c", "b")], "tasks form a cycle: .* → .* → .* → "),
        ([task("a", "b")], r"tasks: 'a' depends on 'b', not a task of \['a'\]"),
        ([task("a"), task("b", "a=true")], "'b' depends on 'a', not a condition_task"),
        ([condition("a"), task("b", "a=maybe")], "b.depends_on.0.outcome: 'maybe' .*; use 'true' or 'false'"),
        ([task("a", run_if="NONE_FAILED")], "tasks.a.run_if: 'NONE_FAILED' .*; use 'ALL_SUCCESS' or 'ALL_DONE'"),
        ([condition("a", op="EQUAL_TO")], "tasks.a.condition_task.op: 'EQUAL_TO' .*; use 'GREATER_THAN'"),
        ([task("a", max_retries=-1)], "tasks.a.max_retries: Input should be greater than or equal to 0"),
        ([{"task_key": "a"}], r"tasks.0: give the task one of notebook_task, condition_task and run_job_task"),
        ([task("a", run_job_task={"job_id": "<jobs.b.id>"})], "give the task one of"),
        ([{"notebook_task": {"notebook_path": "n.ipynb"}}], "tasks.0.task_key: Field required"),
        ([task("a", notebook_task={})], "tasks.a.notebook_task.notebook_path: Field required"),
        (["a"], "tasks.0: Input should be a valid dictionary"),
    ],
)
def test_a_job_that_is_wrong_is_told_with_its_file_and_key(tasks: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(BundleError, match=f"^jobs.yml, job j, .*{told}"):
        job(*tasks)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"for_each_task": {}}, "tasks.b.for_each_task"),
        ({"sql_task": {}}, "tasks.b.sql_task"),
        ({"disabled": True}, "tasks.b.disabled"),
        ({"retry_on_timeout": True}, "tasks.b.retry_on_timeout"),
        ({"notebook_task": {"notebook_path": "n.ipynb", "source": "GIT"}}, "tasks.b.notebook_task.source"),
        ({"max_retrys": 1}, "tasks.b.max_retrys"),
    ],
)
def test_a_key_that_is_not_known_is_refused(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(BundleError) as caught:
        job(task("a"), task("b", **settings))
    told = "not supported by the local runner; take it out, or run the job in a workspace"
    assert str(caught.value) == f"jobs.yml, job j, {key}: {told}"
    with pytest.raises(BundleError, match=f"jobs.yml, job j, git_source: {told}"):
        job(task("a"), git_source={})


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("{{tasks.c.values.x}}", "no task 'c' comes before; correct it, or add it to depends_on"),
        ("{{tasks.z.values.x}}", "no task 'z' comes before"),
        ("{{tasks.b.values.x}}", "no task 'b' comes before"),
        *(
            (reference, "is not supported by the local runner; use {{tasks.KEY.values.NAME}}")
            for reference in (
                *("{{job.parameters.p}}", "{{job.start_time.iso_date}}", "{{input}}", "{{}}", "{{tasks.a.values}}"),
                *("{{tasks.a.result_state}}", "{{tasks.[a].values.x}}"),
            )
        ),
    ],
)
def test_references_are_checked_before_anything_runs(reference: str, told: str) -> None:
    def refused(*tasks: dict[str, Any], **settings: Any) -> str:
        with pytest.raises(BundleError) as caught:
            job(task("a"), *tasks, task("c"), **settings)
        return str(caught.value)

    assert f"{reference} {told}" in refused(given("b", "a", x=f"- {reference} -")).replace("}}:", "}}")
    assert reference in refused(condition("b", "a", left=reference))
    assert reference in refused(parameters=[{"name": "p", "default": reference}])


def test_a_value_of_any_task_before_may_be_referred_to() -> None:
    text = "{{tasks.a.values.x}}, {{ tasks.a.values.y }}, ${x} {not a reference} }}"
    found = job(task("a"), task("b", "a"), given("c", "b", x=text))
    assert found.tasks[-1].parameters == {"x": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{{tasks.before.values.count}}", "3"),
        ("n = {{tasks.before.values.count}}, {{ tasks.before.values.text }}", "n = 3, t"),
        ("{{tasks.before.values.names}}", '["a", "b"]'),
        ("is {{tasks.before.values.flag}}", "is true"),
    ],
)
def test_references_are_filled_with_values(text: str, value: str) -> None:
    assert filled(text, VALUES) == value


def test_a_value_that_was_not_set() -> None:
    with pytest.raises(JobError, match="task 'before' set no value 'x'; it set count, names, flag, text"):
        filled("a {{tasks.before.values.x}}", VALUES)


@pytest.mark.parametrize(("left", "right", "holds"), [("9", "10", False), ("10.5", "10", True), ("1", "1.0", False)])
def test_a_condition_compares_numbers(left: str, right: str, holds: bool) -> None:
    found = ConditionTask(op="GREATER_THAN", left=left, right=right)
    assert found.holds({}) == (holds, f"{left} > {right}")


def test_a_condition_that_cant_be_decided() -> None:
    found = ConditionTask(op="GREATER_THAN", left="{{tasks.before.values.text}}", right="0")
    with pytest.raises(JobError, match="'t' or '0' is not a number; GREATER_THAN compares only numbers"):
        found.holds(VALUES)
