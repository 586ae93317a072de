"""What defines a table: its columns, partitions, and the order of an answer's rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column. `type` is a Spark SQL type."""

    name: str
    type: str
    comment: str


def schema_of(columns: Iterable[Column]) -> str:
    """Names and types, as Spark reads them."""
    return ", ".join(f"`{column.name}` {column.type}" for column in columns)


@dataclass(frozen=True)
class Table:
    """A table, or the view of an answer.

    `order`: the columns by which an answer's rows are sorted.
    `skipping`: the columns for which Delta collects statistics for data skipping. On small tables, statistics of more
    columns would cost more than the rows.
    `view_of`: for the view of an answer, the table that holds all answers.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    skipping: tuple[str, ...] = ()
    view_of: str = ""

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    @property
    def schema(self) -> str:
        """The columns as a Spark DDL schema."""
        return schema_of(self.columns)

    def column(self, name: str) -> Column:
        """The column with this name. Raises StopIteration if there is none."""
        return next(column for column in self.columns if column.name == name)
