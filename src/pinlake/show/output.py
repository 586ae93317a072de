"""Results to stdout: tables for people, CSV and JSON for machines."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlake.errors import UsageError, printable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


# Columns of whole numbers that count nothing, by the last word of their names.
_NAMES = ("year", "ind", "index", "id", "partition", "offset", "position", "batch", "version", "port")
# In any of the spellings that occur.
TIME = re.compile(r"\d{4}([-:])\d\d\1\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?")


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Result:
    """Rows with named columns, ready to print. Time stamps are ISO 8601 in UTC."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
        self.columns = list(columns)
        self.rows = [list(row) for row in rows]
        self.title = title

    @classmethod
    def of(cls, frame: DataFrame, title: str = "", limit: int | None = None) -> Result:
        """A frame's rows, all of them or the first `limit`."""
        # Imported here, because commands that only ask a workspace need no Spark.
        from pinlake.show.readable import readable

        shown = readable(frame)
        rows = (shown.limit(limit) if limit is not None else shown).collect()
        return cls(frame.columns, [[_plain(value) for value in row] for row in rows], title)

    def records(self) -> list[dict[str, Any]]:
        """One dict per row. Raises UsageError where two columns have one name."""
        if twice := [name for name, count in Counter(self.columns).items() if count > 1]:
            raise UsageError(f"column {', '.join(twice)} occurs more than once; rename it with AS, or use --format csv")
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def csv(self) -> str:
        """A header and the rows; null is an empty field, nested values are JSON."""
        lines: list[str] = []
        for row in (self.columns, *([_cell(value) for value in row] for row in self.rows)):
            out = io.StringIO(newline="")
            # The writer quotes a text that contains its line terminator. With a line feed alone, a carriage return
            # stays unquoted, and readers take it for the end of the row.
            csv.writer(out, lineterminator="\r\n").writerow(row)
            lines.append(out.getvalue().removesuffix("\r\n") + "\n")
        return "".join(lines)

    def json(self) -> str:
        """The rows as a JSON list of objects."""
        return to_json(self.records())

    def table(self, most: int | None = None, more: str = "", total: int | None = None) -> RenderableType:
        """A table of the rows, or of the first `most` with the hint `more` below them.

        `total` counts them all, where these are only the first.
        """
        times = [_are_times([row[i] for row in self.rows]) for i in range(len(self.columns))]
        numeric = [all(isinstance(row[i], int | float | None) for row in self.rows) for i in range(len(self.columns))]
        left = (total or len(self.rows)) - most if most is not None else 0
        table = Table()
        for name, right, is_time in zip(self.columns, numeric, times, strict=True):
            table.add_column(Text(name), justify="right" if right else "left", overflow="fold", no_wrap=is_time)
        for row in self.rows[:most]:
            table.add_row(*[Text(shown(value, name)) for name, value in zip(self.columns, row, strict=True)])
        # Rich would wrap a title and a caption of the table itself to the width of its columns.
        above = [Text(self.title, style="italic")] if self.title else []
        below = [Text(f"… and {left:,} more: {more}", style="dim")] if left > 0 else []
        return Group(*above, table, *below)


def _are_times(values: Sequence[Any]) -> bool:
    """Whether it is a column of times, which are read in one piece or not at all."""
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, str) and TIME.fullmatch(value) for value in there)


def write(result: Result, form: Format, console: Console) -> None:
    """Print a result to the console's file in the form asked for."""
    match form:
        case Format.CSV:
            console.file.write(result.csv())
        case Format.JSON:
            console.file.write(result.json() + "\n")
        case Format.TABLE:
            console.print(result.table())


def to_json(value: Any) -> str:
    """Indented JSON. Values that JSON has no type for, such as dates, become text."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def moment(at: datetime) -> str:
    """An instant as ISO 8601 in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(value: Any) -> Any:
    """Rows as dicts, bytes as hexadecimal text, NaN and infinity as text, all the way down."""
    if hasattr(value, "asDict"):
        value = value.asDict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def shown(value: Any, column: str = "") -> str:
    """A value as people read it: thousands are separated, but for years and for numbers that are names."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value) if column.rpartition("_")[2] in _NAMES else f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.10g}"
    return printable(json.dumps(value, ensure_ascii=False, default=str))
