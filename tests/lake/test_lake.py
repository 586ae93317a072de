"""Tables of a lake: made with their comments, written once, and errors that name the table."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from pinlake.errors import AccountingError, LakeError, UsageError
from pinlake.lake.accounting import check_sums
from pinlake.lake.commit import unreadable
from pinlake.lake.lake import MADE_FROM, Lake
from pinlake.lake.location import LEFT_OVER, MARKER, check_folder
from pinlake.lake.model import TABLES
from pinlake.lake.row_count import TopicCount
from pinlake.lake.statements import check_query

DRIFT = "topic string, kind string, field string, records bigint, example_path string, batch bigint, run_id string"


@pytest.fixture
def lake(shared_disk, spark, tmp_path: Path) -> Lake:
    return Lake(spark, f"t_{uuid4().hex[:12]}", root=tmp_path / "lake it's")


def drift_rows(spark, *fields: str):
    rows = [("pin", "extra", field, 1, "p", 1, "r") for field in fields]
    return spark.createDataFrame(rows, DRIFT).selectExpr("*", "timestamp'2020-01-01' AS found_at")


def one_answer(lake: Lake):
    row = {"answer": "users_joined_by_year", "join_year": 2020, "number_users_joined": 3}
    return lake.spark.createDataFrame(
        [tuple(row.get(name) for name in TABLES["answers"].column_names)], TABLES["answers"].schema
    )


def test_a_table_is_made_with_its_comments_and_an_append_counts_once(lake: Lake) -> None:
    assert lake.read("drift").columns == TABLES["drift"].column_names
    assert not lake.exists("drift")
    for _ in range(2):
        lake.append("drift", drift_rows(lake.spark, "a"), ("app", 1))
    lake.append("drift", drift_rows(lake.spark, "b"), ("app", 2))
    assert sorted(row["field"] for row in lake.read("drift").collect()) == ["a", "b"]
    described = {row["col_name"]: row["comment"] for row in lake.query("DESCRIBE TABLE drift").collect()}
    assert described["field"] == TABLES["drift"].column("field").comment
    assert lake.info("drift").comment == TABLES["drift"].comment


def test_a_schema_of_a_catalog_must_be_there_and_none_is_made(spark) -> None:
    database = f"t_{uuid4().hex[:12]}"
    told = r"`\.`{}` doesn't exist, or can't be used{}; in a workspace deploy the bundle, .* CREATE SCHEMA"
    with pytest.raises(LakeError, match=told.format(database, "")):
        Lake(spark, database, catalog="spark_catalog")
    assert not spark.catalog.databaseExists(f"spark_catalog.{database}")
    with pytest.raises(LakeError, match=told.format("posts", r"( \(.*nowhere.*\))?")):
        Lake(spark, "posts", catalog="nowhere")

    def no_right(schema: str) -> None:
        raise PermissionError(f"no right to see {schema}")

    limited = SimpleNamespace(catalog=SimpleNamespace(databaseExists=no_right))
    with pytest.raises(LakeError, match=told.format(database, r" \(no right to see .*\)")):
        Lake(limited, database, catalog="spark_catalog")
    spark.sql(f"CREATE SCHEMA {database}")
    assert not Lake(spark, database, catalog="spark_catalog").exists("bronze")
    spark.sql(f"DROP SCHEMA {database}")


def test_replaced_rows_keep_comments_and_say_what_they_were_made_from(lake: Lake) -> None:
    lake.replace("answers", one_answer(lake), "it's this")
    state = lake.state("answers")
    assert state.startswith("answers 0 of ")
    lake.replace("answers", one_answer(lake), "that")
    assert lake.noted("answers", MADE_FROM) == "that"
    assert lake.state("answers") != state
    described = {row["col_name"]: row["comment"] for row in lake.query("DESCRIBE TABLE users_joined_by_year").collect()}
    assert described["number_users_joined"] == "number of users"
    assert lake.query("SELECT * FROM users_joined_by_year").collect() == lake.read("users_joined_by_year").collect()
    assert lake.query("SELECT * FROM top_user_by_country").count() == 0


def test_a_second_lake_of_the_same_schema_name_takes_its_place(lake: Lake, tmp_path: Path) -> None:
    lake.append("drift", drift_rows(lake.spark, "a"), ("app", 1))
    database = lake.query("SELECT current_database()").collect()[0][0]
    other = Lake(lake.spark, database, root=tmp_path / "other")
    assert other.read("drift").count() == 0
    other.append("drift", drift_rows(lake.spark, "b", "c"), ("app", 1))
    assert other.query("SELECT count(*) FROM drift").collect()[0][0] == 2
    again = Lake(lake.spark, database, root=lake.location.root)
    assert again.query("SELECT count(*) FROM drift").collect()[0][0] == 1


def test_a_lake_whose_folder_was_removed_is_made_again_in_the_same_session(lake: Lake) -> None:
    lake.append("drift", drift_rows(lake.spark, "a"), ("app", 1))
    database = lake.query("SELECT current_database()").collect()[0][0]
    shutil.rmtree(lake.location.root)
    assert Lake(lake.spark, database, root=lake.location.root).read("drift").count() == 0


def test_a_broken_table_is_named_and_left_alone(lake: Lake) -> None:
    (lake.location.root / "drift").mkdir()
    (lake.location.root / "drift" / "mine.txt").write_text("precious")
    with pytest.raises(LakeError, match=r"drift is not a Delta table \(no _delta_log in it\)"):
        lake.append("drift", drift_rows(lake.spark, "a"), ("app", 1))
    assert [path.name for path in (lake.location.root / "drift").iterdir()] == ["mine.txt"]


def test_a_table_whose_maker_was_killed_before_its_first_commit_is_made_again(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    (lake.location.root / "drift" / "_delta_log" / "_staged_commits").mkdir(parents=True)
    (lake.location.root / "drift" / "part-0.snappy.parquet").write_bytes(b"PAR1")
    # Of a large first write the files come long before the log; another process may look meanwhile.
    (lake.location.root / "answers" / "answer=users_joined_by_year").mkdir(parents=True)
    (lake.location.root / "answers" / ".part-0.snappy.parquet.crc").write_bytes(b"")
    assert not lake.exists("drift")
    assert lake.read("answers").count() == 0
    with caplog.at_level("WARNING", "pinlake"):
        lake.append("drift", drift_rows(lake.spark, "a"), ("app", 1))
        lake.replace("answers", one_answer(lake))
    assert (lake.read("drift").count(), lake.read("users_joined_by_year").count()) == (1, 1)
    assert "answers holds files and no commit of a table: moved to .left-over/answers-" in caplog.text
    kept = [path.name.rpartition("-")[0] for path in (lake.location.root / LEFT_OVER).iterdir()]
    assert sorted(kept) == ["answers", "drift"]


def test_a_commit_is_tried_again_only_while_the_lake_is_held(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other writer that was faster may be the one that has taken the lake over."""
    asked: list[bool] = []

    def held_once() -> None:
        asked.append(True)
        if len(asked) > 1:
            raise LakeError("the lease was lost")

    def conflict() -> None:
        raise RuntimeError("[DELTA_CONCURRENT_APPEND] another was faster")

    monkeypatch.setattr(lake.location, "check_held", held_once)
    with pytest.raises(LakeError, match="the lease was lost"):
        lake._commit("drift", conflict)
    assert len(asked) == 2


