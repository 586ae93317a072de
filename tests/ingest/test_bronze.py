"""From real objects to bronze: offsets, what is new, and what an audit finds."""

from __future__ import annotations

import os

import pytest

from pinlake import pipeline
from pinlake.dump.objects import Layout, ObjectName
from pinlake.errors import SourceError, UsageError
from pinlake.ingest.reader import group
from pinlake.lake.accounting import account
from pinlake.lake.state import read_state
from tests.conftest import write_dump_files
from tests.ingest.conftest import Dump


def test_an_array_is_one_message_so_the_next_object_is_no_late_one(dump: Dump) -> None:
    dump.write(p0_0='[{"index":1},{"index":2},{"index":3}]', p0_2='{"index":5}')
    assert dump.read() == 2
    assert dump.rows("bronze", "offset", "position", "object_records", "object_messages") == [
        (0, 0, 3, 1),
        (0, 1, 3, 1),
        (0, 2, 3, 1),
        (2, 0, 1, 1),
    ]
    assert account(dump.lake).missing[0][1:] == (0, 1, 1)
    dump.write(p0_1='{"index":4}', p0_3='{"index":6}\n[]\n{"index":7}', p0_6="[]\n[]", p0_8='{"index":8}')
    assert dump.read() == 4
    assert dump.rows("bronze", "offset", "object_messages", "problem")[3:] == [
        (1, 1, None),
        (2, 1, None),
        (3, 3, None),
        (5, 3, None),
        (6, 2, "empty"),
        (8, 1, None),
    ]
    assert account(dump.lake).missing == []


@pytest.mark.slow
def test_what_was_read_is_not_read_again_and_a_hole_is_filled_without_an_audit(dump: Dump) -> None:
    dump.write(p0_0='{"index":0}\n{"index":1}', p0_5="", p1_3='{"index":2}')
    assert [dump.read(), dump.read()] == [3, 0]
    dump.write(p0_1='{"index":9}', p0_3='{"index":3}', p0_6='{"index":4}', p1_0='{"index":5}')
    # The object at 1 lies in the offsets of the one before it: only an audit looks for such a name.
    assert [dump.read(), dump.read(audit=True), dump.read(audit=True)] == [3, 1, 0]
    assert [row[1:] for row in dump.rows("object_report", "path", "kind")] == [("late",)]


@pytest.mark.slow
def test_an_audit_tells_what_changed_from_what_was_only_written_again(dump: Dump) -> None:
    dump.write(p0_0='{"index":0}', p0_1='{"index":1}', p0_2='{"index":2}')
    dump.read()
    os.utime(dump.path(0), (1, 1))
    dump.path(1).unlink()
    for number, title in enumerate(("a", "b"), start=2):
        dump.path(2).write_text(f'{{"index":2,"title":"{title}"}}')
        assert [dump.read(), dump.read(audit=True), dump.read(audit=True)] == [0, 1, 0]
        assert dump.rows("bronze", "offset", "batch")[-1] == (2, number)
    assert dump.rows("object_report", "kind", "message") == [
        ("changed", "has other content than in ingest batch 1; read again"),
        ("changed", "has other content than in ingest batch 2; read again"),
        ("lost", "was read before and is no longer in the dump"),
    ]


def test_objects_are_grouped_by_bytes_and_by_number() -> None:
    def offsets(groups: list[list[ObjectName]]) -> list[list[int]]:
        return [[name.offset for name in names] for names in groups]

    def sized(*sizes: int) -> list[tuple[ObjectName, int]]:
        return [(ObjectName.new("t", "pin", 0, offset), size) for offset, size in enumerate(sizes)]

    assert offsets(group(sized(4, 6, 1, 20, 1), group_bytes=10)) == [[0, 1], [2], [3], [4]]
    assert offsets(group(sized(0, 0, 0, 0, 0), group_objects=2)) == [[0, 1], [2, 3], [4]]
    assert group([]) == []


def test_the_folders_below_a_topic_may_be_anything(dump: Dump) -> None:
    write_dump_files(dump.folder, {})
    for hour, offset in (("hour=14", 0), ("hour=15", 1)):
        dump.add(f"year=2026/month=03/{hour}/t0.pin+0+{offset:010d}.json")
    dump.add("country=Peru/t0.pin+1+0000000000.json")
    dump.add("t0.pin+2+0.bin")
    dump.add("partition=3/deep/t0.pin+3+00000000000000000000.ndjson")
    assert dump.read() == 5
    assert dump.rows("bronze", "partition", "offset") == [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]
    assert dump.read() == 0
    # Late by its folder, and new by its name.
    dump.add("year=2026/month=03/hour=14/t0.pin+0+0000000002.json")
    assert dump.read() == 1
    assert account(dump.lake).missing == []


