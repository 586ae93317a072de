"""A made-up dirty dump: the emulator knows the truth; slices, shuffles and rebuilds give the same tables."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pytest

from pinlake import pipeline
from pinlake.emulate.dirt import KINDS
from pinlake.emulate.emulator import emulate
from pinlake.emulate.truth import Truth
from tests.pipeline.conftest import System

pytestmark = pytest.mark.slow

POSTS = 200
SILVER = ("silver_pin", "silver_geo", "silver_user", "silver_post", "quarantine")


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("made") / "dump"
    return folder, emulate(folder, posts=POSTS, seed=7, dirt=0.15, duplicates=0.2, partitions=2, flush_size=3)


@pytest.fixture(scope="module")
def at_once(dump: tuple[Path, Truth], system, tmp_path_factory: pytest.TempPathFactory) -> System:
    made = system(dump[0], tmp_path_factory.mktemp("once") / "lake")
    made.run(max_bad_share=1.0)
    return made


def test_status_is_the_emulators_truth(dump: tuple[Path, Truth], at_once: System) -> None:
    for topic, counts in at_once.counts().items():
        sent = asdict(dump[1].topics[topic])
        received = sent.pop("sent")
        assert {name: getattr(counts, name) for name in sent} == sent
        assert (counts.received, counts.missing_offsets, counts.backlog) == (received, 0, 0)


def test_every_kind_of_dirt_was_there(dump: tuple[Path, Truth]) -> None:
    kinds = {kind for topic in dump[1].kinds.values() for kind in topic}
    assert {"misrouted", "cut", "array", "conflict", "padded_keys", "extra_field", "html"} <= kinds


def test_cleaning_warns_of_every_fact_that_a_record_breaks(dump: tuple[Path, Truth], at_once: System) -> None:
    """Kinds of dirt that break a fact are called as the warnings are; records that another one replaced have none."""
    found = {
        row[0]
        for table in ("silver_pin", "silver_geo", "silver_user")
        for row in at_once.rows(f"SELECT DISTINCT explode(_warnings.name) FROM {table}")
    }
    names = [kind.name for kind in KINDS if kind.name.endswith(("mismatch", "unreadable", "future", "number", "key"))]
    assert found == {name for topic in dump[1].kinds.values() for name in topic if name in names}
    assert len(found) >= 7


def test_quarantine_names_a_reason_for_every_record(at_once: System) -> None:
    assert at_once.rows("SELECT count(*) FROM quarantine WHERE _errors IS NULL OR size(_errors) = 0") == [(0,)]
    reasons = {row[0] for row in at_once.rows("SELECT DISTINCT explode(_errors.name) FROM quarantine")}
    assert {"misrouted", "malformed", "not_an_object", "out_of_range"} <= reasons


@pytest.fixture(scope="module")
def expected(at_once: System) -> dict[str, list[str]]:
    return at_once.content(*SILVER, "answers")


def found_in_utc(system: System) -> dict[str, list[str]]:
    """The content, in UTC: timestamps print in the session's time zone."""
    system.spark.conf.set("spark.sql.session.timeZone", "UTC")
    return system.content(*SILVER, "answers")


@pytest.mark.parametrize("any_time_zone", ["America/Los_Angeles"], indirect=True)
@pytest.mark.usefixtures("any_time_zone")
def test_three_slices_in_another_time_zone_equal_one_run(
    dump: tuple[Path, Truth], expected: dict[str, list[str]], system, tmp_path: Path
) -> None:
    sliced = system(tmp_path / "dump", tmp_path / "lake", max_bad_share=1.0)
    objects = _objects(dump[0])
    for number in range(3):
        _copy(dump[0], tmp_path / "dump", [path for i, path in enumerate(objects) if i * 3 // len(objects) == number])
        sliced.run_to_silver() if number < 2 else sliced.run()
    assert found_in_utc(sliced) == expected


@pytest.mark.parametrize("any_time_zone", ["Pacific/Auckland"], indirect=True)
@pytest.mark.usefixtures("any_time_zone")
def test_objects_in_any_order_in_another_time_zone_equal_one_run(
    dump: tuple[Path, Truth], expected: dict[str, list[str]], system, tmp_path: Path
) -> None:
    shuffled = system(tmp_path / "dump", tmp_path / "lake", max_bad_share=1.0)
    objects = _objects(dump[0])
    random.Random(3).shuffle(objects)
    _copy(dump[0], tmp_path / "dump", objects[: len(objects) // 2])
    shuffled.run_to_silver()
    _copy(dump[0], tmp_path / "dump", objects[len(objects) // 2 :])
    shuffled.run()
    assert found_in_utc(shuffled) == expected


def test_rebuild_equals_what_was_there(at_once: System) -> None:
    before = at_once.content(*SILVER, "drift", "answers")
    pipeline.run_rebuild(at_once.lake, at_once.settings, pipeline.new_run(), "silver")
    assert at_once.content(*SILVER, "drift", "answers") == before


def _objects(dump: Path) -> list[Path]:
    """Objects in the order of their offsets, topics mixed."""
    return sorted((dump / "topics").glob("*/*/*"), key=lambda path: (path.name.split("+")[2], path.name))


def _copy(dump: Path, to: Path, objects: Iterable[Path]) -> None:
    for folder in (dump / "topics").iterdir():
        (to / "topics" / folder.name).mkdir(parents=True, exist_ok=True)
    for path in objects:
        target = to / path.relative_to(dump)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
