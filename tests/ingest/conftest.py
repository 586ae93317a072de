"""A dump of pins alone, and the lake that it is read into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from pinlake import pipeline
from pinlake.dump import listing
from pinlake.dump.folder import FolderStore
from pinlake.dump.objects import USUAL, Layout
from pinlake.ingest.bronze import ingest
from pinlake.lake.lake import Lake
from pinlake.lake.state import read_state
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
