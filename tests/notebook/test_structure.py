"""What every notebook must be, seen without running it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from pinlake import notebook as pinlake_notebook
from pinlake.job.yaml_file import read_yaml
from pinlake.lake.model import GOLD, TABLES
from tests.notebook.reading import ALL, FOLDER, JOB, code, opened

# These notebooks return their counts to what started the job, such as Airflow.
RETURNED = ("40_clean", "50_quality", "80_rebuild")
# As ipykernel, and what is built on it, names the Python kernel of an environment.
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# What branches, repeats or defines is logic, and belongs where a test reaches it.
LOGIC = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.IfExp, ast.Try),
    *(ast.With, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Match, ast.Global),
)

EXIT = "dbutils.notebook.exit(notebook.as_json(result))"

# What every notebook begins with, so that a person who opens it in a workspace has the code.
START = """\
import sys

sys.path.append("../src")  # the code beside this notebook, where no wheel is installed

from pinlake import notebook
"""


def step_of(name: str) -> str:
    """The step in the call of `notebook.widgets`."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(code(opened(name))["widgets"]))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "notebook.widgets"
    ]
    dbutils, step = call.args
    assert ast.unparse(dbutils) == "dbutils"
    return str(ast.literal_eval(step))


def test_these_are_the_notebooks() -> None:
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == ALL


@pytest.mark.parametrize("name", ALL)
def test_it_is_a_notebook_of_the_newest_format_for_a_plain_kernel(name: str) -> None:
    notebook = opened(name)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}


@pytest.mark.parametrize("name", ALL)
def test_the_kernel_of_make_lab_has_the_name_that_is_stored(name: str) -> None:
    """Else JupyterLab changes each notebook that is opened."""
    kernel = json.loads((FOLDER.parent / ".jupyter/kernels/python3/kernel.json").read_text(encoding="utf-8"))
    stored = {field: kernel[field] for field in ("display_name", "language")} | {"name": "python3"}
    assert opened(name).metadata.kernelspec == stored == KERNEL


@pytest.mark.parametrize("name", ALL)
def test_the_guide_alone_says_how_widgets_are_filled_where_none_are_shown(name: str) -> None:
    text = "\n".join(cell.source for cell in opened(name).cells if cell.cell_type == "markdown")
    assert ("dbutils.widgets.text(" in text) is (name == "00_start_here")


@pytest.mark.parametrize("name", ALL)
def test_what_is_deployed_has_no_outputs(name: str) -> None:
    """They would be somebody's numbers in a workspace that has its own."""
    cells = [cell for cell in opened(name).cells if cell.cell_type == "code"]
    assert [
        (cell.id, cell.outputs, cell.execution_count) for cell in cells if cell.outputs or cell.execution_count
    ] == []


@pytest.mark.parametrize("name", ALL)
def test_the_file_is_as_jupyter_saves_it(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert nbformat.writes(opened(name)).rstrip("\n") + "\n" == text  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", ALL)
def test_cells_have_names_that_are_words(name: str) -> None:
    ids = [cell.id for cell in opened(name).cells]
    assert [each for each in ids if not re.fullmatch(r"[a-z]{3,}(-[a-z]+)*", each)] == []
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ALL)
def test_it_begins_with_a_title_and_says_what_it_is_for(name: str) -> None:
    first = opened(name).cells[0]
    assert (first.cell_type, first.id) == ("markdown", "title")
    title, _, text = first.source.partition("\n\n")
    assert re.fullmatch(r"# [A-Z][^\n]+", title)
    assert len(re.findall(r"[.:](\s|$)", text)) >= 2


@pytest.mark.parametrize("name", JOB)
def test_a_job_notebook_is_widgets_one_call_and_a_look(name: str) -> None:
    notebook = opened(name)
    assert [cell.id for cell in notebook.cells] == [
        "title",
        "widgets",
        "call",
        "look",
        *["result"] * (name in RETURNED),
    ]
    cells = code(notebook)
    assert cells["widgets"] == f'{START}\nnotebook.widgets(dbutils, "{JOB[name]}")'
    assert cells["call"] == f"work = notebook.open(dbutils)\nresult = work.{JOB[name]}()"
    assert cells["look"] == "display(result)"
    assert cells.get("result", EXIT) == EXIT
    assert callable(getattr(pinlake_notebook.Work, JOB[name]))
    title = notebook.cells[0].source
    assert "job" in title
    assert "alone" in title


