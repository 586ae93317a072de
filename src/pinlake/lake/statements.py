"""The SQL of the tables: what creates a table or a view, and which statements of a user are queries."""

from __future__ import annotations

import re
from functools import cache

from pyspark.sql import Column
from pyspark.sql import functions as F

from pinlake.errors import UsageError
from pinlake.lake.model import TABLES
from pinlake.lake.table import Table

_READS = re.compile(r"[\s(]*(select|with|values|from|table|describe|desc|show|explain)\b", re.I)
# A statement that begins with WITH or FROM may write.
_WRITES = re.compile(r"\b(insert\s+(into|overwrite)|merge\s+into|delete\s+from|update\s+\S+\s+set)\b", re.I)
_NO_CODE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.S)


def check_query(statement: str) -> None:
    """Raise UsageError if the statement isn't a query."""
    code = _NO_CODE.sub(" ", statement)
    if not _READS.match(code) or _WRITES.search(code):
        raise UsageError(
            f"not a query: {statement.strip()[:80]!r}; give SELECT, WITH, VALUES, DESCRIBE, SHOW or EXPLAIN: "
            "only the stages write tables"
        )


def create_table(table: Table, name: str) -> str:
    """The statement that creates the table, empty, under this name."""
    columns = ", ".join(f"`{column.name}` {column.type} COMMENT {literal(column.comment)}" for column in table.columns)
    partitions = f"PARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    settings = ", ".join(f"{literal(name)} = {literal(value)}" for name, value in properties(table).items())
    return (
        f"CREATE TABLE {name} ({columns}) USING DELTA {partitions} COMMENT {literal(table.comment)} "
        f"TBLPROPERTIES ({settings})"
    )


def create_view(view: Table, schema: str) -> str:
    """The statement that creates the view of an answer in the schema, or replaces it."""
    columns = ", ".join(f"`{column.name}` COMMENT {literal(column.comment)}" for column in view.columns)
    return (
        f"CREATE OR REPLACE VIEW {schema}.`{view.name}` ({columns}) COMMENT {literal(view.comment)} AS "
        f"SELECT {', '.join(view.column_names)} FROM {schema}.{view.view_of} WHERE answer = {literal(view.name)}"
    )


@cache
def columns(table: str) -> list[Column]:
    """The table's columns in their order, with their types and comments.

    Cached, because in classic Spark each column function is a call to the JVM.
    """
    return [
        F.col(f"`{column.name}`").cast(column.type).alias(column.name, metadata={"comment": column.comment})
        for column in TABLES[table].columns
    ]


def properties(table: Table) -> dict[str, str]:
    """The Delta properties of a new table: of which columns it keeps statistics."""
    if table.skipping:
        return {"delta.dataSkippingStatsColumns": ",".join(table.skipping)}
    return {"delta.dataSkippingNumIndexedCols": "0"}


def literal(text: str) -> str:
    """The text as a SQL string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
