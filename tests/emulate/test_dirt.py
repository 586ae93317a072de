"""Kinds of dirt, one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pinlake.emulate.dirt import KINDS, respelled
from pinlake.topics import GEO, PIN, STORY_TYPE, USER, Topic

PIN_ROW = {"index": 14, "title": "a", "poster_name": "b", "follower_count": "320"}
GEO_ROW = {"ind": 14, "timestamp": "2020-08-28T03:52:47", "latitude": -42.0773, "country": "Peru"}
USER_ROW = {"ind": 14, "age": 30, "date_joined": "2016-01-02 03:04:05"}


def texts(kind_name: str, topic: Topic, row: dict[str, Any]) -> list[str]:
    """What is sent for the row at the low and the high end of the variants."""
    kind = next(kind for kind in KINDS if kind.name == kind_name)
    return [kind.form(kind.change(topic, row, share), share) for share in (0.0, 0.999)]


@pytest.mark.parametrize(
    ("kind", "topic", "row", "expected"),
    [
        ("missing_poster", PIN, PIN_ROW, ['{"index": 14, "title": "a", "follower_count": "320"}'] * 2),
        ("upper_keys", USER, {"ind": 1}, ['{"IND": 1}'] * 2),
        ("padded_keys", USER, {"ind": 1}, ['{" ind ": 1}'] * 2),
        ("key_order", USER, {"ind": 1, "age": 2}, ['{"age": 2, "ind": 1}'] * 2),
        ("extra_field", USER, {"ind": 1}, ['{"ind": 1, "app_version": "4.2"}', '{"retries": 2, "ind": 1}']),
        ("pretty", USER, {"ind": 1}, ['{\n  "ind": 1\n}'] * 2),
        ("array", USER, {"ind": 1}, ['[{"ind": 1}]'] * 2),
        ("null_row", USER, {"ind": 1, "age": 2}, ['{"ind": null, "age": null}'] * 2),
        ("bad_index", PIN, {"index": 1}, ['{"index": "n/a"}', '{"index": 14.5}']),
        ("bad_age", USER, {"age": 2}, ['{"age": 121}', '{"age": -1}']),
        ("bad_position", GEO, {"ind": 1}, ['{"ind": 1, "latitude": 90.5}', '{"ind": 1, "longitude": -180.25}']),
        ("bad_time", GEO, {}, ['{"timestamp": "yesterday"}', '{"timestamp": "2020-13-41 03:52:47"}']),
        ("no_object", USER, USER_ROW, ["null", "12"]),
        ("cut", USER, {"ind": 1}, ["{", '{"ind": 1']),
        ("follower_count_unreadable", PIN, {}, ['{"follower_count": "many"}', '{"follower_count": "12 thousand"}']),
        ("story_mismatch", PIN, {"is_image_or_video": "video"}, [f'{{"is_image_or_video": "{STORY_TYPE}"}}'] * 2),
        ("download_mismatch", PIN, {"downloaded": 1}, ['{"downloaded": 0}'] * 2),
        ("placeholder_mismatch", PIN, {"title": "a"}, ['{"title": "No Title Data Available"}'] * 2),
        ("location_mismatch", PIN, {}, ['{"save_location": "Local save in /data/elsewhere"}'] * 2),
        ("in_the_future", USER, {}, ['{"date_joined": "2099-01-01T00:00:00"}'] * 2),
        ("not_a_number", GEO, {"country": "Peru"}, ['{"country": NaN}'] * 2),
        ("duplicate_key", USER, {"ind": 1, "age": 2}, ['{"ind": 1, "age": 2, "ind": 1}'] * 2),
        ("misrouted", GEO, {"ind": 1}, ['{"ind": 1}'] * 2),
    ],
)  # fmt: skip
def test_texts_of_a_kind(kind: str, topic: Topic, row: dict[str, Any], expected: list[str]) -> None:
    assert texts(kind, topic, row) == expected


@pytest.mark.parametrize(("topic", "row"), [(PIN, PIN_ROW), (GEO, GEO_ROW), (USER, USER_ROW)])
def test_a_conflict_is_always_another_record(topic: Topic, row: dict[str, Any]) -> None:
    changed = json.loads(texts("conflict", topic, row)[0])
    assert changed != row
    assert json.loads(texts("conflict", topic, changed)[0]) != changed


@pytest.mark.parametrize(
    ("followers", "expected"), [("320", 320), ("0", 0), ("007", "007"), ("12k", "12k"), ("²", "²"), (None, None)]
)
def test_other_types_lose_nothing(followers: str | None, expected: Any) -> None:
    row = {"index": 14, "title": "5", "follower_count": followers, "latitude": -42.0773}
    assert json.loads(texts("other_types", PIN, row)[0]) == {
        "index": "14",
        "title": "5",
        "follower_count": expected,
        "latitude": "-42.0773",
    }


def test_spellings_go_round() -> None:
    first = GEO_ROW
    second = respelled(GEO, first)
    third = respelled(GEO, second)
    assert [row["timestamp"] for row in (first, second, third)] == [
        "2020-08-28T03:52:47",
        "2020:08:28 03:52:47",
        "2020-08-28 03:52:47",
    ]
    assert respelled(GEO, third) == first
    assert respelled(PIN, PIN_ROW) == PIN_ROW
    assert respelled(GEO, {" TIMESTAMP ": "2020-08-28T03:52:47"}) == {" TIMESTAMP ": "2020:08:28 03:52:47"}
    assert respelled(GEO, {"timestamp": "soon"}) == {"timestamp": "soon"}
