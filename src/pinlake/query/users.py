"""Questions about users, from users counted by year: see `counted`."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def users_joined_by_year(users: DataFrame, first_year: int = 2015, last_year: int = 2020) -> DataFrame:
    """Distinct users who joined in each year from first to last: join_year, number_users_joined."""
    in_years = users.where(F.col("join_year").between(first_year, last_year))
    return in_years.select("join_year", F.col("users").alias("number_users_joined"))
