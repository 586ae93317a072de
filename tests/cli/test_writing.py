"""Commands that write the lake: exit codes, reports, and that doing a thing twice changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinlake import logs
from pinlake.lake.model import GOLD
from tests.cli.conftest import Made, pinlake
from tests.conftest import write_dump_files

ANSWERS = "SELECT count(*) AS n, sum(number_users_joined) AS users FROM users_joined_by_year"


def test_a_run_with_more_bad_records_than_allowed_ends_with_3_before_silver(made: Made) -> None:
    assert made.stopped.exit_code == 3
    assert made.stopped.stdout == ""
    told = made.stopped.stderr.splitlines()[-1]
    assert told.startswith(
        "error: topic pin: 1 of 67 new records are bad (1.5%, more than 0.0%); stopped before silver"
    )
    assert "--max-bad-share" in told
    assert set(made.tables_then) == {"bronze", "drift", "quarantine", "row_count"}


def test_a_run_that_was_stopped_leaves_a_backlog(made: Made) -> None:
    status = json.loads(made.status_then.stdout)
    assert status["last_run"]["run_id"]
    topics = status["topics"].values()
    assert status["backlog"] == sum(counts["bronze"] - counts["quarantined"] for counts in topics) > 0
    assert {counts["silver"] for counts in topics} == {0}


def test_a_run_prints_counts_and_answers_as_one_document(made: Made) -> None:
    assert made.ran.exit_code == 0
    document = json.loads(made.ran.stdout)
    assert document.keys() == {"topics", "missing_offsets", "backlog", "answers"}
    assert list(document["answers"]) == list(GOLD)
    assert all(document["answers"].values())


def test_json_logs_are_one_object_a_line_on_stderr(made: Made) -> None:
    lines = [json.loads(line) for line in made.ran.stderr.splitlines()]
    assert {line["event"] for line in lines} == {"progress"}
    assert {line["stage"] for line in lines} == {"ingest", "clean", "query"}
    assert all(line["timestamp"] and line["version"] for line in lines)


@pytest.mark.slow
def test_a_second_run_says_that_nothing_is_new(made: Made) -> None:
    again = pinlake("run", "--source", made.dump, "--lake", made.lake)
    assert again.exit_code == 0
    assert again.stderr.count(": 0 new objects") == 3
    assert "records" not in again.stderr, "what was cleaned was looked at again"
    assert "gold is up to date" in again.stderr
    assert "Row accounting" in again.stdout
    assert [name for name in GOLD if f"{name}: " in again.stdout] == list(GOLD)


@pytest.mark.slow
def test_stages_one_by_one(made: Made, lake: Path) -> None:
    audit = pinlake("ingest", "--source", made.dump, "--audit", "--log-format", "json")
    cleaned, asked = pinlake("clean"), pinlake("query")
    assert [done.exit_code for done in (audit, cleaned, asked)] == [0, 0, 0]
    assert [done.stdout for done in (audit, cleaned, asked)] == ["", "", ""]
    assert {json.loads(line)["stage"] for line in audit.stderr.splitlines()} == {"ingest"}
    assert cleaned.stderr.count("nothing new") == 3
    assert "gold is up to date" in asked.stderr


@pytest.mark.usefixtures("lake")
@pytest.mark.slow
def test_gold_recreated_is_the_same() -> None:
    before = pinlake("sql", ANSWERS, "--format", "csv").stdout
    rebuilt = pinlake("rebuild", "gold")
    assert rebuilt.exit_code == 0
    assert "10 gold tables written" in rebuilt.stderr
    assert "Row accounting" in rebuilt.stdout
    assert pinlake("sql", ANSWERS, "--format", "csv").stdout == before


def test_replay_takes_its_options_before_and_after_its_name(made: Made) -> None:
    replayed = pinlake("quarantine", "--lake", made.lake, "replay", "--topic", "geo")
    assert (replayed.exit_code, replayed.stdout) == (0, "0 records moved from quarantine to silver\n")
    assert "geo: 0 of 1 records pass" in replayed.stderr
    assert "pin:" not in replayed.stderr


@pytest.mark.usefixtures("lake")
@pytest.mark.slow
def test_progress_is_of_level_info_in_either_form() -> None:
    assert "gold is up to date" in pinlake("query").stderr
    assert pinlake("query", "--log-level", "warning").stderr == ""
    assert pinlake("query", "--log-level", "warning", "--log-format", "json").stderr == ""


def test_an_error_is_told_though_its_stack_trace_cant_be_kept(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everything written to this device fails as on a full disk.
    monkeypatch.setattr(logs, "log_file", lambda folder: Path("/dev/full"))
    failed = pinlake("sql", "SELECT raise_error('boom')")
    assert failed.exit_code == 1
    (line,) = failed.stderr.splitlines()
    assert re.fullmatch(r"error: SparkRuntimeException: .*boom.*; run again, or see the log", line)


def test_an_unexpected_error_is_one_line_on_the_screen_and_a_stack_trace_in_the_log(
    lake: Path, log_folder: Path
) -> None:
    before = set(log_folder.iterdir())
    failed = pinlake("sql", "SELECT raise_error('boom')")
    (log,) = set(log_folder.iterdir()) - before
    assert (failed.exit_code, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    assert line.startswith("error: SparkRuntimeException: ")
    assert "boom" in line
    assert line.endswith(f"see the log ({log})")
    assert "Traceback (most recent call last)" in log.read_text()


def test_an_error_in_json_logs_is_one_object_that_names_the_stack_trace(lake: Path) -> None:
    failed = pinlake("sql", "SELECT raise_error('boom')", "--log-format", "json")
    assert (failed.exit_code, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("failed", "error")
    assert "boom" in told["reason"]
    assert "Traceback" in Path(told["trace"]).read_text()


@pytest.mark.slow
def test_holes_are_listed_and_accepted_and_no_longer_missing(spark: SparkSession, tmp_path: Path) -> None:
    dump, lake = tmp_path / "dump", ("--lake", tmp_path / "lake")
    write_dump_files(dump, {"pin": {"0/0": '{"index":0,"title":"a"}', "0/2": '{"index":2,"title":"b"}'}})
    assert pinlake("ingest", "--source", dump, *lake).exit_code == 0
    hole = {"topic": "pin", "partition": 0, "first": 1, "last": 1, "offsets": 1}
    listed = json.loads(pinlake("holes", *lake, "--format", "json").stdout)
    assert listed == [{**hole, "accepted_by": None, "accepted_at": None, "reason": None}]
    accept = ("holes", "accept", "--topic", "pin", "--reason", "topic is compacted", *lake)
    assert pinlake(*accept, "--by", "somebody").stdout == "pin, partition 0: offsets 1 to 1 accepted\n"
    (accepted,) = json.loads(pinlake("holes", *lake, "--format", "json").stdout)
    assert accepted.items() >= {**hole, "accepted_by": "somebody", "reason": "topic is compacted"}.items()
    assert json.loads(pinlake("status", *lake, "--format", "json").stdout)["missing_offsets"] == []
    again = pinlake(*accept)
    assert (again.exit_code, again.stderr) == (
        2,
        "error: topic pin has no missing offsets there; see `pinlake holes`\n",
    )
