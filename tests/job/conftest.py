"""Bundles and notebooks that the tests write by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat.v4
import pytest
import yaml

from pinlake.job.bundle import Bundle, load

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
    """A bundle of one job, `tasks` as in YAML; notebooks are given by name as lists of cells."""

    def write(tasks: list[dict[str, Any]], notebooks: Mapping[str, list[str]], **job: Any) -> Bundle:
        for name, cells in notebooks.items():
            write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", *cells)
        document = {"bundle": {"name": "small"}, "resources": {"jobs": {"small": {"tasks": tasks, **job}}}}
        (tmp_path / "databricks.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        return load(tmp_path)

    return write


def notebook_task(name: str, after: str | None = None, **settings: Any) -> dict[str, Any]:
    """A task that runs the notebook of its name, with `parameters` as its base parameters."""
    parameters = settings.pop("parameters", {})
    found = {"notebook_path": f"./notebooks/{settings.pop('notebook', name)}.ipynb", "base_parameters": parameters}
    depends = {"depends_on": [{"task_key": after}]} if after else {}
    return {"task_key": name, "notebook_task": found, **depends, **settings}
