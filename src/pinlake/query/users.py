"""Questions about users. A user is (user_name, age, date_joined): names alone belong to several people."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.query.shared import year


def users_joined_by_year(users: DataFrame, first_year: int = 2015, last_year: int = 2020) -> DataFrame:
    """Distinct users who joined in each year from first to last: join_year, number_users_joined."""
    distinct = users.select("user_name", "age", "date_joined").distinct()
    joined = distinct.select(year("date_joined").alias("join_year"))
    in_years = joined.where(F.col("join_year").between(first_year, last_year))
    return in_years.groupBy("join_year").agg(F.count("*").alias("number_users_joined"))
