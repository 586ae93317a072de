"""Results to stdout: tables for people, CSV and JSON for machines."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, TimestampType
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pinlake.errors import UsageError
from pinlake.report.formats import Format

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


class Result:
    """Rows with named columns, ready to print. Time stamps are ISO 8601 in UTC."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
        self.columns = list(columns)
        self.rows = [list(row) for row in rows]
        self.title = title

    @classmethod
    def of(cls, frame: DataFrame, title: str = "", limit: int | None = None) -> Result:
        """A frame's rows, all of them or the first `limit`."""
        # By their places: a query may give two columns one name.
        places = [str(number) for number in range(len(frame.columns))]
        shown = frame.toDF(*places).select(
            *[
                _readable(F.col(name), field.dataType).alias(name)
                for name, field in zip(places, frame.schema, strict=True)
            ]
        )
        rows = (shown.limit(limit) if limit is not None else shown).collect()
        return cls(frame.columns, [[_plain(value) for value in row] for row in rows], title)

    def records(self) -> list[dict[str, Any]]:
        """One dict per row. Raises UsageError where two columns have one name."""
        if twice := [name for name, count in Counter(self.columns).items() if count > 1]:
            raise UsageError(f"column {', '.join(twice)} comes more than once; name each with AS, or take another form")
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def csv(self) -> str:
        """A header and the rows; null is an empty field, what is nested is JSON."""
        lines: list[str] = []
        for row in (self.columns, *([_cell(value) for value in row] for row in self.rows)):
            out = io.StringIO(newline="")
            # What the writer ends lines with, it quotes in a text; by a line feed alone a carriage return stays bare,
            # and readers take it for the end of the row.
            csv.writer(out, lineterminator="\r\n").writerow(row)
            lines.append(out.getvalue().removesuffix("\r\n") + "\n")
        return "".join(lines)

    def json(self) -> str:
        return to_json(self.records())

    def table(self, most: int | None = None, more: str = "", total: int | None = None) -> RenderableType:
        """A table of the rows, or of the first `most` with the hint `more` below them.

        `total` counts them all, where these are only the first.
        """
        numeric = [all(isinstance(row[i], int | float | None) for row in self.rows) for i in range(len(self.columns))]
        left = (total or len(self.rows)) - most if most is not None else 0
        table = Table()
        for name, right in zip(self.columns, numeric, strict=True):
            table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
        for row in self.rows[:most]:
            table.add_row(*[Text(shown(value)) for value in row])
        # Rich would wrap a title and a caption of the table itself to the width of its columns.
        above = [Text(self.title, style="italic")] if self.title else []
        below = [Text(f"… and {left:,} more: {more}", style="dim")] if left > 0 else []
        return Group(*above, table, *below)


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
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _readable(column: Column, kind: DataType) -> Column:
    """The column with its time stamps as text, all the way down: collected, one takes on this process's time zone."""
    if "timestamp" not in kind.simpleString():
        return column
    match kind:
        case TimestampType():
            # The seconds are added to a time without a zone, which no zone's summer time can shift.
            epoch = F.lit("1970-01-01").cast("timestamp_ntz")
            in_utc = F.timestamp_add("MICROSECOND", F.unix_micros(column), epoch).cast("string")
            return F.concat(F.replace(in_utc, F.lit(" "), F.lit("T")), F.lit("Z"))
        case ArrayType():
            return F.transform(column, lambda item: _readable(item, kind.elementType))
        case MapType():
            return F.map_from_arrays(
                _readable(F.map_keys(column), ArrayType(kind.keyType)),
                _readable(F.map_values(column), ArrayType(kind.valueType)),
            )
        case StructType():
            fields = [_readable(column[field.name], field.dataType).alias(field.name) for field in kind]
            return F.when(column.isNotNull(), F.struct(*fields))
        case _:
            return column


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


def shown(value: Any) -> str:
    """A value as people read it: thousands are separated, but for what may be a year."""
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:,.10g}"
    return json.dumps(value, ensure_ascii=False, default=str)
