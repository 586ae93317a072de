"""Widgets of an AI/BI dashboard, in the form that the workspace exports: kind, version, fields, encodings.

Charts show rows as they are, unless a field is an expression with an aggregate function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# Columns of a page.
GRID = 6
# The version of each kind's form.
VERSIONS = {"bar": 3, "line": 3, "heatmap": 3, "counter": 2, "table": 1, "filter-multi-select": 2} | {
    "filter-date-range-picker": 2
}
_QUERY = "main_query"


@dataclass(frozen=True)
class Field:
    """What a widget takes from its dataset: a column, or with `function` an aggregate of one, and how it is called."""

    column: str
    title: str
    function: str = ""

    @property
    def name(self) -> str:
        """The name by which encodings refer to it."""
        return f"{self.function.lower()}({self.column})" if self.function else self.column

    @property
    def expression(self) -> str:
        """The expression over the dataset's columns."""
        return f"{self.function}(`{self.column}`)" if self.function else f"`{self.column}`"


# One colour for all, or the field whose values have colours, and these.
Color = str | tuple[Field, Mapping[str, str]]


@dataclass(frozen=True)
class Frame:
    """The title of a widget, and the sentence below it."""

    title: str
    description: str

    def json(self) -> Json:
        return {
            "title": self.title,
            "showTitle": True,
            "description": self.description,
            "showDescription": bool(self.description),
        }


def text(*lines: str) -> Json:
    """Lines of Markdown."""
    return {"multilineTextboxSpec": {"lines": [f"{line}\n" for line in lines]}}


def horizontal_bars(dataset: str, frame: Frame, group: Field, number: Field, color: Color) -> Json:
    """Bars from the left, the first group at the top, with the number of each at its end."""
    return _chart("bar", dataset, frame, {"x": _number(number), "y": _group(group)}, [number, group], color, label=True)


def columns(dataset: str, frame: Frame, group: Field, number: Field, color: Color) -> Json:
    """Standing bars, with the number of each above it; where the colour is that of a field, its values are stacked."""
    axes = {"x": _group(group), "y": _number(number)}
    return _chart("bar", dataset, frame, axes, [group, number], color, label=isinstance(color, str))


def lines(dataset: str, frame: Frame, group: Field, number: Field, color: Color) -> Json:
    """A line, or one for each value of the field that has colours."""
    return _chart("line", dataset, frame, {"x": _group(group), "y": _number(number)}, [group, number], color)


def heatmap(dataset: str, frame: Frame, across: Field, down: Field, number: Field) -> Json:
    """A field for each pair, the darker the higher its number."""
    shade = {**_encoding(number), "scale": {"type": "quantitative"}}
    encodings = {"x": _group(across), "y": _group(down), "color": shade}
    return _widget("heatmap", dataset, frame, [across, down, number], encodings)


def counter(dataset: str, frame: Frame, value: Field) -> Json:
    """One value of the first row."""
    return _widget("counter", dataset, frame, [value], {"value": _encoding(value)})


def table(dataset: str, frame: Frame, fields: Sequence[Field], numbers: Sequence[str]) -> Json:
    """Rows in pages of 25; the texts can be searched. `numbers` are the columns that are numbers."""
    shown = [_column(field, field.column in numbers, place) for place, field in enumerate(fields)]
    settings = {
        "allowHTMLByDefault": False,
        "condensed": True,
        "itemsPerPage": 25,
        "paginationSize": "default",
        "withRowNumber": False,
        "invisibleColumns": [],
    }
    return _widget("table", dataset, frame, fields, {"columns": shown}, **settings)


def filter_of(kind: str, frame: Frame, column: str, datasets: Sequence[str]) -> Json:
    """A filter of the column in each of the datasets. `kind` is multi-select or date-range-picker."""
    field = Field(column, frame.title)
    names = {dataset: f"{dataset}_{column}" for dataset in datasets}
    bound = [{**_encoding(field), "queryName": name} for name in names.values()]
    return {
        "queries": [_query(name, dataset, [field], aggregated=True) for dataset, name in names.items()],
        "spec": _spec(f"filter-{kind}", frame, {"fields": bound}),
    }


def placed(page: str, rows: Sequence[tuple[int, Sequence[tuple[int, Json]]]]) -> list[Json]:
    """Widgets with their places: rows of a height, each of (width, widget). Names are the page and the number."""
    layout: list[Json] = []
    y = 0
    for height, widgets in rows:
        x = 0
        for width, widget in widgets:
            name = f"{page}-{len(layout) + 1:02}"
            position = {"x": x, "y": y, "width": width, "height": height}
            layout.append({"widget": {"name": name, **widget}, "position": position})
            x += width
        y += height
    return layout


def _chart(
    kind: str, dataset: str, frame: Frame, axes: Json, fields: Sequence[Field], color: Color, label: bool = False
) -> Json:
    encodings = {**axes, "label": {"show": label}}
    if isinstance(color, str):
        return _widget(kind, dataset, frame, fields, encodings, mark={"colors": [color]})
    by, colors = color
    mappings = [{"value": value, "color": shade} for value, shade in colors.items()]
    encodings["color"] = {**_encoding(by), "scale": {"type": "categorical", "mappings": mappings}}
    # A group and its colour are often the same column.
    return _widget(kind, dataset, frame, list(dict.fromkeys([*fields, by])), encodings)


def _group(field: Field) -> Json:
    scale = {"type": "temporal"} if field.column == "day" else {"type": "categorical", "sort": {"by": "natural-order"}}
    return {**_encoding(field), "scale": scale, "axis": {"title": field.title}}


def _number(field: Field) -> Json:
    return {**_encoding(field), "scale": {"type": "quantitative"}, "axis": {"title": field.title}}


def _encoding(field: Field) -> Json:
    return {"fieldName": field.name, "displayName": field.title}


def _column(field: Field, number: bool, order: int) -> Json:
    return {
        "fieldName": field.name,
        "title": field.title,
        "displayName": field.title,
        "type": "integer" if number else "string",
        "displayAs": "number" if number else "string",
        "alignContent": "right" if number else "left",
        "allowSearch": not number,
        "order": order,
        "booleanValues": ["false", "true"],
        **({"numberFormat": "0,0"} if number else {}),
    }


def _widget(kind: str, dataset: str, frame: Frame, fields: Sequence[Field], encodings: Json, **settings: Any) -> Json:
    aggregated = any(field.function for field in fields)
    return {
        "queries": [_query(_QUERY, dataset, fields, aggregated)],
        "spec": {**_spec(kind, frame, encodings), **settings},
    }


def _spec(kind: str, frame: Frame, encodings: Json) -> Json:
    return {"version": VERSIONS[kind], "widgetType": kind, "encodings": encodings, "frame": frame.json()}


def _query(name: str, dataset: str, fields: Sequence[Field], aggregated: bool) -> Json:
    return {
        "name": name,
        "query": {
            "datasetName": dataset,
            "fields": [{"name": field.name, "expression": field.expression} for field in fields],
            "disaggregated": not aggregated,
        },
    }
