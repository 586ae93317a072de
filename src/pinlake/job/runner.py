"""A job of a bundle, run on this machine: one task at a time, notebooks in one warm kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pinlake.errors import PinlakeError
from pinlake.job.bundle import Bundle
from pinlake.job.errors import BundleError, JobError
from pinlake.job.graph import FAILURES, RUNNABLE, Graph, State, Task, decide
from pinlake.job.kernel import Kernel, Ran, read_notebook
from pinlake.job.parameters import (
    Context,
    as_text,
    check_references,
    condition,
    inputs,
    job_parameters,
    notebook_parameters,
)
from pinlake.job.result import JobResult, TaskRun

Report = Callable[[str, str], None]


def run_job(
    bundle: Bundle,
    name: str | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    source: Path | None = None,
    lake: Path | None = None,
    out: Path | None = None,
    report: Report = lambda stage, message: None,
    longest_wait: float = 60,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
    kernel: Kernel | None = None,
) -> JobResult:
    """Run a job's tasks here and return how each ended; a failing task is a result, not an exception.

    `parameters` take the place of the job's defaults. `source` and `lake` fill the parameters of those names, of the
    job and of its tasks; then `catalog` is empty and `storage` is `local`. Executed notebooks go to `out`, by default
    work/jobs/<run id>. A wait between two attempts is never longer than `longest_wait` seconds. `environment` is added
    to the kernel's; a `kernel` that is given is used as it is, and left running. Raises BundleError, before anything
    is started, for a job that can't be run as it is written.
    """
    key, job = bundle.job(name)
    graph = Graph.of(key, job)
    started = datetime.now(UTC)
    # A number, as in a workspace, and one that sorts by time.
    run_id = f"{started:%Y%m%d%H%M%S%f}"[:17]
    here = _for_here(source, lake)
    names = {str(found.get("name")) for found in job.get("parameters") or []}
    given = {name: value for name, value in here.items() if name in names} | dict(parameters or {})
    context = Context(key, run_id, started, {}, here)
    context = replace(context, parameters=job_parameters(key, job, given, context))
    check_job(bundle, graph, list(context.parameters))
    folder = (out or Path("work") / "jobs" / run_id).absolute()
    result = JobResult(key, bundle.target, run_id, started, folder, dict(context.parameters))
    with nullcontext(kernel) if kernel else Kernel(folder / "kernel.log", environment) as warm:
        run = _Run(bundle, graph, context, result, warm, report, longest_wait, secrets)
        run.all(float(job.get("timeout_seconds") or 0))
    return result


def check_job(bundle: Bundle, graph: Graph, parameters: list[str]) -> None:
    """Raise BundleError for what can be seen without running: an unknown reference, a missing notebook."""
    for task in graph:
        for each in (task, task.inner) if task.kind == "for_each_task" else (task,):
            if each.disabled or task.disabled:
                continue
            if each.kind not in RUNNABLE:
                known = ", ".join(RUNNABLE)
                raise BundleError(f"task {each.key!r} is a {each.kind}, which can't run here; {known} can")
            if each.kind == "notebook_task":
                read_notebook(_notebook(bundle, each))
    check_references(graph, parameters)


def own_parameters(job: Mapping[str, Any]) -> set[str]:
    """Names of the parameters of a job and of its tasks."""
    tasks = [task for task in Graph.of("", job) if task.kind in RUNNABLE]
    all_tasks = [task.inner if task.kind == "for_each_task" else task for task in tasks]
    of_tasks = {str(name) for task in all_tasks for name in task.settings.get("base_parameters") or {}}
    return of_tasks | {str(found.get("name")) for found in job.get("parameters") or []}


def _for_here(source: Path | None, lake: Path | None) -> dict[str, str]:
    """Parameters that are other ones on this machine than in a workspace."""
    here = {} if source is None else {"source": str(source.absolute())}
    here |= {} if lake is None else {"lake": str(lake.absolute())}
    return here | {"catalog": "", "storage": "local"} if here else {}


def _notebook(bundle: Bundle, task: Task) -> Path:
    path = task.settings.get("notebook_path")
    if not path:
        raise BundleError(f"task {task.key!r} names no notebook; give it a notebook_path")
    return bundle.root / str(path)


@dataclass
class _Run:
    """One run, task after task. `context` grows with what the tasks said."""

    bundle: Bundle
    graph: Graph
    context: Context
    result: JobResult
    kernel: Kernel
    report: Report
    longest_wait: float
    secrets: Path | None
    began: float = field(default_factory=time.monotonic)
    deadline: float | None = None
    outcomes: dict[str, str] = field(default_factory=dict)

    def all(self, timeout: float) -> None:
        """Run every task that may run, and note how the job ended."""
        self.deadline = self.began + timeout if timeout else None
        self.report("job", f"{self.result.job}, target {self.result.target}, run {self.result.run_id}")
        for task in self.graph:
            states = {run.key: run.state for run in self.result.tasks}
            # A task sees the values of those before it only: that is all it could count on in a workspace.
            before = self.graph.upstream(task.key)
            self.context = replace(
                self.context,
                states={key: state for key, state in states.items() if key in before},
                values={run.key: run.values for run in self.result.tasks if run.key in before},
            )
            state = decide(task, states, self.outcomes)
            if state is None and self._left(0) == 0:
                state = State.CANCELED
            run = self._one(task) if state is None else TaskRun(task.key, state)
            if state is not None:
                self.report(task.key, str(state))
            self.result.tasks.append(run)
        self.result.seconds = time.monotonic() - self.began
        self.result.state = self.graph.ended({run.key: run.state for run in self.result.tasks})

    def _one(self, task: Task) -> TaskRun:
        began = time.monotonic()
        run = TaskRun(task.key, State.SUCCESS, began=began - self.began)
        context = replace(self.context, task=task.key)
        try:
            match task.kind:
                case "condition_task":
                    self._condition(task, context, run)
                case "for_each_task":
                    self._for_each(task, context, run)
                case _:
                    self._notebook(task, context, run, task.key)
        except PinlakeError as error:  # a value that isn't there, an input that is no list
            self._fail(run, str(error))
        run.seconds = time.monotonic() - began
        return run

    def _fail(self, run: TaskRun, message: str) -> None:
        run.state, run.said, run.error = State.FAILED, message, message
        self.report(run.key, f"failed: {message}")

    def _condition(self, task: Task, context: Context, run: TaskRun) -> None:
        holds, read = condition(task, context)
        self.outcomes[task.key] = str(holds).lower()
        run.attempts, run.said = 1, f"{read} is {str(holds).lower()}"
        self.report(task.key, run.said)

    def _for_each(self, task: Task, context: Context, run: TaskRun) -> None:
        """All inputs, one after the other; the task fails where one of them did, after the last."""
        listed, inner = inputs(task, context), task.inner
        run.attempts = 1
        for number, value in enumerate(listed, 1):
            began = time.monotonic()
            each = TaskRun(f"{task.key}[{as_text(value)}]", State.SUCCESS, began=began - self.began)
            run.inputs.append(each)
            if self._left(0) == 0:
                each.state = State.CANCELED
                continue
            try:
                here = replace(context, task=inner.key, input=(value,))
                if inner.kind == "condition_task":
                    raise JobError(f"task {inner.key!r}: a condition_task can't run for each input here")
                self._notebook(inner, here, each, f"{task.key}-{number}")
            except PinlakeError as error:
                self._fail(each, str(error))
            each.seconds = time.monotonic() - began
        failed = [each for each in run.inputs if each.state in FAILURES]
        run.said = f"{len(failed)} of {len(listed)} inputs failed" if failed else f"{len(listed)} inputs"
        run.state = State.FAILED if failed else State.SUCCESS

    def _notebook(self, task: Task, context: Context, run: TaskRun, name: str) -> None:
        """Run a notebook until it succeeds or has no attempt left. The last attempt's is the one that is saved."""
        notebook = _notebook(self.bundle, task)
        run.notebook = self.result.folder / f"{name}.ipynb"
        while True:
            run.attempts += 1
            self.report(run.key, f"{notebook.name}" + (f", attempt {run.attempts}" if run.attempts > 1 else ""))
            ran = self._attempt(task, replace(context, attempt=run.attempts, notebook=str(notebook)), notebook, run)
            run.state, run.said, run.error = ran.state, ran.said, ran.error
            if ran.state is State.SUCCESS:
                run.said = ran.said or ", ".join(f"{key} = {as_text(value)}" for key, value in run.values.items())
                self.report(run.key, "success" + (f": {run.said}" if run.said else ""))
                return
            self.report(run.key, f"{ran.state} in {ran.error or ran.said}")
            retries = ran.state is State.FAILED or task.retry_on_timeout
            if not retries or (0 <= task.max_retries < run.attempts) or self._left(0) == 0:
                return
            time.sleep(min(task.retry_seconds, self.longest_wait))

    def _attempt(self, task: Task, context: Context, notebook: Path, run: TaskRun) -> Ran:
        assert run.notebook is not None
        values = run.notebook.with_suffix(".values.json")
        values.parent.mkdir(parents=True, exist_ok=True)
        values.unlink(missing_ok=True)
        given = {
            "parameters": notebook_parameters(task, context),
            "task_values": context.values,
            "task_values_out": str(values),
            "secrets": str(self.secrets.absolute()) if self.secrets else None,
        }
        ran = self.kernel.run(notebook, given, run.notebook, self._left(task.timeout_seconds))
        run.values = json.loads(values.read_text(encoding="utf-8")) if values.is_file() else {}
        values.unlink(missing_ok=True)
        return ran

    def _left(self, seconds: float) -> float | None:
        """Seconds that a task may take: its own, but no more than are left of the job's; None for any number."""
        own = seconds or None
        if self.deadline is None:
            return own
        left = max(self.deadline - time.monotonic(), 0)
        return left if own is None else min(own, left)
