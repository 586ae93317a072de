"""What became of each record: of a post, of an object, of an offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pinlake import pipeline
from pinlake.errors import LakeError, UsageError
from pinlake.lake.model import GOLD
from pinlake.show.trace import Record, records_text, trace_offset, trace_path, trace_post
from tests.conftest import write_dump_files
from tests.pipeline.conftest import System
from tests.rows import geo, pin, user

pytestmark = pytest.mark.slow

PINS: dict[str, bytes | str] = {
    "0/0": pin(1, title="First"),
    "0/1": pin(1, title="Second"),
    "0/2": pin(1, title="Second"),
    "0/3": pin(2),
    "0/4": "{cut",
    "0/5": "",
    "0/6": f"{pin(3)}\n{pin(4)}",
}


@pytest.fixture(scope="module")
def loaded(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> System:
    """A lake of four posts, and a later batch of pins that no run has cleaned."""
    folder = tmp_path_factory.mktemp("trace")
    others: dict[str, Any] = {
        "geo": {"0/1": geo(1), "0/2": geo(2, latitude=99, colour="red"), "0/3": geo(3)},
        "user": {f"0/{n}": user(n, age=36) for n in (1, 2, 3)},
    }
    dump = write_dump_files(folder / "dump", {"pin": PINS, **others})
    found = system(dump, folder / "lake", max_bad_share=1.0)
    found.run()
    write_dump_files(folder / "dump", {"pin": {"0/20": pin(1, title="Third")}})
    pipeline.run_ingest(found.lake, found.settings, pipeline.new_run())
    return found


def told(records: list[Record]) -> list[tuple[str, int | None, int, str]]:
    return [(each.topic, each.ind, each.offset, each.outcome) for each in records]


def test_a_post(loaded: System) -> None:
    found = trace_post(loaded.lake, 1, loaded.settings)
    assert told(found.records) == [
        ("pin", 1, 2, "in silver"),
        ("pin", 1, 0, "conflict"),
        ("pin", 1, 1, "duplicate"),
        ("pin", 1, 20, "waits"),
        ("geo", 1, 1, "in silver"),
        ("user", 1, 1, "in silver"),
    ]
    winner, lost, *_ = found.records
    assert (winner.why, lost.why) == (
        "the last of 3 records by offset",
        "the record at partition 0, offset 2 came later",
    )
    assert winner.path.endswith("t0.pin+0+0000000002.json")
    assert winner.ingested_at.endswith("Z")
    assert (found.row["title"], found.lacking) == ("Second", [])
    assert set(found.counts_in) == set(GOLD)
    assert found.counts_in["top_category_by_age_group"] == "age group 36-50, category travel"


def test_a_post_that_a_topic_lacks_and_one_that_nobody_sent(loaded: System) -> None:
    found = trace_post(loaded.lake, 2, loaded.settings)
    assert told(found.records) == [("pin", 2, 3, "in silver"), ("geo", 2, 2, "quarantine"), ("user", 2, 2, "in silver")]
    assert "latitude" in found.records[1].why
    assert found.records[1].why.endswith("; drift extra:colour")
    assert (found.row, found.lacking) == ({}, ["geo"])
    assert set(found.counts_in) == {"users_joined_by_year"}
    with pytest.raises(LakeError, match=r"no record of post 9 is in the lake; the nearest ids are 4$"):
        trace_post(loaded.lake, 9, loaded.settings)


def test_an_object_and_an_offset(loaded: System) -> None:
    path = "topics/t0.pin/partition=0/t0.pin+0+000000000{}.json"
    assert told(trace_path(loaded.lake, path.format(6))) == [("pin", 3, 6, "in silver"), ("pin", 4, 7, "in silver")]
    (cut,) = trace_offset(loaded.lake, "pin/0/4")
    assert (cut.ind, cut.outcome) == (None, "quarantine")
    (empty,) = trace_offset(loaded.lake, "pin/0/5")
    assert (empty.outcome, empty.why) == ("no record", "empty")
    assert records_text([empty]) == (
        "pin, partition 0, offset 5, position 0: no record\n    empty\n"
        f"    {path.format(5)}, batch 1, {empty.ingested_at}"
    )
    with pytest.raises(LakeError, match=r"no object nowhere is in bronze"):
        trace_path(loaded.lake, "nowhere")
    with pytest.raises(UsageError, match=r"'pin/0' is not an offset; give it as topic/partition/offset"):
        trace_offset(loaded.lake, "pin/0")
