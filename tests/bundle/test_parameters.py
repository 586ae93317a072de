"""What a job passes is what its notebooks take: no widget stays empty by mistake, no parameter goes nowhere."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

from pinlake.notebook.parameters import WIDGETS
from pinlake.settings import Settings
from tests.bundle.reading import ROOT, bundle_with_options, notebook_tasks

JOBS = sorted(bundle_with_options("dev").jobs)
# Widgets of one task of a job, which are no settings.
OF_A_TASK = {"audit", "first_date", "last_date", "confirm", "seconds", "report_file"}


def widgets_of(path: Path) -> set[str]:
    """What the step takes that the notebook names in its call `notebook.widgets(dbutils, "step")`."""
    return {
        name
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "code"
        for call in ast.walk(ast.parse(cell.source))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "notebook.widgets"
        for name in WIDGETS[ast.literal_eval(call.args[1])]
    }


def job_parameters(job: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in job.get("parameters", [])}


@pytest.mark.parametrize("job", JOBS)
def test_every_parameter_of_a_task_is_a_widget_and_the_reverse(job: str) -> None:
    found = bundle_with_options("dev").jobs[job]
    for task in notebook_tasks(found):
        notebook = task["notebook_task"]
        passed, taken = set(notebook.get("base_parameters", {})), widgets_of(ROOT / notebook["notebook_path"])
        assert taken, f"{notebook['notebook_path']} makes no widgets"
        assert passed <= taken, task["task_key"]
        # Job parameters reach every notebook by themselves.
        assert taken <= passed | job_parameters(found), task["task_key"]


@pytest.mark.parametrize("job", JOBS)
def test_every_job_parameter_is_a_widget_somewhere_in_the_job(job: str) -> None:
    found = bundle_with_options("dev").jobs[job]
    taken = [widgets_of(ROOT / task["notebook_task"]["notebook_path"]) for task in notebook_tasks(found)]
    assert job_parameters(found) <= set().union(*taken)


@pytest.mark.parametrize("job", JOBS)
def test_no_job_parameter_hides_a_parameter_of_a_task(job: str) -> None:
    """Of two with the same name a workspace takes that of the job, and the task's value would be lost."""
    found = bundle_with_options("dev").jobs[job]
    for task in notebook_tasks(found):
        assert not job_parameters(found) & set(task["notebook_task"].get("base_parameters", {})), task["task_key"]


@pytest.mark.parametrize("job", JOBS)
def test_every_parameter_is_a_setting_or_of_a_task(job: str) -> None:
    found = bundle_with_options("dev").jobs[job]
    passed = [set(task["notebook_task"].get("base_parameters", {})) for task in notebook_tasks(found)]
    assert job_parameters(found).union(*passed) <= set(Settings.model_fields) | OF_A_TASK


def test_defaults_of_the_parameters_are_settings_that_hold() -> None:
    for target in ("dev", "free", "staging", "prod"):
        for name, job in bundle_with_options(target).jobs.items():
            given = {found["name"]: found["default"] for found in job.get("parameters", []) if found["default"]}
            settings = Settings(**{key: value for key, value in given.items() if key not in OF_A_TASK})
            assert settings.database == bundle_with_options(target).resources["schemas"]["lake"]["name"] or not given, (
                name
            )
