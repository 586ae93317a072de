"""Progress and holes from what bronze knows of its objects."""

from __future__ import annotations

import pytest

from pinlake.dump.objects import ObjectName
from pinlake.dump.offsets import Hole, KnownObject, progress

BRONZE = (
    "topic string, partition int, object_offset bigint, object_messages int, position int, problem string, path string"
)


def bronze(spark, rows):
    return spark.createDataFrame(rows, BRONZE).selectExpr(
        "*", "1L AS batch", "'t0' AS topic_id", "10L AS size", "timestamp_micros(7) AS modified"
    )


def test_the_highest_start_and_the_holes_of_each_partition(spark):
    rows = [
        # no hole: three messages, then one, the first object read twice
        ("pin", 0, 0, 3, 0, None),
        ("pin", 0, 0, 3, 1, None),
        ("pin", 0, 0, 3, 0, None),
        ("pin", 0, 3, 1, 0, None),
        # the beginning is missing, an object lies within the one before it, 15 to 18 are missing
        ("pin", 1, 10, 5, 0, None),
        ("pin", 1, 11, 1, 0, None),
        ("pin", 1, 19, 1, 0, None),
        # empty and unreadable objects cover their offset
        ("geo", 0, 0, 0, None, "empty"),
        ("geo", 0, 1, 0, None, "unreadable: cut"),
        ("geo", 0, 2, 1, 0, None),
    ]
    found = progress(bronze(spark, [(*row, "topics/an/object") for row in rows]))
    assert found["pin"].highest == {0: 3, 1: 19}
    assert found["pin"].missing == [Hole("pin", 1, 0, 9), Hole("pin", 1, 15, 18)]
    assert found["pin"].last == dict.fromkeys((0, 1), KnownObject("topics/an/object", 10, 7))
    assert found["pin"].before_holes == [KnownObject("topics/an/object", 10, 7)]
    assert [hole.size for hole in found["pin"].missing] == [10, 4]
    assert (found["geo"].highest, found["geo"].missing) == ({0: 2}, [])
    inside = [(p, o) for p in (0, 1, 2) for o in range(22) if found["pin"].in_hole(p, o)]
    assert inside == [(1, offset) for offset in (*range(10), *range(15, 19))]


@pytest.mark.parametrize("folder", ["topics", "data", "."])
def test_a_partition_that_a_stream_went_on_with(spark, folder):
    message, whole = "kafka/t0.pin/0/9", f"{folder}/t0.pin/partition=0/t0.pin+0+0000000009.json".removeprefix("./")
    rows = [
        # a stream to offset 12 in partition 0; in partition 1 an object has its last message too
        ("pin", 0, 0, 10, 0, None, whole),
        *[("pin", 0, offset, 1, 0, None, message) for offset in (10, 11, 12)],
        ("pin", 1, 4, 1, 0, None, message),
        ("pin", 1, 0, 5, 0, None, whole),
        # records of Kinesis are numbered in their stream
        ("geo", 0, 7, 1, 0, None, "kinesis/t0-geo/shardId-000000000000/1"),
    ]
    found = progress(bronze(spark, rows))
    pin = found["pin"]
    assert (pin.ends, pin.streamed) == ({0: 13, 1: 5}, {0})
    assert found["geo"].missing == []
    names = [ObjectName.new("t0", "pin", partition, offset) for partition in (0, 1) for offset in (0, 5, 11, 20)]
    assert {partition: last.path for partition, last in pin.last.items()} == {0: message, 1: whole}
    assert pin.straddling(names) == {names[2]}
