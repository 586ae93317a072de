"""What every notebook must be, seen without running it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from pinlake import notebook as pinlake_notebook
from pinlake.job.notebook_file import read_notebook
from pinlake.lake.model import GOLD, TABLES
from pinlake.report.notebook_outputs import MOST_PLOTLY_BYTES, MOST_ROWS, PLOTLY
from pinlake.report.notebooks import stale

FOLDER = Path(__file__).parents[2] / "notebooks"
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
MOST_BYTES = 1_000_000
# As ipykernel, and what is built on it, names the Python kernel of an environment.
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# What branches, repeats or defines is logic, and belongs where a test reaches it.
LOGIC = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.IfExp, ast.Try),
    *(ast.With, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Match, ast.Global),
)


def opened(name: str) -> NotebookNode:
    return read_notebook(FOLDER / f"{name}.ipynb")


def code(notebook: NotebookNode) -> dict[str, str]:
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def widgets_of(name: str) -> list[str]:
    """The arguments of the call of `notebook.widgets`."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(code(opened(name))["widgets"]))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "notebook.widgets"
    ]
    assert ast.unparse(call.args[0]) == "dbutils"
    return [ast.literal_eval(argument) for argument in call.args[1:]]


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
def test_a_text_about_widgets_says_how_they_are_filled_where_none_are_shown(name: str) -> None:
    text = "\n".join(cell.source for cell in opened(name).cells if cell.cell_type == "markdown")
    assert "widget" not in text or "dbutils.widgets.text(" in text


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
    assert [cell.id for cell in notebook.cells] == ["title", "widgets", "call", "look"]
    cells = code(notebook)
    assert cells["call"] == f"work = notebook.open(dbutils)\nresult = work.{JOB[name]}()"
    assert cells["look"] == "display(result)"
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
    assert modules <= {"pinlake", "pyspark"}
    assert "pinlake" in modules


@pytest.mark.parametrize("name", ALL)
def test_its_widgets_are_known(name: str) -> None:
    made: dict[str, str] = {}
    widgets = SimpleNamespace(text=lambda name, default, label: made.update({name: label}))
    dbutils: Any = SimpleNamespace(widgets=widgets)
    pinlake_notebook.widgets(dbutils, *widgets_of(name))
    assert list(made) == widgets_of(name)
    assert {"lake", "catalog", "database"} <= made.keys() or name == "20_connect_storage"


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
        shown = f'display(plots.answer(work.lake, "{name}"))\ndisplay(views.look(work.lake, "{name}", rows=10))'
        assert shown in cells


def test_the_guide_runs_every_stage_and_looks_at_what_it_made() -> None:
    source = "\n".join(code(opened("00_start_here")).values())
    steps = ["check", "connect", "ingest", "clean", "quality", "query"]
    places = [source.index(f"work.{step}()") for step in steps]
    assert places == sorted(places)
    looked_at = set(re.findall(r'views\.look\(work\.lake, "(\w+)"\)', source))
    assert {"bronze", "silver_pin", "silver_geo", "silver_user", "silver_post"} <= looked_at <= set(TABLES)


@pytest.mark.parametrize("name", ALL)
def test_outputs_are_those_of_todays_sources(name: str) -> None:
    assert f"{name}.ipynb" not in stale(FOLDER), "run `make notebooks`"


@pytest.mark.parametrize("name", ALL)
def test_every_cell_that_displays_shows_something_and_none_failed(name: str) -> None:
    for cell in opened(name).cells:
        if cell.cell_type == "code":
            assert [each for each in cell.outputs if each.output_type in ("error", "execute_result")] == []
            shown = [each for each in cell.outputs if each.output_type == "display_data"]
            # The accounting and two answers.
            watched = 3 if cell.source.startswith("watch(") else 0
            assert len(shown) == cell.source.count("display(") + watched, cell.id


@pytest.mark.parametrize("name", ALL)
def test_figures_are_there_twice_for_every_reader(name: str) -> None:
    figures = [each.data for each in outputs(opened(name)) if "image/png" in each.get("data", {})]
    plotted = sum(source.count("plots.answer(") for source in code(opened(name)).values())
    assert len(figures) == plotted
    assert [data["text/plain"] for data in figures if not data["text/plain"].startswith("Figure: ")] == []
    assert sum(len(json.dumps(data.get(PLOTLY))) for data in figures) <= MOST_PLOTLY_BYTES


@pytest.mark.parametrize("name", ALL)
def test_it_is_small_and_its_tables_are_short(name: str) -> None:
    assert (FOLDER / f"{name}.ipynb").stat().st_size < MOST_BYTES
    tables = [each.data["text/html"] for each in outputs(opened(name)) if "text/html" in each.get("data", {})]
    assert [html.count("<tr>") for html in tables if html.count("<tr>") > MOST_ROWS + 1] == []


@pytest.mark.parametrize("name", ALL)
def test_nothing_tells_of_the_machine(name: str) -> None:
    for output in outputs(opened(name)):
        text = json.dumps({kind: value for kind, value in output.items() if kind != "data"})
        text += "".join(str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/"))
        assert re.findall(r"/(?:tmp|home|root|Users|work/)\S*", text) == []
        assert set(re.findall(r"\d{8}T\d{6}Z-[0-9a-f]{8}", text)) <= {"20260101T120000Z-0123abcd"}
