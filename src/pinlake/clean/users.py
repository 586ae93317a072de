"""Clean users. The rules: docs/cleaning.md."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue
from pinlake.clean.rules import checked, full_name, integer, utc
from pinlake.topics import USER


def clean_user(parsed: DataFrame) -> DataFrame:
    """One row per parsed user record: post id, full name, age in years, time of joining in UTC."""
    age = integer("age")
    return parsed.select(
        integer("ind").alias("ind"),
        full_name("first_name", "last_name").alias("user_name"),
        age.try_cast("int").alias("age"),
        utc("date_joined").alias("date_joined"),
        *checked(
            USER,
            errors=[Issue("out_of_range", "age is not within 0 to 120", ("age",), ~age.between(0, 120))],
            warnings=[
                Issue(
                    "in_the_future",
                    "date_joined is after the record was read",
                    ("date_joined",),
                    utc("date_joined") > F.col("_ingested_at"),
                )
            ],
        ),
    )
