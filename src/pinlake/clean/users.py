"""Clean users. The rules are in docs/cleaning.md."""

from __future__ import annotations

from functools import cache

from pyspark.sql import Column, DataFrame

from pinlake.clean.issues import Issue
from pinlake.clean.rules import checked, full_name, in_the_future, instant, integer, times
from pinlake.topics import USER


def clean_user(parsed: DataFrame) -> DataFrame:
    """One row per parsed user record: ind, user_name, age, date_joined, and the columns of `checked`.

    `user_name` is the first and the last name, `age` is in years, `date_joined` is in UTC.
    """
    return parsed.withColumns(times(USER)).select(*_columns())


@cache
def _columns() -> list[Column]:
    age = integer("age")
    return [
        integer("ind").alias("ind"),
        full_name("first_name", "last_name").alias("user_name"),
        age.try_cast("int").alias("age"),
        instant("date_joined").alias("date_joined"),
        *checked(
            USER,
            errors=[Issue("out_of_range", "age is not within 0 to 120", ("age",), ~age.between(0, 120))],
            warnings=[in_the_future("date_joined")],
        ),
    ]
