"""Dumps in shapes that public reports show: each is read, or says why not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pinlake.errors import SourceError
from tests.pipeline.conftest import System

pytestmark = pytest.mark.slow

Open = Callable[..., System]


def drift(found: System) -> set[tuple[str, str, str, int]]:
    """Topic, kind, field, records."""
    return {tuple(row) for row in found.lake.read("drift").select("topic", "kind", "field", "records").collect()}


@pytest.mark.parametrize(
    ("case", "posts", "expected"),
    [
        ("S01-hourly", 3, set()),
        ("S01-field", 3, set()),
        ("S02-padding", 2, set()),
        ("S03-bin", 2, set()),
        ("S03-ndjson", 2, set()),
        ("S06-envelopes", 3, {("geo", "wrapped", "payload", 1), ("geo", "wrapped", "value", 1)}),
        ("S07-text-in-json", 2, {("geo", "wrapped", "text", 2)}),
        ("S08-registry", 2, {("geo", "wrapped", "registry prefix", 2)}),
        ("S12-gzip", 4, set()),
        (
            "S13-times",
            6,
            {
                ("geo", "epoch_milliseconds", "timestamp", 1),
                ("geo", "epoch_seconds", "timestamp", 1),
                ("geo", "with_zone", "timestamp", 3),
                ("geo", "with_fraction", "timestamp", 2),
            },
        ),
        ("P01-index-everywhere", 2, {("geo", "renamed", "index", 2), ("user", "renamed", "index", 2)}),
        ("P02-python-repr", 1, set()),
        ("R01-blanks-in-text", 2, set()),
        ("R02-counts", 3, {("pin", "separators", "follower_count", 1), ("pin", "boolean", "downloaded", 1)}),
    ],
)
def test_a_dump_of_this_shape_is_read_whole(
    case: str, posts: int, expected: set[tuple[str, str, str, int]], cases: Path, system: Open, tmp_path: Path
) -> None:
    found = system(cases / case, tmp_path / "lake", max_bad_share=1.0)
    counts = found.run_to_silver()
    assert (counts.posts, counts.missing) == (posts, [])
    assert found.lake.read("object_report").count() == 0
    assert drift(found) == expected
    match case:
        case "S13-times":
            base = datetime(2020, 8, 28, 3, 52, 47, tzinfo=UTC)
            micros = found.rows("SELECT ind, unix_micros(timestamp) FROM silver_geo ORDER BY ind")
            times = [base + timedelta(microseconds=123456 if ind == 4 else 0) for ind in range(6)]
            assert micros == [(ind, round(time.timestamp() * 10**6)) for ind, time in enumerate(times)]
        case "P02-python-repr":
            ((reason,),) = found.rows("SELECT _errors[0].message FROM quarantine")
            assert "Python dict" in reason
            assert "json.dumps" in reason
        case "R01-blanks-in-text":
            assert found.rows("SELECT country, category, count(*) FROM silver_post GROUP BY ALL") == [
                ("Peru", "art", 2)
            ]
        case "R02-counts":
            rows = found.rows("SELECT follower_count, _warnings[0].name FROM silver_pin ORDER BY ind")
            assert sorted(rows, key=str) == sorted(
                [(1234, None), (None, "follower_count_unreadable"), (9000, None)], key=str
            )


def test_topics_in_another_folder_are_read_by_a_setting_that_the_error_names(
    cases: Path, system: Open, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="there is one in kafka: give --topics-dir kafka"):
        system(cases / "S04-topics-dir", tmp_path / "lake").run_to_silver()
    found = system(cases / "S04-topics-dir", tmp_path / "lake", topics_dir="kafka")
    assert found.run_to_silver().posts == 2
    # Its objects are no messages of a stream, though their paths begin alike.
    assert found.run_to_silver().posts == 2
    assert found.counts()["pin"].received == 2


def test_an_object_that_came_again_longer_is_read_again_without_an_audit(
    cases: Path, system: Open, tmp_path: Path
) -> None:
    shutil.copytree(cases / "S09-written-again/before", tmp_path / "dump")
    found = system(tmp_path / "dump", tmp_path / "lake")
    assert found.run_to_silver().posts == 4
    shutil.copytree(cases / "S09-written-again/after", tmp_path / "dump", dirs_exist_ok=True)
    counts = found.run_to_silver()
    assert (counts.posts, counts.missing) == (8, [])
