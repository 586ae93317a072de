"""`pinlake emulate`: what it writes, what it prints, and which folders it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from pinlake.topics import DEFAULT_TOPIC_ID
from tests.cli.conftest import Made, listing, pinlake
from tests.rows import USUAL

OBJECTS = [f"topics/a.{topic}/partition=0/a.{topic}+0+0000000000.json" for topic in ("geo", "pin", "user")]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    (tmp_path / "rows").mkdir()
    for topic, record in USUAL.items():
        (tmp_path / "rows" / f"raw_{topic}.jsonl").write_text(json.dumps(record) + "\n")
    return tmp_path / "rows"


def files(folder: Path) -> list[str]:
    return [name for name in listing(folder) if (folder / name).is_file()]


def test_a_dump_is_made_with_its_truth_beside_it(made: Made) -> None:
    printed = json.loads(made.emulated.stdout)
    assert printed == json.loads((made.dump / "truth.json").read_text())
    assert sum(counts["sent"] for counts in printed["topics"].values()) == len(files(made.dump)) - 1
    assert "60 posts" in made.emulated.stderr


def test_what_was_sent_is_printed_in_every_form(tmp_path: Path) -> None:
    words = ("emulate", "--posts", 3, "--topic-id", "a", "--flush-size", 3, "--to")
    header, *lines = csv.reader(io.StringIO(pinlake(*words, "one", "--format", "csv").stdout))
    assert header[:4] == ["topic", "sent", "unreadable", "silver"]
    assert [line[:4] for line in lines] == [[topic, "3", "0", "3"] for topic in USUAL]
    table = pinlake(*words, "two").stdout
    body = [line.replace("│", " ").split() for line in table.splitlines() if line[:1] == "│"]
    assert table.startswith("Sent to two")
    assert body == lines
    assert files(tmp_path / "one") == files(tmp_path / "two") == [*OBJECTS, "truth.json"]


def topic_ids(folder: Path) -> set[str]:
    return {path.name.split(".")[0] for path in (folder / "topics").iterdir()}


def test_the_pipeline_id_is_the_flags_else_the_variables_else_the_files_else_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.toml").write_text('topic_id = "from-file"')
    words = ("emulate", "--posts", 1, "--to")
    assert pinlake(*words, "default").exit_code == 0
    assert pinlake(*words, "file", "--settings", "some.toml").exit_code == 0
    monkeypatch.setenv("PINLAKE_TOPIC_ID", "from-variable")
    assert pinlake(*words, "variable", "--settings", "some.toml").exit_code == 0
    assert pinlake(*words, "flag", "--settings", "some.toml", "--topic-id", "from-flag").exit_code == 0
    assert {name: topic_ids(tmp_path / name) for name in ("default", "file", "variable", "flag")} == {
        "default": {DEFAULT_TOPIC_ID},
        "file": {"from-file"},
        "variable": {"from-variable"},
        "flag": {"from-flag"},
    }


def test_rows_are_taken_from_files(rows: Path, tmp_path: Path) -> None:
    result = pinlake("emulate", "--rows", rows, "--to", "dump", "--topic-id", "a", "--format", "json")
    assert (result.exit_code, json.loads(result.stdout)["posts"]) == (0, 1)
    assert files(tmp_path / "dump") == [*OBJECTS, "truth.json"]
    assert [json.loads((tmp_path / "dump" / name).read_text()) for name in OBJECTS] == [
        USUAL[topic] for topic in ("geo", "pin", "user")
    ]


def test_objects_are_compressed_and_dealt_to_partitions(tmp_path: Path) -> None:
    words = ("--posts", 2, "--partitions", 2, "--gzip", "--topic-id", "a")
    assert pinlake("emulate", "--to", "dump", *words).exit_code == 0
    assert files(tmp_path / "dump" / "topics" / "a.pin") == [
        "partition=0/a.pin+0+0000000000.json.gz",
        "partition=1/a.pin+1+0000000000.json.gz",
    ]


def test_a_dump_is_added_to_only_when_asked(tmp_path: Path) -> None:
    words = ("emulate", "--to", "dump", "--posts", 1, "--topic-id", "a")
    pinlake(*words)
    before = listing(tmp_path)
    again = pinlake(*words)
    assert (again.exit_code, again.stdout, listing(tmp_path)) == (2, "", before)
    (line,) = again.stderr.splitlines()
    assert line == "error: dump: already holds a dump. Give a new or empty folder, or append to the dump."
    assert pinlake(*words, "--append").exit_code == 0
    assert "a.pin+0+0000000001.json" in {path.name for path in tmp_path.rglob("*")}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--to", "rows"), 2, "rows: already holds 'raw_geo.jsonl'. Give a new or empty folder"),
        (("--to", "rows/raw_pin.jsonl"), 2, "rows/raw_pin.jsonl: is a file, not a folder. Give the folder"),
        (("--to", "dump", "--rows", "gone"), 1, "gone/raw_pin.jsonl: no such file. Rows are read from"),
        (("--to", "dump", "--topic-id", "a/b"), 2, "topic id 'a/b': it names folders and objects. Give one without"),
    ],
)
def test_bad_input_is_told_in_one_line_and_nothing_is_written(
    rows: Path, tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    before = listing(tmp_path)
    result = pinlake("emulate", *words)
    assert (result.exit_code, result.stdout, listing(tmp_path)) == (code, "", before)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {told}")
