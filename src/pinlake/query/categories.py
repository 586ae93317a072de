"""Questions about categories, from counted posts: see `counted`.

A post without a category, country or year belongs to no group and is left out.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.query.shared import top


def top_category_by_country(counts: DataFrame) -> DataFrame:
    """The category with most posts in each country: country, category, category_count."""
    return top(_by_category(counts, "country"), ["country"], "category_count")


def category_posts_by_year(counts: DataFrame) -> DataFrame:
    """Posts of each category in each year: post_year, category, category_count."""
    return _by_category(counts, "post_year")


def top_category_by_year(counts: DataFrame, first_year: int = 2018, last_year: int = 2022) -> DataFrame:
    """The category with most posts in each year from first to last: post_year, category, category_count."""
    in_years = F.col("post_year").between(first_year, last_year)
    return top(_by_category(counts, "post_year").where(in_years), ["post_year"], "category_count")


def top_category_by_age_group(counts: DataFrame) -> DataFrame:
    """The category with most posts in each age group: age_group, category, category_count."""
    return top(_by_category(counts, "age_group"), ["age_group"], "category_count")


def _by_category(counts: DataFrame, group: str) -> DataFrame:
    # Of rows that are counted by another group, this one is null.
    grouped = counts.dropna(subset=[group, "category"])
    return grouped.select(group, "category", F.col("posts").alias("category_count"))
