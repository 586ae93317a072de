"""A job of a bundle, run on this machine: one task at a time, notebooks in one warm kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pinlake.errors import PinlakeError
from pinlake.job.bundle import Bundle
from pinlake.job.check import check_job, job_started_by, notebook_of, others_given
from pinlake.job.errors import JobError
from pinlake.job.graph import FAILURES, Graph, State, Task, decide
from pinlake.job.kernel import Kernel, Ran
from pinlake.job.parameters import condition, inputs, job_parameters, parameter_names, task_parameters
from pinlake.job.references import Context, as_text
from pinlake.job.result import JobResult, TaskRun

Report = Callable[[str, str], None]


def run_job(
    bundle: Bundle,
    name: str | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    source: Path | str | None = None,
    lake: Path | str | None = None,
    out: Path | None = None,
    report: Report = lambda stage, message: None,
    longest_wait: float = 60,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
    kernel: Kernel | None = None,
) -> JobResult:
    """Run a job's tasks here and return how each ended; a failing task is a result, not an exception.

    `parameters` take the place of the job's defaults; what isn't the job's is reported, and reaches its notebooks as in
    a workspace. `source` and `lake` fill the parameters of those names, of the job and of its tasks; then `catalog` is
    empty and `storage` is `local`. Executed notebooks go to `out`, by default work/jobs/<run id>. A wait between two
    attempts is never longer than `longest_wait` seconds. `environment` is added to the kernel's; a `kernel` that is
    given is used as it is, and left running. Raises BundleError, before anything is started, for a job that can't be
    run as it is written.
    """
    key, job = bundle.job(name)
    others = others_given(bundle, key, parameters or {})
    check_job(bundle, key)
    if others:
        known = ", ".join(parameter_names(job)) or "none"
        report("job", f"no parameter of {key}, and let be: {', '.join(others)}; its parameters are {known}")
    begun = _begin(bundle, key, parameters or {}, _for_here(source, lake), out)
    with nullcontext(kernel) if kernel else Kernel(begun.result.folder / "kernel.log", environment) as warm:
        run = _Run(bundle, begun.graph, begun.context, begun.result, warm, report, longest_wait, secrets)
        run.all(begun.timeout)
    return begun.result


def _for_here(source: Path | str | None, lake: Path | str | None) -> dict[str, str]:
    """Parameters that are other ones on this machine than in a workspace."""
    here = {} if source is None else {"source": str(source.absolute() if isinstance(source, Path) else source)}
    here |= {} if lake is None else {"lake": str(lake.absolute() if isinstance(lake, Path) else lake)}
    return here | {"catalog": "", "storage": "local"} if here else {}


class _Begun(NamedTuple):
    """A run of a job before its first task. `timeout` is in seconds, 0 for none."""

    graph: Graph
    context: Context
    result: JobResult
    timeout: float


def _begin(
    bundle: Bundle,
    key: str,
    given: Mapping[str, str],
    here: Mapping[str, str],
    folder: Path | None,
    trigger: str = "one_time",
) -> _Begun:
    job, started = bundle.jobs[key], datetime.now(UTC)
    # A number, as in a workspace, and one that sorts by time.
    run_id = f"{started:%Y%m%d%H%M%S%f}"[:17]
    context = Context(key, run_id, started, {}, trigger, here)
    taken = {name: value for name, value in here.items() if name in parameter_names(job)}
    context = replace(context, parameters=job_parameters(job, {**taken, **given}, context))
    folder = (folder or Path("work") / "jobs" / run_id).absolute()
    result = JobResult(key, bundle.target, run_id, started, folder, dict(context.parameters))
    return _Begun(Graph.of(key, job), context, result, float(job.get("timeout_seconds") or 0))


@dataclass
class _Run:
    """One run, task after task. `context` grows with what the tasks said.

    `began` and `deadline` are moments of the monotonic clock; `began` is that of the run which somebody asked for.
    """

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
        began, self.deadline = time.monotonic(), self._until(timeout)
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
        self.result.seconds = time.monotonic() - began
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
                    self._try(task, context, run, task.key)
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
                self._try(inner, here, each, f"{task.key}-{number}")
            except PinlakeError as error:
                self._fail(each, str(error))
            each.seconds = time.monotonic() - began
        failed = [each for each in run.inputs if each.state in FAILURES]
        run.said = f"{len(failed)} of {len(listed)} inputs failed" if failed else f"{len(listed)} inputs"
        run.state = State.FAILED if failed else State.SUCCESS

    def _try(self, task: Task, context: Context, run: TaskRun, name: str) -> None:
        """Run a notebook, or a job, until it succeeds or has no attempt left. `name` is that of what is saved of it."""
        if task.kind == "run_job_task":
            shown, attempt = f"job {job_started_by(self.bundle, task)}", self._job
        else:
            shown, attempt = notebook_of(self.bundle, task).name, self._notebook
        while True:
            run.attempts += 1
            self.report(run.key, shown + (f", attempt {run.attempts}" if run.attempts > 1 else ""))
            ran = attempt(task, replace(context, attempt=run.attempts), run, name)
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

    def _notebook(self, task: Task, context: Context, run: TaskRun, name: str) -> Ran:
        notebook = notebook_of(self.bundle, task)
        run.notebook = self.result.folder / f"{name}.ipynb"
        values = run.notebook.with_suffix(".values.json")
        values.parent.mkdir(parents=True, exist_ok=True)
        values.unlink(missing_ok=True)
        given = {
            "parameters": task_parameters(task, replace(context, notebook=str(notebook))),
            "task_values": context.values,
            "task_values_out": str(values),
            "secrets": str(self.secrets.absolute()) if self.secrets else None,
        }
        ran = self.kernel.run(notebook, given, run.notebook, self._left(task.timeout_seconds))
        run.values = json.loads(values.read_text(encoding="utf-8")) if values.is_file() else {}
        values.unlink(missing_ok=True)
        return ran

    def _job(self, task: Task, context: Context, run: TaskRun, name: str) -> Ran:
        """All tasks of another job in the same kernel. It ends in the state of that job."""
        key = job_started_by(self.bundle, task)
        own = parameter_names(self.bundle.jobs[key])
        given = {name: value for name, value in task_parameters(task, context).items() if name in own}
        begun = _begin(self.bundle, key, given, context.here, self.result.folder / name, "run_job_task")
        run.job = begun.result
        inner = replace(
            self,
            graph=begun.graph,
            context=begun.context,
            result=begun.result,
            report=lambda stage, message: self.report(f"{run.key}/{stage}", message),
            deadline=self._until(task.timeout_seconds),
            outcomes={},
        )
        inner.all(begun.timeout)
        failed = begun.result.failed
        if begun.result.succeeded:
            of_which = f", of which {', '.join(failed)} failed" if failed else ""
            return Ran(State.SUCCESS, f"job {key}: {len(begun.result.tasks)} tasks{of_which}")
        first = begun.result.task(failed[0])
        return Ran(begun.result.state, f"job {key}, task {first.key}: {first.said or first.state}")

    def _left(self, seconds: float) -> float | None:
        """Seconds that a task may take: its own, but no more than are left of the job's; None for any number."""
        own = seconds or None
        if self.deadline is None:
            return own
        left = max(self.deadline - time.monotonic(), 0)
        return left if own is None else min(own, left)

    def _until(self, seconds: float) -> float | None:
        """When a task, or a job, that may take so long must have ended; None for never."""
        left = self._left(seconds)
        return None if left is None else time.monotonic() + left
