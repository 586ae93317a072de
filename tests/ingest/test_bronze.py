"""From real objects to bronze: offsets, what is new, and what an audit finds."""

from __future__ import annotations

import errno
import gzip
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.dump import listing
from pinlake.dump.folder import FolderStore
from pinlake.dump.objects import USUAL, Layout, ObjectName
from pinlake.dump.store import Content
from pinlake.errors import SourceError, UsageError
from pinlake.ingest.bronze import ingest
from pinlake.ingest.reader import group
from pinlake.lake.accounting import account
from pinlake.lake.lake import Lake
from pinlake.lake.state import LakeState, read_state
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

    def read(self, audit: bool = False, layout: Layout = USUAL) -> int:
        """How many objects were read."""
        store = listing.Dump(FolderStore(self.folder), layout)
        found = ingest(self.lake, store, None, pipeline.new_run(), read_state(self.lake), audit)
        return sum(len(topic.objects) for topic in found)

    def add(self, path: str, content: str = '{"index":1}') -> Path:
        """A file in the folder of the topic."""
        file = self.folder / "topics/t0.pin" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

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
    with pytest.raises(SourceError, match=r"can open no object of .* 9 that were tried: .*is forbidden; .*s3:Get"):
        ingest(dump.lake, listing.Dump(Locked(dump.folder, first_open=9)), None, pipeline.new_run(), LakeState())
    assert dump.rows("bronze", "offset") == []
    # Some that may not are recorded, and stop nothing.
    ingest(dump.lake, listing.Dump(Locked(dump.folder, first_open=3)), None, pipeline.new_run(), LakeState())
    assert dump.lake.read("bronze").where("problem IS NOT NULL").count() == 3
    assert len(dump.rows("bronze", "offset")) == 9


def test_a_partition_that_may_be_read_is_taken_in_beside_those_that_may_not(dump: Dump) -> None:
    """The few objects that are tried first may all be of the others."""
    dump.write(**{f"p{partition}_{n}": '{"index":1}' for partition in (0, 2) for n in range(7)}, p1_0='{"index":2}')
    store = listing.Dump(Locked(dump.folder, first_open=9, open_to_all="partition=1"))
    ingest(dump.lake, store, None, pipeline.new_run(), LakeState())
    assert dump.lake.read("bronze").where("problem IS NULL").select("partition").collect() == [(1,)]


class ClosedToWorkers(FolderStore):
    """A folder that this process can read and Spark's workers can't, as a mount that they haven't got."""

    def __init__(self, folder: Path, but: str = "") -> None:
        super().__init__(folder)
        self.driver, self.but = os.getpid(), but

    def read(self, key: str) -> Content:
        if os.getpid() != self.driver and not (self.but and self.but in key):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return super().read(key)


def test_one_object_that_nobody_can_open_is_no_success_either(dump: Dump) -> None:
    dump.write(p0_0='{"index":0}')
    with pytest.raises(SourceError, match=r"workers can open no object of .* 1 that .*is forbidden"):
        ingest(dump.lake, listing.Dump(Locked(dump.folder, first_open=9)), None, pipeline.new_run(), LakeState())
    assert dump.rows("bronze", "offset") == []
    # It doesn't count as read: what is corrected is taken in.
    ingest(dump.lake, listing.Dump(FolderStore(dump.folder)), None, pipeline.new_run(), LakeState())
    assert dump.rows("bronze", "offset") == [(0,)]


READ = ("topic", "partition", "offset", "position", "path", "object_records", "size", "modified", "text", "problem")


@pytest.mark.slow
def test_what_only_workers_cant_open_is_read_by_sparks_own_source(
    dump: Dump, spark: SparkSession, tmp_path: Path
) -> None:
    """The rows are those of the packing reader, sizes and times among them."""
    dump.write(p0_0='{"index":0}', p0_1='[{"index":1},{"index":2}]', p1_0="", p2_0="{")
    dump.add("year=2026/a [b] 100%{c}/t0.pin+3+0000000000.json")
    told: list[str] = []
    run = pipeline.new_run(lambda stage, message: told.append(message))
    ingest(dump.lake, listing.Dump(ClosedToWorkers(dump.folder)), None, run, LakeState())
    assert [line for line in told if "its own file source reads them" in line] != []
    other = Dump(dump.folder, Lake(spark, f"t_{uuid4().hex[:12]}", root=tmp_path / "other"))
    assert other.read() == 5
    key = F.struct(*[F.coalesce(F.col(column).cast("string"), F.lit("-")) for column in READ])
    found, wanted = (sorted(row[0] for row in each.lake.read("bronze").select(key).collect()) for each in (dump, other))
    assert found == wanted
    # An audit finds nothing changed, though Spark's own times are shorter.
    assert dump.read(audit=True) == 0


def test_a_group_that_workers_cant_open_stops_nothing_where_they_open_another(
    dump: Dump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinlake.ingest.bronze.group", partial(group, group_objects=2))
    dump.write(**{f"p0_{number}": f'{{"index":{number}}}' for number in range(6)})
    store = listing.Dump(ClosedToWorkers(dump.folder, but="0000000003"))
    ingest(dump.lake, store, None, pipeline.new_run(), LakeState())
    assert dump.lake.read("bronze").where("problem IS NULL").select("offset").collect() == [(3,)]
    assert dump.lake.read("bronze").count() == 6


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
    accepted = pipeline.run_accept(dump.lake, run, pipeline.Offsets("pin", first=0, last=3), "compacted", "somebody")
    assert accepted == [("pin", 0, 0, 0), ("pin", 0, 2, 3)]
    progress = read_state(dump.lake).progress["pin"]
    assert (progress.missing, progress.accepted, progress.first_new(0)) == ([("pin", 0, 4, 4)], accepted, 4)
    assert account(dump.lake).missing == [("pin", 0, 4, 4)]
    with pytest.raises(UsageError, match="no missing offsets there"):
        pipeline.run_accept(dump.lake, run, pipeline.Offsets("geo"), "compacted", "somebody")
    # What comes in spite of it is read.
    dump.write(p0_3='{"index":3}')
    assert dump.read() == 1