def test_a_corrupt_log_is_named(spark, lake: Lake) -> None:
    lake.append("drift", drift_rows(spark, "a"), ("app", 1))
    log = lake.location.root / "drift" / "_delta_log"
    for path in log.glob("*.json"):
        path.unlink()
    (log / "00000000000000000007.json").write_text("{}")
    with pytest.raises(LakeError, match="table drift can't be used"):
        Lake(spark, f"t_{uuid4().hex[:12]}", root=lake.location.root).read("drift").count()


@pytest.mark.parametrize(
    ("spoil", "file"),
    [
        pytest.param(lambda path: path.unlink(), "part-*.parquet", id="a file that is gone"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:100]), "part-*.parquet", id="a cut file"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:100]), "_delta_log/*1.json", id="a cut commit"),
    ],
)
def test_a_file_that_cant_be_read_names_its_table(spark, lake: Lake, spoil, file: str) -> None:
    for number in range(2):
        lake.append("drift", drift_rows(spark, "a"), (f"app {number}", 1))
    for path in (lake.location.root / "drift").glob(file):
        spoil(path)
    with pytest.raises(Exception, match=r"FAILED_READ_FILE|table drift") as failed:
        Lake(spark, f"t_{uuid4().hex[:12]}", root=lake.location.root).read("drift").collect()
    known = failed.value if isinstance(failed.value, LakeError) else unreadable(failed.value)
    assert re.match(r"table drift can't be used, its file \S+/drift/\S+ can't be read; .* RESTORE", str(known))


def test_a_column_dropped_by_hand_is_named(spark, lake: Lake) -> None:
    lake.append("drift", drift_rows(spark, "a"), ("app", 1))
    drift_rows(spark, "a").drop("field").write.format("delta").mode("overwrite").option("overwriteSchema", True).save(
        str(lake.location.root / "drift")
    )
    with pytest.raises(LakeError, match=r"table drift has no column field: .*; `pinlake rebuild silver` rebuilds"):
        Lake(spark, f"t_{uuid4().hex[:12]}", root=lake.location.root).read("drift")


def test_a_stage_that_was_not_run_is_named(lake: Lake) -> None:
    with pytest.raises(LakeError, match="table silver_post doesn't exist yet; `pinlake clean` creates it"):
        lake.require("silver_post", "clean")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE drift",
        "insert into drift values (1)",
        " DELETE FROM drift",
        "WITH a AS (SELECT 1) INSERT INTO drift SELECT * FROM a",
        "FROM drift INSERT INTO drift SELECT *",
        "/* SELECT */ DROP TABLE drift",
    ],
)
def test_only_queries_are_run(lake: Lake, statement: str) -> None:
    with pytest.raises(UsageError, match="not a query"):
        lake.query(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'insert into x'",
        "-- all\n(SELECT 1)",
        "with a as (select 1) select * from a",
        "DESCRIBE TABLE `update a set`",
    ],
)
def test_a_query_is_known_by_its_words_outside_of_texts(statement: str) -> None:
    check_query(statement)


def test_a_folder_with_something_else_is_no_lake(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(LakeError, match=r"is not a lake: it contains thesis\.doc"):
        check_folder(tmp_path)
    (tmp_path / MARKER).touch()
    check_folder(tmp_path)
    with pytest.raises(LakeError, match="is a file; give a folder"):
        check_folder(tmp_path / "thesis.doc")
    with pytest.raises(LakeError, match=r"lake .*/\\xff has a path that is not UTF-8"):
        check_folder(tmp_path / os.fsdecode(b"\xff"))
    with pytest.raises(LakeError, match=r"can't be created: .*thesis\.doc is a file"):
        check_folder(tmp_path / "thesis.doc" / "lake")


def test_a_record_in_no_place_or_in_two_fails_the_sums() -> None:
    right = TopicCount(
        "pin", received=11, unreadable=1, bronze=10, silver=5, deduplicated=2, conflicts=1, quarantined=2
    )
    check_sums([right])
    lost = TopicCount("pin", received=11, unreadable=1, bronze=10, silver=5, deduplicated=2, conflicts=1, quarantined=1)
    with pytest.raises(AccountingError, match=r"topic pin: bronze = silver .* does not hold, 10 is not 9"):
        check_sums([lost])
    unread = TopicCount("geo", received=3, bronze=2, silver=2)
    with pytest.raises(AccountingError, match=r"topic geo: received = bronze \+ unreadable does not hold"):
        check_sums([unread])
