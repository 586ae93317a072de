"""What a run of a job was: each task with its state, its time and what it said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainSerializer, computed_field
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from pinlake.job.model import as_text
from pinlake.job.state import FAILURES, State

_STYLES = {State.SUCCESS: "green", State.FAILED: "red", State.TIMED_OUT: "red", State.UPSTREAM_FAILED: "yellow"}
_WIDEST = 100
Seconds = Annotated[float, PlainSerializer(lambda seconds: round(seconds, 3))]


class TaskRun(BaseModel):
    """One task. `start` is in seconds after the start of the whole run; `job` is what a run_job_task started."""

    task: str
    state: State = State.SUCCESS
    attempts: int = 0
    start: Seconds = 0
    seconds: Seconds = 0
    said: str = ""
    error: str | None = None
    values: dict[str, Any] = Field(default_factory=dict)
    notebook: Path | None = None
    job: JobResult | None = None

    @property
    def shown(self) -> str:
        """What people read: the values that a successful task set, otherwise what it said, which may be JSON."""
        values = ", ".join(f"{key} = {as_text(value)}" for key, value in self.values.items())
        return values if values and self.state is State.SUCCESS else self.said


class JobResult(BaseModel):
    """One run of a job. `folder` holds the executed notebooks and the kernel's log. As JSON it is for machines."""

    job: str
    target: str
    run_id: str
    state: State = State.SUCCESS
    started: datetime
    seconds: Seconds = 0
    folder: Path
    parameters: dict[str, str]
    tasks: list[TaskRun] = Field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether the run ended with success."""
        return self.state is State.SUCCESS

    @computed_field  # type: ignore[prop-decorator]
    @property
    def failed(self) -> list[str]:
        """Keys of the tasks that failed. Where the job succeeded all the same, a later task was to run in any case."""
        return [run.task for run in self.tasks if run.state in FAILURES]

    def task(self, key: str) -> TaskRun:
        """A task by its key. Raises KeyError."""
        return {run.task: run for run in self.tasks}[key]

    def timeline(self) -> RenderableType:
        """A row for each task; below it, indented, the tasks of a job that it started."""
        numbers = (Column(name, justify="right") for name in ("attempts", "start", "seconds"))
        table = Table("task", "state", *numbers, Column("result", overflow="fold"))
        for depth, run in _in_depth(self.tasks):
            ran = run.attempts > 0
            table.add_row(
                Text("  " * depth + run.task),
                Text(str(run.state), style=_STYLES.get(run.state, "dim")),
                *((str(run.attempts), f"{run.start:.1f}", f"{run.seconds:.1f}") if ran else "---"),
                Text(run.shown if len(run.shown) <= _WIDEST else run.shown[: _WIDEST - 1] + "…"),
            )
        ended = f"{self.state}, with failures," if self.succeeded and self.failed else self.state
        title = f"Job {self.job}, run {self.run_id}, target {self.target}: {ended} after {self.seconds:.1f} s"
        return Group(Text(title, style="italic"), table)


def _in_depth(runs: Iterable[TaskRun], depth: int = 0) -> Iterator[tuple[int, TaskRun]]:
    for run in runs:
        yield depth, run
        yield from _in_depth(run.job.tasks if run.job else [], depth + 1)
