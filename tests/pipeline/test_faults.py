"""One dump with everything that can be wrong with its bytes and names; the run ends, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake import pipeline
from pinlake.errors import QualityError, SourceError, UsageError
from pinlake.lake.accounting import check_sums
from tests.conftest import DumpWriter, write_dump_files
from tests.pipeline.conftest import System
from tests.rows import geo, pin, user

POSTS = range(100, 105)

PINS: dict[str, bytes | str] = {
    "0/0": pin(0),
    "0/1": b"",
    "0/2": " \r\n\t",
    "0/3": pin(3)[:40],
    "0/4": "<html>502 Bad Gateway</html>",
    "0/5": "null",
    "0/6": "42",
    "0/7": json.dumps(json.loads(pin(7)), indent=2),
    "0/8": f"[{pin(8)}]",
    "0/9": f"{pin(9)}\n{pin(10)}\n",
    "0/11": b"\xef\xbb\xbf" + pin(11).encode(),
    "0/12": pin(12, title="Карта 地図").encode("utf-16"),
    "0/13": pin(13).encode().replace(b"Map 13", b"Map\x0013"),
    "0/14": pin(14).replace("All of it", "All\tof it"),
    "0/15": pin(15).encode().replace(b"Map 15", b"Map \xff\xfe"),
    "0/16.gz": gzip.compress(pin(16).encode()),
    "0/17.gz": gzip.compress(pin(17).encode())[:-9],
    "0/18": pin(18, poster_name=...),
    "0/19": pin(19, colour="red"),
    "0/20": pin(20).replace('"title"', '" Title "'),
    "0/21": pin(21, index="21", follower_count=7),
    "0/22": pin(22, title={"a": 1}),
    "0/23": pin(23).replace('"title"', '"title":"first","title"'),
    "0/24": geo(24),
    # 25 to 27 never came
    "0/28": f"{pin(28)}\n{{broken\n{pin(30)}",
    **{f"3/{n}": pin(index) for n, index in enumerate(POSTS)},
}
GEOS: dict[str, bytes | str] = {
    "0/0": geo(0),
    "0/1": geo(7, timestamp="2020-08-28T03:52:47"),
    "0/2": geo(8, timestamp="2020:08:28 03:52:47", longitude=3.5),
    "0/3": geo(9, timestamp="2020-02-30 03:52:47"),
    "0/4": geo(10, latitude=90.5),
    "0/5": geo(11, timestamp="2999-01-01 00:00:00"),
    **{f"0/{n}": geo(index) for n, index in enumerate(POSTS, 6)},
}
USERS: dict[str, bytes | str] = {
    "0/0": user(0),
    "0/1": user(7, age=15.7),
    "0/2": user(8, age="36"),
    "0/3": user(9, age=1e20),
    "0/4": user(999),
    **{f"0/{n}": user(index) for n, index in enumerate(POSTS, 5)},
}


@pytest.fixture(scope="module")
def dirty(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> System:
    """A lake after one run on the dump above."""
    folder = tmp_path_factory.mktemp("faults")
    dump = write_dump_files(folder / "dump", {"pin": PINS, "geo": GEOS, "user": USERS})
    topics = dump / "topics"
    (topics / "t0.pin" / "partition=0" / "_x.json").write_text(pin(900))
    (topics / "t0.pin" / "partition=0" / ".x.json").write_text(pin(901))
    (topics / "t0.pin" / "partition=0" / "notes.txt").write_text("hello")
    (topics / "t0.pin" / "_SUCCESS").touch()
    (topics / "t0.likes" / "partition=0").mkdir(parents=True)
    made = system(dump, folder / "lake", max_bad_share=0.9)
    made.run()
    return made


def reasons(dirty: System, topic: str) -> dict[int, list[str]]:
    rows = dirty.rows(f"SELECT offset, _errors.name FROM quarantine WHERE topic = '{topic}'")
    return {offset: sorted(names) for offset, names in rows}


def test_every_readable_shape_is_in_silver(dirty: System) -> None:
    found = {row[0] for row in dirty.rows("SELECT ind FROM silver_pin")}
    assert found == {0, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21, 23, 28, 30, *POSTS}
    titles = dict(dirty.rows("SELECT ind, title FROM silver_pin WHERE ind IN (12, 13, 20, 23)"))
    assert titles == {12: "Карта 地図", 13: "Map\x0013", 20: "Map 20", 23: "Map 23"}


def test_what_is_not_is_in_quarantine_with_its_reason(dirty: System) -> None:
    assert reasons(dirty, "pin") == {
        3: ["malformed"],
        4: ["malformed"],
        5: ["not_an_object"],
        6: ["not_an_object"],
        15: ["undecodable"],
        22: ["not_text"],
        24: ["misrouted"],
        29: ["malformed"],
    }
    assert reasons(dirty, "geo") == {3: ["not_time"], 4: ["out_of_range"]}
    assert reasons(dirty, "user") == {1: ["not_integer"], 3: ["not_integer"]}
    kept = dirty.rows("SELECT bytes, text, path FROM quarantine WHERE topic = 'pin' AND offset = 15")
    assert kept == [(bytearray(PINS["0/15"]), None, "topics/t0.pin/partition=0/t0.pin+0+0000000015.json")]


def test_sums_hold_and_what_is_missing_is_counted(dirty: System) -> None:
    counts = dirty.counts()
    check_sums(list(counts.values()))
    pins = counts["pin"]
    assert (pins.received, pins.bronze, pins.unreadable, pins.empty_objects) == (31, 30, 1, 2)
    assert (pins.silver, pins.quarantined, pins.missing_offsets, pins.backlog) == (22, 8, 3, 0)
    assert (counts["user"].orphans, counts["geo"].orphans) == (1, 2)
    assert [count.scattered_users for count in counts.values()] == [0, 0, 1]


def test_unreadable_and_empty_objects_are_in_bronze_with_the_reason(dirty: System) -> None:
    rows = dirty.rows("SELECT offset, problem FROM bronze WHERE problem IS NOT NULL ORDER BY offset")
    assert [(offset, problem.split(":")[0]) for offset, problem in rows] == [
        (1, "empty"),
        (2, "empty"),
        (17, "unreadable"),
    ]
    assert "gzip" in rows[2][1]


def test_drift_and_rescued_fields_are_reported(dirty: System) -> None:
    drift = set(dirty.rows("SELECT kind, field FROM drift WHERE topic = 'pin'"))
    assert {("missing", "poster_name"), ("extra", "colour"), ("renamed", " Title ")} <= drift
    assert dirty.rows("SELECT _rescued FROM silver_pin WHERE ind = 19") == [('{"colour":"red"}',)]
    assert dirty.rows("SELECT _warnings.name FROM silver_pin WHERE ind = 23") == [(["duplicate_key"],)]
    assert dirty.rows("SELECT _warnings.name FROM silver_geo WHERE ind = 11") == [(["in_the_future"],)]


def test_foreign_hidden_and_unknown_names_are_reported(dirty: System) -> None:
    found = {(path.split("/")[-1], kind) for path, kind in dirty.rows("SELECT path, kind FROM object_report")}
    assert found == {("notes.txt", "foreign file"), ("_SUCCESS", "hidden file"), ("t0.likes", "unknown topic")}


def test_three_spellings_are_one_instant(dirty: System) -> None:
    assert dirty.rows("SELECT count(DISTINCT timestamp) FROM silver_geo WHERE ind IN (0, 7, 8)") == [(1,)]


@pytest.mark.slow
def test_late_changed_and_lost_objects(dirty: System, system: Callable[..., System], tmp_path: Path) -> None:
    """On a copy: an object in a hole needs no audit; one with new content, one that came early and one lost do."""
    assert dirty.settings.source is not None
    shutil.copytree(dirty.settings.source, tmp_path / "dump")
    shutil.copytree(dirty.settings.lake, tmp_path / "lake")
    changed = system(tmp_path / "dump", tmp_path / "lake", max_bad_share=0.9)
    folder = tmp_path / "dump" / "topics" / "t0.pin" / "partition=0"
    name = "t0.pin+0+00000000{:02}.json".format
    (folder / name(26)).write_text(pin(26))
    (folder / name(0)).write_text(pin(0, title="New title"))
    os.utime(folder / name(7), (1, 1))
    (folder / name(11)).unlink()
    changed.run()
    assert changed.rows("SELECT title FROM silver_pin WHERE ind IN (0, 26) ORDER BY ind") == [("Map 0",), ("Map 26",)]
    assert changed.counts()["pin"].missing_offsets == 2
    changed.run(audit=True)
    assert changed.rows("SELECT title FROM silver_pin WHERE ind = 0") == [("New title",)]
    kinds = changed.rows("SELECT path, kind FROM object_report WHERE kind IN ('late', 'changed', 'lost')")
    assert {(path[-7:-5], kind) for path, kind in kinds} == {("00", "changed"), ("11", "lost")}
    pins = changed.counts()["pin"]
    assert (pins.conflicts, pins.silver) == (1, 23)
    before = changed.lake.version("bronze")
    changed.run(audit=True)
    assert changed.lake.version("bronze") == before


@pytest.mark.slow
def test_too_many_bad_records_stop_the_run_before_silver(
    write_dump: DumpWriter, system: Callable[..., System], tmp_path: Path
) -> None:
    pins: dict[str, bytes | str] = {"0/0": pin(0), "0/1": "oops", "0/2": pin(2)}
    both = {"geo": {"0/0": geo(0)}, "user": {"0/0": user(0)}}
    stopped = system(write_dump(tmp_path / "dump", {"pin": pins, **both}), tmp_path / "lake")
    with pytest.raises(QualityError, match=r"topic pin: 1 of 3 new records are bad \(33\.3%, more than 20\.0%\)"):
        stopped.run()
    assert not any(stopped.lake.exists(f"silver_{topic}") for topic in ("pin", "geo", "user"))
    assert stopped.rows("SELECT offset FROM quarantine") == [(1,)]
    assert stopped.counts()["pin"].backlog == 2
    stopped.run_to_silver(max_bad_share=0.5)
    pins_counted = stopped.counts()["pin"]
    assert (pins_counted.silver, pins_counted.quarantined, pins_counted.backlog) == (2, 1, 0)
    # A batch that is bad as a whole and was accepted is not looked at again.
    write_dump(tmp_path / "dump", {"pin": {"0/3": "oops again"}})
    stopped.run_to_silver(max_bad_share=1.0)
    stopped.run_to_silver()
    assert stopped.counts()["pin"].quarantined == 2


def test_several_topic_ids_want_a_choice(write_dump: DumpWriter, system: Callable[..., System], tmp_path: Path) -> None:
    for topic_id in ("a1", "b2"):
        topics = {"pin": {"0/0": pin(1)}, "geo": {"0/0": geo(1)}, "user": {"0/0": user(1)}}
        write_dump(tmp_path / "dump", topics, topic_id)
    made = system(tmp_path / "dump", tmp_path / "lake")
    with pytest.raises(UsageError, match="a1, b2; choose one with --topic-id"):
        made.run()
    assert not made.lake.exists("bronze")
    chosen = made.settings.model_copy(update={"topic_id": "a1"})
    pipeline.run_ingest(made.lake, chosen, pipeline.new_run())
    assert made.rows("SELECT DISTINCT topic_id FROM bronze") == [("a1",)]
    with pytest.raises(UsageError, match="the lake holds topic id a1, the source b2"):
        pipeline.run_ingest(made.lake, chosen.model_copy(update={"topic_id": "b2"}), pipeline.new_run())


def test_a_missing_topic_is_an_error_before_anything_is_written(
    write_dump: DumpWriter, system: Callable[..., System], tmp_path: Path
) -> None:
    dump = write_dump(tmp_path / "dump", {"pin": {"0/0": pin(1)}})
    (dump / "topics" / "t0.user").rmdir()
    made = system(dump, tmp_path / "lake")
    with pytest.raises(SourceError, match=r"topic t0\.user is missing"):
        made.run()
    assert not made.lake.exists("bronze")
