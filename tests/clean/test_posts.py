"""Posts: what has a pin, a place and a user, and nothing else."""

from datetime import UTC, datetime

import pytest

from pinlake.clean.posts import join_posts
from pinlake.lake.model import ISSUES, SILVER_GEO, SILVER_PIN, SILVER_POST, SILVER_USER


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def warning(name):
    return (name, f"{name} said", ["a column"])


@pytest.fixture
def joined(spark):
    """The posts of silver rows that are given as dicts of what matters in them."""

    def frame(table, rows):
        schema = ", ".join(f"`{column.name}` {column.type}" for column in table.columns)
        return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], schema)

    def join(pins, places, users):
        return join_posts(frame(SILVER_PIN, pins), frame(SILVER_GEO, places), frame(SILVER_USER, users))

    return join


def test_a_post_is_what_all_three_topics_have(joined):
    pin = {"title": "a", "follower_count": 9000, "category": "art", "_path": "p", "_last_batch": 3}
    place = {
        "country": "Peru",
        "coordinates": [1.5, None],
        "timestamp": at("2020-01-01"),
        "_path": "g",
        "_last_batch": 4,
    }
    user = {"user_name": "Ada Byron", "age": 36, "date_joined": at("2016-01-01"), "_path": "u", "_last_batch": 5}

    def of(row, *posts):
        return [row | {"ind": post} for post in posts]

    posts = joined(of(pin, 1, 2, 3, 7), of(place, 1, 2, 4, 7), of(user, 1, 3, 4, 7, 8))
    assert posts.columns == SILVER_POST.column_names
    types = [column.type.replace(": ", ":").replace(", ", ",") for column in SILVER_POST.columns]
    assert [kind for _, kind in posts.dtypes] == types
    found = {row["ind"]: row.asDict() for row in posts.collect()}
    assert found.keys() == {1, 7}
    expected = dict.fromkeys(SILVER_POST.column_names) | pin | place | user
    expected |= {"ind": 7, "_pin_batch": 3, "_geo_batch": 4, "_user_batch": 5}
    for lineage in ("_path", "_last_batch"):
        del expected[lineage]
    times = {name: found[7].pop(name).astimezone(UTC) for name in ("timestamp", "date_joined")}
    assert times == {name: expected.pop(name) for name in times}
    assert found[7] == expected


def test_warnings_of_all_three_come_together_and_one_about_the_post_as_a_whole(joined):
    joined_at = at("2020-01-01T00:00:00")
    cases = {
        1: ("2020-01-01T00:00:00", None, None, None, None),
        2: ("2020-01-01T00:00:01", ["p"], ["g"], ["u"], ["p", "g", "u"]),
        3: ("2019-12-31T23:59:59", None, None, None, ["posted_before_joining"]),
        4: ("2019-12-31T23:59:59", ["p"], None, ["u"], ["p", "posted_before_joining", "u"]),
        5: ("2020-01-02T00:00:00", None, ["g", "h"], None, ["g", "h"]),
        6: (None, None, None, ["u"], ["u"]),
    }

    def said(names):
        return names and [warning(name) for name in names]

    posts = joined(
        [{"ind": ind, "_warnings": said(pin)} for ind, (_, pin, _, _, _) in cases.items()],
        [
            {"ind": ind, "timestamp": posted and at(posted), "_warnings": said(place)}
            for ind, (posted, _, place, _, _) in cases.items()
        ],
        [{"ind": ind, "date_joined": joined_at, "_warnings": said(user)} for ind, (_, _, _, user, _) in cases.items()],
    )
    assert dict(posts.dtypes)["_warnings"] == ISSUES.replace(": ", ":").replace(", ", ",")
    found = {row["ind"]: row["_warnings"] for row in posts.collect()}
    names = {ind: warnings and sorted(one["name"] for one in warnings) for ind, warnings in found.items()}
    assert names == {ind: expected and sorted(expected) for ind, (*_, expected) in cases.items()}
    early = found[3][0]
    assert (early["message"], early["columns"]) == ("the post is older than its user", ["timestamp", "date_joined"])
