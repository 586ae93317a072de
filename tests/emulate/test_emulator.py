"""The emulator: what its truth says is what a second reading of the dump finds."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinlake.emulate.dirt import KINDS_OF, Outcome
from pinlake.emulate.emulator import Pace, emulate
from pinlake.emulate.files import FileRows
from pinlake.emulate.rows import made_posts
from pinlake.emulate.truth import Truth
from pinlake.errors import UsageError
from tests.helpers import files

Counted = Callable[[Path], dict[str, dict[str, int]]]
Reread = Callable[[Path], dict[str, list[Any]]]


def counts(truth: Truth) -> dict[str, dict[str, int | None]]:
    return {topic: asdict(found) for topic, found in truth.topics.items()}


def write_rows(folder: Path, pins: list[Any], geos: list[Any], users: list[Any]) -> FileRows:
    for topic, records in {"pin": pins, "geo": geos, "user": users}.items():
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"raw_{topic}.jsonl").write_text(text)
    return FileRows(folder)


def test_clean_posts_arrive_as_they_were_made(tmp_path: Path, reread: Reread) -> None:
    truth = emulate(tmp_path, posts=50, seed=3)
    made = list(made_posts(50, seed=3))
    assert reread(tmp_path) == {
        "pin": [post.pin for post in made],
        "geo": [post.geo for post in made],
        "user": [post.user for post in made],
    }
    whole = {"sent": 50, "unreadable": 0, "silver": 50, "deduplicated": 0, "conflicts": 0, "quarantined": 0}
    assert counts(truth) == {"pin": whole, "geo": whole, "user": whole}


@settings(max_examples=40)
@given(
    posts=st.integers(0, 60),
    seed=st.integers(0, 99),
    dirt=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    duplicates=st.sampled_from([0.0, 0.3, 1.0]),
    flush_size=st.sampled_from([1, 2, 3, 100]),
    partitions=st.integers(1, 3),
)
def test_the_truth_is_what_a_second_reading_finds(counted: Counted, posts: int, **options: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        truth = emulate(Path(folder), posts=posts, **options)
        assert counts(truth) == counted(Path(folder))


def test_every_kind_of_dirt_occurs_and_counts(tmp_path: Path, reread: Reread, counted: Counted, bad: object) -> None:
    truth = emulate(tmp_path, posts=2_000, dirt=0.3, duplicates=0.1, flush_size=50, partitions=2)
    assert counts(truth) == counted(tmp_path)
    made = {topic: {kind.name for kind in kinds if not kind.sent_to} for topic, kinds in KINDS_OF.items()}
    assert set(truth.kinds["pin"]) == made["pin"] | {"duplicate"}
    assert set(truth.kinds["geo"]) == made["geo"] | {"duplicate", "respelled"}
    assert set(truth.kinds["user"]) == made["user"] | {"duplicate", "respelled", "misrouted"}
    for topic, records in reread(tmp_path).items():
        kinds = truth.kinds[topic]
        assert records.count(bad) == kinds["cut"] + kinds["html"]
        assert sum(record is None or record == 12 for record in records) == kinds["no_object"]
        assert truth.topics[topic].silver == 2_000, "every post stays whole"


def test_shares_of_dirt_and_duplicates(tmp_path: Path) -> None:
    truth = emulate(tmp_path, posts=3_000, dirt=0.1, duplicates=0.05, flush_size=1_000)
    again = [found.get("duplicate", 0) + found.get("respelled", 0) for found in truth.kinds.values()]
    dirty = sum(sum(found.values()) for found in truth.kinds.values()) - sum(again)
    assert dirty / 9_000 == pytest.approx(0.1, abs=0.015)
    assert again == [again[0]] * 3
    assert again[0] / 3_000 == pytest.approx(0.05, abs=0.015)
    assert {found.deduplicated for found in truth.topics.values()} == {again[0]}


def test_no_duplicate_is_forgotten_at_the_end(tmp_path: Path) -> None:
    truth = emulate(tmp_path, posts=50, duplicates=1.0)
    assert [(found.sent, found.deduplicated) for found in truth.topics.values()] == [(100, 50)] * 3


def test_a_post_sent_again_comes_within_a_thousand_posts(tmp_path: Path, reread: Reread) -> None:
    emulate(tmp_path, posts=3_000, duplicates=0.2, flush_size=1_000)
    places: dict[int, list[int]] = {}
    for place, record in enumerate(reread(tmp_path)["geo"]):
        places.setdefault(record["ind"], []).append(place)
    distances = [found[1] - found[0] for found in places.values() if len(found) > 1]
    assert 500 < max(distances) <= 1_000 * 1.3


def test_the_later_of_two_conflicting_records_is_the_changed_one(tmp_path: Path, reread: Reread) -> None:
    emulate(tmp_path, posts=300, dirt=1.0, flush_size=1_000)
    titles: dict[int, list[str]] = {}
    for record in reread(tmp_path)["pin"]:
        if isinstance(record, dict) and isinstance(record.get("index"), int) and "title" in record:
            titles.setdefault(record["index"], []).append(record["title"])
    conflicts = [found for found in titles.values() if len(set(found)) > 1]
    assert conflicts
    assert all(found == [found[0], f"{found[0]} (edited)"] for found in conflicts)


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    options: dict[str, Any] = {"posts": 100, "seed": 5, "dirt": 0.3, "duplicates": 0.3, "flush_size": 10, "gzip": True}
    emulate(tmp_path / "a", **options)
    emulate(tmp_path / "b", **options)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    emulate(tmp_path / "c", **{**options, "seed": 6})
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_truth_file_is_beside_the_topics(tmp_path: Path) -> None:
    truth = emulate(tmp_path, posts=5, seed=9, dirt=0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["topics", "truth.json"]
    written = json.loads((tmp_path / "truth.json").read_text())
    assert written == asdict(truth)
    assert (written["seed"], written["posts"], len(written["runs"])) == (9, 5, 1)


def test_progress_ends_with_the_number_of_posts(tmp_path: Path) -> None:
    seen: list[int] = []
    emulate(tmp_path, posts=2_500, duplicates=0.5, flush_size=1_000, pace=Pace(progress=seen.append))
    assert seen == [1_000, 2_000, 2_500]


def test_rows_in_any_order_with_repeats_conflicts_and_dirt(tmp_path: Path, counted: Counted) -> None:
    def geo(ind: Any, time: str = "2020-01-01T00:00:00", country: str = "Peru") -> dict[str, Any]:
        return {"ind": ind, "timestamp": time, "latitude": 1.5, "longitude": 2.5, "country": country}

    geos = [geo(1), geo(2), geo(1, "2020:01:01 00:00:00"), geo(1, country="Chad"), geo(None), geo(3, "soon")]
    pins = [{"index": 6 - i, "title": "t"} for i in range(6)]
    users = [{"ind": 7, "age": 30, "date_joined": "2016-01-01 00:00:00"}] * 6
    rows = write_rows(tmp_path, pins, geos, users)
    truth = emulate(tmp_path / "dump", posts=None, rows=rows)
    assert counts(truth) == counted(tmp_path / "dump")
    assert counts(truth)["geo"] == {
        "sent": 6, "unreadable": 0, "silver": 2, "deduplicated": 1, "conflicts": 1, "quarantined": 2,
    }  # fmt: skip
    assert counts(truth)["user"]["deduplicated"] == 5
    assert truth.posts == 6


def test_rows_that_came_dirty_get_no_dirt(tmp_path: Path) -> None:
    rows = write_rows(tmp_path, [{"index": None}] * 9, [{"ind": 1}] * 9, [{"ind": "x"}] * 9)
    truth = emulate(tmp_path / "dump", posts=None, rows=rows, dirt=1.0)
    assert truth.kinds == {"pin": {}, "geo": {}, "user": {}}
    assert [(found.sent, found.quarantined) for found in truth.topics.values()] == [(9, 9)] * 3


@settings(max_examples=15)
@given(seed=st.integers(0, 99), dirt=st.sampled_from([0.3, 1.0]), duplicates=st.sampled_from([0.0, 0.5]))
def test_dirt_on_rows_that_repeat(counted: Counted, seed: int, **options: Any) -> None:
    made = list(made_posts(20, seed)) * 2
    with tempfile.TemporaryDirectory() as folder:
        rows = write_rows(Path(folder), *(list(records) for records in zip(*made, strict=True)))
        truth = emulate(Path(folder) / "dump", posts=None, rows=rows, seed=seed, flush_size=2, **options)
        assert counts(truth) == counted(Path(folder) / "dump")


def test_posts_limits_the_rows(tmp_path: Path) -> None:
    made = list(made_posts(10, seed=0))
    rows = write_rows(tmp_path, *(list(records) for records in zip(*made, strict=True)))
    assert emulate(tmp_path / "some", posts=4, rows=rows).topics["geo"].sent == 4
    assert emulate(tmp_path / "all", posts=40, rows=rows).posts == 10


def test_the_same_run_again_adds_duplicates_only(tmp_path: Path, counted: Counted) -> None:
    first = emulate(tmp_path, posts=60, dirt=0.4, duplicates=0.2)
    truth = emulate(tmp_path, posts=60, dirt=0.4, flush_size=7, append=True)
    assert counts(truth) == counted(tmp_path)
    assert truth.topics["pin"].silver == 60
    assert len(truth.runs) == 2
    assert truth.runs[0] == first.runs[0], "earlier runs are kept as they were"
    assert truth.kinds["pin"] == sum((Counter(run.kinds["pin"]) for run in truth.runs), Counter())


def test_runs_with_other_partitions_flush_sizes_and_compression_leave_no_hole(
    tmp_path: Path, reread: Reread, counted: Counted
) -> None:
    shapes: list[dict[str, Any]] = [
        {"partitions": 3, "flush_size": 4},
        {"partitions": 1, "flush_size": 7, "gzip": True},
        {"partitions": 2},
        {"partitions": 4, "flush_size": 100},
    ]
    for shape in shapes:
        truth = emulate(tmp_path, posts=25, dirt=0.8, duplicates=0.3, append=True, **shape)
        # Rereading fails where an object doesn't begin at the offset after the one before.
        assert {topic: len(records) for topic, records in reread(tmp_path).items()} == {
            topic: found.sent for topic, found in truth.topics.items()
        }
    assert counts(truth) == counted(tmp_path)


def test_another_run_leaves_open_what_cant_be_known(tmp_path: Path, counted: Counted) -> None:
    emulate(tmp_path, posts=30, seed=1, dirt=0.3)
    truth = emulate(tmp_path, posts=40, seed=2, dirt=0.3, append=True)
    for topic, found in counted(tmp_path).items():
        total = truth.topics[topic]
        assert (total.sent, total.quarantined) == (found["sent"], found["quarantined"])
        assert (total.silver, total.deduplicated, total.conflicts) == (None, None, None)
    assert truth.runs[1].topics["geo"].silver == 40
    third = emulate(tmp_path, posts=40, seed=2, dirt=0.3, append=True)
    assert third.topics["pin"].silver is None


def test_append_is_refused_where_nothing_can_be_said_about_the_dump(tmp_path: Path) -> None:
    emulate(tmp_path / "dump", posts=1)
    with pytest.raises(UsageError, match="holds topics of 0e7f89a006e1, not of other"):
        emulate(tmp_path / "dump", posts=1, topic_id="other", append=True)
    (tmp_path / "dump" / "truth.json").write_text("{}")
    with pytest.raises(UsageError, match="can't be read as a truth"):
        emulate(tmp_path / "dump", posts=1, append=True)
    (tmp_path / "dump" / "truth.json").unlink()
    with pytest.raises(UsageError, match=r"truth.json: not found"):
        emulate(tmp_path / "dump", posts=1, append=True)


def test_a_run_that_stops_half_way_leaves_no_truth(tmp_path: Path) -> None:
    emulate(tmp_path, posts=1)

    def stop(posts: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        emulate(tmp_path, posts=2_000, flush_size=1_000, append=True, pace=Pace(progress=stop))
    assert not (tmp_path / "truth.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dirt": 1.01}, "dirt is 1.01"),
        ({"dirt": float("nan")}, "dirt is nan"),
        ({"duplicates": -0.1}, "duplicates is -0.1"),
        ({"topic_id": "a b"}, "topic id 'a b'"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        emulate(tmp_path / "dump", **{"posts": 1, **options})
    assert not (tmp_path / "dump").exists()


def test_a_dump_is_not_written_over(tmp_path: Path) -> None:
    emulate(tmp_path, posts=1)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="already holds a dump"):
        emulate(tmp_path, posts=1)
    assert files(tmp_path) == before
    with pytest.raises(UsageError, match=r"truth.json: is a file"):
        emulate(tmp_path / "truth.json", posts=1, append=True)


def test_outcomes_are_names_of_counts() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = counts(emulate(Path(folder), posts=0))["pin"]
    assert set(Outcome) < set(found)
    assert set(found.values()) == {0}
