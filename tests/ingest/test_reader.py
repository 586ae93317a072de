"""Objects read by Spark's workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinlake.ingest.reader import read_objects
from pinlake.objects import object_name
from pinlake.store.folder import FolderStore
from tests.conftest import DumpWriter


def test_a_dump_is_found_from_where_it_was_named_wherever_the_workers_are(
    shared_disk: None, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_dump: DumpWriter
) -> None:
    write_dump(tmp_path / "dump", {"pin": {"0/0": '{"index":1}'}})
    monkeypatch.chdir(tmp_path)
    name = object_name("topics/t0.pin/partition=0/t0.pin+0+0000000000.json")
    rows = read_objects(spark, FolderStore("dump"), [[name]]).collect()
    assert [(row["text"], row["problem"]) for row in rows] == [('{"index":1}', None)]
