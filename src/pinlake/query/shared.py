"""What the questions share: groups, years in UTC, and tops that keep their ties. In words: docs/cleaning.md."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

_SECONDS_A_DAY = 86_400


def day(name: str) -> Column:
    """The date of a time stamp in UTC, whatever the session's time zone."""
    return F.date_from_unix_date(F.floor(F.unix_seconds(F.col(name)) / _SECONDS_A_DAY).cast("int"))


def year(name: str) -> Column:
    """The calendar year of a time stamp in UTC."""
    return F.year(day(name))


def age_group(name: str = "age") -> Column:
    """18-24, 25-35, 36-50, 50+ (51 and over), Unknown (under 18 or null)."""
    age = F.col(name)
    return (
        F.when(age.between(18, 24), "18-24")
        .when(age.between(25, 35), "25-35")
        .when(age.between(36, 50), "36-50")
        .when(age > 50, "50+")
        .otherwise("Unknown")
    )


def top(rows: DataFrame, within: Sequence[str], by: str) -> DataFrame:
    """The rows with the highest `by` within each group, ties included."""
    window = Window.partitionBy(*within).orderBy(F.col(by).desc())
    return rows.withColumn("_rank", F.rank().over(window)).where(F.col("_rank") == 1).drop("_rank")
