"""The dashboard as a file: what its widgets name is there, in the form that a workspace reads."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pinlake.lake.model import GOLD
from tests.helpers import nodes
from tools.dashboard import dashboard, rendered
from tools.dashboard_data import DATASETS
from tools.dashboard_widgets import GRID

FILE = Path(__file__).parents[2] / "resources" / "warehouse" / "answers.lvdash.json"
# What an export of each kind of widget has, of the same version: the encodings that it needs, and that it may have.
FORMS = {
    "bar": (3, {"x", "y"}, {"color", "label"}),
    "line": (3, {"x", "y"}, {"color", "label"}),
    "heatmap": (3, {"x", "y", "color"}, set()),
    "counter": (2, {"value"}, set()),
    "table": (1, {"columns"}, set()),
    "filter-multi-select": (2, {"fields"}, set()),
    "filter-date-range-picker": (2, {"fields"}, set()),
}
PAGES = {page["name"]: page for page in dashboard()["pages"]}


def widgets(*pages: str) -> list[dict[str, Any]]:
    """The widgets of these pages, or of all, without texts."""
    found = [place["widget"] for name in pages or PAGES for place in PAGES[name]["layout"]]
    return [widget for widget in found if "spec" in widget]


def test_the_file_is_what_the_definitions_make() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered(), "run `make docs`"


def test_there_are_three_pages_and_a_visual_for_each_answer() -> None:
    assert list(PAGES) == ["answers", "quality", "freshness"]
    drawn = [widget for widget in widgets("answers") if not widget["spec"]["widgetType"].startswith("filter-")]
    assert [widget["queries"][0]["query"]["datasetName"] for widget in drawn] == list(GOLD)
    assert [widget["spec"]["frame"]["title"] for widget in drawn] == [table.comment for table in GOLD.values()]


def test_every_dataset_is_shown_and_every_name_is_there_once() -> None:
    used = {query["query"]["datasetName"] for widget in widgets() for query in widget["queries"]}
    assert used == set(DATASETS) == {dataset["name"] for dataset in dashboard()["datasets"]}
    names = [place["widget"]["name"] for page in PAGES.values() for place in page["layout"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("widget", widgets(), ids=lambda widget: widget["name"])
def test_a_widget_has_the_form_of_its_kind(widget: dict[str, Any]) -> None:
    spec = widget["spec"]
    version, needed, allowed = FORMS[spec["widgetType"]]
    assert spec["version"] == version
    assert needed <= spec["encodings"].keys() <= needed | allowed
    # Every field of the query is shown, and nothing else.
    named = {query["name"]: {field["name"] for field in query["query"]["fields"]} for query in widget["queries"]}
    found = [node for node in nodes(spec["encodings"]) if "fieldName" in node]
    assert {encoding["fieldName"] for encoding in found} == set().union(*named.values())
    assert all(encoding["displayName"] or encoding["fieldName"] == "label" for encoding in found)
    if spec["widgetType"].startswith("filter-"):
        assert [encoding["queryName"] for encoding in found] == list(named)
    else:
        assert list(named) == ["main_query"]
        assert spec["frame"]["description"]
        assert spec["frame"]["showDescription"] is True
    assert spec["frame"]["title"]
    assert spec["frame"]["showTitle"] is True


def test_filters_reach_every_answer_that_has_their_column() -> None:
    filters = [widget for widget in widgets("answers") if widget["spec"]["widgetType"] == "filter-multi-select"]
    bound = {
        widget["spec"]["encodings"]["fields"][0]["fieldName"]: {
            query["query"]["datasetName"] for query in widget["queries"]
        }
        for widget in filters
    }
    assert bound == {
        column: {name for name, table in GOLD.items() if column in table.column_names}
        for column in ("country", "category", "age_group", "post_year", "join_year")
    }


@pytest.mark.parametrize("page", PAGES)
def test_widgets_lie_on_the_grid_beside_each_other(page: str) -> None:
    fields = {}
    for place in PAGES[page]["layout"]:
        at = place["position"]
        assert 0 <= at["x"] < at["x"] + at["width"] <= GRID
        fields[place["widget"]["name"]] = {
            (x, y) for x in range(at["x"], at["x"] + at["width"]) for y in range(at["y"], at["y"] + at["height"])
        }
    assert [(a, b) for (a, one), (b, other) in combinations(fields.items(), 2) if one & other] == []
    # No row of the page has a hole.
    height = 1 + max(y for taken in fields.values() for _, y in taken)
    assert sum(map(len, fields.values())) == GRID * height


def test_the_file_names_no_catalog_and_no_schema() -> None:
    """The bundle sets those of the target."""
    datasets = json.loads(FILE.read_text(encoding="utf-8"))["datasets"]
    assert not any({"catalog", "schema"} & dataset.keys() for dataset in datasets)
