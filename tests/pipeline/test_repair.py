"""What is put right afterwards: quarantined records after a rule was corrected, tables that were restored or lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.clean import cleaners
from pinlake.errors import AccountingError, LakeError, QualityError
from pinlake.lake.lake import Lake
from tests.conftest import write_dump_files
from tests.pipeline.conftest import System
from tests.rows import geo, pin, user

pytestmark = pytest.mark.slow

CLEAN_GEO = cleaners.CLEANERS["geo"]


def too_strict(parsed: DataFrame) -> DataFrame:
    """The geo cleaner with a rule that is wrong for the first two posts."""
    wrong = F.array(F.struct(F.lit("wrong").alias("name"), F.lit("no").alias("message"), F.array().alias("columns")))
    cleaned = CLEAN_GEO(parsed)
    return cleaned.withColumn(
        "_errors", F.when(F.col("ind") < 2, wrong.cast(cleaned.schema["_errors"].dataType)).otherwise(F.col("_errors"))
    )


def dump_of(folder: Path, *posts: int) -> Path:
    topics = {"pin": pin, "geo": geo, "user": user}
    return write_dump_files(folder, {name: {f"0/{n}": make(n) for n in posts} for name, make in topics.items()})


@pytest.fixture
def empty(system: Callable[..., System], tmp_path: Path) -> System:
    """A dump of four posts, and an empty lake."""
    return system(dump_of(tmp_path / "dump", 0, 1, 2, 3), tmp_path / "lake")


@pytest.fixture(scope="module")
def right(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a dump of four posts and the lake of its first run."""
    folder = tmp_path_factory.mktemp("right")
    system(dump_of(folder / "dump", 0, 1, 2, 3), folder / "lake").run()
    return folder


