"""Dynamic value references of a job, `{{…}}`: what they stand for, and whether they can ever stand for something."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pinlake.job.errors import BundleError, JobError
from pinlake.job.graph import State

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


# References that always have a value, by their steps.
_ALWAYS: dict[tuple[str, ...], Callable[[Context], str]] = {
    ("job", "id"): lambda context: context.job,
    ("job", "name"): lambda context: context.job,
    ("job", "run_id"): lambda context: context.run_id,
    ("job", "repair_count"): lambda context: "0",
    ("job", "trigger", "type"): lambda context: context.trigger,
    ("task", "name"): lambda context: context.task,
    ("task", "run_id"): lambda context: f"{context.run_id}-{context.task}",
    ("task", "execution_count"): lambda context: str(context.attempt),
    ("task", "notebook_path"): lambda context: context.notebook,
    ("workspace", "id"): lambda context: "local",
    ("workspace", "url"): lambda context: "local",
    **{
        (*moment, form): lambda context, text=text: text(context.started)  # type: ignore[misc]
        for moment in (("job", "start_time"), ("job", "trigger", "time"))
        for form, text in _TIMES.items()
    },
}
# What a reference to an earlier task may say of it besides its values, by the last step.
_OF_TASK: dict[str, Callable[[Context, str], str]] = {
    "result_state": lambda context, key: _RESULT_STATES.get(context.states[key], str(context.states[key])),
    "run_id": lambda context, key: f"{context.run_id}-{key}",
    "error_code": lambda context, key: "RunExecutionError" if context.states[key] is State.FAILED else "",
}


def resolve(value: Any, context: Context, where: str) -> Any:
    """A value with its references replaced. A text that is one reference to an object or list becomes that.

    Raises BundleError for a reference that isn't known, JobError for one to a value that isn't there.
    """
    if not isinstance(value, str):
        return value
    if whole := _REFERENCE.fullmatch(value):
        return _referred(whole[1], context, where)
    return _REFERENCE.sub(lambda match: as_text(_referred(match[1], context, where)), value)


def references_in(value: Any) -> list[str]:
    """What is inside of every `{{…}}` of a text; nothing where the value is none."""
    return _REFERENCE.findall(value) if isinstance(value, str) else []


def check_reference(
    reference: str, where: str, parameters: Sequence[str], tasks: set[str], upstream: set[str], has_input: bool
) -> None:
    """Raise BundleError for a reference that can't ever be resolved in a task that comes after those in `upstream`."""
    match _steps(reference):
        case ["job", "parameters", name]:
            if name not in parameters:
                raise _no_parameter(where, reference, name, parameters)
        case ["tasks", key, *rest] if _is_of_task(rest):
            if key not in tasks:
                known = ", ".join(sorted(tasks))
                raise BundleError(f"{where}: {{{{{reference}}}}}: no task is called {key!r}; there are {known}")
            if key not in upstream:
                raise BundleError(
                    f"{where}: {{{{{reference}}}}}: task {key!r} need not come before; add it to depends_on"
                )
        case ["input", *_] if not has_input:
            raise BundleError(f"{where}: {{{{{reference}}}}} is known only in the task of a for_each_task")
        case ["input", *_]:
            pass
        case steps if tuple(steps) not in _ALWAYS:
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
        case steps if tuple(steps) in _ALWAYS:
            return _ALWAYS[tuple(steps)](context)
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
        case [what] if what in _OF_TASK:
            return _OF_TASK[what](context, key)
    raise _unknown(where, reference)


def _is_of_task(rest: list[str]) -> bool:
    """Whether a task can be asked for this: `values` and a name, or one of `_OF_TASK`."""
    return (len(rest) == 2 and rest[0] == "values") or (len(rest) == 1 and rest[0] in _OF_TASK)


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


def as_text(value: Any) -> str:
    """A value as a widget gets it: a text as it is, nothing as an empty text, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _no_parameter(where: str, reference: str, name: str, parameters: Sequence[str]) -> BundleError:
    known = ", ".join(parameters) or "none"
    return BundleError(f"{where}: {{{{{reference}}}}}: the job has no parameter {name!r}; its parameters are {known}")


def _unknown(where: str, reference: str) -> BundleError:
    return BundleError(f"{where}: {{{{{reference}}}}} is not known; known are {KNOWN}")
