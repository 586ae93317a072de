"""The repository's notebooks: those that are deployed, and their copies with outputs."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from pinlake.job.kernel import read_notebook

FOLDER = Path(__file__).parents[2] / "notebooks"
# Copies with outputs, of made-up posts; those in FOLDER are deployed.
KEPT = Path(__file__).parents[2] / "docs" / "notebooks"
JOB = {
    "10_check": "check",
    "20_connect_storage": "connect",
    "30_ingest": "ingest",
    "35_stream": "stream",
    "40_clean": "clean",
    "50_quality": "quality",
    "60_query": "query",
    "70_report": "report",
    "80_rebuild": "rebuild",
    "90_maintain": "maintain",
    "99_clean_up": "clean_up",
}
PEOPLE = ("00_start_here", "01_explore", "02_quality", "03_sql", "04_watch")
ALL = sorted([*JOB, *PEOPLE])


def opened(name: str) -> NotebookNode:
    return read_notebook(FOLDER / f"{name}.ipynb")


def kept(name: str) -> NotebookNode:
    return read_notebook(KEPT / f"{name}.ipynb")


def code(notebook: NotebookNode) -> dict[str, str]:
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
