"""The program that runs the notebooks: order, staleness, failures; slow: all of them, twice the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from pinlake.errors import MachineError, UsageError
from pinlake.job.kernel import read_notebook
from tools import notebooks
from tools.notebook_outputs import MADE_UP
from tools.notebooks import ROOT, _in_order, made_from, main, make, stale

FOLDER = Path(__file__).parents[2] / "notebooks"
KEPT = Path(__file__).parents[2] / "docs" / "notebooks"


def written(path: Path, *sources: str) -> Path:
    cells = [
        {"cell_type": "code", "id": f"cell-{n}", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        for n, text in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    document = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    nbformat.write(nbformat.from_dict(document), path)  # type: ignore[no-untyped-call]
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for file, text in (("gold/users.py", "def users():\n    return 1\n"), ("cli/base.py", "x = 1\n")):
        path = root / "src" / "pinlake" / file
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return root


@pytest.fixture
def no_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "_take_dump", lambda *_: None)


def test_the_guide_is_first_and_the_clean_up_last() -> None:
    names = [path.stem for path in notebooks.notebooks(FOLDER)]
    assert _in_order(names) == [
        *("00_start_here", "10_check", "20_connect_storage", "30_ingest", "40_clean", "50_quality", "60_query"),
        *("70_report", "80_rebuild", "90_maintain", "35_stream", "04_watch", "01_explore", "02_quality"),
        *("03_sql", "99_clean_up"),
    ]


@pytest.mark.parametrize(
    ("file", "text", "is_changed"),
    [
        ("gold/users.py", "# Why.\n\ndef users():\n\n    return 1\n", False),
        ("gold/users.py", "def users():\n    return 2\n", True),
        ("gold/posts.py", "x = 1\n", True),
        ("cli/base.py", "x = 2\n", False),
    ],
)
def test_the_code_behind_a_notebook_counts_but_for_its_comments(
    project: Path, tmp_path: Path, file: str, text: str, is_changed: bool
) -> None:
    notebook = read_notebook(written(tmp_path / "a.ipynb", "1"))
    before = made_from(notebook, project)
    (project / "src" / "pinlake" / file).write_text(text)
    assert (made_from(notebook, project) != before) is is_changed


def test_the_code_in_a_notebook_counts(project: Path, tmp_path: Path) -> None:
    first, second = (read_notebook(written(tmp_path / "a.ipynb", source)) for source in ("1", "2"))
    assert made_from(first, project) != made_from(second, project)


def test_every_source_that_counts_is_there() -> None:
    assert [pattern for pattern in notebooks._SOURCES if not list(ROOT.glob(pattern))] == []


def test_a_notebook_that_was_never_run_is_stale_and_the_check_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "a.ipynb", "1 / 0")
    assert stale(tmp_path, tmp_path / "kept") == ["a.ipynb"]
    assert main([str(tmp_path), str(tmp_path / "kept"), "--check"]) == 1
    assert capsys.readouterr().err == "stale: a.ipynb; run `make notebooks`\n"


def test_a_folder_without_notebooks_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), str(tmp_path / "kept")]) == UsageError.exit_code
    assert f"no notebooks in {tmp_path}" in capsys.readouterr().err


def test_what_is_no_notebook_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(UsageError, match=r"a\.ipynb can't be read as a notebook: "):
        stale(tmp_path, tmp_path / "kept")
    (tmp_path / "a.ipynb").write_text("none")
    with pytest.raises(UsageError, match=r"a\.ipynb can't be read as a notebook: "):
        stale(tmp_path, tmp_path / "kept")


@pytest.mark.usefixtures("no_dump")
def test_notebooks_share_a_kernel_and_nothing_else(tmp_path: Path) -> None:
    written(tmp_path / "a.ipynb", "x = 1\nprint('a: here')", "display(dbutils.widgets.get('confirm'))")
    written(tmp_path / "b.ipynb", "print('x' in dir(), 'dbutils' in dir())")
    before = (tmp_path / "a.ipynb").read_bytes()
    kept = tmp_path / "kept"
    make(tmp_path, kept)
    assert (tmp_path / "a.ipynb").read_bytes() == before
    first, second = read_notebook(kept / "a.ipynb"), read_notebook(kept / "b.ipynb")
    assert first.cells[0].outputs[0].data["text/plain"] == MADE_UP
    assert first.cells[0].outputs[1].text == "a: here\n"
    assert first.cells[1].outputs[0].data["text/plain"] == "'pinlake'"
    assert second.cells[0].outputs[1].text == "False True\n"
    assert [cell.execution_count for cell in first.cells] == [1, 2]
    assert stale(tmp_path, kept) == []
    assert main([str(tmp_path), str(kept), "--check"]) == 0
    written(tmp_path / "b.ipynb", "print('another text')")
    assert stale(tmp_path, kept) == ["b.ipynb"]


@pytest.mark.usefixtures("no_dump")
def test_a_notebook_that_fails_is_named_and_not_stored(tmp_path: Path) -> None:
    written(tmp_path / "a.ipynb", "1")
    path = written(tmp_path / "b.ipynb", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(MachineError, match=r"b\.ipynb failed in cell 1 of 1: ZeroDivisionError"):
        make(tmp_path, tmp_path / "kept")
    assert path.read_bytes() == before
    assert stale(tmp_path, tmp_path / "kept") == ["b.ipynb"]


@pytest.mark.usefixtures("no_dump")
def test_a_widget_with_nonsense_fails_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nonsense: dict[str, Any] = {"audit": "perhaps", "lake": str(tmp_path / "lake")}
    monkeypatch.setattr(notebooks, "_parameters", lambda _: nonsense)
    shutil.copy(FOLDER / "30_ingest.ipynb", tmp_path)
    with pytest.raises(
        MachineError,
        match=r"30_ingest\.ipynb failed in cell 3 of 4: UsageError: widget audit holds 'perhaps'; give true or",
    ):
        make(tmp_path, tmp_path / "kept")


@pytest.mark.slow
def test_running_them_all_gives_what_is_stored(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "notebooks")
    make(tmp_path / "notebooks", tmp_path / "kept")
    # The check shows the versions of Python and Spark, upkeep the sizes of files that have random names in them, and a
    # stream how old its batches are.
    others = ("10_check", "35_stream", "90_maintain")
    same = [path.name for path in notebooks.notebooks(FOLDER) if path.stem not in others]
    assert [name for name in same if _shown(tmp_path / "kept" / name) != _shown(KEPT / name)] == []


def _shown(path: Path) -> list[Any]:
    """All that a notebook shows but for pictures: how they are drawn may depend on the machine."""
    outputs = [
        output for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] for output in cell.get("outputs", [])
    ]
    for output in outputs:
        output.get("data", {}).pop("image/png", None)
    return outputs
