"""Errors and warnings of a record, as arrays of (name, message, columns).

Databricks data quality tools use the same shape and can read these columns. A record without issues has null, not an
empty array.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from pinlake.lake.model import ISSUES


class Issue(NamedTuple):
    """An error or a warning, and the condition under which a record has it. A null condition counts as false."""

    name: str
    message: str
    columns: Sequence[str]
    condition: Column


def issues(*found: Issue) -> Column:
    """The issues whose condition is true, in the given order. Null if there are none."""
    # Nearly every record has no issue. One boolean decides, and Spark builds the array only if it is true.
    holds = [F.coalesce(issue.condition, F.lit(False)) for issue in found]
    described = [
        F.when(
            condition,
            F.struct(
                F.lit(issue.name).alias("name"),
                F.lit(issue.message).alias("message"),
                F.array(*[F.lit(column) for column in issue.columns]).alias("columns"),
            ),
        )
        for issue, condition in zip(found, holds, strict=True)
    ]
    return F.when(reduce(Column.__or__, holds), F.array_compact(F.array(*described))).cast(ISSUES)


def both(first: Column, second: Column) -> Column:
    """Concatenate two arrays, of which either may be null."""
    return F.when(first.isNull(), second).when(second.isNull(), first).otherwise(F.concat(first, second))
