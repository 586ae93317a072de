"""One row per post: duplicates count as one, and of differing records the later Kafka position wins."""

import random
from collections import defaultdict

import pytest
from chispa import assert_df_equality
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from pinlake.clean.cleaners import content_columns
from pinlake.clean.latest import latest, merged
from pinlake.lake.model import ISSUES
from pinlake.topics import GEO, PIN
from tests.rows import record

COLUMNS = ["ind", "title", "description"]
CLEAN = (
    "ind bigint, title string, description string, _offset bigint, _partition int, _position int, _batch bigint,"
    f" _path string, _run_id string, _warnings {ISSUES}, _rescued string"
)


@pytest.fixture
def clean_rows(spark):
    """Clean records as (ind, title, description, offset); also partition, position, batch, path, run."""

    def build(rows):
        full = []
        for ind, title, description, offset, *place in rows:
            partition, position, batch, *more = (*place, *(0, 0, 1)[len(place) :])
            warnings = [("odd", f"offset {offset}", [])] if title == "odd" else None
            path, run = (*more, *(f"{partition}/{offset - position}", "run")[len(more) :])
            full.append((ind, title, description, offset, partition, position, batch, path, run, warnings, None))
        return spark.createDataFrame(full, CLEAN)

    return build


def counted(frame):
    """Per post: the winner's content, its offset and partition, how many records and how many contents there were."""
    found = {}
    for row in frame.collect():
        # Unsorted, equal tables would differ.
        assert row["_records"] == sorted(row["_records"])
        assert row["_contents"] == sorted(row["_contents"])
        winner = [row[name] for name in (*COLUMNS[1:], "_offset", "_partition")]
        found[row["ind"]] = (*winner, len(row["_records"]), len(row["_contents"]))
    return found


def test_duplicates_count_as_one_and_the_later_position_wins(clean_rows):
    rows = [
        (1, "a", "x", 10),
        # 2: the same three times
        (2, "a", "x", 11),
        (2, "a", "x", 12),
        (2, "a", "x", 13),
        # 3: a conflict, the winner first
        (3, "new", "x", 21),
        (3, "old", "x", 20),
        # 4: A-B-A
        (4, "a", "x", 30),
        (4, "b", "x", 31),
        (4, "a", "x", 32),
        # 5: two differing records and a duplicate of the loser
        (5, "a", "x", 40),
        (5, "a", "x", 41),
        (5, "b", "x", 42),
        # 6: offset before partition, 7: partition where the offsets are equal, 8: position, 9: batch
        (6, "late", "x", 51, 0),
        (6, "early", "x", 50, 1),
        (7, "first", "x", 60, 0),
        (7, "second", "x", 60, 1),
        (8, "first", "x", 70, 0, 0),
        (8, "second", "x", 70, 0, 1),
        (9, "before", "x", 80, 0, 0, 1),
        (9, "again", "x", 80, 0, 0, 2),
        # 10: a later batch says nothing where the offset is lower
        (10, "late", "x", 91, 0, 0, 1),
        (10, "early", "x", 90, 0, 0, 2),
        # 11: partition before position, 12: two records of one object, 13: one record that is there twice
        (11, "first", "x", 100, 0, 1),
        (11, "second", "x", 100, 1, 0),
        (12, "a", "x", 110, 0, 0),
        (12, "a", "x", 111, 0, 1),
        (13, "a", "x", 120, 0, 0, 1),
        (13, "a", "x", 120, 0, 0, 1),
        # 14: position before batch, where one object reaches into the offsets of the next
        (14, "first", "x", 130, 0, 1, 1),
        (14, "second", "x", 130, 0, 0, 2),
        # 15: an object and its compressed copy, path before batch; 16: two runs that read one object at once
        (15, "first", "x", 140, 0, 0, 2, "a.json"),
        (15, "second", "x", 140, 0, 0, 1, "a.json.gz"),
        (16, "a", "x", 150, 0, 0, 1, "a.json", "run 1"),
        (16, "a", "x", 150, 0, 0, 1, "a.json", "run 2"),
    ]
    expected = {
        1: ("a", "x", 10, 0, 1, 1),
        2: ("a", "x", 13, 0, 3, 1),
        3: ("new", "x", 21, 0, 2, 2),
        4: ("a", "x", 32, 0, 3, 2),
        5: ("b", "x", 42, 0, 3, 2),
        6: ("late", "x", 51, 0, 2, 2),
        7: ("second", "x", 60, 1, 2, 2),
        8: ("second", "x", 70, 0, 2, 2),
        9: ("again", "x", 80, 0, 2, 2),
        10: ("late", "x", 91, 0, 2, 2),
        11: ("second", "x", 100, 1, 2, 2),
        12: ("a", "x", 111, 0, 2, 1),
        13: ("a", "x", 120, 0, 1, 1),
        14: ("first", "x", 130, 0, 2, 2),
        15: ("second", "x", 140, 0, 2, 2),
        16: ("a", "x", 150, 0, 2, 1),
    }
    once = latest(clean_rows(rows), COLUMNS)
    assert counted(once) == expected
    shuffled = random.Random(5).sample(rows, len(rows))
    assert_df_equality(latest(clean_rows(shuffled), COLUMNS), once, ignore_row_order=True)


