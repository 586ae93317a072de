"""Commands that read the lake: what each prints in each form."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from pinlake.errors import UsageError
from pinlake.lake.model import GOLD, QUARANTINE, STORED, TABLES
from tests.cli.conftest import Made, pinlake

pytestmark = pytest.mark.usefixtures("lake")


def parsed(result: Result) -> Any:
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_report_is_written_or_says_why_not(made: Made, tmp_path: Path) -> None:
    to = tmp_path / "new" / "report.html"
    written = pinlake("report", "--lake", made.lake, "--to", to)
    assert (written.exit_code, written.stdout, written.stderr) == (0, "", f"the report is in {to}\n")
    assert "<h1>" in to.read_text(encoding="utf-8")
    refused = pinlake("report", "--lake", made.lake, "--to", tmp_path)
    assert refused.exit_code == UsageError.exit_code
    assert f"{tmp_path} is a folder; give the path of a file" in refused.stderr
    (tmp_path / "file").touch()
    refused = pinlake("report", "--lake", made.lake, "--to", tmp_path / "file" / "report.html")
    assert "can't be written" in refused.stderr


@pytest.fixture(scope="module")
def status(made: Made) -> dict[str, Any]:
    return parsed(pinlake("status", "--lake", made.lake, "--format", "json"))


def test_status_has_topics_holes_last_run_and_backlog(status: dict[str, Any]) -> None:
    assert status.keys() == {"topics", "missing_offsets", "last_run", "backlog"}
    assert (status["missing_offsets"], status["backlog"]) == ([], 0)
    assert status["last_run"].keys() == {"run_id", "at"}
    assert status["last_run"]["at"].endswith("Z")


def test_status_counts_what_was_sent(made: Made, status: dict[str, Any]) -> None:
    sent = json.loads(made.emulated.stdout)["topics"]
    assert status["topics"].keys() == sent.keys() == {"pin", "geo", "user"}
    for topic, counts in status["topics"].items():
        expected = {**sent[topic], "bronze": sent[topic]["sent"], "received": sent[topic]["sent"]}
        expected |= {"missing_offsets": 0, "backlog": 0}
        del expected["sent"]
        assert {name: counts[name] for name in expected} == expected


@pytest.mark.slow
def test_status_as_csv_and_as_table_has_the_same_counts(status: dict[str, Any]) -> None:
    header, *topics = rows(pinlake("status", "--format", "csv").stdout)
    found = {row[0]: dict(zip(header[1:], map(int, row[1:]), strict=True)) for row in topics}
    assert found == status["topics"]
    table = pinlake("status").stdout
    body = [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if line[:1] == "│"]
    assert body == [
        [name.replace("_", " "), *(str(counts[name]) for counts in found.values())] for name in found["pin"]
    ]
    assert "last run: 20" in table
    assert "backlog: none" in table


def test_an_answer_is_the_same_in_every_form() -> None:
    records = parsed(pinlake("answer", "users_joined_by_year", "--format", "json"))
    assert {type(value) for record in records for value in record.values()} == {int}
    header, *answer = rows(pinlake("answer", "users_joined_by_year", "--format", "csv").stdout)
    assert [dict(zip(header, map(int, row), strict=True)) for row in answer] == records
    table = pinlake("answer", "users_joined_by_year").stdout
    body = [[int(cell) for cell in line.strip("│").split("│")] for line in table.splitlines() if line[:1] == "│"]
    assert body == [list(record.values()) for record in records]


def test_all_answers_are_files_in_a_folder(tmp_path: Path) -> None:
    found = pinlake("answer", "--all", "--to", "new/answers", "--format", "csv")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "10 answers written to new/answers\n")
    assert sorted(path.stem for path in (tmp_path / "new" / "answers").glob("*.csv")) == sorted(GOLD)
    for name, table in GOLD.items():
        header, *answer = rows((tmp_path / "new" / "answers" / f"{name}.csv").read_text())
        assert header == table.column_names
        assert answer


@pytest.mark.slow
def test_all_answers_are_one_document_or_follow_each_other() -> None:
    answers = parsed(pinlake("answer", "--all", "--format", "json"))
    assert list(answers) == list(GOLD)
    parts = pinlake("answer", "--all", "--format", "csv").stdout.split("# ")[1:]
    assert [len(rows(part)) for part in parts] == [len(answer) + 3 for answer in answers.values()]
    table = pinlake("answer", "--all").stdout
    assert [name for name in GOLD if f"{name}: " in table] == list(GOLD)


def test_quarantine_has_every_column_and_its_reasons(made: Made) -> None:
    sent = json.loads(made.emulated.stdout)["topics"]
    records = parsed(pinlake("quarantine", "--format", "json"))
    assert {topic: sum(record["topic"] == topic for record in records) for topic in sent} == {
        topic: counts["quarantined"] for topic, counts in sent.items()
    }
    assert all(record.keys() == set(QUARANTINE.column_names) for record in records)
    assert all(error["message"] for record in records for error in record["_errors"])
    header, *lines = rows(pinlake("quarantine", "--format", "csv").stdout)
    assert header == QUARANTINE.column_names
    assert [json.loads(line[1]) for line in lines] == [record["_errors"] for record in records]


@pytest.mark.parametrize("topic", ["pin", "user"])
def test_quarantine_of_one_topic(monkeypatch: pytest.MonkeyPatch, topic: str) -> None:
    records = parsed(pinlake("quarantine", "--topic", topic, "--format", "json"))
    assert {record["topic"] for record in records} == {topic}
    # One, of a topic that is not the first in order.
    monkeypatch.setattr("pinlake.cli.program._MOST_RECORDS", 1)
    table = pinlake("quarantine", "--topic", topic).stdout
    cells = [line.split("│")[1].strip() for line in table.splitlines() if line[:1] == "│"]
    assert [cell for cell in cells if cell] == [topic]
    left = len(records) - 1
    assert (f"… and {left} more: pinlake quarantine --format json" in table) == (left > 0)


def test_a_query_is_the_same_in_every_form() -> None:
    statement = "SELECT topic, count(*) AS records, null AS nothing FROM bronze GROUP BY topic ORDER BY topic"
    records = parsed(pinlake("sql", statement, "--format", "json"))
    assert [(record["topic"], record["nothing"]) for record in records] == [
        ("geo", None),
        ("pin", None),
        ("user", None),
    ]
    header, *lines = rows(pinlake("sql", statement, "--format", "csv").stdout)
    assert header == ["topic", "records", "nothing"]
    assert lines == [[record["topic"], str(record["records"]), ""] for record in records]
    body = [line for line in pinlake("sql", statement).stdout.splitlines() if line[:1] == "│"]
    assert [line.replace("│", " ").split() for line in body] == [
        [record["topic"], str(record["records"]), "-"] for record in records
    ]


def test_a_join_may_give_a_name_twice() -> None:
    statement = "SELECT * FROM silver_pin p JOIN silver_geo g ON p.ind = g.ind ORDER BY p.ind LIMIT 1"
    found = pinlake("sql", statement, "--format", "csv")
    assert found.exit_code == 0
    assert rows(found.stdout)[0].count("ind") == 2


@pytest.mark.slow
def test_tables_are_the_same_in_every_form() -> None:
    records = parsed(pinlake("tables", "--format", "json"))
    names = [record["name"] for record in records]
    assert {*GOLD, "bronze", "silver_post", "quarantine", "row_count"} <= set(names) <= set(TABLES)
    assert all(record["comment"] == TABLES[record["name"]].comment for record in records)
    assert next(record["rows"] for record in records if record["name"] == "silver_post") == 60
    # An answer is a view, and has no bytes of its own.
    assert all((record["bytes"] > 0) == (record["name"] in STORED) for record in records)
    assert all(record["last_change"].endswith("Z") for record in records)
    header, *lines = rows(pinlake("tables", "--format", "csv").stdout)
    assert [dict(zip(header, line, strict=True))["name"] for line in lines] == names
    table = pinlake("tables").stdout
    assert [name for name in names if name[:16] in table] == names
