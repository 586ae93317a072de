"""Parameters of a job and `{{…}}` references in its tasks: pure, nothing is read or started here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pinlake.job.errors import BundleError, JobError
from pinlake.job.graph import Graph, State, Task

_REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_STEP = re.compile(r"\[([^\]]+)\]|`([^`]+)`|([^.\[\]`]+)")
_TIMES: dict[str, Callable[[datetime], str]] = {
    "iso_date": lambda at: f"{at:%Y-%m-%d}",
    "iso_datetime": lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}",
    "iso_weekday": lambda at: str(at.isoweekday()),
    "is_weekday": lambda at: str(at.isoweekday() < 6).lower(),
    "year": lambda at: str(at.year),
    "month": lambda at: str(at.month),
    "day": lambda at: str(at.day),
    "hour": lambda at: str(at.hour),
    "minute": lambda at: str(at.minute),
    "second": lambda at: str(at.second),
    "timestamp_ms": lambda at: str(int(at.timestamp() * 1000)),
}
# The field of a task that holds its own parameters.
_OWN = {"notebook_task": "base_parameters", "run_job_task": "job_parameters"}
_RESULT_STATES = {State.TIMED_OUT: "timedout", State.UPSTREAM_FAILED: "upstream_failed"}
KNOWN = (
    "{{input}}, {{input.[key]}}, {{job.parameters.[name]}}, {{job.id}}, {{job.name}}, {{job.run_id}}, "
    "{{job.repair_count}}, {{job.trigger.type}}, {{job.start_time.[form]}}, {{job.trigger.time.[form]}}, "
    "{{task.name}}, {{task.run_id}}, {{task.execution_count}}, {{task.notebook_path}}, {{tasks.[key].values.[name]}}, "
    "{{tasks.[key].result_state}}, {{tasks.[key].run_id}}, {{workspace.id}} and {{workspace.url}}, "
    f"where a form is one of {', '.join(_TIMES)}"
)


@dataclass(frozen=True)
class Context:
    """What references may refer to while one task runs. `values` and `states` are those of the tasks before it."""

    job: str
    run_id: str
    started: datetime
    parameters: Mapping[str, str]
    trigger: str = "one_time"
    # What this machine puts in the place of a task's own parameters of those names.
    here: Mapping[str, str] = field(default_factory=dict)
    task: str = ""
    attempt: int = 1
    notebook: str = ""
    upstream: frozenset[str] = frozenset()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    # In a list of one: None is an input too.
    input: tuple[Any, ...] = ()


def parameter_names(job: Mapping[str, Any]) -> list[str]:
    """Names of a job's parameters."""
    return [str(found.get("name")) for found in job.get("parameters") or []]


def check_names(name: str, job: Mapping[str, Any], given: Iterable[str]) -> None:
    """Raise BundleError for a name in `given` that is no parameter of the job."""
    if unknown := sorted(set(given).difference(parameter_names(job))):
        known = ", ".join(parameter_names(job)) or "none"
        raise BundleError(f"job {name!r} has no parameter {unknown[0]!r}; its parameters are {known}")


def job_parameters(job: Mapping[str, Any], given: Mapping[str, str], context: Context) -> dict[str, str]:
    """The job's parameters: defaults, then what was given."""
    defaults = {str(found["name"]): found.get("default") for found in job.get("parameters") or []}
    return {
        parameter: given.get(parameter, as_text(resolve(default, context, f"parameter {parameter!r}")))
        for parameter, default in defaults.items()
    }


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
        if name not in context.here or _REFERENCE.search(str(value))
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


def resolve(value: Any, context: Context, where: str) -> Any:
    """A value with its references replaced. A text that is one reference to an object or list becomes that.

    Raises BundleError for a reference that isn't known, JobError for one to a value that isn't there.
    """
    if not isinstance(value, str):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return _referred(whole[1], context, where)
    return _REFERENCE.sub(lambda match: as_text(_referred(match[1], context, where)), value)


def check_references(graph: Graph, parameters: Sequence[str]) -> None:
    """Raise BundleError for the first reference in a job's tasks that can't ever be resolved. Starts nothing."""
    for task in graph:
        upstream = graph.upstream(task.key)
        inner = task.inner if task.kind == "for_each_task" else None
        for found in (task, inner) if inner else (task,):
            for reference in _references(found):
                _check(reference, f"task {found.key!r}", parameters, set(graph.tasks), upstream, found is inner)


