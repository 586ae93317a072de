"""What is seen of a job before it runs: the jobs, notebooks and parameters it takes, and whether it can run here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pinlake.job.bundle import Bundle
from pinlake.job.errors import BundleError
from pinlake.job.graph import RUNNABLE, Graph, Task
from pinlake.job.notebook_file import read_notebook
from pinlake.job.parameters import check_names, check_references, own_parameters, parameter_names
from pinlake.names import meant


def check_job(bundle: Bundle, key: str) -> None:
    """Raise BundleError for what can be seen without running: an unknown reference, a missing notebook, a circle."""
    for name in jobs_reached(bundle, key):
        graph = Graph.of(name, bundle.jobs[name])
        for task in _enabled(graph):
            if task.kind not in RUNNABLE:
                known = ", ".join(RUNNABLE)
                raise BundleError(f"task {task.key!r} is a {task.kind}, which can't run here; {known} can")
            if task.kind == "notebook_task":
                read_notebook(notebook_of(bundle, task))
        check_references(graph, parameter_names(bundle.jobs[name]))


def jobs_reached(bundle: Bundle, key: str, chain: tuple[str, ...] = ()) -> list[str]:
    """The job, and every job that its tasks start, at any distance; `chain` holds those that led here.

    Raises BundleError for a job that would start itself, and for one that can't be started.
    """
    chain = (*chain, key)
    found = [key]
    for task in _enabled(Graph.of(key, bundle.jobs[key])):
        if task.kind == "run_job_task":
            inner = job_started_by(bundle, task)
            if inner in chain:
                circle = " → ".join([*chain[chain.index(inner) :], inner])
                raise BundleError(f"task {task.key!r}: jobs start each other: {circle}; take one run_job_task out")
            found += [name for name in jobs_reached(bundle, inner, chain) if name not in found]
    return found


def parameters_taken(bundle: Bundle, key: str) -> set[str]:
    """Names of the parameters of a job, of its tasks, and of the jobs that these start."""
    jobs = [(name, bundle.jobs[name]) for name in jobs_reached(bundle, key)]
    of_tasks = {name for key, job in jobs for task in _enabled(Graph.of(key, job)) for name in own_parameters(task)}
    return of_tasks.union(*(parameter_names(job) for _, job in jobs))


def others_given(bundle: Bundle, key: str, given: Iterable[str]) -> list[str]:
    """Names in `given` that are no parameters of the job: who starts it may have some, and a workspace takes them.

    Raises BundleError for one that must be a slip of a parameter's name, and for one that the job's tasks have of their
    own: it would take the place of each.
    """
    parameters = parameter_names(bundle.jobs[key])
    of_tasks = {name for task in _enabled(Graph.of(key, bundle.jobs[key])) for name in own_parameters(task)}
    others = sorted(set(given).difference(parameters))
    for other in others:
        near = meant(other, parameters)
        if near is None and other not in of_tasks:
            continue
        what = f", did you mean {near}?" if near else ": its tasks have it, each its own; leave it out."
        known = ", ".join(parameters) or "none"
        raise BundleError(f"job {key!r} has no parameter {other!r}{what} The job's parameters are {known}")
    return others


def _enabled(graph: Graph) -> Iterator[Task]:
    """The tasks that may run, with that of a for_each task after it."""
    for task in graph:
        for each in (task, task.inner) if task.kind == "for_each_task" else (task,):
            if not (task.disabled or each.disabled):
                yield each


def notebook_of(bundle: Bundle, task: Task) -> Path:
    """The notebook of a notebook_task. Raises BundleError where it names none."""
    path = task.settings.get("notebook_path")
    if not path:
        raise BundleError(f"task {task.key!r} names no notebook; give it a notebook_path")
    return bundle.root / str(path)


def job_started_by(bundle: Bundle, task: Task) -> str:
    """Key of the job that a run_job_task starts. Raises BundleError where it can't be started here as it is written."""
    job_id = task.settings.get("job_id")
    key = bundle.job_with_id(job_id)
    if key is None:
        raise BundleError(
            f"task {task.key!r} starts job {job_id!r}, which is none of this bundle's; those run here, written as "
            "job_id: ${resources.jobs.KEY.id}"
        )
    # The fields for parameters of older jobs would be dropped without a word.
    if others := sorted(task.settings.keys() - {"job_id", "job_parameters"}):
        raise BundleError(f"task {task.key!r}: {others[0]} isn't handed on here; use job_parameters")
    check_names(key, bundle.jobs[key], own_parameters(task))
    return key
