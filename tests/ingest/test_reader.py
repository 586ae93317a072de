"""Objects read by Spark's workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump
from pinlake.dump.objects import USUAL
from pinlake.dump.store import Content
from pinlake.errors import SourceError
from pinlake.ingest.reader import read_objects, told_by_worker
from tests.conftest import DumpWriter


def test_a_dump_is_found_from_where_it_was_named_wherever_the_workers_are(
    shared_disk: None, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_dump: DumpWriter
) -> None:
    write_dump(tmp_path / "dump", {"pin": {"0/0": '{"index":1}'}})
    monkeypatch.chdir(tmp_path)
    name = USUAL.object_name("topics/t0.pin/partition=0/t0.pin+0+0000000000.json")
    rows = read_objects(spark, Dump(FolderStore("dump")), [[name]]).collect()
    assert [(row["text"], row["problem"]) for row in rows] == [('{"index":1}', None)]


def test_what_no_worker_can_read_is_told_in_the_workers_words(spark: SparkSession) -> None:
    class Closed(FolderStore):
        def read_all(self, keys: Sequence[str]) -> Iterator[Content | OSError]:
            raise SourceError(f"bucket s3://landing can't give {keys[0]} (AccessDenied): get access")

    name = USUAL.object_name("topics/t0.pin/partition=0/t0.pin+0+0000000000.json")
    with pytest.raises(Exception, match="SourceError") as raised:
        read_objects(spark, Dump(Closed("dump")), [[name]]).collect()
    told = told_by_worker(raised.value)
    assert isinstance(told, SourceError)
    assert str(told) == f"bucket s3://landing can't give {name.key} (AccessDenied): get access"
