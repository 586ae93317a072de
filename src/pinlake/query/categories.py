"""Questions about categories. A post without a category, country or year belongs to no group and is left out."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.query.shared import age_group, top, year


def top_category_by_country(posts: DataFrame) -> DataFrame:
    """The category with most posts in each country: country, category, category_count."""
    return top(_counted(posts, F.col("country").alias("country")), ["country"], "category_count")


def category_posts_by_year(posts: DataFrame) -> DataFrame:
    """Posts of each category in each year: post_year, category, category_count."""
    return _counted(posts, year("timestamp").alias("post_year"))


def top_category_by_year(posts: DataFrame, first_year: int = 2018, last_year: int = 2022) -> DataFrame:
    """The category with most posts in each year from first to last: post_year, category, category_count."""
    in_years = F.col("post_year").between(first_year, last_year)
    return top(category_posts_by_year(posts).where(in_years), ["post_year"], "category_count")


def top_category_by_age_group(posts: DataFrame) -> DataFrame:
    """The category with most posts in each age group: age_group, category, category_count."""
    return top(_counted(posts, age_group().alias("age_group")), ["age_group"], "category_count")


def _counted(posts: DataFrame, group: Column) -> DataFrame:
    return (
        posts.select(group, "category")
        .dropna()
        .groupBy(*posts.select(group).columns, "category")
        .agg(F.count("*").alias("category_count"))
    )
