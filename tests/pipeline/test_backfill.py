"""Some days cleaned again: the posts they touch come out as a whole rebuild makes them, others keep their rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pinlake import pipeline
from pinlake.clean import cleaners, silver
from pinlake.clean.backfill import Days, backfill
from pinlake.clean.posts import update_posts
from pinlake.errors import UsageError
from pinlake.lake import lake as lake_module
from pinlake.lake.run import Run
from pinlake.lake.state import read_state
from tests.conftest import write_dump_files
from tests.pipeline.conftest import System
from tests.rows import geo, pin, user

CLEAN_GEO = cleaners.CLEANERS["geo"]
SILVER = ("silver_pin", "silver_geo", "silver_user", "silver_post")
# By day and offset. Yesterday's rule rejects Chile, today's rejects Fiji.
GEO: list[dict[str, bytes | str]] = [
    {"0/0": geo(0), "0/1": geo(1), "0/2": geo(2, country="Cuba")},
    {"0/10": geo(0, country="Chile"), "0/11": geo(2, country="Fiji", extra=1)},
    {
        "0/20": geo(0, country="Chile", latitude=7.5),
        "0/21": geo(1, country="Chile"),
        "0/22": "[1",
        "0/23": geo(3, country="Fiji"),
    },
]


def day(number: int) -> date:
    return date(2026, 3, 1 + number)


def rejecting(country: str) -> Callable[[DataFrame], DataFrame]:
    """The geo cleaner with a further rule."""
    wrong = F.array(F.struct(F.lit("wrong").alias("name"), F.lit("no").alias("message"), F.array().alias("columns")))

    def cleaner(parsed: DataFrame) -> DataFrame:
        cleaned = CLEAN_GEO(parsed)
        errors = F.when(F.col("country") == country, wrong.cast(cleaned.schema["_errors"].dataType))
        return cleaned.withColumn("_errors", F.coalesce(errors, "_errors"))

    return cleaner


@pytest.fixture(scope="module")
def yesterday(system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory) -> System:
    """Three days of ingest, cleaned by yesterday's rule."""
    folder = tmp_path_factory.mktemp("backfill")
    made = system(folder / "dump", folder / "lake", max_bad_share=1.0)
    others = {"pin": {f"0/{n}": pin(n) for n in range(4)}, "user": {f"0/{n}": user(n) for n in range(4)}}
    for number, objects in enumerate(GEO):
        write_dump_files(folder / "dump", {"geo": objects, **(others if number == 0 else {})})
        # Its last second, in UTC: in most other time zones that is another day.
        run = Run(datetime(2026, 3, 1 + number, 23, 59, 59, tzinfo=UTC))
        pipeline.run_ingest(made.lake, made.settings, run)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(cleaners.CLEANERS, "geo", rejecting("Chile"))
        pipeline.run_clean(made.lake, made.settings, run)
    assert countries(made) == {0: "Peru", 1: "Peru", 2: "Fiji", 3: "Fiji"}
    assert quarantined(made) == [10, 20, 21, 22]
    return made


