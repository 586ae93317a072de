"""A stream of a dump's objects: those that come late or are old too."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake import pipeline
from pinlake.stream.dump_source import DumpSource
from pinlake.stream.source import StreamOptions
from pinlake.stream.stream import StreamSummary
from tests.stream.streaming import Systems, offsets, pin, pins, read

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("to_bronze")
def test_a_dump_that_grows(system: Systems, tmp_path: Path, write_dump: Callable[..., Path]) -> None:
    # A name that Spark would take for a pattern.
    folder = tmp_path / "dump [1] {a,b} *"
    write_dump(folder, {"pin": {f"0/{number}": each for number, each in enumerate(pins(0, 8))}})
    found = system(folder, tmp_path / "lake")

    source = DumpSource(folder, "t0")
    assert read(found, source).records == {"pin": 8}
    assert read(found, source).batches == 0
    write_dump(folder, {"pin": {"0/9": pin(9)}, "user": {"1/0.gz": gzip.compress(b"cut")[:-4]}})
    assert sum(read(found, source).records.values()) == 1
    assert offsets(found) == [(0, number) for number in (*range(8), 9)]
    assert found.counts()["pin"].missing_offsets == 1
    assert found.counts()["user"].unreadable == 1
    # The object in the hole comes late, and a stranger is no object.
    write_dump(folder, {"pin": {"0/8": pin(8)}})
    (folder / "topics/t0.pin/partition=0/other.json").write_text("{}")
    assert read(found, source).records == {"pin": 1}
    assert read(found, source).batches == 0
    # The rows that the packing reader alone gives.
    alone = system(folder, tmp_path / "alone")
    pipeline.run_ingest(alone.lake, alone.settings, pipeline.new_run())
    assert found.content("bronze") == alone.content("bronze")


@pytest.mark.usefixtures("to_bronze")
def test_a_late_object_may_be_old(system: Systems, tmp_path: Path, write_dump: Callable[..., Path]) -> None:
    """Spark's file source by itself passes over what is a week older than the newest it has seen."""
    folder = write_dump(tmp_path / "dump", {"pin": {"0/0": pin(0), "0/2": pin(2)}})
    found, ends = system(folder, tmp_path / "lake"), time.monotonic() + 600

    def late(_: StreamSummary) -> None:
        if len(offsets(found)) == 2:
            write_dump(tmp_path / "aside", {"pin": {"0/1": pin(1)}})
            (old,) = (tmp_path / "aside").rglob("*.json")
            os.utime(old, (0, 10**9))
            old.rename(folder / old.relative_to(tmp_path / "aside"))

    def stop() -> bool:
        return time.monotonic() > ends or (found.lake.exists("bronze") and len(offsets(found)) == 3)

    read(found, DumpSource(folder, "t0"), StreamOptions(every=0.5), stop=stop, after_batch=late)
    assert offsets(found) == [(0, 0), (0, 1), (0, 2)]