def test_a_value_in_another_column_is_another_content(clean_rows):
    rows = [
        (1, None, "a", 10),
        (1, "a", None, 11),
        (2, None, None, 20),
        (2, None, "", 21),
        (3, "ab", "c", 30),
        (3, "a", "bc", 31),
        (4, None, None, 40),
        (4, None, None, 41),
    ]
    found = counted(latest(clean_rows(rows), COLUMNS))
    assert {ind: contents for ind, (*_, contents) in found.items()} == {1: 2, 2: 2, 3: 2, 4: 1}


def test_a_missing_latitude_is_not_a_missing_longitude(clean_frame):
    one_of_two = {
        "latitude": record("geo", {"latitude": 12.5, "longitude": None}),
        "longitude": record("geo", {"latitude": None, "longitude": 12.5}),
    }
    row = latest(clean_frame("geo", one_of_two), content_columns(GEO)).collect()[0]
    assert row["coordinates"] == [None, 12.5]
    assert (len(row["_records"]), len(row["_contents"])) == (2, 2)


def test_records_are_equal_where_they_are_after_cleaning(clean_frame):
    same_pin = {
        "usual": record("pin"),
        "count written out": record("pin", {"follower_count": "9000"}),
        "with an extra field": record("pin", {"mood": "good"}),
        "other dropped field": record("pin", {"downloaded": 0}),
        "path alone": record("pin", {"save_location": "/data/travel"}),
    }
    row = latest(clean_frame("pin", same_pin), content_columns(PIN)).collect()[0]
    assert (len(row["_records"]), len(row["_contents"])) == (5, 1)
    spellings = ["2020-08-28 03:52:47", "2020-08-28T03:52:47", "2020:08:28 03:52:47"]
    same_place = {stamp: record("geo", {"timestamp": stamp}) for stamp in spellings}
    row = latest(clean_frame("geo", same_place), content_columns(GEO)).collect()[0]
    assert (len(row["_records"]), len(row["_contents"])) == (3, 1)


def test_lineage_is_the_winners_and_the_last_batch_anyones(clean_rows):
    rows = [(1, "odd", "x", 11, 3, 1, 1), (1, "b", "x", 10, 4, 0, 2), (2, "b", "x", 21, 0), (2, "odd", "x", 20, 0)]
    found = {row["ind"]: row for row in latest(clean_rows(rows), COLUMNS).collect()}
    places = {
        ind: tuple(row[name] for name in ("_partition", "_offset", "_position", "_path", "_batch", "_last_batch"))
        for ind, row in found.items()
    }
    assert places == {1: (3, 11, 1, "3/10", 1, 2), 2: (0, 21, 0, "0/21", 1, 1)}
    assert [warning["message"] for warning in found[1]["_warnings"]] == ["offset 11"]
    assert found[2]["_warnings"] is None


def merge(old, new):
    """What a MERGE with `merged` makes of two silver tables."""
    both = old.alias("old").join(new.alias("new"), F.expr("old.ind = new.ind"), "full")
    taken = merged(COLUMNS)
    untouched = {name: f"coalesce(old.`{name}`, new.`{name}`)" for name in new.columns}
    paired = F.expr("old.ind IS NOT NULL AND new.ind IS NOT NULL")
    return both.select(
        *[
            F.when(paired, F.expr(taken.get(name, "old.ind"))).otherwise(F.expr(untouched[name])).alias(name)
            for name in new.columns
        ]
    )


records = st.tuples(
    st.integers(1, 12),
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([None, "a"]),
    st.integers(0, 40),
    st.integers(0, 2),
)


@settings(
    max_examples=3,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow],
)
@given(rows=st.lists(records, min_size=60, max_size=120, unique_by=lambda row: row[3:]), random=st.randoms())
def test_whole_or_in_batches_silver_is_what_plain_python_finds(clean_rows, rows, random):
    by_post = defaultdict(list)
    for ind, title, description, offset, partition in rows:
        by_post[ind].append((offset, partition, title, description))
    expected = {}
    for ind, found in by_post.items():
        offset, partition, title, description = max(found, key=lambda one: one[:2])
        expected[ind] = (title, description, offset, partition, len(found), len({one[2:] for one in found}))
    assert counted(latest(clean_rows(rows), COLUMNS)) == expected
    random.shuffle(rows)
    # The second batch has some records of the first again, as a stopped run's repetition has.
    first, second = rows[: len(rows) // 2], rows[len(rows) // 3 :]
    in_batches = merge(latest(clean_rows(first), COLUMNS), latest(clean_rows(second), COLUMNS))
    assert counted(in_batches) == expected


def test_a_merge_keeps_the_highest_batch_and_the_winners_lineage(clean_rows):
    old = latest(clean_rows([(1, "odd", "x", 11, 0, 0, 1), (2, "b", "x", 20, 0, 0, 1)]), COLUMNS)
    new = latest(clean_rows([(1, "b", "x", 10, 0, 0, 2), (2, "odd", "x", 21, 0, 0, 2)]), COLUMNS)
    found = {row["ind"]: row for row in merge(old, new).collect()}
    assert {ind: (row["title"], row["_path"], row["_batch"], row["_last_batch"]) for ind, row in found.items()} == {
        1: ("odd", "0/11", 1, 2),
        2: ("odd", "0/21", 2, 2),
    }
    assert {ind: row["_warnings"][0]["message"] for ind, row in found.items()} == {1: "offset 11", 2: "offset 21"}
    assert {ind: (len(row["_records"]), len(row["_contents"])) for ind, row in found.items()} == {1: (2, 2), 2: (2, 2)}
