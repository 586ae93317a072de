"""The outputs that are kept in the copies under docs/notebooks."""

from __future__ import annotations

import json
import re

import pytest
from nbformat import NotebookNode

from tests.notebook.reading import ALL, FOLDER, KEPT, code, kept, outputs
from tools.notebook_outputs import MADE_UP, MOST_ROWS
from tools.notebooks import stale

MOST_BYTES = 1_000_000
MOST_PICTURE_BYTES = 60_000


@pytest.mark.parametrize("name", ALL)
def test_the_first_output_that_is_kept_says_whose_numbers_they_are(name: str) -> None:
    first = outputs(kept(name))[0]
    assert first.data["text/plain"] == MADE_UP
    assert "Made-up data" in first.data["text/markdown"]
    assert sum(MADE_UP in str(output.get("data", {}).get("text/plain")) for output in outputs(kept(name))) == 1


@pytest.mark.parametrize("name", ALL)
def test_outputs_are_those_of_todays_sources(name: str) -> None:
    assert f"{name}.ipynb" not in stale(FOLDER, KEPT), "run `make notebooks`"


@pytest.mark.parametrize("name", ALL)
def test_every_cell_that_displays_shows_something_and_none_failed(name: str) -> None:
    for cell in kept(name).cells:
        if cell.cell_type == "code":
            assert [each for each in cell.outputs if each.output_type in ("error", "execute_result")] == []
            shown = [each for each in cell.outputs if each.output_type == "display_data" and not _is_note(each)]
            # The accounting and two answers.
            watched = 3 if cell.source.startswith("watch(") else 0
            assert len(shown) == cell.source.count("display(") + watched, cell.id


@pytest.mark.parametrize("name", ALL)
def test_each_figure_is_a_small_picture(name: str) -> None:
    figures = [each.data for each in outputs(kept(name)) if "image/png" in each.get("data", {})]
    plots = re.compile(r"found\.(?:figure|in_one_look|months|map)\(")
    plotted = sum(len(plots.findall(source)) for source in code(kept(name)).values())
    assert len(figures) == plotted
    assert [data["text/plain"] for data in figures if not data["text/plain"].startswith("Figure: ")] == []
    assert [data.keys() for data in figures if data.keys() != {"image/png", "text/plain"}] == []
    assert [len(data["image/png"]) for data in figures if len(data["image/png"]) * 3 / 4 > MOST_PICTURE_BYTES] == []


@pytest.mark.parametrize("name", ALL)
def test_it_is_small_and_its_tables_are_short(name: str) -> None:
    assert (KEPT / f"{name}.ipynb").stat().st_size < MOST_BYTES
    tables = [each.data["text/html"] for each in outputs(kept(name)) if "text/html" in each.get("data", {})]
    assert [html.count("<tr>") for html in tables if html.count("<tr>") > MOST_ROWS + 1] == []


@pytest.mark.parametrize("name", ALL)
def test_nothing_tells_of_the_machine(name: str) -> None:
    for output in outputs(kept(name)):
        text = json.dumps({kind: value for kind, value in output.items() if kind != "data"})
        text += "".join(str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/"))
        assert re.findall(r"/(?:tmp|home|root|Users|work/)\S*", text) == []
        assert set(re.findall(r"\d{8}T\d{6}Z-[0-9a-f]{8}", text)) <= {"20260101T120000Z-0123abcd"}


def _is_note(output: NotebookNode) -> bool:
    return bool(output.data.get("text/plain") == MADE_UP)