@pytest.fixture(scope="module")
def wrong(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same where the rule was wrong."""
    folder = tmp_path_factory.mktemp("wrong")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(cleaners.CLEANERS, "geo", too_strict)
        system(dump_of(folder / "dump", 0, 1, 2, 3), folder / "lake").run(max_bad_share=1.0)
    return folder


@pytest.fixture
def loaded(right: Path, system: Callable[..., System], tmp_path: Path) -> System:
    shutil.copytree(right, tmp_path, dirs_exist_ok=True)
    return system(tmp_path / "dump", tmp_path / "lake")


@pytest.fixture
def rejected(wrong: Path, system: Callable[..., System], tmp_path: Path) -> System:
    shutil.copytree(wrong, tmp_path, dirs_exist_ok=True)
    return system(tmp_path / "dump", tmp_path / "lake")


def test_replay_moves_what_is_right_now_to_silver_posts_and_answers(rejected: System) -> None:
    assert (rejected.counts()["geo"].quarantined, rejected.lake.read("silver_post").count()) == (2, 2)
    assert pipeline.run_replay(rejected.lake, rejected.settings, pipeline.new_run(), "pin") == 0
    assert pipeline.run_replay(rejected.lake, rejected.settings, pipeline.new_run(), None) == 2
    counts = rejected.counts()["geo"]
    assert (counts.silver, counts.quarantined, counts.orphans, counts.backlog) == (4, 0, 0, 0)
    assert rejected.lake.read("silver_post").count() == 4
    assert rejected.answers()["top_category_by_country"] == [("Peru", "travel", 4)]
    assert pipeline.run_replay(rejected.lake, rejected.settings, pipeline.new_run(), None) == 0


def test_a_stopped_run_goes_on_after_its_rule_was_mended(empty: System, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(cleaners.CLEANERS, "geo", too_strict)
        with pytest.raises(QualityError):
            empty.run()
    assert pipeline.run_replay(empty.lake, empty.settings, pipeline.new_run(), None) == 0
    empty.run_to_silver()
    counts = empty.counts()["geo"]
    assert (counts.silver, counts.quarantined, counts.backlog) == (4, 0, 0)


def test_restored_bronze_is_read_on_and_silver_says_what_to_do(loaded: System, tmp_path: Path) -> None:
    before = loaded.lake.version("bronze")
    dump_of(tmp_path / "dump", 4, 5)
    loaded.run_to_silver()
    loaded.lake.register()
    loaded.spark.sql(f"RESTORE TABLE {loaded.settings.database}.bronze TO VERSION AS OF {before}")
    with pytest.raises(AccountingError, match=r"`pinlake rebuild silver`, .*; if bronze was changed, read the dump"):
        loaded.run_to_silver()
    assert loaded.lake.read("bronze").count() == 18
    pipeline.run_rebuild(loaded.lake, loaded.settings, pipeline.new_run(), "silver")
    counts = loaded.counts()["pin"]
    assert (counts.bronze, counts.silver, counts.deduplicated) == (6, 6, 0)


def test_a_silver_table_that_is_gone_is_made_again(loaded: System) -> None:
    answers = loaded.answers()
    shutil.rmtree(loaded.settings.lake / "silver_geo")
    loaded.run()
    assert loaded.counts()["geo"].silver == 4
    assert loaded.answers() == answers
    loaded.lake.register()
    # One that an earlier version made, without a column that is there now.
    name = f"{loaded.settings.database}.silver_geo"
    loaded.spark.sql(f"CREATE OR REPLACE TABLE {name} USING DELTA AS SELECT * EXCEPT (country) FROM {name}")
    with pytest.raises(LakeError, match=r"silver_geo has no column country: .* `pinlake rebuild silver` rebuilds it"):
        loaded.run()
    pipeline.run_rebuild(loaded.lake, loaded.settings, pipeline.new_run(), "silver")
    assert loaded.rows(f"SELECT DISTINCT country FROM {name}") == [("Peru",)]
    assert loaded.answers() == answers


def test_mended_objects_pass_the_threshold_that_stopped_a_run(empty: System, tmp_path: Path) -> None:
    write_dump_files(tmp_path / "dump", {"geo": {"0/0": "{cut", "0/1": "{cut"}})
    with pytest.raises(QualityError, match=r"geo: 2 of 4 new records are bad .* run with --audit, .* --max-bad-share"):
        empty.run_to_silver()
    counted = "SELECT bronze, silver, quarantined, backlog FROM row_count WHERE topic = 'geo'"
    assert empty.rows(counted) == [(4, 0, 2, 2)]
    dump_of(tmp_path / "dump", 0, 1)
    with pytest.raises(QualityError, match="2 of 4"):
        empty.run_to_silver()
    empty.run(audit=True)
    counts = empty.counts()["geo"]
    assert (counts.received, counts.silver, counts.quarantined, counts.backlog) == (6, 4, 2, 0)


def test_a_batch_of_bad_records_alone_stops_every_run_until_it_is_taken_in(loaded: System, tmp_path: Path) -> None:
    write_dump_files(tmp_path / "dump", {"geo": {"0/4": "{cut"}})
    for _ in range(2):
        with pytest.raises(QualityError, match="1 of 1"):
            loaded.run_to_silver()
        pipeline.run_rebuild(loaded.lake, loaded.settings, pipeline.new_run(), "gold")
    loaded.run_to_silver(max_bad_share=1.0)
    version = loaded.lake.version("silver_geo")
    loaded.run_to_silver()
    counts = loaded.counts()["geo"]
    assert (counts.silver, counts.quarantined, counts.backlog, loaded.lake.version("silver_geo")) == (4, 1, 0, version)


def test_a_batch_of_bad_records_alone_that_came_with_others_is_not_judged_again(empty: System, tmp_path: Path) -> None:
    """Neither by the next run nor after a rebuild: silver's rows don't tell of it, so it is noted."""
    pipeline.run_ingest(empty.lake, empty.settings, pipeline.new_run())
    write_dump_files(tmp_path / "dump", {"geo": {"0/4": "{cut"}})
    # One of five records is bad, which is not too many; by itself the second batch would be.
    empty.run_to_silver()
    empty.run_to_silver()
    pipeline.run_rebuild(empty.lake, empty.settings, pipeline.new_run(), "silver")
    empty.run_to_silver()
    counts = empty.counts()["geo"]
    assert (counts.silver, counts.quarantined, counts.backlog) == (4, 1, 0)


def test_a_rebuild_lets_nothing_in_that_a_run_was_stopped_for(loaded: System, tmp_path: Path) -> None:
    content = loaded.content("silver_geo", "silver_post")
    write_dump_files(tmp_path / "dump", {"geo": {"0/4": "{cut", "0/5": geo(1)}})
    with pytest.raises(QualityError, match="1 of 2"):
        loaded.run_to_silver()
    with pytest.raises(QualityError, match="1 of 2"):
        pipeline.run_rebuild(loaded.lake, loaded.settings, pipeline.new_run(), "silver")
    assert loaded.content("silver_geo", "silver_post") == content
    lenient = loaded.settings.model_copy(update={"max_bad_share": 0.5})
    pipeline.run_rebuild(loaded.lake, lenient, pipeline.new_run(), "silver")
    counts = loaded.counts()["geo"]
    assert (counts.silver, counts.deduplicated, counts.quarantined, counts.backlog) == (4, 1, 1, 0)


def test_a_replay_that_was_stopped_is_told_and_run_again(rejected: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "remove", stopped)
        with pytest.raises(KeyboardInterrupt):
            pipeline.run_replay(rejected.lake, rejected.settings, pipeline.new_run(), None)
    with pytest.raises(
        AccountingError, match=r"geo: .* If a replay, or a rebuild of some days, was stopped, run it again"
    ):
        rejected.run_to_silver()
    assert pipeline.run_replay(rejected.lake, rejected.settings, pipeline.new_run(), None) == 2
    counts = rejected.counts()["geo"]
    assert (counts.silver, counts.quarantined, counts.backlog) == (4, 0, 0)


def test_an_object_that_two_runs_read_at_once_counts_as_deduplicated(empty: System) -> None:
    pipeline.run_ingest(empty.lake, empty.settings, pipeline.new_run())
    again = empty.lake.read("bronze").withColumn("run_id", F.lit("the other run"))
    empty.lake.append("bronze", again, ("the other run", 1))
    empty.run_to_silver()
    assert [(count.bronze, count.silver, count.deduplicated) for count in empty.counts().values()] == [(8, 4, 4)] * 3
