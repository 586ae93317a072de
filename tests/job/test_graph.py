"""Order of tasks, and which of them run."""

from __future__ import annotations

from typing import Any

import pytest

from pinlake.job.errors import BundleError
from pinlake.job.graph import Graph, State, decide

S, F, T, U, E, D = (
    *(State.SUCCESS, State.FAILED, State.TIMED_OUT),
    *(State.UPSTREAM_FAILED, State.EXCLUDED, State.DISABLED),
)


def task(key: str, *after: str, **settings: Any) -> dict[str, Any]:
    """A task; `after` names tasks, with an outcome as `name=true`."""
    depends = [dict(zip(("task_key", "outcome"), name.split("="), strict=False)) for name in after]
    kind = {} if "condition_task" in settings else {"notebook_task": {}}
    return {"task_key": key, "depends_on": depends, **kind, **settings}


def graph(*tasks: dict[str, Any]) -> Graph:
    return Graph.of("j", {"tasks": list(tasks)})


def test_dependencies_come_first_else_the_written_order() -> None:
    assert list(graph(task("d", "b", "c"), task("c", "a"), task("b"), task("a")).tasks) == ["b", "a", "c", "d"]


def test_upstream_and_leaves() -> None:
    found = graph(task("a"), task("b", "a"), task("c", "b"), task("d", "a"))
    assert found.upstream("c") == {"a", "b"}
    assert found.leaves() == {"c", "d"}


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([], "job 'j' has no tasks"),
        ([task("a", "c"), task("b", "a"), task("c", "b")], "tasks wait for each other: .* → .* → .* → "),
        ([task("a", "b")], "task 'a' depends on 'b', which is no task; there are a"),
        ([task("a"), task("b", "a=true")], "depends on an outcome of 'a', which is no condition_task"),
        ([task("a", condition_task={}), task("b", "a=maybe")], "outcome of 'a' can't be 'maybe'; give true or false"),
        ([task("a", run_if="SOMETIMES")], "run_if can't be 'SOMETIMES'; it is one of ALL_SUCCESS, ALL_DONE"),
        ([{"task_key": "a"}], "task 'a' does nothing; give it one thing to do"),
        ([task("a", sql_task={})], "task 'a' does notebook_task and sql_task"),
        ([{"notebook_task": {}}], "a task has no task_key"),
    ],
)
def test_a_job_that_is_no_graph(tasks: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(BundleError, match=told):
        graph(*tasks)


@pytest.mark.parametrize(
    ("run_if", "before", "state"),
    [
        ("ALL_SUCCESS", [S, S], None),
        ("ALL_SUCCESS", [S, F], U),
        ("ALL_SUCCESS", [S, T], U),
        ("ALL_SUCCESS", [S, U], U),
        ("ALL_SUCCESS", [S, E], None),
        ("ALL_SUCCESS", [S, D], D),
        ("ALL_SUCCESS", [F, D], U),
        ("ALL_DONE", [F, U], None),
        ("ALL_DONE", [D], None),
        ("NONE_FAILED", [S, E], None),
        ("NONE_FAILED", [S, F], U),
        ("NONE_FAILED", [D, E], None),
        ("NONE_FAILED", [D, D], D),
        ("AT_LEAST_ONE_SUCCESS", [S, F], None),
        ("AT_LEAST_ONE_SUCCESS", [F, U], U),
        ("AT_LEAST_ONE_SUCCESS", [D, S], None),
        ("AT_LEAST_ONE_SUCCESS", [D, D], D),
        ("AT_LEAST_ONE_FAILED", [S, F], None),
        ("AT_LEAST_ONE_FAILED", [S, S], E),
        ("AT_LEAST_ONE_FAILED", [S, U], None),
        ("ALL_FAILED", [F, F], None),
        ("ALL_FAILED", [S, F], E),
        ("ALL_FAILED", [F, D], D),
        *((run_if, [E, E], E) for run_if in ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "ALL_FAILED")),
    ],
)
def test_run_if(run_if: str, before: list[State], state: State | None) -> None:
    names = [f"b{i}" for i in range(len(before))]
    found = graph(*map(task, names), task("x", *names, run_if=run_if))
    assert decide(found.tasks["x"], dict(zip(names, before, strict=True)), {}) is state


@pytest.mark.parametrize(
    ("outcome", "states"), [("true", [None, E]), ("false", [E, None])], ids=["condition holds", "it doesn't"]
)
def test_only_one_branch_of_a_condition_runs(outcome: str, states: list[State | None]) -> None:
    found = graph(task("if", condition_task={}), task("yes", "if=true"), task("no", "if=false"))
    assert [decide(found.tasks[key], {"if": S}, {"if": outcome}) for key in ("yes", "no")] == states


def test_a_branch_not_taken_stops_a_task_that_has_other_dependencies_too() -> None:
    found = graph(task("if", condition_task={}), task("a"), task("x", "if=true", "a"))
    assert decide(found.tasks["x"], {"if": S, "a": S}, {"if": "false"}) is E
    joined = graph(task("if", condition_task={}), task("a"), task("x", "if=true", "a", run_if="AT_LEAST_ONE_SUCCESS"))
    assert decide(joined.tasks["x"], {"if": S, "a": S}, {"if": "false"}) is None


def test_an_outcome_in_yaml_may_be_a_truth_value() -> None:
    settings = {**task("yes"), "depends_on": [{"task_key": "if", "outcome": True}]}
    found = graph(task("if", condition_task={}), settings)
    assert decide(found.tasks["yes"], {"if": S}, {"if": "true"}) is None


def test_a_failed_condition_fails_what_depends_on_it() -> None:
    found = graph(task("if", condition_task={}), task("yes", "if=true"))
    assert decide(found.tasks["yes"], {"if": F}, {}) is U


def test_a_disabled_task_doesnt_run() -> None:
    assert decide(graph(task("a", disabled=True)).tasks["a"], {}, {}) is D
    assert decide(graph(task("a")).tasks["a"], {}, {}) is None


@pytest.mark.parametrize(
    ("states", "ended"),
    [
        ({"a": S, "b": S}, S),
        ({"a": F, "b": S}, S),
        ({"a": F, "b": U}, F),
        ({"a": F, "b": E}, S),
        ({"a": S, "b": T}, T),
    ],
)
def test_leaves_decide_how_a_job_ends(states: dict[str, State], ended: State) -> None:
    assert graph(task("a"), task("b", "a")).ended(states) is ended
