"""What notebooks call: widgets to settings, one method for each step of the job, task values for the next ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from pinlake import notebook, pipeline
from pinlake.emulate.emulator import emulate
from pinlake.errors import (
    AccountingError,
    LakeError,
    MachineError,
    QualityError,
    SettingsError,
    SourceError,
    UsageError,
)
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.lake.row_count import TopicCount, publish
from pinlake.lake.run import Run
from pinlake.local.dbutils import DbUtils
from pinlake.notebook.parameters import WIDGETS
from pinlake.show.explore import Exploration
from pinlake.show.sentences import NOTHING
from pinlake.show.watch import watch


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebook") / "dump"
    emulate(folder, posts=30, seed=3, duplicates=0.2, flush_size=5)
    return folder


@pytest.fixture
def passed(dump: Path, tmp_path: Path) -> dict[str, str]:
    return {"source": str(dump), "lake": str(tmp_path / "lake"), "database": f"t_{uuid4().hex[:12]}"}


def opened(spark: Any, values: Path, **passed: str) -> notebook.Work:
    return notebook.open(DbUtils(passed, {}, values), spark)


@pytest.mark.slow
def test_the_steps_of_the_job_one_after_another(
    spark, passed: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = tmp_path / "values.json"

    def work(**more: str) -> notebook.Work:
        return opened(spark, values, **passed, **more)

    assert all(row["ok"] for row in work().check().collect())
    assert [row["topic"].split(".")[1] for row in work().connect().collect()] == ["geo", "pin", "user"]
    assert json.loads(values.read_text()) == {"source": passed["source"]}
    topics = ("pin", "geo", "user")
    assert [(row[0], row[1] > 0, row[2]) for row in work().ingest().collect()] == [(each, True, 0) for each in topics]
    assert work().ingest().collect() == [(each, 0, 0) for each in topics]
    cleaned = work().clean()
    assert [(row[0], row[1] > 30, row[2]) for row in cleaned.collect()] == [(each, True, 0) for each in topics]
    # What the DAG in infra/airflow reads.
    assert [tuple(row) for row in json.loads(notebook.as_json(cleaned))] == [
        ("topic", "new_records", "quarantined", "bad_share")
    ] * 3
    capsys.readouterr()
    quality = work().quality()
    counted = {row["records"]: row[1:] for row in quality.collect()}
    returned = {row["records"]: row for row in json.loads(notebook.as_json(quality))}
    assert returned["silver"] == {"records": "silver", "pin": 30, "geo": 30, "user": 30}
    assert {"bronze", "quarantined"} <= returned.keys()
    assert capsys.readouterr().out.splitlines() == [
        "alert bad_share: ok, 0 % of a topic's records of the last day are in quarantine; more than 5 % are too many",
        "alert freshness: ok, the newest record was read 0 hours ago; more than 24 are too many",
        "alert sums: ok, the sums of the row accounting are off by 0 records; they must hold",
    ]
    assert (counted["silver"], counted["backlog"]) == ((30,) * 3, (0,) * 3)
    assert json.loads(values.read_text()) == {"posts": 30}
    assert [row["answer"] for row in work().query().collect()] == list(GOLD)
    page = tmp_path / "reports" / "report.html"
    reported = {row["about"]: row for row in work(report_file=str(page)).report().collect()}
    assert page.read_text(encoding="utf-8").count("data:image/png") == len(GOLD)
    assert {table.comment for table in GOLD.values()} <= reported.keys()
    assert (reported["posts"]["found"], reported["posts"]["change"]) == ("30", "")
    _look_at(Exploration(work().lake))
    before = work().answer("top_category_by_year").collect()
    work().quality()
    assert {row["about"]: row["change"] for row in work().report().collect()}["posts"] == "+0"
    assert ("silver", 30, 30, 30) in work().rebuild().collect()
    assert work().answer("top_category_by_year").collect() == before
    with pytest.raises(UsageError, match=r"nothing was dropped: widget confirm holds other; .* type its name there"):
        work(confirm="other").clean_up()
    assert len(work(confirm=passed["database"]).clean_up().collect()) > len(GOLD)
    with pytest.raises(LakeError, match="table bronze doesn't exist yet; `pinlake ingest` creates it"):
        work().clean()


def test_alerts_are_told_also_if_the_sums_do_not_hold(
    spark, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(lake: Lake, run: Run) -> None:
        publish(lake, run, [TopicCount("pin", received=2, bronze=3, silver=3)], counted_from=None)
        raise AccountingError("received = bronze + unreadable does not hold")

    monkeypatch.setattr(pipeline, "run_account", off)
    work = opened(spark, tmp_path / "values.json", lake=str(tmp_path / "lake"), database=f"t_{uuid4().hex[:12]}")
    with pytest.raises(AccountingError):
        work.quality()
    assert "alert sums: TRIGGERED, the sums of the row accounting are off by 1 records" in capsys.readouterr().out
    assert not (tmp_path / "values.json").exists()


def _look_at(explored: Exploration) -> None:
    """Everything that notebook 01_explore shows, of 30 posts."""
    look = explored.in_one_look()
    assert look.title == "Overview of 30 posts"
    assert _sums(look) == [30] * 4
    assert explored.in_one_sentence().startswith("30 posts from ")
    assert max(map(len, explored.in_one_sentence().splitlines())) <= 100
    assert _sums(explored.months()) == _sums(explored.map()) == [30]
    assert " posts; the month with most is " in explored.months_in_one_sentence()
    assert " of 30 posts come from north of the equator; " in explored.map_in_one_sentence()
    for name in GOLD:
        figure, table = explored.figure(name), explored.table(name)
        assert figure.title == GOLD[name].comment
        assert table.count() > 0
        assert explored.sentence(name) != NOTHING
    with pytest.raises(UsageError, match="no answer is called 'top'"):
        explored.table("top")


def _sums(figure: Any) -> list[int]:
    """The sum of the numbers of each data set of a figure."""
    return [sum(row["number"] for row in rows) for rows in figure.spec["datasets"].values()]


def test_a_widget_is_filled_in_a_cell_where_none_are_shown(spark, tmp_path: Path) -> None:
    dbutils = DbUtils({"lake": str(tmp_path / "lake"), "database": f"t_{uuid4().hex[:12]}"})
    notebook.widgets(dbutils, "clean_up")
    with pytest.raises(UsageError, match=r"holds nothing; .*\. Where no widgets are shown, run dbutils") as refused:
        notebook.open(dbutils, spark).clean_up()
    (cell,) = re.findall(r"dbutils\.widgets\.text\(.+?\)", str(refused.value))
    eval(cell)  # as the person does who was refused
    assert notebook.open(dbutils, spark).clean_up().collect() == []


def test_widgets_are_made_with_the_meaning_of_their_setting() -> None:
    made: list[tuple[str, str, str]] = []
    dbutils = DbUtils()
    dbutils.widgets.text = lambda *given: made.append(given)  # type: ignore[method-assign]
    notebook.widgets(dbutils, "ingest")
    assert made[0] == ("source", "", "source: folder of the dump, which contains topics/, or s3://bucket/prefix")
    assert made[-1] == ("audit", "", "audit: true: compare all names, sizes and times with bronze")
    assert tuple(name for name, *_ in made) == WIDGETS["ingest"]
    with pytest.raises(UsageError, match="no step is called 'ingress'; the steps are check, connect, ingest, "):
        notebook.widgets(dbutils, "ingress")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"audit": "perhaps"}, UsageError, "widget audit holds 'perhaps'; give true or false"),
        (
            {"first_date": "3 March"},
            UsageError,
            "widget first_date holds '3 March', which is not a date; give a day in UTC such as 2026-11-24",
        ),
        (
            {"first_date": "2026-03-02", "last_date": "2026-03-01"},
            UsageError,
            "widget first_date 2026-03-02 is after widget last_date 2026-03-01; exchange the two",
        ),
        ({"max_bad_share": "much"}, SettingsError, "setting 'max_bad_share' from widget max_bad_share can't be 'much'"),
        ({"storage": "mount"}, SettingsError, "storage mount needs bucket and secret_scope"),
        ({"soure": "x"}, UsageError, "no widget is called 'soure', did you mean source?"),
        ({"frist_date": "2026-03-02"}, UsageError, "no widget is called 'frist_date', did you mean first_date?"),
    ],
)
def test_nonsense_in_a_widget_is_told(given: dict[str, str], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        notebook.open(DbUtils(given))


def test_what_is_passed_for_somebody_else_is_told_once_and_let_be(capsys: Any) -> None:
    given = {"run_date": "2026-11-27", "cost_centre": "7", "team": "", "database": "shop"}
    assert notebook.open(DbUtils(given)).settings.database == "shop"
    assert capsys.readouterr().out == "ignored, because pinlake has no such parameters: run_date, cost_centre\n"
    notebook.open(DbUtils({"database": "shop"}))
    assert capsys.readouterr().out == ""


def test_what_is_not_there_is_told(spark, passed: dict[str, str], tmp_path: Path) -> None:
    values = tmp_path / "values.json"
    without = {name: value for name, value in passed.items() if name != "source"}
    with pytest.raises(MachineError, match="dump: storage is local and no source is given; name the folder"):
        opened(spark, values, **without).check()
    with pytest.raises(SourceError, match="no source is given"):
        opened(spark, values, **without).ingest()
    with pytest.raises(LakeError, match="silver_post doesn't exist yet"):
        opened(spark, values, **passed).query()
    with pytest.raises(UsageError, match="no answer is called 'users_joined', did you mean users_joined_by_year"):
        opened(spark, values, **passed).answer("users_joined")


@pytest.mark.slow
def test_too_many_bad_records_stop_a_topic(
    spark, passed: dict[str, str], dump: Path, tmp_path: Path, write_dump
) -> None:
    bad = write_dump(tmp_path / "bad", {"pin": {"0/0": "<html>"}})
    work = opened(spark, tmp_path / "values.json", **passed | {"source": str(bad)})
    work.ingest()
    for _ in range(2):  # a cell may be run again
        with pytest.raises(QualityError, match="topic pin: 1 of 1 new records are bad"):
            work.clean()
    assert work.lake.read("quarantine").count() == 1


def test_a_clean_up_unmounts_the_bucket(spark, tmp_path: Path) -> None:
    given = {"lake": str(tmp_path / "lake"), "database": f"t_{uuid4().hex[:12]}", "storage": "mount"}
    dbutils = DbUtils({**given, "bucket": "dumps", "secret_scope": "s", "confirm": given["database"]})
    mounts = {"/mnt/dumps": "s3a://dumps", "/mnt/other": "s3a://other"}
    listed = lambda: [SimpleNamespace(mountPoint=point, source=at) for point, at in mounts.items()]  # noqa: E731
    dbutils.fs = SimpleNamespace(mounts=listed, unmount=mounts.pop)
    assert notebook.open(dbutils, spark).clean_up().collect() == [("mount of bucket dumps",)]
    assert mounts == {"/mnt/other": "s3a://other"}
    assert notebook.open(dbutils, spark).clean_up().collect() == []


@pytest.mark.slow
def test_a_stream_and_the_look_at_it(spark, passed: dict[str, str], tmp_path: Path, capsys: Any) -> None:
    work = opened(spark, tmp_path / "values.json", **passed)
    found = {row["topic"]: row[1:] for row in work.stream().collect()}
    assert {topic: counts[2] for topic, counts in found.items()} == dict.fromkeys(("pin", "geo", "user"), 30)
    assert all(came == bronze > 30 for came, bronze, _ in found.values())
    assert "stream: batch 1: " in capsys.readouterr().out
    # Again, for a second: nothing comes.
    again = opened(spark, tmp_path / "values.json", **passed, seconds="1").stream().collect()
    assert [row["messages"] for row in again] == [0, 0, 0]
    shown: list[Any] = []
    watch(work.lake, shown.append, ["users_joined_by_year"], 0.1, lambda: shown.append("cleared"))
    assert shown[0] == "cleared"
    assert [frame.count() > 0 for frame in shown[1:]] == [True, True]
    with pytest.raises(UsageError, match="weather"):
        watch(work.lake, shown.append, ["weather"], 0.1, lambda: None)


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan"])
def test_seconds_that_are_none(spark, passed: dict[str, str], tmp_path: Path, seconds: str) -> None:
    with pytest.raises(UsageError, match=f"widget seconds holds '{seconds}'; give a number of seconds, or 0 to run"):
        opened(spark, tmp_path / "values.json", **passed, seconds=seconds)


def test_keys_of_a_bucket_come_from_the_secret_scope(spark, tmp_path: Path, capsys: Any) -> None:
    passed = {"source": "s3://landing/dump", "lake": str(tmp_path / "lake"), "secret_scope": "scope"}
    hidden = "made-up-secret-of-tests"
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"scope": {"access-key-id": "made-up-word", "secret-access-key": hidden}}))
    work = notebook.open(DbUtils(passed, secrets=secrets), spark)
    assert work._with_keys(work.settings).s3_keys == ("made-up-word", hidden)
    assert hidden not in repr(work._with_keys(work.settings))
    secrets.write_text(json.dumps({"scope": {}}))
    work = notebook.open(DbUtils(passed, secrets=secrets), spark)
    assert work._with_keys(work.settings).s3_keys is None
    assert "no access-key-id in scope scope: s3://landing/dump is read with the machine's own keys" in (
        capsys.readouterr().out
    )
