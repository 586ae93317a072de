"""Combine several queries into one, because each query has a fixed cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def in_one(frames: Mapping[str, DataFrame], name: str) -> DataFrame:
    """The union of all frames, with the key of each row's frame in column `name`. Missing columns are null."""
    named = [rows.withColumn(name, F.lit(each)) for each, rows in frames.items()]
    return reduce(lambda first, second: first.unionByName(second, allowMissingColumns=True), named)
