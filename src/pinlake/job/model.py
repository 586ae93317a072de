"""A job's definition, with the keys that the local runner supports. Any other key is refused, not ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pinlake.errors import BundleError, JobError

# Dynamic value references of a job, and the only kind that is supported.
_REFERENCE = re.compile(r"\{\{.*?\}\}")
_TASK_VALUE = re.compile(r"\{\{\s*tasks\.([\w-]+)\.values\.([\w-]+)\s*\}\}")

# Task values by task key.
Values = Mapping[str, Mapping[str, Any]]


def as_text(value: Any) -> str:
    """A value as a widget gets it: text unchanged, else JSON. So `outcome: true` is the same as `outcome: "true"`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check(text: str, before: set[str]) -> None:
    """Raise ValueError for a reference that is not to a value of a task in `before`."""
    for reference in _REFERENCE.findall(text):
        value = _TASK_VALUE.fullmatch(reference)
        if not value:
            raise ValueError(f"{reference} is not supported by the local runner; use {{{{tasks.KEY.values.NAME}}}}")
        if value[1] not in before:
            raise ValueError(f"{reference}: no task {value[1]!r} comes before; correct it, or add it to depends_on")


def filled(text: str, values: Values) -> str:
    """The text with each reference replaced. Raises JobError for a value that its task didn't set."""
    for key, name in _TASK_VALUE.findall(text):
        if name not in values[key]:
            known = ", ".join(values[key]) or "none"
            raise JobError(f"task {key!r} set no value {name!r}; it set {known}: set it with taskValues.set")
    return _TASK_VALUE.sub(lambda reference: as_text(values[reference[1]][reference[2]]), text)


def _key_of_job(job_id: str) -> str:
    """`<jobs.KEY.id>`, which stands for `${resources.jobs.KEY.id}` → KEY."""
    if not (job_id.startswith("<jobs.") and job_id.endswith(".id>")):
        raise ValueError(f"{job_id} is not a job of this bundle; use ${{resources.jobs.KEY.id}}")
    return job_id.removeprefix("<jobs.").removesuffix(".id>")


Text = Annotated[str, BeforeValidator(as_text)]
Parameters = dict[str, Text]


class _Part(BaseModel):
    """Refuses keys that are neither fields nor in `workspace_only`, the keys without effect on one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    workspace_only: ClassVar[list[str]] = []

    @model_validator(mode="before")
    @classmethod
    def _without_workspace_only(cls, written: Any) -> Any:
        if not isinstance(written, Mapping):
            return written
        return {key: value for key, value in written.items() if value is not None and key not in cls.workspace_only}


class Parameter(_Part):
    """A job parameter."""

    name: str
    default: Text = ""


class Dependency(_Part):
    """A task that comes before; `outcome` is the branch of a condition task."""

    task_key: str
    outcome: Annotated[Literal["true", "false"] | None, BeforeValidator(as_text)] = None


class NotebookTask(_Part):
    """A notebook; its path is relative to the bundle's root."""

    notebook_path: str
    base_parameters: Parameters = {}


class ConditionTask(_Part):
    """A comparison of two numbers."""

    op: Literal["GREATER_THAN"]
    left: Text
    right: Text

    def holds(self, values: Values) -> tuple[bool, str]:
        """Whether the condition is true, and its text. Raises JobError for a value that is not a number."""
        left, right = filled(self.left, values), filled(self.right, values)
        try:
            return float(left) > float(right), f"{left} > {right}"
        except ValueError as error:
            raise JobError(f"{left!r} or {right!r} is not a number; {self.op} compares only numbers") from error


class RunJobTask(_Part):
    """Another job of the bundle, by its key."""

    job_id: Annotated[Text, AfterValidator(_key_of_job)]
    job_parameters: Parameters = {}


