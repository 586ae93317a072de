"""Parameters and references of a job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pinlake.job.errors import BundleError, JobError
from pinlake.job.graph import Graph, State, Task, read_task
from pinlake.job.parameters import (
    check_names,
    check_references,
    condition,
    inputs,
    job_parameters,
    task_parameters,
)
from pinlake.job.references import Context, resolve

CONTEXT = Context(
    job="pipeline",
    run_id="17",
    started=datetime(2024, 3, 9, 5, 6, 7, tzinfo=UTC),
    parameters={"catalog": "main", "with space": "odd"},
    task="now",
    attempt=2,
    notebook="/x/now.ipynb",
    values={"before": {"count": 3, "names": ["a", "b"], "flag": True, "text": "t"}},
    states={"before": State.SUCCESS, "late": State.TIMED_OUT},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{{job.parameters.catalog}}", "main"),
        ("{{job.parameters.[with space]}}", "odd"),
        ("{{ job.parameters.`with space` }}", "odd"),
        ("{{tasks.before.values.count}}", 3),
        ("n = {{tasks.before.values.count}}, {{tasks.[before].values.[text]}}", "n = 3, t"),
        ("{{tasks.before.values.names}}", ["a", "b"]),
        ("is {{tasks.before.values.flag}}", "is true"),
        ("{{tasks.before.result_state}} {{tasks.late.result_state}}", "success timedout"),
        (
            "{{job.id}} {{job.name}} {{job.run_id}} {{job.repair_count}} {{job.trigger.type}}",
            "pipeline pipeline 17 0 one_time",
        ),
        ("{{job.start_time.iso_date}}", "2024-03-09"),
        ("{{job.start_time.iso_datetime}}", "2024-03-09T05:06:07Z"),
        ("{{job.start_time.iso_weekday}} {{job.start_time.is_weekday}}", "6 false"),
        ("{{job.start_time.year}}/{{job.start_time.month}}/{{job.trigger.time.day}}", "2024/3/9"),
        ("{{job.start_time.timestamp_ms}}", "1709960767000"),
        ("{{task.name}} {{task.execution_count}} {{task.notebook_path}}", "now 2 /x/now.ipynb"),
        ("{{workspace.url}}", "local"),
        ("{not a reference} {{}}", "{not a reference} {{}}"),
        (5, 5),
    ],
)
def test_references(text: Any, value: Any) -> None:
    assert resolve(text, CONTEXT, "here") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{input}}", {"a": {"b": 1}}),
        ("{{input.a.b}}", 1),
        ("{{input.[a]}}", {"b": 1}),
        ("-{{input}}-", '-{"a": {"b": 1}}-'),
    ],
)
def test_an_input_and_its_keys(text: str, value: Any) -> None:
    assert resolve(text, replace(CONTEXT, input=({"a": {"b": 1}},)), "here") == value


def test_an_input_may_be_anything() -> None:
    for value in ("pin", 3, None, False, ["x"]):
        assert resolve("{{input}}", replace(CONTEXT, input=(value,)), "here") == value


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        (
            "{{backfill.iso_date}}",
            BundleError,
            r"here: \{\{backfill.iso_date\}\} is not known; known are \{\{input\}\}",
        ),
        ("{{job.naem}}", BundleError, "is not known; known are .*job.run_id"),
        ("{{job.start_time.week}}", BundleError, "where a form is one of iso_date"),
        ("{{input}}", BundleError, "is not known"),
        ("{{job.parameters.x}}", BundleError, "no parameter 'x'; its parameters are catalog, with space"),
        ("{{tasks.after.values.x}}", JobError, "task 'after' didn't run before; those that did are before, late"),
        ("{{tasks.before.values.x}}", JobError, "set no value 'x'; it set count, names, flag, text"),
    ],
)
def test_references_that_lead_nowhere(text: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        resolve(f"a {text}", CONTEXT, "here")


def test_an_input_without_the_key() -> None:
    with pytest.raises(JobError, match="this input has no 'b'; it has a"):
        resolve("{{input.b}}", replace(CONTEXT, input=({"a": 1},)), "here")
    with pytest.raises(JobError, match="this input has no 'b'; it has no keys, it is pin"):
        resolve("{{input.b}}", replace(CONTEXT, input=("pin",)), "here")


def test_job_parameters_are_defaults_under_what_is_given() -> None:
    job = {"parameters": [{"name": "a", "default": "{{job.start_time.iso_date}}"}, {"name": "b", "default": "2"}]}
    assert job_parameters(job, {"b": "given"}, CONTEXT) == {"a": "2024-03-09", "b": "given"}
    assert job_parameters(job, {"run_date": "x"}, CONTEXT) == {"a": "2024-03-09", "b": "2", "run_date": "x"}
    with pytest.raises(BundleError, match="job 'j' has no parameter 'c'; its parameters are a, b"):
        check_names("j", job, {"c": "x"})


def notebook(**parameters: Any) -> Task:
    return read_task({"task_key": "t", "notebook_task": {"base_parameters": parameters}})


def test_job_parameters_win_over_a_tasks_own() -> None:
    context = replace(CONTEXT, parameters={"both": "job", "job": "job"})
    found = task_parameters(notebook(both="task", own="{{tasks.before.values.names}}"), context)
    assert found == {"both": "job", "job": "job", "own": '["a", "b"]'}


def test_this_machines_values_replace_plain_ones_and_no_references() -> None:
    context = replace(CONTEXT, parameters={}, here={"source": "/dump", "lake": "/lake"})
    assert task_parameters(notebook(source=""), context) == {"source": "/dump"}
    assert task_parameters(notebook(source="{{tasks.before.values.text}}"), context) == {"source": "t"}


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ('["pin", "geo"]', ["pin", "geo"]),
        (["pin", "{{tasks.before.values.count}}"], ["pin", 3]),
        ("{{tasks.before.values.names}}", ["a", "b"]),
        ("{{job.parameters.list}}", [1, {"a": 2}]),
        ("[]", []),
    ],
)
def test_inputs(given: Any, listed: list[Any]) -> None:
    context = replace(CONTEXT, parameters={"list": '[1, {"a": 2}]'})
    assert inputs(read_task({"task_key": "t", "for_each_task": {"inputs": given}}), context) == listed


@pytest.mark.parametrize(
    ("given", "told"), [("pin, geo", "is no JSON list"), ('{"a": 1}', "is no list"), (None, "no JSON")]
)
def test_inputs_that_are_no_list(given: Any, told: str) -> None:
    with pytest.raises(JobError, match=f"task 't', inputs: .*{told}.*; write one, such as"):
        inputs(read_task({"task_key": "t", "for_each_task": {"inputs": given}}), CONTEXT)


def if_task(left: Any, op: str, right: Any) -> Task:
    return read_task({"task_key": "if", "condition_task": {"left": left, "op": op, "right": right}})


@pytest.mark.parametrize(
    ("left", "op", "right", "holds"),
    [
        ("12.0", "EQUAL_TO", "12", False),
        ("12", "EQUAL_TO", "12", True),
        ("12.0", "NOT_EQUAL", "12", True),
        ("12.0", "GREATER_THAN_OR_EQUAL", "12", True),
        ("9", "GREATER_THAN", "10", False),
        ("9", "LESS_THAN", "10", True),
        ("10.0", "LESS_THAN_OR_EQUAL", "10", True),
        ("{{tasks.before.values.count}}", "GREATER_THAN", "0", True),
        ("{{tasks.before.values.flag}}", "EQUAL_TO", "true", True),
    ],
)
def test_conditions_compare_texts_for_equality_and_numbers_for_order(
    left: str, op: str, right: str, holds: bool
) -> None:
    assert condition(if_task(left, op, right), CONTEXT)[0] is holds


def test_conditions_that_cant_be_decided() -> None:
    with pytest.raises(JobError, match="task 'if': 'many' is no number; GREATER_THAN compares numbers only"):
        condition(if_task("many", "GREATER_THAN", "0"), CONTEXT)
    with pytest.raises(BundleError, match="op can't be 'LIKE'; it is EQUAL_TO, NOT_EQUAL, GREATER_THAN"):
        condition(if_task("1", "LIKE", "0"), CONTEXT)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{tasks.a.values.x}}", None),
        ("{{tasks.a.result_state}} {{input.k}} {{job.parameters.p}} {{job.start_time.hour}}", None),
        ("{{tasks.c.values.x}}", "task 'c' need not come before; add it to depends_on"),
        ("{{tasks.z.values.x}}", "no task is called 'z'; there are a, b, c"),
        ("{{job.parameters.q}}", "the job has no parameter 'q'; its parameters are p"),
        ("{{task.name}} {{workspace.id}} {{job.trigger.type}} {{tasks.a.error_code}} {{tasks.a.run_id}}", None),
        ("{{nonsense}}", "is not known"),
        ("{{tasks.a.values}}", "is not known"),
        ("{{tasks.a.state}}", "is not known"),
        ("{{job.start_time.week}}", "is not known"),
    ],
)
def test_references_are_checked_before_anything_runs(text: str, told: str | None) -> None:
    inner = {"task_key": "inner", "notebook_task": {"base_parameters": {"x": text}}}
    graph = Graph.of(
        "j",
        {
            "tasks": [
                {"task_key": "a", "notebook_task": {}},
                {"task_key": "b", "depends_on": [{"task_key": "a"}], "for_each_task": {"inputs": "[]", "task": inner}},
                {"task_key": "c", "notebook_task": {}},
            ]
        },
    )
    if told is None:
        check_references(graph, ["p"])
        return
    with pytest.raises(BundleError, match=f"task 'inner': .*{told}"):
        check_references(graph, ["p"])


def test_input_is_known_in_the_inner_task_only() -> None:
    graph = Graph.of("j", {"tasks": [{"task_key": "a", "notebook_task": {"base_parameters": {"x": "{{input}}"}}}]})
    with pytest.raises(BundleError, match="is known only in the task of a for_each_task"):
        check_references(graph, [])
