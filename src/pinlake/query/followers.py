"""Medians of follower counts, exact: the middle value, or the mean of the two middle values."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.query.shared import age_group, year


def median_followers_by_age_group(posts: DataFrame) -> DataFrame:
    """Median over posts with a follower count: age_group, median_follower_count."""
    return _medians(posts, age_group().alias("age_group"))


def median_followers_by_join_year(posts: DataFrame, first_year: int = 2015, last_year: int = 2020) -> DataFrame:
    """Median over posts of users who joined from first to last year: join_year, median_follower_count."""
    return _medians(_joined(posts, first_year, last_year), _join_year())


def median_followers_by_join_year_and_age_group(
    posts: DataFrame, first_year: int = 2015, last_year: int = 2020
) -> DataFrame:
    """The same in age groups: age_group, join_year, median_follower_count."""
    return _medians(_joined(posts, first_year, last_year), age_group().alias("age_group"), _join_year())


def _join_year() -> Column:
    return year("date_joined").alias("join_year")


def _joined(posts: DataFrame, first_year: int, last_year: int) -> DataFrame:
    return posts.where(year("date_joined").between(first_year, last_year))


def _medians(posts: DataFrame, *groups: Column) -> DataFrame:
    counted = posts.select(*groups, "follower_count").where(F.col("follower_count").isNotNull())
    names = [name for name in counted.columns if name != "follower_count"]
    return counted.groupBy(*names).agg(F.median("follower_count").alias("median_follower_count"))
