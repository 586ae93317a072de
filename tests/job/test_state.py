"""Which tasks run, and how a job ends."""

from __future__ import annotations

from typing import Any

import pytest

from pinlake.job.model import Job
from pinlake.job.state import State, decide, ended
from tests.job.test_model import condition, job, task

S, F, T, U, E = State.SUCCESS, State.FAILED, State.TIMED_OUT, State.UPSTREAM_FAILED, State.EXCLUDED


def decided(found: Job, key: str, states: dict[str, State], **outcomes: str) -> State | None:
    return decide({task.task_key: task for task in found.tasks}[key], states, outcomes)


@pytest.mark.parametrize(
    ("run_if", "before", "state"),
    [
        ("ALL_SUCCESS", [], None),
        ("ALL_SUCCESS", [S, S], None),
        ("ALL_SUCCESS", [S, F], U),
        ("ALL_SUCCESS", [S, T], U),
        ("ALL_SUCCESS", [S, U], U),
        ("ALL_SUCCESS", [S, State.CANCELED], U),
        ("ALL_SUCCESS", [S, E], None),
        ("ALL_SUCCESS", [E, F], U),
        ("ALL_SUCCESS", [E, E], E),
        ("ALL_DONE", [F, U], None),
        ("ALL_DONE", [S, E], None),
        ("ALL_DONE", [E, E], E),
    ],
)
def test_run_if_decides_by_the_states_of_the_tasks_before(
    run_if: str, before: list[State], state: State | None
) -> None:
    names = [f"b{i}" for i in range(len(before))]
    found = job(*map(task, names), task("x", *names, run_if=run_if))
    assert decided(found, "x", dict(zip(names, before, strict=True))) is state


@pytest.mark.parametrize(
    ("outcome", "states"), [("true", [None, E]), ("false", [E, None])], ids=["condition holds", "it doesn't"]
)
def test_only_one_branch_of_a_condition_runs(outcome: str, states: list[State | None]) -> None:
    found = job(condition("if"), task("yes", "if=true"), task("no", "if=false"))
    assert [decided(found, key, {"if": S}, **{"if": outcome}) for key in ("yes", "no")] == states


def test_a_branch_not_taken_stops_a_task_that_has_other_dependencies_too() -> None:
    def x(**settings: Any) -> State | None:
        found = job(condition("if"), task("a"), task("x", "if=true", "a", **settings))
        return decided(found, "x", {"if": S, "a": S}, **{"if": "false"})

    assert x() is E
    assert x(run_if="ALL_DONE") is None


def test_a_failed_condition_fails_what_depends_on_it() -> None:
    assert decided(job(condition("if"), task("yes", "if=true")), "yes", {"if": F}) is U


@pytest.mark.parametrize(
    ("states", "how"),
    [
        ({"a": S, "b": S}, S),
        ({"a": F, "b": S}, S),
        ({"a": F, "b": U}, F),
        ({"a": F, "b": E}, S),
        ({"a": S, "b": T}, T),
    ],
)
def test_the_last_tasks_decide_how_a_job_ends(states: dict[str, State], how: State) -> None:
    assert ended(job(task("a"), task("b", "a")), states) is how
