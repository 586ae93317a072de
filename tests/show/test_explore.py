"""What a look at the answers shows where altair is not installed, as on a runtime of Databricks."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pinlake import show
from pinlake.lake.model import GOLD
from pinlake.show.explore import ALTAIR, Exploration, NoFigure, Posts
from tests.show.rows import ROWS


@pytest.fixture
def found() -> Exploration:
    explored: Any = object.__new__(Exploration)
    explored._spark = SimpleNamespace(createDataFrame=lambda rows, schema: rows)
    explored._rows = ROWS
    explored._posts = Posts([("art", 5)], [("18-24", 5)], [("2018-11", 5)], [(51.0, 1.0, 5)], 1)
    made: Exploration = explored
    return made


def without_altair(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(show, "figures", raising=False)
    patch.delitem(sys.modules, "pinlake.show.figures", raising=False)
    patch.setitem(sys.modules, "altair", None)


def test_a_note_stands_in_the_place_of_each_figure(found: Exploration, monkeypatch: pytest.MonkeyPatch) -> None:
    without_altair(monkeypatch)
    figures = [found.in_one_look(), found.months(), found.map(), *map(found.figure, GOLD)]
    assert {type(figure) for figure in figures} == {NoFigure}
    said = f"No figure: altair is not installed here. Run `%pip install {ALTAIR}` in a cell of its own, then run this"
    assert repr(figures[0]).startswith(said)
    assert said in NoFigure()._repr_html_()


def test_sentences_and_tables_need_no_altair(found: Exploration, monkeypatch: pytest.MonkeyPatch) -> None:
    without_altair(monkeypatch)
    assert found.in_one_sentence().startswith("5 posts from 1 countries")
    assert [name for name in GOLD if not found.table(name) or not found.sentence(name)] == []


def test_the_same_process_draws_once_altair_is_there(found: Exploration, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        without_altair(patch)
        assert isinstance(found.months(), NoFigure)
    assert found.months().spec["title"] == "Posts by month"  # type: ignore[union-attr]
