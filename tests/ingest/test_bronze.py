"""From real objects to bronze: offsets, what is new, and what an audit finds."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from pinlake import pipeline
from pinlake.errors import SourceError
from pinlake.ingest.bronze import ingest
from pinlake.ingest.reader import Sized, group
from pinlake.lake.accounting import account
from pinlake.lake.lake import Lake
from pinlake.lake.state import LakeState, read_state
from pinlake.objects import ObjectName
from pinlake.store.base import Content
from pinlake.store.folder import FolderStore
from tests.conftest import write_dump_files


@dataclass
class Dump:
    """A dump of pins alone, and the lake that it is read into."""

    folder: Path
    lake: Lake

    def write(self, **objects: bytes | str) -> None:
        """`p0_12=…` is the object of partition 0 that starts at offset 12, `p0_12_gz=…` its compressed copy."""
        places = {name[1:].replace("_", "/", 1).replace("_gz", ".gz"): content for name, content in objects.items()}
        write_dump_files(self.folder, {"pin": places})

    def path(self, offset: int) -> Path:
        return self.folder / f"topics/t0.pin/partition=0/t0.pin+0+{offset:010}.json"

    def read(self, audit: bool = False) -> int:
        """How many objects were read."""
        found = ingest(self.lake, FolderStore(self.folder), None, pipeline.new_run(), read_state(self.lake), audit)
        return sum(len(topic.objects) for topic in found)

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in self.lake.read(table).select(*columns).collect())


@pytest.fixture
def dump(shared_disk: None, spark: SparkSession, tmp_path: Path) -> Dump:
    return Dump(tmp_path / "dump", Lake(spark, f"t_{uuid4().hex[:12]}", root=tmp_path / "lake"))


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


@pytest.mark.slow
def test_an_unreadable_object_is_told_once_and_counts_until_it_can_be_read(dump: Dump) -> None:
    whole = gzip.compress(b'{"index":0}')
    dump.write(p0_0_gz=whole[:-4], p0_1="", p0_2='{"index":2}')
    dump.folder.joinpath("topics/t0.pin/partition=0/t0.pin+0+0000000003.json").symlink_to("gone")

    def counted() -> tuple[int, int, int, int]:
        pin = next(count for count in account(dump.lake).topics if count.topic == "pin")
        return pin.received, pin.bronze, pin.unreadable, pin.empty_objects

    assert (dump.read(), counted()) == (4, (3, 1, 2, 1))
    assert (dump.read(audit=True), counted()) == (0, (3, 1, 2, 1))
    dump.write(p0_0_gz=whole, p0_1='{"index":1}')
    assert (dump.read(audit=True), counted()) == (2, (4, 3, 1, 0))
    dump.write(p0_0_gz=whole[:-5])
    assert (dump.read(audit=True), counted()) == (1, (5, 3, 2, 0))


def test_a_folder_that_cannot_be_listed_is_named(dump: Dump) -> None:
    dump.write(p0_0='{"index":0}')
    (dump.folder / "topics/t0.pin/partition=1").symlink_to("partition=1")
    with pytest.raises(SourceError, match=r"t0\.pin can't be listed \(.*symbolic links\)"):
        dump.read()


class Locked(FolderStore):
    """A folder in which objects can be listed, and some or all not be read."""

    def __init__(self, folder: Path, first_open: int = 0, open_to_all: str = "") -> None:
        super().__init__(folder)
        self.first_open = first_open
        self.open_to_all = open_to_all

    def read(self, key: str) -> Content:
        if int(key[-15:-5]) < self.first_open and not (self.open_to_all and self.open_to_all in key):
            raise PermissionError(None, "is forbidden")
        return super().read(key)


def test_where_nothing_may_be_read_nothing_is_taken_in(dump: Dump) -> None:
    """Else it would all count as read, and be left out when the right is granted."""
    dump.write(**{f"p0_{number}": f'{{"index":{number}}}' for number in range(9)})
    with pytest.raises(
        SourceError, match=r"no object of .* 5 that were tried: .*\+0000000008.json is forbidden; .*s3:Get"
    ):
        ingest(dump.lake, Locked(dump.folder, first_open=9), None, pipeline.new_run(), LakeState())
    assert dump.rows("bronze", "offset") == []
    # Some that may not are recorded, and stop nothing.
    ingest(dump.lake, Locked(dump.folder, first_open=3), None, pipeline.new_run(), LakeState())
    assert dump.lake.read("bronze").where("problem IS NOT NULL").count() == 3
    assert len(dump.rows("bronze", "offset")) == 9


def test_a_partition_that_may_be_read_is_taken_in_beside_those_that_may_not(dump: Dump) -> None:
    """The few objects that are tried first may all be of the others."""
    dump.write(**{f"p{partition}_{n}": '{"index":1}' for partition in (0, 2) for n in range(7)}, p1_0='{"index":2}')
    ingest(
        dump.lake, Locked(dump.folder, first_open=9, open_to_all="partition=1"), None, pipeline.new_run(), LakeState()
    )
    assert dump.lake.read("bronze").where("problem IS NULL").select("partition").collect() == [(1,)]


def test_objects_are_grouped_by_bytes_and_by_number() -> None:
    def offsets(groups: list[list[ObjectName]]) -> list[list[int]]:
        return [[name.offset for name in names] for names in groups]

    def sized(*sizes: int) -> list[Sized]:
        return [Sized(ObjectName("t", "pin", 0, offset), size) for offset, size in enumerate(sizes)]

    assert offsets(group(sized(4, 6, 1, 20, 1), group_bytes=10)) == [[0, 1], [2], [3], [4]]
    assert offsets(group(sized(0, 0, 0, 0, 0), group_objects=2)) == [[0, 1], [2, 3], [4]]
    assert group([]) == []