@pytest.fixture
def loaded(yesterday: System, system: Callable[..., System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    """A copy of that lake on the day after, with today's rule."""
    shutil.copytree(yesterday.settings.lake, tmp_path / "lake")
    monkeypatch.setitem(cleaners.CLEANERS, "geo", rejecting("Fiji"))
    return system(yesterday.settings.source, tmp_path / "lake", max_bad_share=1.0)


@pytest.fixture(scope="module")
def whole(
    yesterday: System, system: Callable[..., System], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """What a whole rebuild by today's rule makes."""
    lake = tmp_path_factory.mktemp("whole") / "lake"
    shutil.copytree(yesterday.settings.lake, lake)
    made = system(yesterday.settings.source, lake)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(cleaners.CLEANERS, "geo", rejecting("Fiji"))
        run = pipeline.new_run()
        state = silver.rebuild_silver(made.lake, run)
        update_posts(made.lake, run, state)
    return made.content(*SILVER, "quarantine", "drift")


@pytest.fixture(scope="module")
def before(yesterday: System) -> dict[str, list[str]]:
    return yesterday.content(*SILVER, "drift")


def again(system: System, days: Days) -> None:
    """A rebuild without the questions; fails where the sums don't hold."""
    run = pipeline.new_run()
    state = read_state(system.lake)
    backfill(system.lake, run, state, days)
    update_posts(system.lake, run, state)
    pipeline.run_account(system.lake, run)


def countries(system: System) -> dict[int, str]:
    return dict(system.rows("SELECT ind, country FROM silver_post ORDER BY ind"))


def quarantined(system: System) -> list[int]:
    return [row[0] for row in system.rows("SELECT offset FROM quarantine ORDER BY offset")]


def by_post(content: dict[str, list[str]], posts: set[int], of_them: bool = True) -> dict[str, list[str]]:
    """The rows of these posts, or of all others."""
    return {
        table: [row for row in rows if (json.loads(row)["ind"] in posts) is of_them] for table, rows in content.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "last", "touched", "found", "bad"),
    [
        (0, 0, {0, 1, 2}, {0: "Chile", 1: "Chile", 2: "Cuba", 3: "Fiji"}, [11, 22]),
        (1, 1, {0, 2}, {0: "Chile", 1: "Peru", 2: "Cuba", 3: "Fiji"}, [11, 21, 22]),
        (2, None, {0, 1, 3}, {0: "Chile", 1: "Chile", 2: "Fiji"}, [22, 23]),
        (None, 2, {0, 1, 2, 3}, {0: "Chile", 1: "Chile", 2: "Cuba"}, [11, 22, 23]),
        (3, 9, set(), {0: "Peru", 1: "Peru", 2: "Fiji", 3: "Fiji"}, [10, 20, 21, 22]),
    ],
)
def test_posts_that_the_days_touch_are_as_after_a_whole_rebuild(
    loaded: System,
    before: dict[str, list[str]],
    whole: dict[str, list[str]],
    first: int | None,
    last: int | None,
    touched: set[int],
    found: dict[int, str],
    bad: list[int],
) -> None:
    again(loaded, Days(*[None if number is None else day(number) for number in (first, last)]))
    assert (countries(loaded), quarantined(loaded)) == (found, bad)
    after = loaded.content(*SILVER)
    assert loaded.content("drift")["drift"] == before["drift"]
    assert by_post(after, touched, False) == by_post({table: before[table] for table in SILVER}, touched, False)
    rebuilt = {table: whole[table] for table in SILVER}
    assert by_post(after, touched) == by_post(rebuilt, touched)
    if last == 2:
        assert (loaded.content("quarantine")["quarantine"], after) == (whole["quarantine"], rebuilt)


@pytest.mark.slow
def test_answers_follow_a_rebuild(loaded: System) -> None:
    pipeline.run_rebuild(loaded.lake, loaded.settings, pipeline.new_run(), "silver", Days(day(1), day(1)))
    assert loaded.answers()["top_category_by_country"] == [
        (name, "travel", 1) for name in ("Chile", "Cuba", "Fiji", "Peru")
    ]


@pytest.mark.slow
def test_a_backfill_that_was_stopped_is_run_again(loaded: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later each time, in the same lake."""
    left = [0]
    usual = lake_module.commit

    def stopping(*given: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return usual(*given)

    with monkeypatch.context() as patched:
        patched.setattr(lake_module, "commit", stopping)
        for commit in (3, 4, 5):
            left[0] = commit
            with pytest.raises(KeyboardInterrupt):
                again(loaded, Days(day(1), day(1)))
    again(loaded, Days(day(1), day(1)))
    assert countries(loaded) == {0: "Chile", 1: "Peru", 2: "Cuba", 3: "Fiji"}
    assert quarantined(loaded) == [11, 21, 22]


@pytest.mark.slow
def test_drift_is_that_of_the_days_by_todays_rules(loaded: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def cleaner(parsed: DataFrame) -> DataFrame:
        return CLEAN_GEO(parsed).withColumn("_drift", F.array(F.lit("extra:new")))

    monkeypatch.setitem(cleaners.CLEANERS, "geo", cleaner)
    again(loaded, Days(day(0), day(0)))
    drift = "SELECT kind, field, records FROM drift ORDER BY field"
    assert loaded.rows(drift) == [("extra", "extra", 1), ("extra", "new", 3)]
    again(loaded, Days(day(1), day(2)))
    assert loaded.rows(f"{drift}, records") == [("extra", "new", 2), ("extra", "new", 3), ("extra", "new", 4)]


@pytest.mark.slow
def test_days_are_refused_where_another_days_record_has_another_id_now(
    loaded: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cleaner(parsed: DataFrame) -> DataFrame:
        return CLEAN_GEO(parsed).withColumn("ind", F.col("ind") + F.when(F.col("country") == "Peru", 100).otherwise(0))

    monkeypatch.setitem(cleaners.CLEANERS, "geo", cleaner)
    before = [loaded.lake.version(table) for table in (*SILVER, "quarantine", "drift")]
    with pytest.raises(UsageError, match=r"topic geo: .* another post id than before, .* run `pinlake rebuild silver`"):
        again(loaded, Days(day(1), day(1)))
    assert [loaded.lake.version(table) for table in (*SILVER, "quarantine", "drift")] == before


def test_days_are_those_of_utc(spark: SparkSession, any_time_zone: str) -> None:
    days = Days.read("2026-03-02", "2026-03-03", ("a", "b"))
    assert days is not None
    seconds = [
        datetime(2026, 3, *at, tzinfo=UTC).timestamp() for at in ((1, 23, 59), (2, 0, 0), (3, 23, 59), (4, 0, 0))
    ]
    moments = spark.createDataFrame([(int(second),) for second in seconds], "second bigint").select(
        F.timestamp_seconds("second").alias("at")
    )
    assert [row[0] for row in moments.select(days.contain("at")).collect()] == [False, True, True, False]


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2026-02-30", None, r"--from holds '2026-02-30', which is not a date; give a day in UTC such as 2026-11-24"),
        (None, "20260301", "--to holds '20260301', which is not a date"),
        ("yesterday", "2026-03-01", "--from holds 'yesterday'"),
        ("2026-03-02", "2026-03-01", "--from 2026-03-02 is after --to 2026-03-01; exchange the two"),
    ],
)
def test_days_that_are_none(first: str | None, last: str | None, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Days.read(first, last, ("--from", "--to"))


def test_no_day_is_no_limit() -> None:
    assert Days.read("", None, ("--from", "--to")) is None
    assert str(Days.read(None, "9999-12-31", ("--from", "--to"))) == "to 9999-12-31"
