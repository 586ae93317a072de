"""Errors and warnings of a record, as arrays of (name, message, columns).

The shape is that of common Databricks quality checks, so their tools can read it. No issue is null, not an empty array.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from pinlake.lake.model import ISSUES


class Issue(NamedTuple):
    """What is said of a record for which the condition holds; a condition that is null does not hold."""

    name: str
    message: str
    columns: Sequence[str]
    condition: Column


def issues(*found: Issue) -> Column:
    """The issues that hold, in the order given; null where none does."""
    # Nearly every record has none: one boolean decides, and the array is only built where it is needed.
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
    """The issues of two arrays, of which either may be null."""
    return F.when(first.isNull(), second).when(second.isNull(), first).otherwise(F.concat(first, second))
