"""Medians of follower counts, exact: the middle value, or the mean of the two middle values.

From posts counted by follower count, age group and year of joining: see `counted`.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def median_followers_by_age_group(counts: DataFrame) -> DataFrame:
    """Median over posts with a follower count: age_group, median_follower_count."""
    return _medians(counts, "age_group")


def median_followers_by_join_year(counts: DataFrame, first_year: int = 2015, last_year: int = 2020) -> DataFrame:
    """Median over posts of users who joined from first to last year: join_year, median_follower_count."""
    return _medians(_joined(counts, first_year, last_year), "join_year")


def median_followers_by_join_year_and_age_group(
    counts: DataFrame, first_year: int = 2015, last_year: int = 2020
) -> DataFrame:
    """The same in age groups: age_group, join_year, median_follower_count."""
    return _medians(_joined(counts, first_year, last_year), "age_group", "join_year")


def _joined(counts: DataFrame, first_year: int, last_year: int) -> DataFrame:
    return counts.where(F.col("join_year").between(first_year, last_year))


def _medians(counts: DataFrame, *groups: str) -> DataFrame:
    # Exact as F.median is, which is the same function without the number of posts that share a value.
    return counts.groupBy(*groups).agg(
        F.percentile("follower_count", 0.5, F.col("posts")).alias("median_follower_count")
    )
