"""The clean content of rows from elsewhere: what is equal, what differs, what is quarantined."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from pinlake.clean.cleaners import clean_records, content_columns
from pinlake.emulate.content import content_of
from pinlake.topics import GEO, PIN, TOPICS, USER, Topic
from tests.clean.conftest import BRONZE, INGESTED_AT, in_utc
from tests.rows import USUAL

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
        (PIN, {"ind": 1}),
        (PIN, {"downloaded": True}),
        (GEO, {"country": "\u3000Peru "}),
        (GEO, {"timestamp": "2020-08-28T05:52:47.000+02:00"}),
        (GEO, {"timestamp": 1598586767}),
        (GEO, {"timestamp": 1598586767000.0}),
        (GEO, {"timestamp": "2020:08:28 03:52:47"}),
        (GEO, {"timestamp": "2020-08-28 03:52:47"}),
        (GEO, {"latitude": "1.5", "longitude": -2}),
        (USER, {"age": "20"}),
        (USER, {"first_name": None, "last_name": "Ann Lee"}),
        (USER, {"first_name": "Ann "}),
    ],
)
def test_a_record_that_is_equal_after_cleaning_has_the_same_content(topic: Topic, change: dict[str, Any]) -> None:
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
def test_a_record_that_differs_after_cleaning_has_other_content(topic: Topic, change: dict[str, Any]) -> None:
    row = ROWS[topic.name]
    before, after = content_of(topic, row), content_of(topic, {**row, **change})
    assert before
    assert after
    assert before != after


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        (PIN, {"index": None}),
        (PIN, {"index": "n/a"}),
        (PIN, {"index": 14.5}),
        (PIN, {"index": True}),
        (PIN, {"ind": 2}),
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
def test_a_record_that_is_quarantined_has_no_content(topic: Topic, change: dict[str, Any]) -> None:
    assert content_of(topic, {**ROWS[topic.name], **change}) is None


@pytest.mark.parametrize("row", [PIN_ROW, GEO_ROW])
def test_misrouted_records_are_quarantined(row: dict[str, Any]) -> None:
    assert content_of(USER, row) is None


ODD: tuple[Any, ...] = (
    *(None, "", " ", "\t", "\u00a0", True, False, [], [1], {}, {"a": 1}, "[1]", "{}", "null", "true", 0, -1, 7, "7"),
    *(" 7 ", "\t7\n", "+7", "007", "7.0", 7.0, "+7.00", "7.", ".5", 7.5, "7e0", "1_0", "\u0667", "14.0", 20, "20"),
    *(120, 121, 90, 90.0, -90, 90.5, -180, -180.25, 0.1, 0.1 + 0.2, 1e-4, "1e-4", 0.0, -0.0, "nan", "Infinity", 1e7),
    *("10000000.0", "1.0E7", 12345678.0, 12345678.5, 1234567.1234567891, 0.03333333333333333, 1e16, 1e300, "1e999"),
    *(2**63 - 1, 2**63, "-9223372036854775808", -(2**63) - 1, "12k", "12 K", "12.5k", "1.0001k", "1.2345k", "12kk"),
    *("9223372036854775807", "9223372037b", "0.0000000010b", "12000", "2020:08:28T03:52:47", "2020:08:28 03:52:47"),
    *("2020-08-28T03:52:47", " 2020-08-28 03:52:47\n", "2020-02-30 00:00:00", "0000-01-01 00:00:00"),
    *("0001-01-01 00:00:00", "2020-08-28 24:00:00", "2020-08-28 03:52:60", "2020-08-28", 20200828),
    *("Local save in /data/art", " Local save in  /data/art ", "Local save in", "Local save inside"),
    *("Local save in/data/art", "2020-08-28T03:52:47Z", "2020-08-28T05:52:47.50+02:00"),
    *("2020-08-28 03:52:47.123456789 UTC", "2020-08-28T03:52:47+1900", "2020-08-28T03:52:47-07", 1598586767),
    *("1598586767000", 1598586767.25, 1598586767123.5, 598586767, 4102444800, "1,234", "12,34", "1,234k", "\uff17"),
    *("\u00a07\u3000", "\u22127", ["a", "b"], ["a", None], [None], ["a", 1], float("nan"), float("-inf")),
    *("\u00a0Ada\u3000", "Ada", "Ada ", " Ada", "Ada\t", "Ada Byron", "User Info Error", "User Info Error "),
    *("Image src error.", "Untitled"),
)


def odd_records(topic: Topic) -> list[dict[str, Any]]:
    """Each odd value in each field, and what is odd about a whole record."""
    usual = USUAL[topic.name]
    changed = [{**usual, name: value} for name in topic.field_names for value in ODD]
    others = [record for name, record in USUAL.items() if name != topic.name]
    names = [{**usual, "first_name": first, "last_name": last} for first in ODD[:8] for last in ODD[:8]]
    return [
        *changed,
        *others,
        *(names if topic is USER else []),
        {},
        {topic.key: 7},
        dict.fromkeys(usual),
        {**dict.fromkeys(usual), topic.key: 7},
        {**dict.fromkeys(usual, ""), topic.key: 7},
        *({name: value for name, value in usual.items() if name != gone} for gone in usual),
        *({topic.key: 7, name: usual[name]} for name in topic.own_names),
        {name.upper(): value for name, value in usual.items()},
        {f" {name} ": value for name, value in usual.items()},
        {f"{name}\t": value for name, value in usual.items()},
        {topic.key.upper(): 8, **usual},
        {**usual, topic.key.upper(): 8},
        {**{name.upper(): value for name, value in usual.items()}, f" {topic.key}": 8},
        {**usual, topic.field(topic.key).also[0]: 8},
        {**usual, topic.field(topic.key).also[0]: "7.0"},
        {
            topic.other_names.get(name, topic.field(topic.key).also[0] if name == topic.key else name): value
            for name, value in usual.items()
        },
        {**usual, "score": 0.1 + 0.2},
        {**usual, "scores": [0.1 + 0.2]},
    ]


def cleaned(spark: SparkSession, topic: Topic, records: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...] | None]:
    """What the real cleaning makes of each record: its content, None where it has errors."""
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    rows = [(text, None, None, None, 0, number, 0, "", 1, "run", INGESTED_AT) for number, text in enumerate(texts)]
    found = in_utc(clean_records(spark.createDataFrame(rows, BRONZE), topic)).orderBy("_offset").collect()
    # As text: 0.0 and -0.0 differ.
    return [None if row["_errors"] else tuple(str(row[name]) for name in content_columns(topic)) for row in found]


def check_agreement(spark: SparkSession, topic: Topic, records: Sequence[Mapping[str, Any]]) -> None:
    """The same records are quarantined, and the same are equal to each other."""
    first: dict[tuple[Any, ...], tuple[object, ...]] = {}
    for record, real in zip(records, cleaned(spark, topic, records), strict=True):
        found = content_of(topic, record)
        assert (found is None) == (real is None), record
        if real is not None and found is not None:
            assert repr(first.setdefault(real, found)) == repr(found), record
    assert len(set(map(repr, first.values()))) == len(first)


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS.values(), ids=list(TOPICS))
def test_odd_records_become_what_cleaning_makes_of_them(spark: SparkSession, topic: Topic) -> None:
    check_agreement(spark, topic, odd_records(topic))


VALUES = st.one_of(
    st.sampled_from(ODD),
    st.text("0123456789+-.eEkMb: T\t\n", max_size=12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes().map(lambda time: f"{time:%Y:%m:%d %H:%M:%S}"),
)


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS.values(), ids=list(TOPICS))
# The assertion names the record, and shrinking would ask Spark hundreds of times.
@settings(max_examples=2, phases=[Phase.generate])
@given(data=st.data())
def test_any_records_become_what_cleaning_makes_of_them(spark: SparkSession, topic: Topic, data: st.DataObject) -> None:
    changes = st.dictionaries(st.sampled_from(topic.field_names), VALUES, max_size=3)
    records = data.draw(
        st.lists(changes.map(lambda change: {**USUAL[topic.name], **change}), min_size=50, max_size=200)
    )
    check_agreement(spark, topic, records)
