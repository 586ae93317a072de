"""Clean geo records. The rules are in docs/cleaning.md."""

from __future__ import annotations

from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue
from pinlake.clean.rules import checked, in_the_future, instant, integer, number, text, times
from pinlake.topics import GEO


def clean_geo(parsed: DataFrame) -> DataFrame:
    """One row per parsed geo record: ind, country, coordinates, timestamp, and the columns of `checked`.

    `coordinates` is an array [latitude, longitude] in degrees. `timestamp` is in UTC.
    """
    return parsed.withColumns(times(GEO)).select(*_columns())


@cache
def _columns() -> list[Column]:
    latitude, longitude = number("latitude"), number("longitude")
    return [
        integer("ind").alias("ind"),
        text(GEO, "country"),
        F.when(latitude.isNotNull() | longitude.isNotNull(), F.array(latitude, longitude)).alias("coordinates"),
        instant("timestamp").alias("timestamp"),
        *checked(
            GEO,
            errors=[
                Issue("out_of_range", "latitude is not within -90 to 90", ("latitude",), ~latitude.between(-90, 90)),
                Issue(
                    "out_of_range", "longitude is not within -180 to 180", ("longitude",), ~longitude.between(-180, 180)
                ),
            ],
            warnings=[in_the_future("timestamp")],
        ),
    ]