@pytest.mark.parametrize("name", ALL)
def test_no_cell_holds_logic_or_magic(name: str) -> None:
    for place, source in code(opened(name)).items():
        tree = ast.parse(source)  # a magic is no Python
        found = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, LOGIC)]
        assert found == [], place
        assert len(source.splitlines()) <= 20, place


@pytest.mark.parametrize("name", ALL)
def test_it_imports_pinlake_and_pyspark_alone(name: str) -> None:
    trees = [ast.parse(source) for source in code(opened(name)).values()]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    named = [
        [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names] for node in imports
    ]
    modules = {module.split(".")[0] for modules in named for module in modules}
    assert modules <= {"pinlake", "pyspark", "sys"}
    assert "pinlake" in modules


@pytest.mark.parametrize("name", ALL)
def test_its_widgets_are_known(name: str) -> None:
    made: dict[str, str] = {}
    widgets = SimpleNamespace(text=lambda name, default, label: made.update({name: label}))
    dbutils: Any = SimpleNamespace(widgets=widgets)
    pinlake_notebook.widgets(dbutils, step_of(name))
    assert {"lake", "catalog", "database"} <= made.keys()


@pytest.mark.parametrize("name", ALL)
def test_the_code_is_found_beside_the_notebook_where_no_wheel_is_installed(name: str, tmp_path: Path) -> None:
    """As the bundle lays them out in a workspace; Spark and most libraries are the runtime's."""
    shutil.copytree(FOLDER, tmp_path / "notebooks")
    shutil.copytree(FOLDER.parent / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    asked = (
        "import sys, types\n"
        f"sys.path = [path for path in sys.path if path != {str(FOLDER.parent / 'src')!r}]\n"
        "sys.meta_path = [found for found in sys.meta_path if 'editable' not in repr(found)]\n"
        # What a runtime lacks: the command line and figures need it.
        "sys.modules.update(altair=None, structlog=None, typer=None)\n"
        "dbutils = types.SimpleNamespace(widgets=types.SimpleNamespace(text=lambda *given: None))\n"
        f"{code(opened(name))['widgets'].partition('work = ')[0]}\n"
        "import pinlake\nprint(pinlake.__file__)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path / "notebooks", capture_output=True, text=True, check=True
    )
    assert Path(ran.stdout.strip()).resolve().is_relative_to(tmp_path / "src")


def test_the_bundle_puts_the_code_beside_the_notebooks() -> None:
    bundle = read_yaml(FOLDER.parent / "databricks.yml")
    assert {"notebooks", "src"} <= set(bundle["sync"]["paths"])


@pytest.mark.parametrize("name", ALL)
def test_links_lead_to_notebooks(name: str) -> None:
    texts = [cell.source for cell in opened(name).cells if cell.cell_type == "markdown"]
    links = [link for text in texts for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert [link for link in links if not (FOLDER / link).is_file()] == []


@pytest.mark.parametrize("name", ALL)
def test_notebooks_that_a_text_names_are_there(name: str) -> None:
    texts = [cell.source for cell in opened(name).cells if cell.cell_type == "markdown"]
    named = {found for text in texts for found in re.findall(r"\b\d\d_[a-z_]+\b", text)}
    assert named <= set(ALL)


def test_the_exploration_shows_and_plots_all_ten_answers() -> None:
    cells = list(code(opened("01_explore")).values())
    for name in GOLD:
        assert (
            "\n".join(
                (
                    f'print(found.sentence("{name}"))',
                    f'display(found.figure("{name}"))',
                    f'display(found.table("{name}"))',
                )
            )
            in cells
        )


def test_the_exploration_begins_with_one_look() -> None:
    first = [cell.id for cell in opened("01_explore").cells if cell.cell_type == "code"][2]
    assert first == "one-look"


def test_the_guide_runs_every_stage_and_looks_at_what_it_made() -> None:
    source = "\n".join(code(opened("00_start_here")).values())
    steps = ["check", "connect", "ingest", "clean", "quality", "query"]
    places = [source.index(f"work.{step}()") for step in steps]
    assert places == sorted(places)
    looked_at = set(re.findall(r'views\.look\(work\.lake, "(\w+)"\)', source))
    assert {"bronze", "silver_pin", "silver_geo", "silver_user", "silver_post"} <= looked_at <= set(TABLES)
