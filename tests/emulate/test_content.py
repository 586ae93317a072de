"""The clean content of rows from elsewhere: what is equal, what differs, what is quarantined."""

from __future__ import annotations

from typing import Any

import pytest

from pinlake.emulate.content import content_of, digest_of
from pinlake.topics import GEO, PIN, USER, Topic

PIN_ROW = {
    "index": 1,
    "title": "a",
    "follower_count": "12k",
    "save_location": "Local save in /data/art",
    "downloaded": 1,
}
GEO_ROW = {"ind": 1, "timestamp": "2020-08-28T03:52:47", "latitude": 1.5, "longitude": -2.0, "country": "Peru"}
USER_ROW = {"ind": 1, "first_name": "Ann", "last_name": "Lee", "age": 20, "date_joined": "2016-01-02 03:04:05"}
ROWS = {"pin": PIN_ROW, "geo": GEO_ROW, "user": USER_ROW}


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        (PIN, {"index": "1"}),
        (PIN, {"index": 1.0}),
        (PIN, {"downloaded": 0}),
        (PIN, {"follower_count": "12000"}),
        (PIN, {"follower_count": 12000}),
        (PIN, {"follower_count": "12.0K"}),
        (PIN, {"poster_name": None}),
        (PIN, {"poster_name": "User Info Error"}),
        (PIN, {"description": ""}),
        (PIN, {"save_location": "/data/art"}),
        (PIN, {"extra": 5}),
        (GEO, {"timestamp": "2020:08:28 03:52:47"}),
        (GEO, {"timestamp": "2020-08-28 03:52:47"}),
        (GEO, {"latitude": "1.5", "longitude": -2}),
        (USER, {"age": "20"}),
        (USER, {"first_name": None, "last_name": "Ann Lee"}),
    ],
)
def test_equal_after_cleaning(topic: Topic, change: dict[str, Any]) -> None:
    row = ROWS[topic.name]
    assert content_of(topic, {**row, **change}) == content_of(topic, row) is not None


def test_keys_in_another_case_or_padded_are_matched() -> None:
    assert content_of(GEO, {f" {name.upper()} ": value for name, value in GEO_ROW.items()}) == content_of(GEO, GEO_ROW)


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        (PIN, {"title": "b"}),
        (PIN, {"poster_name": "a"}),
        (PIN, {"follower_count": "13k"}),
        (GEO, {"country": "Chad"}),
        (GEO, {"timestamp": "2020-08-28T03:52:48"}),
        (USER, {"age": 21}),
        (USER, {"last_name": "Li"}),
        (USER, {"ind": 2}),
    ],
)
def test_different_after_cleaning(topic: Topic, change: dict[str, Any]) -> None:
    row = ROWS[topic.name]
    before, after = content_of(topic, row), content_of(topic, {**row, **change})
    assert before
    assert after
    assert digest_of(before) != digest_of(after)


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        (PIN, {"index": None}),
        (PIN, {"index": "n/a"}),
        (PIN, {"index": 14.5}),
        (PIN, {"index": True}),
        (PIN, {"title": ["a"]}),
        (GEO, {"timestamp": "2020-13-28 03:52:47"}),
        (GEO, {"timestamp": ""}),
        (GEO, {"latitude": 90.5}),
        (GEO, {"longitude": "-180.25"}),
        (GEO, {"latitude": "north"}),
        (USER, {"age": 121}),
        (USER, {"age": -1}),
        (USER, {"date_joined": None}),
    ],
)
def test_quarantined(topic: Topic, change: dict[str, Any]) -> None:
    assert content_of(topic, {**ROWS[topic.name], **change}) is None


@pytest.mark.parametrize("row", [PIN_ROW, GEO_ROW])
def test_misrouted_records_are_quarantined(row: dict[str, Any]) -> None:
    assert content_of(USER, row) is None