class Task(_Part):
    """One task, which does one of three things."""

    workspace_only = ["description", "disable_auto_optimization", "environment_key", "job_cluster_key", "libraries"]
    task_key: str
    notebook_task: NotebookTask | None = None
    condition_task: ConditionTask | None = None
    run_job_task: RunJobTask | None = None
    depends_on: tuple[Dependency, ...] = ()
    run_if: Literal["ALL_SUCCESS", "ALL_DONE"] = "ALL_SUCCESS"
    max_retries: int = Field(default=0, ge=0)
    min_retry_interval_millis: float = 0
    timeout_seconds: float = 0

    @model_validator(mode="after")
    def _does_one_thing(self) -> Task:
        if [self.notebook_task, self.condition_task, self.run_job_task].count(None) != 2:
            raise ValueError("give the task one of notebook_task, condition_task and run_job_task")
        return self

    @property
    def parameters(self) -> Parameters:
        """The parameters of the notebook or job, references not yet replaced."""
        if self.notebook_task:
            return self.notebook_task.base_parameters
        return self.run_job_task.job_parameters if self.run_job_task else {}


def _ordered(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks, each after those that it depends on. Raises ValueError if that is impossible."""
    by_key = {task.task_key: task for task in tasks}
    if len(by_key) < len(tasks) or not tasks:
        raise ValueError("give the job tasks with unique keys; tasks of the bundle and of the target are not merged")
    for task in tasks:
        for dependency in task.depends_on:
            before = by_key.get(dependency.task_key)
            if before is None or (dependency.outcome and not before.condition_task):
                kind = "condition_task" if dependency.outcome else "task"
                raise ValueError(f"{task.task_key!r} depends on {dependency.task_key!r}, not a {kind} of {[*by_key]}")
    order = TopologicalSorter(
        {task.task_key: [dependency.task_key for dependency in task.depends_on] for task in tasks}
    )
    try:
        return tuple(by_key[key] for key in order.static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise ValueError(f"the tasks form a cycle: {circle}; take one out of its depends_on") from error


class Job(_Part):
    """A job; its tasks are in an order in which every task comes after what it depends on."""

    workspace_only = [
        *("budget_policy_id", "continuous", "description", "email_notifications", "environments", "health"),
        *("job_clusters", "max_concurrent_runs", "name", "notification_settings", "performance_target", "permissions"),
        *("queue", "run_as", "schedule", "tags", "trigger", "webhook_notifications"),
    ]
    parameters: tuple[Parameter, ...] = ()
    tasks: Annotated[tuple[Task, ...], AfterValidator(_ordered)]
    timeout_seconds: float = 0

    @model_validator(mode="after")
    def _refers_to_tasks_before(self) -> Job:
        for default in self.defaults.values():
            _check(default, set())
        for task in self.tasks:
            condition = (task.condition_task.left, task.condition_task.right) if task.condition_task else ()
            for text in (*task.parameters.values(), *condition):
                _check(text, self.before(task.task_key))
        return self

    @property
    def defaults(self) -> Parameters:
        """The job's parameters with their defaults; of two with one name the later, that of a target, counts."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def before(self, key: str) -> set[str]:
        """Every task that comes before this one, at any distance."""
        direct = {dependency.task_key for task in self.tasks if task.task_key == key for dependency in task.depends_on}
        return direct.union(*(self.before(earlier) for earlier in direct))


def read_job(key: str, written: Mapping[str, Any], file: Path) -> Job:
    """The job. Raises BundleError with the file that defines it and the invalid key."""
    try:
        return Job.model_validate(written)
    except ValidationError as error:
        first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    for place, task in enumerate(written.get("tasks") or []):
        if isinstance(task, Mapping):
            where = where.replace(f"tasks.{place}.", f"tasks.{task.get('task_key', place)}.")
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "not supported by the local runner; take it out, or run the job in a workspace"
    if first["type"] == "literal_error":
        what = f"{first['input']!r} is not supported by the local runner; use {first['ctx']['expected']}"
    raise BundleError(f"{file}, job {key}, {where}: {what}")
