"""Clean the records of each topic. The rules are in docs/cleaning.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue
from pinlake.clean.records import parse
from pinlake.clean.rules import (
    checked,
    flag,
    follower_count,
    full_name,
    in_the_future,
    instant,
    integer,
    number,
    save_path,
    text,
    times,
)
from pinlake.lake.model import TABLES
from pinlake.topics import GEO, NO_IMAGE, PIN, SAVE_PREFIX, STORY_ENDING, STORY_TYPE, USER, Topic


def clean_records(bronze: DataFrame, topic: Topic) -> DataFrame:
    """Parse and clean bronze records of one topic: its content columns, and the columns of `checked`."""
    return CLEANERS[topic.name](parse(bronze, topic))


def content_columns(topic: Topic) -> list[str]:
    """The silver columns that define a record's content: all that don't begin with an underscore."""
    return [name for name in TABLES[topic.silver_table].column_names if not name.startswith("_")]


def only(rows: DataFrame, condition: Column) -> DataFrame:
    """The cleaned rows for which a condition is true.

    Uses a generator instead of a filter: Spark pushes a filter below the projections that clean, and then cleans every
    row twice. It doesn't push down a generator.
    """
    return rows.select(F.inline(F.when(condition, F.array(F.struct(*rows.columns)))))


def good(cleaned: DataFrame) -> DataFrame:
    """The cleaned rows without an error."""
    return only(cleaned, F.col("_errors").isNull())


@cache
def _pin_columns() -> list[Column]:
    """Texts that are placeholders are null. `follower_count` is a number, `save_location` a path."""
    return [
        integer("index").alias("ind"),
        text(PIN, "unique_id"),
        text(PIN, "title"),
        text(PIN, "description"),
        follower_count("follower_count").alias("follower_count"),
        text(PIN, "poster_name"),
        text(PIN, "tag_list"),
        F.col("is_image_or_video"),
        text(PIN, "image_src"),
        save_path("save_location").alias("save_location"),
        text(PIN, "category"),
        *checked(PIN, warnings=_pin_warnings()),
    ]


def _pin_warnings() -> list[Issue]:
    """Rules that hold in real data. A record that breaks one gets a warning; a missing field breaks none."""
    is_story = F.col("is_image_or_video") == STORY_TYPE
    no_title = F.col("title").isin(*PIN.field("title").placeholders)
    no_user = F.col("poster_name").isin(*PIN.field("poster_name").placeholders)
    no_count = F.col("follower_count").isin(*PIN.field("follower_count").placeholders)
    unread_count = follower_count("follower_count").isNull() & ~no_count & (F.trim("follower_count") != "")
    return [
        Issue("follower_count_unreadable", "follower_count is not a count", ("follower_count",), unread_count),
        Issue(
            "story_mismatch",
            "a story's description ends in Story format, and no other's does",
            ("is_image_or_video", "description"),
            is_story != F.col("description").endswith(STORY_ENDING),
        ),
        Issue(
            "download_mismatch",
            "a pin without a picture is not downloaded, and no other",
            ("downloaded", "image_src"),
            (flag("downloaded") == 0) != (F.col("image_src") == NO_IMAGE),
        ),
        Issue(
            "placeholder_mismatch",
            "title, poster_name and follower_count are unknown together",
            ("title", "poster_name", "follower_count"),
            (no_title != no_user) | (no_user != no_count) | (no_title != no_count),
        ),
        Issue(
            "location_mismatch",
            "save_location is not that of the category",
            ("save_location", "category"),
            F.col("save_location") != F.concat(F.lit(f"{SAVE_PREFIX}/data/"), "category"),
        ),
    ]


@cache
def _geo_columns() -> list[Column]:
    """`coordinates` is an array [latitude, longitude] in degrees. `timestamp` is in UTC."""
    latitude, longitude = number("latitude"), number("longitude")
    return [
        integer("ind").alias("ind"),
        text(GEO, "country"),
        F.when(latitude.isNotNull() | longitude.isNotNull(), F.array(latitude, longitude)).alias("coordinates"),
        instant("timestamp").alias("timestamp"),
        *checked(
            GEO,
            errors=[_out_of_range("latitude", latitude, -90, 90), _out_of_range("longitude", longitude, -180, 180)],
            warnings=[in_the_future("timestamp")],
        ),
    ]


@cache
def _user_columns() -> list[Column]:
    """`user_name` is the first and the last name, `age` is in years, `date_joined` is in UTC."""
    age = integer("age")
    return [
        integer("ind").alias("ind"),
        full_name("first_name", "last_name").alias("user_name"),
        age.try_cast("int").alias("age"),
        instant("date_joined").alias("date_joined"),
        *checked(USER, errors=[_out_of_range("age", age, 0, 120)], warnings=[in_the_future("date_joined")]),
    ]


def _out_of_range(name: str, value: Column, low: int, high: int) -> Issue:
    return Issue("out_of_range", f"{name} is not within {low} to {high}", (name,), ~value.between(low, high))


CLEANERS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "pin": lambda parsed: parsed.select(*_pin_columns()),
    "geo": lambda parsed: parsed.withColumns(times(GEO)).select(*_geo_columns()),
    "user": lambda parsed: parsed.withColumns(times(USER)).select(*_user_columns()),
}
"""What cleans the parsed records of each topic. One row per record: the content columns, and those of `checked`."""
