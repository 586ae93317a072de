"""Bundles and notebooks that the tests write by hand, and a kernel to run them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat.v4
import pytest
import yaml

from pinlake.job.bundle import Bundle, load
from pinlake.job.kernel import Kernel
from pinlake.job.result import JobResult
from pinlake.job.runner import run_job

WriteFiles = Callable[..., Path]
WriteJob = Callable[..., Bundle]


def write_notebook(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(dedent(cell)) for cell in cells]), path)
    return path


@pytest.fixture
def write_bundle(tmp_path: Path) -> WriteFiles:
    """Write files of a bundle: {path: YAML text}; returns their folder."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def write_job(tmp_path: Path) -> WriteJob:
    """A bundle with job `small`, `tasks` as in YAML, and `others`; notebooks are given by name as lists of cells."""

    def write(
        tasks: list[dict[str, Any]],
        notebooks: Mapping[str, list[str]],
        others: Mapping[str, dict[str, Any]] | None = None,
        **job: Any,
    ) -> Bundle:
        for name, cells in notebooks.items():
            write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", *cells)
        jobs = {"small": {"tasks": tasks, **job}, **(others or {})}
        document = {"bundle": {"name": "small"}, "resources": {"jobs": jobs}}
        (tmp_path / "databricks.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        return load(tmp_path)

    return write


@pytest.fixture(scope="module")
def reports() -> list[tuple[str, str]]:
    return []


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One for all tests but those of its end: it takes a second to start."""
    with Kernel(tmp_path_factory.mktemp("kernel") / "kernel.log") as started:
        yield started


@pytest.fixture
def run(write_job: WriteJob, tmp_path: Path, kernel: Kernel, reports: list[tuple[str, str]]) -> Any:
    """Write a job and run it; what it reported is in `reports`."""

    def write_and_run(tasks: list[dict[str, Any]], notebooks: dict[str, list[str]], **given: Any) -> JobResult:
        job = {name: given.pop(name) for name in ("parameters", "timeout_seconds", "others") if name in given}
        reports.clear()
        given.setdefault("kernel", kernel)
        bundle = write_job(tasks, notebooks, **job)
        return run_job(
            bundle,
            "small",
            given.pop("given", None),
            out=tmp_path / "out",
            report=lambda stage, message: reports.append((stage, message)),
            longest_wait=0.01,
            **given,
        )

    return write_and_run


def states(result: JobResult) -> dict[str, str]:
    return {run.task: str(run.state) for run in result.tasks}


def notebook_task(name: str, after: str | None = None, **settings: Any) -> dict[str, Any]:
    """A task that runs the notebook of its name, with `parameters` as its base parameters."""
    parameters = settings.pop("parameters", {})
    found = {"notebook_path": f"./notebooks/{settings.pop('notebook', name)}.ipynb", "base_parameters": parameters}
    return {"task_key": name, "notebook_task": found, **_after(after), **settings}


def job_task(name: str, job: str, **settings: Any) -> dict[str, Any]:
    """A task that runs another job of the bundle, with `parameters` as its job parameters."""
    started = {"job_id": f"${{resources.jobs.{job}.id}}", "job_parameters": settings.pop("parameters", {})}
    return {"task_key": name, "run_job_task": started, **_after(settings.pop("after", None)), **settings}


def _after(key: str | None) -> dict[str, Any]:
    return {"depends_on": [{"task_key": key}]} if key else {}
