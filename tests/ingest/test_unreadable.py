"""Objects and folders that can't be read: by nobody, or by Spark's workers alone."""

from __future__ import annotations

import errno
import gzip
import os
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.dump import listing
from pinlake.dump.folder import FolderStore
from pinlake.dump.store import Content
from pinlake.errors import SourceError
from pinlake.ingest.bronze import ingest
from pinlake.ingest.reader import group
from pinlake.lake.accounting import account
from pinlake.lake.lake import Lake
from pinlake.lake.state import LakeState
from tests.ingest.conftest import Dump


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