def test_names_of_a_kind_that_is_no_object_are_reported_once(dump: Dump) -> None:
    dump.write(p0_0='{"index":1}', p0_1='{"index":2}')
    for offset in range(2):
        dump.add(f"partition=0/t0.pin+0+{offset:010d}.keys.json")
        dump.add(f"partition=0/t0.pin+0+{offset:010d}.avro")
        dump.add(f"_temporary/{offset}.json")
    assert dump.read() == 2
    pin = "topics/t0.pin"
    first = f"{pin}/partition=0/t0.pin+0+0000000000"
    reported = dump.rows("object_report", "topic", "path", "kind")
    assert reported == [
        ("pin", f"{pin}/_temporary", "hidden file"),
        ("pin", f"{first}.avro", "foreign format"),
        ("pin", f"{first}.keys.json", "foreign file"),
    ]
    dump.add("partition=0/another.keys.json")
    dump.read()
    assert dump.rows("object_report", "topic", "path", "kind") == reported
    assert any("JsonFormat" in message for (message,) in dump.rows("object_report", "message"))


def test_files_of_which_none_is_an_object_are_no_empty_success(dump: Dump) -> None:
    write_dump_files(dump.folder, {})
    dump.add("partition=0/t0.pin-0-0000000000.json")
    dump.add("partition=0/t0.pin-0-0000000001.json")
    told = r"holds 2 files.*the first is topics/t0\.pin/partition=0/t0\.pin-0-0000000000\.json.*\.ndjson.*--file-delim"
    with pytest.raises(SourceError, match=told):
        dump.read()
    dump.add("partition=0/t0.pin+0+0000000000.json")
    assert dump.read() == 1


def test_an_object_that_came_again_longer_fills_the_hole_after_it(dump: Dump) -> None:
    dump.write(p0_0='{"index":0}\n{"index":1}', p0_2='{"index":2}')
    assert dump.read() == 2
    dump.path(2).write_text('{"index":2}\n{"index":3}\n{"index":4}')
    # Without a hole nothing is looked at again.
    assert dump.read() == 0
    dump.write(p0_5='{"index":5}')
    assert dump.read() == 2
    assert account(dump.lake).missing == []
    assert dump.rows("object_report", "path", "kind") == [
        ("topics/t0.pin/partition=0/t0.pin+0+0000000002.json", "changed")
    ]
    assert dump.read() == 0


@pytest.mark.slow
def test_an_object_before_a_known_hole_is_looked_at_again(dump: Dump) -> None:
    dump.write(p0_0='{"index":0}', p0_2='{"index":2}')
    assert (dump.read(), dump.read()) == (2, 0)
    dump.path(0).write_text('{"index":0}\n{"index":1}')
    assert dump.read() == 1
    assert account(dump.lake).missing == []
    # By another delimiter its name is none: what is known of it stays, and what is new is read.
    dump.path(2).write_text('{"index":2}\n{"index":3}')
    dump.add("t0.pin-0-5.json")
    assert dump.read(layout=Layout(delimiter="-")) == 1


@pytest.mark.slow
def test_an_accepted_hole_neither_counts_nor_slows_a_listing(dump: Dump) -> None:
    dump.write(p0_1='{"index":1}', p0_5='{"index":5}')
    dump.read()
    run = pipeline.new_run()
    accepted = pipeline.run_accept(dump.lake, run, "pin", "compacted", "somebody", first=0, last=3)
    assert accepted == [("pin", 0, 0, 0), ("pin", 0, 2, 3)]
    progress = read_state(dump.lake).progress["pin"]
    assert (progress.missing, progress.accepted, progress.first_new(0)) == ([("pin", 0, 4, 4)], accepted, 4)
    assert account(dump.lake).missing == [("pin", 0, 4, 4)]
    with pytest.raises(UsageError, match="no missing offsets there"):
        pipeline.run_accept(dump.lake, run, "geo", "compacted", "somebody")
    # What comes in spite of it is read.
    dump.write(p0_3='{"index":3}')
    assert dump.read() == 1
