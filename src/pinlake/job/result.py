"""What a run of a job was: each task with its state, its time and what it said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlake.job.graph import FAILURES, State

_STYLES = {State.SUCCESS: "green", State.FAILED: "red", State.TIMED_OUT: "red", State.UPSTREAM_FAILED: "yellow"}
_WIDEST = 100


@dataclass
class TaskRun:
    """One task, or one input of a for_each task. `began` is in seconds after the start of the whole run.

    `inputs` are those of a for_each task, `job` is the run that a run_job task started.
    """

    key: str
    state: State
    attempts: int = 0
    began: float = 0
    seconds: float = 0
    said: str = ""
    error: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    notebook: Path | None = None
    inputs: list[TaskRun] = field(default_factory=list)
    job: JobResult | None = None

    def document(self) -> dict[str, Any]:
        """The same for machines; times in seconds."""
        found = {
            "task": self.key,
            "state": str(self.state),
            "attempts": self.attempts,
            "start": round(self.began, 3),
            "seconds": round(self.seconds, 3),
            "said": self.said,
            "error": self.error or None,
            "values": self.values,
            "notebook": str(self.notebook) if self.notebook else None,
        }
        found |= {"inputs": [run.document() for run in self.inputs]} if self.inputs else {}
        return found | ({"job": self.job.document()} if self.job else {})


@dataclass
class JobResult:
    """One run of a job. `folder` holds the executed notebooks and the kernel's log."""

    job: str
    target: str
    run_id: str
    started: datetime
    folder: Path
    parameters: dict[str, str]
    tasks: list[TaskRun] = field(default_factory=list)
    state: State = State.SUCCESS
    seconds: float = 0

    @property
    def succeeded(self) -> bool:
        return self.state is State.SUCCESS

    @property
    def failed(self) -> list[str]:
        """Keys of the tasks that failed. Where the job succeeded all the same, a later task was to run in any case."""
        return [run.key for run in self.tasks if run.state in FAILURES]

    def task(self, key: str) -> TaskRun:
        """A task by its key. Raises KeyError."""
        return {run.key: run for run in self.tasks}[key]

    def document(self) -> dict[str, Any]:
        """The whole run for machines."""
        return {
            "job": self.job,
            "target": self.target,
            "run_id": self.run_id,
            "state": str(self.state),
            "failed": self.failed,
            "started": self.started.isoformat(),
            "seconds": round(self.seconds, 3),
            "folder": str(self.folder),
            "parameters": self.parameters,
            "tasks": [run.document() for run in self.tasks],
        }

    def timeline(self) -> RenderableType:
        """A row for each task; below it, indented, the inputs of a for_each task and the tasks of a job it started."""
        table = Table("task", "state", *(), show_lines=False)
        for name in ("attempts", "start", "seconds"):
            table.add_column(name, justify="right")
        table.add_column("what it said", overflow="fold")
        for depth, run in _in_depth(self.tasks):
            table.add_row(*_cells(run, "  " * depth + run.key))
        ended = f"{self.state}, with failures," if self.succeeded and self.failed else self.state
        title = f"Job {self.job}, run {self.run_id}, target {self.target}: {ended} after {self.seconds:.1f} s"
        return Group(Text(title, style="italic"), table)


def _in_depth(runs: Iterable[TaskRun], depth: int = 0) -> Iterator[tuple[int, TaskRun]]:
    for run in runs:
        yield depth, run
        yield from _in_depth([*run.inputs, *(run.job.tasks if run.job else [])], depth + 1)


def _cells(run: TaskRun, name: str) -> list[Text]:
    ran = run.attempts > 0 or run.seconds > 0
    said = run.said if len(run.said) <= _WIDEST else run.said[: _WIDEST - 1] + "…"
    return [
        Text(name),
        Text(str(run.state), style=_STYLES.get(run.state, "dim")),
        Text(str(run.attempts) if ran else "-"),
        Text(f"{run.began:.1f}" if ran else "-"),
        Text(f"{run.seconds:.1f}" if ran else "-"),
        Text(said),
    ]
