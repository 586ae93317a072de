"""Check a job of a bundle, then run it on this machine: one task at a time, all notebooks in one kernel."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pinlake.errors import BundleError, PinlakeError
from pinlake.job.bundle import Bundle
from pinlake.job.kernel import Kernel, Ran, read_notebook
from pinlake.job.model import Job, Task, Values, filled, read_job
from pinlake.job.result import JobResult, TaskRun
from pinlake.job.state import State, decide, ended
from pinlake.lake.run import Report, silent
from pinlake.names import meant

# The report in the folder of a run.
REPORT = "report.html"


def run_job(
    bundle: Bundle,
    name: str | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    source: Path | str | None = None,
    lake: Path | str | None = None,
    out: Path | None = None,
    report: Report = silent,
    longest_wait: float = 60,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
    kernel: Kernel | None = None,
) -> JobResult:
    """Run a job's tasks here and return how each ended; a failing task is a result, not an exception.

    `parameters` take the place of the job's defaults. `source` and `lake` fill the parameters of those names, of the
    job and of its tasks; then `catalog` is empty and `storage` is `local`. Executed notebooks go to `out`, by default
    work/jobs/<run id>, and with them the file of the parameter `report_file`. A wait between two attempts is never
    longer than `longest_wait` seconds. `environment` is added to the kernel's; a `kernel` that is given is used as it
    is, and left running. Raises BundleError, before anything is started, for a job that can't be run as it is written.
    """
    key, given, here = bundle.job_key(name), parameters or {}, _for_here(source, lake)
    jobs = check_job(bundle, key)
    _check_given(key, jobs[key], given)
    result = _begin(bundle.target, key, jobs[key], given, here, out)
    here["report_file"] = str(result.folder / REPORT)  # a volume is a folder only in a workspace
    with nullcontext(kernel) if kernel else Kernel(result.folder / "kernel.log", environment) as warm:
        _Run(bundle, jobs, result, here, warm, report, longest_wait, secrets).all()
    return result


def check_job(bundle: Bundle, key: str, chain: tuple[str, ...] = ()) -> dict[str, Job]:
    """The job and all jobs that its tasks start, directly or not, by key; `chain` has the keys of the starting jobs.

    Raises BundleError for errors that are visible without a run: an unsupported key or reference, a missing notebook,
    a cycle of jobs.
    """
    chain = (*chain, key)
    jobs = {key: read_job(key, bundle.jobs[key], bundle.files[key])}
    for task in jobs[key].tasks:
        if task.notebook_task:
            read_notebook(bundle.root / task.notebook_task.notebook_path)
        if task.run_job_task:
            inner = task.run_job_task.job_id
            if inner in chain:
                circle = " → ".join([*chain[chain.index(inner) :], inner])
                raise BundleError(f"task {task.task_key!r}: jobs form a cycle: {circle}; take one run_job_task out")
            jobs |= check_job(bundle, inner, chain)
            _check_given(inner, jobs[inner], task.parameters)
    return jobs


def _check_given(key: str, job: Job, given: Iterable[str]) -> None:
    """Raise BundleError for a name in `given` that is not a parameter of the job."""
    for name in sorted(set(given).difference(job.defaults)):
        near, known = meant(name, job.defaults), ", ".join(job.defaults) or "none"
        hint = f", did you mean {near}?" if near else ";"
        raise BundleError(f"job {key!r} has no parameter {name!r}{hint} its parameters are {known}")


def _for_here(source: Path | str | None, lake: Path | str | None) -> dict[str, str]:
    """Parameters whose values on this machine differ from those in a workspace."""
    given = {"source": source, "lake": lake}
    here = {name: str(place.absolute() if isinstance(place, Path) else place) for name, place in given.items() if place}
    return here | {"catalog": "", "storage": "local"} if here else {}


def _begin(
    target: str, key: str, job: Job, given: Mapping[str, str], here: Mapping[str, str], folder: Path | None
) -> JobResult:
    """A run of a job before its first task."""
    started = datetime.now(UTC)
    # A number, as in a workspace, and one that sorts by time.
    run_id = f"{started:%Y%m%d%H%M%S%f}"[:17]
    own = {name: here.get(name, default) for name, default in job.defaults.items()}
    folder = (folder or Path("work") / "jobs" / run_id).absolute()
    return JobResult(job=key, target=target, run_id=run_id, started=started, folder=folder, parameters={**own, **given})


@dataclass
class _Run:
    """One run, task after task. `jobs` are the job and those that its tasks start.

    `began` and `deadline` are moments of the monotonic clock; `began` is that of the outermost job.
    """

    bundle: Bundle
    jobs: Mapping[str, Job]
    result: JobResult
    here: Mapping[str, str]
    kernel: Kernel
    report: Report
    longest_wait: float
    secrets: Path | None
    began: float = field(default_factory=time.monotonic)
    deadline: float | None = None
    outcomes: dict[str, str] = field(default_factory=dict)

    def all(self) -> None:
        """Run every task that may run, and note how the job ended."""
        job, began = self.jobs[self.result.job], time.monotonic()
        self.deadline = self._until(job.timeout_seconds)
        self.report("job", f"{self.result.job}, target {self.result.target}, run {self.result.run_id}")
        for task in job.tasks:
            state = decide(task, {run.task: run.state for run in self.result.tasks}, self.outcomes)
            if state is None and self._is_late():
                state = State.CANCELED
            if state is not None:
                self.report(task.task_key, str(state))
            # A task sees the values of those before it only: that is all it could count on in a workspace.
            before = job.before(task.task_key)
            values = {run.task: run.values for run in self.result.tasks if run.task in before}
            run = TaskRun(task=task.task_key, state=state) if state else self._one(task, values)
            self.result.tasks.append(run)
        self.result.seconds = time.monotonic() - began
        self.result.state = ended(job, {run.task: run.state for run in self.result.tasks})

    def _one(self, task: Task, values: Values) -> TaskRun:
        began = time.monotonic()
        run = TaskRun(task=task.task_key, start=began - self.began)
        try:
            if task.condition_task:
                holds, read = task.condition_task.holds(values)
                self.outcomes[run.task] = str(holds).lower()
                run.attempts, run.said = 1, f"{read} is {str(holds).lower()}"
                self.report(run.task, run.said)
            else:
                self._try(task, values, run)
        except PinlakeError as error:  # a value that isn't there
            run.state, run.said, run.error = State.FAILED, str(error), str(error)
            self.report(run.task, f"failed: {error}")
        run.seconds = time.monotonic() - began
        return run

    def _try(self, task: Task, values: Values, run: TaskRun) -> None:
        """Run a notebook, or a job, until it succeeds or has no attempt left."""
        while True:
            run.attempts += 1
            ran = self._attempt(task, values, run)
            run.state, run.said, run.error = ran.state, ran.said, ran.error or None
            if ran.state is State.SUCCESS:
                run.said = ran.said or run.shown
                self.report(run.task, "success" + (f": {run.shown}" if run.shown else ""))
                return
            self.report(run.task, f"{ran.state} in {ran.error or ran.said}")
            if ran.state is not State.FAILED or task.max_retries < run.attempts or self._is_late():
                return
            time.sleep(min(task.min_retry_interval_millis / 1000, self.longest_wait))

    def _attempt(self, task: Task, values: Values, run: TaskRun) -> Ran:
        """One attempt. The task gets its own parameters, over them those of the job: a workspace does the same."""
        parameters = {
            name: filled(text, values) if "{{" in text else self.here.get(name, text)
            for name, text in task.parameters.items()
        } | self.result.parameters
        deadline = self._until(task.timeout_seconds)
        again = f", attempt {run.attempts}" if run.attempts > 1 else ""
        if task.run_job_task:
            self.report(run.task, f"job {task.run_job_task.job_id}{again}")
            return self._job(task.run_job_task.job_id, parameters, run, deadline)
        assert task.notebook_task
        notebook = self.bundle.root / task.notebook_task.notebook_path
        self.report(run.task, f"{notebook.name}{again}")
        run.notebook = self.result.folder / f"{run.task}.ipynb"
        secrets = str(self.secrets.absolute()) if self.secrets else None
        given = {"parameters": parameters, "task_values": values, "secrets": secrets}
        ran = self.kernel.run(notebook, given, run.notebook, deadline)
        run.values = ran.values
        return ran

    def _job(self, key: str, parameters: Mapping[str, str], run: TaskRun, deadline: float | None) -> Ran:
        """All tasks of another job in the same kernel. It ends in the state of that job."""
        job, folder = self.jobs[key], self.result.folder / run.task
        given = {name: value for name, value in parameters.items() if name in job.defaults}
        run.job = result = _begin(self.result.target, key, job, given, self.here, folder)
        report: Report = lambda stage, message: self.report(f"{run.task}/{stage}", message)  # noqa: E731
        replace(self, result=result, report=report, deadline=deadline, outcomes={}).all()
        if result.succeeded:
            of_which = f", of which {', '.join(result.failed)} failed" if result.failed else ""
            return Ran(State.SUCCESS, f"job {key}: {len(result.tasks)} tasks{of_which}")
        first = result.task(result.failed[0])
        return Ran(result.state, f"job {key}, task {first.task}: {first.said or first.state}")

    def _until(self, seconds: float) -> float | None:
        """The deadline of a task or job with this limit, not after the job's own. None without a limit; 0 is none."""
        own = time.monotonic() + seconds if seconds else None
        return min((moment for moment in (own, self.deadline) if moment is not None), default=None)

    def _is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline
