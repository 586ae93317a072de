"""What can't be used as given: an exit code, one line that says what was found and what to do, and nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.cli.conftest import Made, listing, pinlake, refused
from tests.conftest import DumpWriter


@pytest.fixture
def dump(write_dump: DumpWriter, tmp_path: Path) -> Path:
    return write_dump(tmp_path / "dump", {"pin": {"0/0": "{}"}})


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_a_source_must_be_given(command: str) -> None:
    assert "no source given; name the folder of a dump, or s3://bucket/prefix, with --source" in refused(1, command)


def test_a_source_that_is_missing() -> None:
    line = refused(1, "run", "--source", "gone")
    assert "source gone does not exist; give the folder of a dump, or generate one with `pinlake emulate" in line


def test_a_source_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "posts.json").touch()
    assert "source posts.json is a file; give the folder of a dump" in refused(1, "run", "--source", "posts.json")


@pytest.mark.parametrize("folder", ["empty", "empty/topics"])
def test_a_source_that_is_empty(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    line = refused(1, "run", "--source", "empty")
    assert "empty/topics: found nothing, and no folder <id>.pin, <id>.geo or <id>.user; give the folder that" in line


@pytest.mark.parametrize("name", ["pin", "a.likes", "_a.pin"])
def test_a_source_that_is_no_dump(tmp_path: Path, name: str) -> None:
    (tmp_path / "other" / "topics" / name).mkdir(parents=True)
    line = refused(1, "run", "--source", "other")
    assert f"other/topics: found {name}, and no folder <id>.pin" in line
    assert "give the folder that holds topics/, or name the sink's topics.dir with --topics-dir" in line


def test_a_topic_that_is_missing(dump: Path) -> None:
    (dump / "topics" / "t0.geo").rmdir()
    line = refused(1, "run", "--source", "dump")
    assert f"topic t0.geo is missing in {dump}/topics; pin, geo and user are all needed: check" in line


def test_several_topic_ids(dump: Path, write_dump: DumpWriter) -> None:
    write_dump(dump, {}, topic_id="t1")
    line = refused(2, "run", "--source", "dump")
    assert f"several topic ids in {dump}: t0, t1; choose one with --topic-id" in line
    line = refused(2, "run", "--source", "dump", "--topic-id", "t2")
    assert f"no topic id 't2' in {dump}; found t0, t1: choose one of these" in line


def test_a_lake_that_is_a_file(dump: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(1, "run", "--source", "dump", "--lake", "file")
    assert "lake file is a file; give a folder with --lake" in line
    line = refused(1, "run", "--source", "dump", "--lake", "file/lake")
    told = "lake file/lake can't be created: file is a file; give another folder with --lake"
    assert told in line.replace(f"{tmp_path}/", "")


def test_a_catalog_outside_a_workspace(dump: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINLAKE_CATALOG", "main")
    line = refused(1, "run", "--source", "dump")
    assert "schema `main`.`pinlake` doesn't exist, or can't be used" in line
    assert line.endswith("elsewhere leave the setting catalog empty, and give a folder with --lake")


def test_a_lake_with_something_else_in_it(dump: Path) -> None:
    line = refused(1, "run", "--source", "dump", "--lake", "dump")
    assert "dump is not a lake: it contains topics; give an empty or a new folder with --lake" in line


def test_a_lake_that_cant_be_written(dump: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    line = refused(1, "run", "--source", "dump", "--lake", "lake")
    assert f"lake lake can't be written: no permission in {tmp_path}; give another folder with --lake" in line


def test_a_lake_that_cant_be_written_is_read(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert pinlake("answer", "users_joined_by_year").exit_code == 0
    assert f"lake {lake} can't be written: no permission in {lake}" in refused(1, "query")


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("tables",),
        ("quarantine",),
        ("quarantine", "replay"),
        ("answer", "users_joined_by_year"),
        ("sql", "SELECT 1"),
        ("clean",),
        ("query",),
        ("rebuild", "gold"),
    ],
)
def test_a_lake_that_is_not_there(words: tuple[str, ...], tmp_path: Path) -> None:
    told = "no lake in {0}; create one with `pinlake run --source DIR --lake {0}`"
    assert told.format("lake") in refused(1, *words)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    assert told.format("other") in refused(1, *words, "--lake", "other")


def test_an_unknown_answer_suggests_the_near_one() -> None:
    line = refused(2, "answer", "user_joined_by_years")
    assert "no answer is called 'user_joined_by_years', did you mean users_joined_by_year? The answers are " in line
    assert "did you mean" not in refused(2, "answer", "xyz")


@pytest.mark.parametrize("words", [(), ("users_joined_by_year", "--all")])
def test_answer_wants_one_name_or_all(words: tuple[str, ...]) -> None:
    assert "name one answer, or give --all; the answers are top_category_by_country, " in refused(2, "answer", *words)


@pytest.mark.parametrize(
    "words", [("--all", "--to", "answers"), ("users_joined_by_year", "--to", "answers", "--format", "csv")]
)
def test_answers_go_to_a_folder_only_as_a_whole_and_for_machines(words: tuple[str, ...]) -> None:
    assert "--to goes with --all and --format csv or json" in refused(2, "answer", *words)


@pytest.mark.usefixtures("lake")
def test_a_folder_for_answers_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(2, "answer", "--all", "--format", "csv", "--to", "file")
    assert "answers can't be written to file: File exists; give another folder with --to" in line


def test_an_unknown_topic(made: Made) -> None:
    told = "no topic is called 'likes'; the topics are pin, geo, user"
    assert told in refused(2, "quarantine", "--topic", "likes", "--lake", made.lake)
    assert told in refused(2, "quarantine", "replay", "--topic", "likes", "--lake", made.lake)
    assert told in refused(2, "quarantine", "--topic", "likes", "replay", "--lake", made.lake)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("quarantine", "--format", "json", "replay"), "replay has no option --format; take it out"),
        (
            ("emulate", "--dirt", 0.1, "--gzip", "resend", "failed.jsonl"),
            "resend has no option --dirt or --gzip",
        ),
        (
            ("holes", "--format", "csv", "accept", "--topic", "pin", "--reason", "r"),
            "accept has no option --format",
        ),
    ],
)
def test_an_option_that_a_groups_command_lacks(words: tuple[object, ...], told: str) -> None:
    assert told in refused(2, *words)


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE silver_pin", "INSERT INTO row_count TABLE row_count", "  delete from bronze", "selec 1", ""],
)
def test_what_is_no_query_is_refused(lake: Path, statement: str) -> None:
    before = listing(lake)
    line = refused(2, "sql", statement)
    assert f"not a query: {statement.strip()!r}; give SELECT, " in line
    assert listing(lake) == before


@pytest.mark.usefixtures("lake")
def test_a_query_that_spark_refuses_names_the_tables_there_are() -> None:
    line = refused(2, "sql", "SELECT * FROM likes")
    assert "can't run the query: [TABLE_OR_VIEW_NOT_FOUND] The table or view `likes` cannot be found." in line
    assert "the tables are bronze, " in line
    assert "can't run the query: [UNRESOLVED_COLUMN" in refused(2, "sql", "SELECT likes FROM bronze")
    assert "can't run the query: [PARSE_SYNTAX_ERROR]" in refused(2, "sql", "SELECT (")


@pytest.mark.usefixtures("lake")
def test_a_query_with_a_name_twice_is_refused_as_json() -> None:
    line = refused(2, "sql", "SELECT 1 AS a, 2 AS a", "--format", "json")
    assert "column a occurs more than once; rename it with AS" in line


@pytest.mark.parametrize(
    "words",
    [
        ("answer", "users_joined_by_year", "--format", "xml"),
        ("emulate", "--to", "dump", "--posts", "-1"),
        ("emulate", "--to", "dump", "--dirt", "2"),
        ("emulate", "--to", "dump", "--flush-size", "0"),
        ("emulate", "--to", "dump", "--partitions", "0"),
        ("nonsense",),
        ("status", "--nonsense"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_how_to_get_help(words: tuple[str, ...]) -> None:
    result = pinlake(*words)
    assert (result.exit_code, result.stdout, listing(Path())) == (2, "", [])
    assert result.stderr.startswith("Usage: ")
    assert "-h" in result.stderr


@pytest.mark.parametrize(
    ("home", "says", "found"),
    [
        ("gone", None, "Java was not found in JAVA_HOME (gone)"),
        ("old", 'openjdk version "11.0.25" 2024-10-15', "found Java 11 at old/bin/java"),
        ("new", 'openjdk version "25.0.1" 2025-10-21 LTS', "found Java 25 at new/bin/java"),
    ],
)
def test_a_run_without_a_java_that_spark_can_use(
    dump: Path, tmp_path: Path, home: str, says: str | None, found: str
) -> None:
    if says:
        java = tmp_path / home / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
        java.chmod(0o755)
    before = listing(tmp_path)
    command = [sys.executable, "-m", "pinlake", "run", "--source", "dump", "--lake", "lake"]
    environment = {**os.environ, "JAVA_HOME": home}
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (told.returncode, told.stdout) == (1, "")
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"error: {found}")
    assert "install a JDK 17 or 21" in line
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bronze",), "can't rebuild 'bronze'; give silver (from bronze) or gold (from silver)"),
        (
            ("silver", "--from", "2026-13-01"),
            "--from holds '2026-13-01', which is not a date; give a day in UTC such as",
        ),
        (("silver", "--from", "2026-11-03", "--to", "2026-11-01"), "--from 2026-11-03 is after --to 2026-11-01"),
        (
            ("gold", "--to", "2026-11-01"),
            "gold is computed from all of silver; omit --from and --to, or rebuild silver",
        ),
    ],
)
def test_layers_and_days_that_cant_be_rebuilt(words: tuple[str, ...], told: str) -> None:
    assert told in refused(2, "rebuild", *words)
