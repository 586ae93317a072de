"""Clean pins. The rules are in docs/cleaning.md."""

from __future__ import annotations

from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue
from pinlake.clean.rules import checked, flag, follower_count, integer, save_path, text
from pinlake.topics import NO_IMAGE, PIN, SAVE_PREFIX, STORY_ENDING, STORY_TYPE


def clean_pin(parsed: DataFrame) -> DataFrame:
    """One row per parsed pin record: the content columns of silver_pin, and the columns of `checked`.

    Texts that are placeholders are null. `follower_count` is a number, `save_location` a path.
    """
    return parsed.select(*_columns())


@cache
def _columns() -> list[Column]:
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
        *checked(PIN, warnings=_warnings()),
    ]


def _warnings() -> list[Issue]:
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
