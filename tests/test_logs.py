"""Where log lines go and what they look like."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from pinlake import logs

NOON = datetime(2024, 2, 29, 12, 0, 0, 7, UTC)


@pytest.fixture(autouse=True)
def _reset() -> None:
    structlog.reset_defaults()


def test_json_is_one_object_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    structlog.get_logger().info("read", topic="pin", text="two\nlines")
    structlog.get_logger().error("failed")
    said = capsys.readouterr()
    first, second = [json.loads(line) for line in said.err.splitlines()]
    assert (first["event"], first["topic"], first["text"], first["level"]) == ("read", "pin", "two\nlines", "info")
    assert datetime.fromisoformat(first["timestamp"]).utcoffset() == UTC.utcoffset(None)
    assert second["event"] == "failed"
    assert said.out == ""


def test_console_is_text_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("console", "info")
    structlog.get_logger().info("read", topic="pin")
    said = capsys.readouterr()
    assert "read" in said.err
    assert "topic=pin" in said.err
    assert "\x1b" not in said.err, "no colours where no terminal is"
    assert said.out == ""


def test_what_the_package_logs_itself_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        logs.configure("json", "info")
    logging.getLogger("pinlake.dump").warning("waits for %s", "a bucket")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"]) for line in found] == [("waits for a bucket", "warning")]


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_left_out(level: str, logged: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)("said")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == logged


def test_what_is_bound_to_the_context_is_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    with structlog.contextvars.bound_contextvars(version="1.2.3"):
        structlog.get_logger().info("said")
    assert json.loads(capsys.readouterr().err)["version"] == "1.2.3"


def test_a_log_file_is_made_with_its_folder_and_named_by_time(tmp_path: Path) -> None:
    path = logs.log_file(tmp_path / "new" / "logs", NOON)
    assert path == tmp_path / "new" / "logs" / "20240229-120000-000007.log"
    assert path.read_text() == ""


def test_a_log_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "20240229-120000-000007.log").write_text("before")
    path = logs.log_file(tmp_path, NOON)
    assert path is not None
    assert path.read_text() == "before"


@pytest.mark.parametrize("folder", ["file", "file/logs"])
def test_a_log_file_is_a_temporary_one_where_the_folder_cant_be_made(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = logs.log_file(tmp_path / folder)
    assert path is not None
    assert (path.parent, path.name[:8], path.suffix) == (tmp_path, "pinlake-", ".log")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert logs.log_file(tmp_path / folder) is None


def test_a_stream_that_was_closed_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    monkeypatch.setattr("sys.stderr", closed)
    logs.configure("console", "info")
    closed.close()
    monkeypatch.undo()
    logging.getLogger("pinlake.dump").warning("trying again")
    logs.configure("console", "info")
