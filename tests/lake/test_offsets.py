"""Progress and holes from what bronze knows of its objects."""

from __future__ import annotations

from pinlake.lake.offsets import Hole, progress

BRONZE = "topic string, partition int, object_offset bigint, object_messages int, position int, problem string"


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
    found = progress(spark.createDataFrame(rows, BRONZE))
    assert found["pin"].highest == {0: 3, 1: 19}
    assert found["pin"].missing == [Hole("pin", 1, 0, 9), Hole("pin", 1, 15, 18)]
    assert [hole.size for hole in found["pin"].missing] == [10, 4]
    assert (found["geo"].highest, found["geo"].missing) == ({0: 2}, [])
    inside = [(p, o) for p in (0, 1, 2) for o in range(22) if found["pin"].in_hole(p, o)]
    assert inside == [(1, offset) for offset in (*range(10), *range(15, 19))]
