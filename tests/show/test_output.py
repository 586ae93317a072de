"""Results as table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from pinlake.errors import UsageError
from pinlake.show.output import Format, Result, write

MIXED = """
    SELECT 1 AS whole, 2.5D AS fraction, CAST(12.30 AS DECIMAL(9, 2)) AS exact, true AS flag, DATE'2024-02-29' AS day,
        'Ü "quoted", two\\nlines' AS text, CAST(null AS STRING) AS nothing, X'00FF' AS bytes,
        TIMESTAMP'2020-08-28 03:52:47Z' AS at, array(48.2D, null) AS list, map('a', 1) AS pairs,
        struct(X'0A' AS bytes, CAST(null AS INT) AS nothing, array(struct(1 AS n)) AS inner) AS nested
"""
INSTANTS = ["2020-01-01T00:00:00Z", "2020-03-08T02:30:00Z", "2020-11-01T08:30:00Z", "1969-12-31T23:59:59.5Z"]


def shown(result: Result, form: Format = Format.TABLE, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    write(result, form, console)
    return console.file.getvalue()


def cells(result: Result) -> list[list[str]]:
    """The lines of a table's body, cut at its bars."""
    lines = [line for line in shown(result).splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


@pytest.fixture(scope="module")
def mixed(spark: SparkSession) -> Result:
    return Result.of(spark.sql(MIXED))


def test_json_keeps_nesting_null_and_unicode_and_has_bytes_as_hexadecimal_text(mixed: Result) -> None:
    printed = shown(mixed, Format.JSON)
    assert json.loads(printed) == [
        {
            "whole": 1,
            "fraction": 2.5,
            "exact": "12.30",
            "flag": True,
            "day": "2024-02-29",
            "text": 'Ü "quoted", two\nlines',
            "nothing": None,
            "bytes": "00ff",
            "at": "2020-08-28T03:52:47Z",
            "list": [48.2, None],
            "pairs": {"a": 1},
            "nested": {"bytes": "0a", "nothing": None, "inner": [{"n": 1}]},
        }
    ]
    assert "Ü" in printed, "text is not escaped"


def test_csv_keeps_every_line_end_in_a_text() -> None:
    texts = ["a\rb", "a\nb", "a\r\nb", "\r", 'a",b']
    result = Result(["text", "n"], [[text, 1] for text in texts])
    said = result.csv()
    assert list(csv.reader(io.StringIO(said, newline=""))) == [["text", "n"], *[[text, "1"] for text in texts]]
    assert said.startswith('text,n\n"a\rb",1\n')


def test_csv_has_an_empty_field_for_null_and_json_for_what_is_nested(mixed: Result) -> None:
    header, row = csv.reader(io.StringIO(shown(mixed, Format.CSV)))
    assert header == mixed.columns
    assert row[:9] == [
        *("1", "2.5", "12.30", "True", "2024-02-29"),
        *('Ü "quoted", two\nlines', "", "00ff", "2020-08-28T03:52:47Z"),
    ]
    assert [json.loads(cell) for cell in row[9:]] == [
        [48.2, None],
        {"a": 1},
        {"bytes": "0a", "nothing": None, "inner": [{"n": 1}]},
    ]


def test_a_table_shows_null_as_a_dash_and_what_is_nested_as_json() -> None:
    assert cells(Result(["a", "b", "c"], [[None, [1, None], {"x": "ü"}]])) == [["-", "[1, null]", '{"x": "ü"}']]


def test_a_table_groups_the_thousands_of_counts() -> None:
    row = [9999, 10_000, -1_234_567, 37_000.5, 0.1, True, Decimal("1.50")]
    assert cells(Result(list("abcdefg"), [row])) == [
        ["9,999", "10,000", "-1,234,567", "37,000.5", "0.1", "True", '"1.50"']
    ]


@pytest.mark.parametrize("column", ["year", "post_year", "ind", "last_offset", "partition"])
def test_years_and_numbers_that_are_names_have_no_separators(column: str) -> None:
    assert cells(Result([column, "posts"], [[2018, 2018]])) == [["2018", "2,018"]]


def test_a_time_is_never_broken_in_the_middle() -> None:
    table = shown(Result(["at", "text"], [["2026-11-24T12:05:01Z", "some words that are long enough"]]), width=34)
    assert "2026-11-24T12:05:01Z" in table


def test_a_table_has_numbers_to_the_right_and_text_to_the_left() -> None:
    lines = shown(Result(["number", "text"], [[1, "a"], [None, "b"]])).splitlines()
    assert lines[-3:-1] == ["│      1 │ a    │", "│      - │ b    │"]


def test_a_table_shows_text_as_it_is() -> None:
    assert cells(Result(["[b]name[/b]"], [["[red]:art: text[/red]"]])) == [["[red]:art: text[/red]"]]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("\x1b]0;title\x07\x9b31m", r"\x1b]0;title\x07\x9b31m"),
        ("a\rb", r"a\rb"),
        (["\u202eabc"], r'["\u202eabc"]'),
    ],
)
def test_a_table_writes_out_what_steers_a_terminal(value: Any, written: str) -> None:
    assert cells(Result(["a"], [[value]])) == [[written]]


