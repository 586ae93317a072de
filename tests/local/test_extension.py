"""What a kernel's notebook finds, in a real kernel; Spark is named and not started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from pinlake.job.kernel import Kernel, Ran
from pinlake.job.state import State
from tests.job.conftest import write_notebook

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    with Kernel(folder / "kernel.log", {"PINLAKE_LAKE": "from here"}) as started:
        with pytest.MonkeyPatch.context() as monkeypatch:
            # A kernel that knows it is in a test doesn't look at what its children print.
            monkeypatch.delenv("PYTEST_CURRENT_TEST")
            started.run(write_notebook(folder / "empty.ipynb"), {}, folder / "saved.ipynb")
        yield started


@pytest.fixture
def run(kernel: Kernel, tmp_path: Path) -> Run:
    def write_and_run(*cells: str, **task: object) -> Ran:
        return kernel.run(write_notebook(tmp_path / "n.ipynb", *cells), task, tmp_path / "saved.ipynb")

    return write_and_run


def outputs(folder: Path) -> list[dict[str, Any]]:
    found = nbformat.read(folder / "saved.ipynb", as_version=4)
    return [output for cell in found.cells for output in cell.get("outputs", [])]


def test_names_are_fresh_in_each_notebook_and_the_process_stays(run: Run) -> None:
    first = run("x = 1\nimport os", "dbutils.notebook.exit(os.getpid())")
    second = run("assert 'x' not in globals()", "import os\ndbutils.notebook.exit(os.getpid())")
    assert first == second
    assert first.state is State.SUCCESS


def test_a_variable_of_the_job_is_a_setting(run: Run) -> None:
    cell = """
        import os
        from pinlake.settings import resolve
        dbutils.notebook.exit(resolve({}, os.environ).settings.lake)
    """
    assert run(cell) == Ran(State.SUCCESS, "from here")


def test_spark_is_started_when_it_is_used_and_not_before(run: Run) -> None:
    cells = [
        "import sys, pinlake.local.extension as e\nstarts = []",
        "class Session:\n    version = '4'\ne.start_spark = lambda: starts.append(1) or Session()",
        "before = repr(globals()['spark']), 'pyspark' in sys.modules",
        "# spark in a comment and 'spark' in a text start nothing\nassert not starts",
        "kind = type(spark).__name__",
        "spark.version",
        "dbutils.notebook.exit(f'{before} {kind} {len(starts)}')",
    ]
    said = "('<Spark, started when it is first used>', False) Session 1"
    assert run(*cells) == Ran(State.SUCCESS, said)


def test_outputs_counts_and_displays(run: Run, tmp_path: Path) -> None:
    ran = run("display(1, {'a': 2})\ndisplayHTML('<b>bold</b>')", "1 + 1", "print('said')")
    assert ran == Ran(State.SUCCESS)
    shown = outputs(tmp_path)
    assert [output.get("data", {}).get("text/plain") for output in shown[:2]] == ["1", "{'a': 2}"]
    assert shown[2]["data"]["text/html"] == "<b>bold</b>"
    assert (shown[3]["data"]["text/plain"], shown[4]["text"]) == ("2", "said\n")
    counts = [cell.execution_count for cell in nbformat.read(tmp_path / "saved.ipynb", as_version=4).cells]
    assert counts == [1, 2, 3]


def test_what_a_child_process_prints_stays_out_of_the_cells(run: Run, tmp_path: Path) -> None:
    run("import subprocess\nsubprocess.run(['echo', 'warning of a JVM'], check=True)")
    assert "warning of a JVM" not in str([output for output in outputs(tmp_path) if output["output_type"] == "stream"])


def test_an_unknown_widget_is_an_error_in_the_notebook_itself(run: Run, tmp_path: Path) -> None:
    ran = run("dbutils.widgets.text('a', '')", "dbutils.widgets.get('b')", parameters={"c": "1"})
    told = "LocalError: no widget is called 'b'; the widgets are a, c: create it with dbutils.widgets.text"
    assert (ran.state, ran.said) == (State.FAILED, f"cell 2 of 2: {told}")
    assert outputs(tmp_path)[-1]["traceback"] == [told]


def test_secrets_and_folder_of_a_task(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"s": {"k": "v"}}')
    cell = "import os\ndbutils.notebook.exit(f\"{dbutils.secrets.get('s', 'k')} {os.getcwd()}\")"
    assert run(cell, secrets=str(tmp_path / "secrets.json")).said == f"v {tmp_path}"
