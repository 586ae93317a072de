"""Decide whether a task runs, and how tasks and jobs end. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pinlake.job.model import Job, Task


class State(StrEnum):
    """How a task ended."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UPSTREAM_FAILED = "upstream failed"
    EXCLUDED = "excluded"
    CANCELED = "canceled"


FAILURES = frozenset({State.FAILED, State.TIMED_OUT, State.UPSTREAM_FAILED, State.CANCELED})


def decide(task: Task, states: Mapping[str, State], outcomes: Mapping[str, str]) -> State | None:
    """The state of a task that doesn't run; None where it runs.

    `states` are those of the tasks before it, `outcomes` the results of condition tasks. What was excluded counts as
    successful, unless all that a task depends on was.
    """
    other_branch = [
        each
        for each in task.depends_on
        if each.outcome and states[each.task_key] is State.SUCCESS and outcomes.get(each.task_key) != each.outcome
    ]
    before = [State.EXCLUDED if each in other_branch else states[each.task_key] for each in task.depends_on]
    if before and all(state is State.EXCLUDED for state in before):
        return State.EXCLUDED
    if task.run_if == "ALL_DONE":
        return None
    if any(state in FAILURES for state in before):
        return State.UPSTREAM_FAILED
    return State.EXCLUDED if other_branch else None


def ended(job: Job, states: Mapping[str, State]) -> State:
    """The state of the job: that of its last tasks. A failure that a later task handles doesn't fail the job."""
    followed = {dependency.task_key for task in job.tasks for dependency in task.depends_on}
    failed = FAILURES.intersection(states[task.task_key] for task in job.tasks if task.task_key not in followed)
    if State.TIMED_OUT in failed:
        return State.TIMED_OUT
    return State.FAILED if failed else State.SUCCESS
