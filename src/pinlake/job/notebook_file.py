"""Notebooks as files."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from pinlake.errors import first_line
from pinlake.job.errors import BundleError


def read_notebook(path: Path) -> NotebookNode:
    """A notebook of the format's version 4, with its outputs. Raises BundleError where it is missing or no notebook."""
    if not path.is_file():
        raise BundleError(f"notebook {path} is not there; correct notebook_path, which is relative to its YAML file")
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
    except Exception as error:  # its own, JSON's, a codec's
        raise BundleError(
            f"{path} can't be read as a notebook: {first_line(error)}; it must be an .ipynb file: open it in Jupyter "
            "and save it, or restore it"
        ) from error
    return notebook