def test_a_narrow_table_folds_and_loses_nothing() -> None:
    lines = shown(Result(["a"], [["abcdefghij" * 5]]), width=20).splitlines()
    assert all(len(line) <= 20 for line in lines)
    assert "".join(line.strip("│ ") for line in lines if line.startswith("│")) == "abcdefghij" * 5


def test_a_table_of_the_first_rows_says_how_many_more_there_are_and_where() -> None:
    result = Result(["number of the row, from 0"], [[number] for number in range(1_200)], "Numbers")
    console = Console(file=io.StringIO(), width=80)
    console.print(result.table(3, "pinlake sql"))
    printed = console.file.getvalue()
    assert printed.startswith("Numbers")
    assert [line.strip("│ ") for line in printed.splitlines() if line.startswith("│")] == ["0", "1", "2"]
    assert "1,197 more" in printed
    assert "pinlake sql" in printed
    assert "more" not in shown(Result(["n"], [[1]]))


@pytest.mark.parametrize(("form", "printed"), [(Format.CSV, "a,b\n"), (Format.JSON, "[]\n")])
def test_a_table_without_rows_keeps_its_header(form: Format, printed: str) -> None:
    assert shown(Result(["a", "b"], []), form) == printed
    assert cells(Result(["a", "b"], [])) == []


def test_only_the_first_rows_are_taken(spark: SparkSession) -> None:
    assert len(Result.of(spark.range(5), limit=2).rows) == 2


def test_time_stamps_are_in_utc_under_any_session_time_zone(spark: SparkSession, any_time_zone: str) -> None:
    instants = ", ".join(f"TIMESTAMP'{instant}'" for instant in INSTANTS)
    rows = Result.of(spark.sql(f"SELECT explode(array({instants}, null)) AS at")).rows
    assert rows == [[instant] for instant in [*INSTANTS, None]]


def test_nested_time_stamps_are_in_utc_as_well(spark: SparkSession, any_time_zone: str) -> None:
    statement = f"""
        SELECT array(at, null) AS list, map('a', at) AS pairs, map(at, 1) AS keys, array(struct(at, 1 AS n)) AS nested,
            CAST(null AS STRUCT<at: TIMESTAMP>) AS nothing, TIMESTAMP_NTZ'2020-01-01 00:00:00' AS local
        FROM VALUES (TIMESTAMP'{INSTANTS[1]}') AS given(at)
    """
    at = INSTANTS[1]
    assert Result.of(spark.sql(statement)).rows == [
        [[at, None], {"a": at}, {at: 1}, [{"at": at, "n": 1}], None, "2020-01-01T00:00:00"]
    ]


def test_numbers_that_json_lacks_are_text(spark: SparkSession) -> None:
    result = Result.of(spark.sql("SELECT double('NaN') AS a, array(double('-Infinity')) AS b"))

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    assert json.loads(shown(result, Format.JSON), parse_constant=refuse) == [{"a": "nan", "b": ["-inf"]}]


def test_nested_numbers_of_exact_decimals(spark: SparkSession) -> None:
    result = Result.of(spark.sql("SELECT array(1.50BD) AS a"))
    assert shown(result, Format.CSV) == 'a\n"[""1.50""]"\n'
    assert json.loads(shown(result, Format.JSON)) == [{"a": ["1.50"]}]


def test_columns_of_one_name_are_shown_both_and_refused_as_json(spark: SparkSession) -> None:
    result = Result.of(spark.sql("SELECT 1 AS ind, 2 AS ind, 3 AS `a``.b`"))
    assert shown(result, Format.CSV) == "ind,ind,a`.b\n1,2,3\n"
    assert cells(result) == [["1", "2", "3"]]
    with pytest.raises(UsageError, match="column ind occurs more than once; rename it with AS"):
        shown(result, Format.JSON)
