"""Parameters of a job, and what its tasks are given: pure, nothing is read or started here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinlake.job.errors import BundleError, JobError
from pinlake.job.graph import Graph, Task
from pinlake.job.references import Context, as_text, check_reference, references_in, resolve

# The field of a task that holds its own parameters.
_OWN = {"notebook_task": "base_parameters", "run_job_task": "job_parameters"}


def parameter_names(job: Mapping[str, Any]) -> list[str]:
    """Names of a job's parameters."""
    return [str(found.get("name")) for found in job.get("parameters") or []]


def check_names(name: str, job: Mapping[str, Any], given: Iterable[str]) -> None:
    """Raise BundleError for a name in `given` that is no parameter of the job."""
    if unknown := sorted(set(given).difference(parameter_names(job))):
        known = ", ".join(parameter_names(job)) or "none"
        raise BundleError(f"job {name!r} has no parameter {unknown[0]!r}; its parameters are {known}")


def job_parameters(job: Mapping[str, Any], given: Mapping[str, str], context: Context) -> dict[str, str]:
    """The job's parameters: defaults, then what was given, whether or not the job has a default for it."""
    defaults = {str(found["name"]): found.get("default") for found in job.get("parameters") or []}
    own = {
        parameter: given.get(parameter, as_text(resolve(default, context, f"parameter {parameter!r}")))
        for parameter, default in defaults.items()
    }
    return own | dict(given)


def own_parameters(task: Task) -> dict[str, Any]:
    """The parameters that a task hands to its notebook or its job, as they are written."""
    given = task.settings.get(_OWN[task.kind]) if task.kind in _OWN else None
    return {str(name): value for name, value in (given or {}).items()}


def task_parameters(task: Task, context: Context) -> dict[str, str]:
    """What a notebook's widgets, or a job that is started, get: the task's own parameters, over them those of the job.

    A workspace does the same for both.
    """
    own = {
        name: as_text(resolve(value, context, f"task {task.key!r}, parameter {name!r}"))
        if name not in context.here or references_in(str(value))
        else context.here[name]
        for name, value in own_parameters(task).items()
    }
    return own | dict(context.parameters)


def inputs(task: Task, context: Context) -> list[Any]:
    """The inputs of a for_each task. Raises JobError where they are no JSON list."""
    found = task.settings.get("inputs")
    where = f"task {task.key!r}, inputs"
    if isinstance(found, Sequence) and not isinstance(found, str):
        return [resolve(item, context, where) for item in found]
    text = as_text(resolve(found, context, where))
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise JobError(f'{where}: {text!r} is no JSON list; write one, such as ["a", "b"]') from error
    if not isinstance(listed, list):
        raise JobError(f'{where}: {text!r} is no list; write one, such as ["a", "b"]')
    return listed


def condition(task: Task, context: Context) -> tuple[bool, str]:
    """Whether a condition task holds, and how it reads. Texts are equal or not; order is that of numbers."""
    op = str(task.settings.get("op"))
    left, right = (
        as_text(resolve(task.settings.get(side), context, f"task {task.key!r}, {side}")) for side in ("left", "right")
    )
    match op:
        case "EQUAL_TO":
            return left == right, f"{left} == {right}"
        case "NOT_EQUAL":
            return left != right, f"{left} != {right}"
    numbers = tuple(_number(task, text) for text in (left, right))
    match op:
        case "GREATER_THAN":
            return numbers[0] > numbers[1], f"{left} > {right}"
        case "GREATER_THAN_OR_EQUAL":
            return numbers[0] >= numbers[1], f"{left} >= {right}"
        case "LESS_THAN":
            return numbers[0] < numbers[1], f"{left} < {right}"
        case "LESS_THAN_OR_EQUAL":
            return numbers[0] <= numbers[1], f"{left} <= {right}"
    raise BundleError(f"task {task.key!r}: op can't be {op!r}; it is {', '.join(OPERATORS)}")


OPERATORS = (
    *("EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL"),
    *("LESS_THAN", "LESS_THAN_OR_EQUAL"),
)


def check_references(graph: Graph, parameters: Sequence[str]) -> None:
    """Raise BundleError for the first reference in a job's tasks that can't ever be resolved. Starts nothing."""
    for task in graph:
        tasks, upstream = set(graph.tasks), graph.upstream(task.key)
        inner = task.inner if task.kind == "for_each_task" else None
        for found in (task, inner) if inner else (task,):
            for reference in _references(found):
                check_reference(reference, f"task {found.key!r}", parameters, tasks, upstream, found is inner)


def _references(task: Task) -> list[str]:
    """Every reference in the fields of a task that may hold one."""
    settings, found = task.settings, []
    match task.kind:
        case "notebook_task" | "run_job_task":
            found = list(own_parameters(task).values())
        case "condition_task":
            found = [settings.get("left"), settings.get("right")]
        case "for_each_task":
            given = settings.get("inputs")
            found = given if isinstance(given, list) else [given]
    return [reference for value in found for reference in references_in(value)]


def _number(task: Task, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        op = task.settings.get("op")
        raise JobError(f"task {task.key!r}: {text!r} is no number; {op} compares numbers only") from error
