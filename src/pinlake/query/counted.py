"""Posts counted by all that the questions group them by: a few rows in place of many, from one look at the posts.

Every question is answered from these. A post without what a question groups by is left out there, not here.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.query.shared import age_group, year


def count_posts(posts: DataFrame) -> DataFrame:
    """Posts by category and one of country, post_year and age_group, the others null: and their number, `posts`.

    By all four at once there would be many times as many rows.
    """
    groups = posts.select("country", "category", year("timestamp").alias("post_year"), age_group().alias("age_group"))
    sets = [[name, "category"] for name in ("country", "post_year", "age_group")]
    return groups.groupingSets(sets, *groups.columns).agg(F.count("*").alias("posts"))


def count_followers(posts: DataFrame) -> DataFrame:
    """Posts that have a follower_count, by it, age_group and join_year (may be null): and their number, `posts`."""
    groups = posts.where(F.col("follower_count").isNotNull()).select(
        "follower_count", age_group().alias("age_group"), year("date_joined").alias("join_year")
    )
    return groups.groupBy(*groups.columns).agg(F.count("*").alias("posts"))


def count_users(users: DataFrame) -> DataFrame:
    """Distinct users by join_year (may be null): and their number, `users`.

    A user is (user_name, age, date_joined): names alone belong to several people.
    """
    distinct = users.select("user_name", "age", "date_joined").distinct()
    return distinct.groupBy(year("date_joined").alias("join_year")).agg(F.count("*").alias("users"))
