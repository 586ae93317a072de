"""Several questions in one query: to ask Spark once costs less than to ask it often."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def in_one(frames: Mapping[str, DataFrame], name: str) -> DataFrame:
    """The rows of all frames, with that of each in column `name`; columns that a frame lacks are null."""
    named = [rows.withColumn(name, F.lit(each)) for each, rows in frames.items()]
    return reduce(lambda first, second: first.unionByName(second, allowMissingColumns=True), named)
