"""The tasks of a job in order, and whether a task may run: pure, nothing is read or started here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pinlake.job.errors import BundleError

RUN_IF = ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED")
RUNNABLE = ("notebook_task", "condition_task", "for_each_task", "run_job_task")


class State(StrEnum):
    """How a task ended."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UPSTREAM_FAILED = "upstream failed"
    EXCLUDED = "excluded"
    DISABLED = "disabled"
    CANCELED = "canceled"


FAILURES = frozenset({State.FAILED, State.TIMED_OUT, State.UPSTREAM_FAILED, State.CANCELED})


@dataclass(frozen=True)
class Dependency:
    """A task that comes before; `outcome` is the branch of a condition task, `true` or `false`."""

    key: str
    outcome: str | None = None


@dataclass(frozen=True)
class Task:
    """One task. `kind` is the name of the field that holds `settings`: notebook_task, condition_task, …"""

    key: str
    kind: str
    settings: Mapping[str, Any]
    depends_on: tuple[Dependency, ...] = ()
    run_if: str = "ALL_SUCCESS"
    disabled: bool = False
    max_retries: int = 0
    retry_seconds: float = 0
    retry_on_timeout: bool = False
    timeout_seconds: float = 0

    @property
    def inner(self) -> Task:
        """What a for_each task runs for each input. Raises BundleError where there is none, or another for_each."""
        settings = self.settings.get("task")
        if not isinstance(settings, Mapping):
            raise BundleError(f"task {self.key!r}: for_each_task holds no task; give it one")
        inner = read_task(settings)
        if inner.kind == "for_each_task":
            raise BundleError(f"task {self.key!r}: for_each_task can't hold another for_each_task; make it a job")
        return inner


class Graph:
    """The tasks of a job by key, in an order in which every task comes after what it depends on."""

    def __init__(self, tasks: list[Task]) -> None:
        self.tasks = {task.key: task for task in _in_order(tasks)}

    @classmethod
    def of(cls, name: str, job: Mapping[str, Any]) -> Graph:
        """The graph of a job's definition. Raises BundleError for a cycle, or for a name that is no task."""
        tasks = [read_task(settings) for settings in job.get("tasks") or []]
        if not tasks:
            raise BundleError(f"job {name!r} has no tasks; give it one")
        return cls(tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks.values())

    def upstream(self, key: str) -> set[str]:
        """Every task that comes before this one, at any distance."""
        direct = {dependency.key for dependency in self.tasks[key].depends_on}
        return direct.union(*(self.upstream(before) for before in direct))

    def leaves(self) -> set[str]:
        """Tasks that nothing depends on: they decide how the job ended."""
        return self.tasks.keys() - {dependency.key for task in self for dependency in task.depends_on}

    def ended(self, states: Mapping[str, State]) -> State:
        """How the job ended. A failure that a later task was made to handle doesn't fail the job."""
        failed = [states[key] for key in self.leaves() if states[key] in FAILURES]
        if State.TIMED_OUT in failed:
            return State.TIMED_OUT
        return State.FAILED if failed else State.SUCCESS


def read_task(settings: Mapping[str, Any]) -> Task:
    """One task of a job's definition. Raises BundleError that names the task and what is wrong with it."""
    key = str(settings.get("task_key") or "")
    if not key:
        raise BundleError(f"a task has no task_key ({', '.join(settings) or 'it is empty'}); give it one")
    kinds = [name for name in settings if name.endswith("_task")]
    if len(kinds) != 1:
        raise BundleError(f"task {key!r} does {' and '.join(kinds) or 'nothing'}; give it one thing to do")
    run_if = str(settings.get("run_if") or "ALL_SUCCESS")
    if run_if not in RUN_IF:
        raise BundleError(f"task {key!r}: run_if can't be {run_if!r}; it is one of {', '.join(RUN_IF)}")
    return Task(
        key=key,
        kind=kinds[0],
        settings=settings[kinds[0]] or {},
        depends_on=tuple(_dependency(key, found) for found in settings.get("depends_on") or []),
        run_if=run_if,
        disabled=bool(settings.get("disabled")),
        max_retries=int(settings.get("max_retries") or 0),
        retry_seconds=float(settings.get("min_retry_interval_millis") or 0) / 1000,
        retry_on_timeout=bool(settings.get("retry_on_timeout")),
        timeout_seconds=float(settings.get("timeout_seconds") or 0),
    )


