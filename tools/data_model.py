"""docs/data-model.md, generated from the model: `python -m tools.data_model FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from pinlake.lake.model import GOLD, TABLES
from pinlake.topics import TOPICS

_INTRODUCTION = (
    "This page is for everyone who queries the tables. `make docs` generates it from the code; don't edit it."
)


def markdown() -> str:
    """The page: raw topics, then every table with its columns."""
    lines = ["# Data model", "", _INTRODUCTION, "", "## Topics", ""]
    for topic in TOPICS.values():
        lines += [f"### {topic.name}", "", "| field | read as | required | meaning |", "|---|---|---|---|"]
        lines += [
            f"| {field.name} | {field.kind} | {'yes' if field.required else ''} | {_cell(field.comment)} |"
            for field in topic.fields
        ]
        lines.append("")
    lines += ["## Tables", ""]
    for table in TABLES.values():
        kind = "gold" if table.name in GOLD else table.name.split("_")[0]
        lines += [f"### {table.name}", "", table.comment, "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| {column.name} | `{column.type}` | {_cell(column.comment)} |" for column in table.columns]
        if kind == "gold":
            lines += ["", f"Order of rows: {', '.join(table.order)}."]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