def as_text(value: Any) -> str:
    """A value as a widget gets it: a text as it is, nothing as an empty text, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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
    return [reference for value in found if isinstance(value, str) for reference in _REFERENCE.findall(value)]


def _check(
    reference: str, where: str, parameters: Sequence[str], tasks: set[str], upstream: set[str], has_input: bool
) -> None:
    match _steps(reference):
        case ["job", "parameters", name]:
            if name not in parameters:
                raise _no_parameter(where, reference, name, parameters)
        case ["tasks", key, "values", _] | ["tasks", key, "result_state" | "run_id" | "error_code"]:
            if key not in tasks:
                known = ", ".join(sorted(tasks))
                raise BundleError(f"{where}: {{{{{reference}}}}}: no task is called {key!r}; there are {known}")
            if key not in upstream:
                raise BundleError(
                    f"{where}: {{{{{reference}}}}}: task {key!r} need not come before; add it to depends_on"
                )
        case ["input", *_] if not has_input:
            raise BundleError(f"{where}: {{{{{reference}}}}} is known only in the task of a for_each_task")
        case ["input", *_] | ["job", "id" | "name" | "run_id" | "repair_count"] | ["job", "trigger", "type"]:
            pass
        case ["task", "name" | "run_id" | "execution_count" | "notebook_path"] | ["workspace", "id" | "url"]:
            pass
        case ["job", "start_time", form] | ["job", "trigger", "time", form] if form in _TIMES:
            pass
        case _:
            raise _unknown(where, reference)


def _referred(reference: str, context: Context, where: str) -> Any:
    match _steps(reference):
        case ["job", "parameters", name]:
            if name not in context.parameters:
                raise _no_parameter(where, reference, name, list(context.parameters))
            return context.parameters[name]
        case ["tasks", key, *rest]:
            return _of_task(key, rest, reference, context, where)
        case ["input", *rest] if context.input:
            return _of_input(rest, reference, context, where)
        case ["job", "id"] | ["job", "name"]:
            return context.job
        case ["job", "run_id"]:
            return context.run_id
        case ["job", "repair_count"]:
            return "0"
        case ["job", "trigger", "type"]:
            return context.trigger
        case ["job", "start_time", form] | ["job", "trigger", "time", form] if form in _TIMES:
            return _TIMES[form](context.started)
        case ["task", "name"]:
            return context.task
        case ["task", "run_id"]:
            return f"{context.run_id}-{context.task}"
        case ["task", "execution_count"]:
            return str(context.attempt)
        case ["task", "notebook_path"]:
            return context.notebook
        case ["workspace", "id" | "url"]:
            return "local"
    raise _unknown(where, reference)


def _of_task(key: str, rest: list[str], reference: str, context: Context, where: str) -> Any:
    if key not in context.states:
        known = ", ".join(context.states) or "none"
        raise JobError(f"{where}: {{{{{reference}}}}}: task {key!r} didn't run before; those that did are {known}")
    match rest:
        case ["values", name]:
            values = context.values.get(key, {})
            if name not in values:
                known = ", ".join(values) or "none"
                raise JobError(
                    f"{where}: task {key!r} set no value {name!r}; it set {known}: set it with taskValues.set"
                )
            return values[name]
        case ["result_state"]:
            return _RESULT_STATES.get(context.states[key], str(context.states[key]))
        case ["run_id"]:
            return f"{context.run_id}-{key}"
        case ["error_code"]:
            return "RunExecutionError" if context.states[key] is State.FAILED else ""
    raise _unknown(where, reference)


def _of_input(rest: list[str], reference: str, context: Context, where: str) -> Any:
    value = context.input[0]
    for step in rest:
        if not isinstance(value, Mapping) or step not in value:
            known = ", ".join(value) if isinstance(value, Mapping) else f"no keys, it is {as_text(value)}"
            raise JobError(f"{where}: {{{{{reference}}}}}: this input has no {step!r}; it has {known}")
        value = value[step]
    return value


def _steps(reference: str) -> list[str]:
    """`tasks.[a b].values.x` → ["tasks", "a b", "values", "x"]"""
    return [next(part for part in parts if part) for parts in _STEP.findall(reference)]


def _number(task: Task, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        op = task.settings.get("op")
        raise JobError(f"task {task.key!r}: {text!r} is no number; {op} compares numbers only") from error


def _no_parameter(where: str, reference: str, name: str, parameters: Sequence[str]) -> BundleError:
    known = ", ".join(parameters) or "none"
    return BundleError(f"{where}: {{{{{reference}}}}}: the job has no parameter {name!r}; its parameters are {known}")


def _unknown(where: str, reference: str) -> BundleError:
    return BundleError(f"{where}: {{{{{reference}}}}} is not known; known are {KNOWN}")