def decide(task: Task, states: Mapping[str, State], outcomes: Mapping[str, str]) -> State | None:
    """The state of a task that doesn't run; None where it runs.

    `states` are those of the tasks before it, `outcomes` the results of condition tasks. What was excluded counts as
    successful, unless all that a task depends on was; what was disabled counts as neither.
    """
    if task.disabled:
        return State.DISABLED
    if not task.depends_on:
        return None
    other_branch = [
        found
        for found in task.depends_on
        if found.outcome and states[found.key] is State.SUCCESS and outcomes.get(found.key) != found.outcome
    ]
    before = [State.EXCLUDED if found in other_branch else states[found.key] for found in task.depends_on]
    if all(state is State.EXCLUDED for state in before):
        return State.EXCLUDED
    if _is_met(task.run_if, before, bool(other_branch)):
        return None
    handles_failure = task.run_if in ("ALL_FAILED", "AT_LEAST_ONE_FAILED")
    if not handles_failure and any(state in FAILURES for state in before):
        return State.UPSTREAM_FAILED
    return State.DISABLED if State.DISABLED in before else State.EXCLUDED


def _is_met(run_if: str, before: list[State], other_branch: bool) -> bool:
    failed = [state in FAILURES for state in before]
    succeeded = [state in (State.SUCCESS, State.EXCLUDED) for state in before]
    match run_if:
        case "ALL_DONE":
            return True
        case "NONE_FAILED":
            return not any(failed) and any(succeeded)
        case "AT_LEAST_ONE_SUCCESS":
            return any(succeeded)
        case "AT_LEAST_ONE_FAILED":
            return any(failed)
        case "ALL_FAILED":
            return all(failed)
        case _:
            return all(succeeded) and not other_branch


def _dependency(key: str, found: Any) -> Dependency:
    if not isinstance(found, Mapping) or not found.get("task_key"):
        raise BundleError(f"task {key!r}: depends_on holds {found!r}; write `- task_key: NAME`")
    outcome = found.get("outcome")
    # `outcome: true` without quotes is a truth value in YAML, and the text "true" in a job.
    outcome = str(outcome).lower() if outcome is not None else None
    if outcome not in (None, "true", "false"):
        raise BundleError(f"task {key!r}: outcome of {found['task_key']!r} can't be {outcome!r}; give true or false")
    return Dependency(str(found["task_key"]), outcome)


def _in_order(tasks: list[Task]) -> list[Task]:
    """Dependencies first, else as they are written."""
    by_key = {task.key: task for task in tasks}
    for task in tasks:
        for dependency in task.depends_on:
            before = by_key.get(dependency.key)
            if before is None:
                known = ", ".join(by_key)
                raise BundleError(
                    f"task {task.key!r} depends on {dependency.key!r}, which is no task; there are {known}"
                )
            if dependency.outcome and before.kind != "condition_task":
                raise BundleError(
                    f"task {task.key!r} depends on an outcome of {before.key!r}, which is no condition_task; leave the "
                    "outcome out"
                )
    sorter = TopologicalSorter({task.key: [found.key for found in task.depends_on] for task in tasks})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise BundleError(f"tasks wait for each other: {circle}; take one out of its depends_on") from error
    places = {task.key: place for place, task in enumerate(tasks)}
    ready, ordered = list(sorter.get_ready()), []
    while ready:
        key = min(ready, key=places.__getitem__)
        ready.remove(key)
        ordered.append(by_key[key])
        sorter.done(key)
        ready.extend(sorter.get_ready())
    return ordered
