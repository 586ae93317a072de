"""The program in the suite's process and session, and one small lake that all reading commands share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner, Result

from pinlake.cli.program import app


def pinlake(*words: object) -> Result:
    """Call the program with these words."""
    return CliRunner().invoke(app, [str(word) for word in words])


def listing(folder: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def failed(code: int, *words: object) -> list[str]:
    """The lines of a call that fails and leaves the current folder as it was; the last one is the error."""
    before = listing(Path())
    result = pinlake(*words)
    assert listing(Path()) == before
    assert (result.exit_code, result.stdout) == (code, "")
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("error: ")
    return lines


def refused(code: int, *words: object) -> str:
    """The one line of a call that fails."""
    (line,) = failed(code, *words)
    return line


@pytest.fixture(scope="session")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, log_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, and no settings but the folder of the logs."""
    leave_only_logs(monkeypatch, log_folder)
    monkeypatch.chdir(tmp_path)


def leave_only_logs(monkeypatch: pytest.MonkeyPatch, log_folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PINLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PINLAKE_LOG_FOLDER", str(log_folder))


@dataclass
class Made:
    """A dirty dump and its lake. `stopped` is a first run that no bad record was allowed in, `ran` the next one."""

    dump: Path
    lake: Path
    emulated: Result
    stopped: Result
    tables_then: list[str]
    status_then: Result
    ran: Result


@pytest.fixture(scope="session")
def made(spark: SparkSession, log_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    dump, lake = folder / "dump", folder / "lake"
    with pytest.MonkeyPatch.context() as monkeypatch:
        leave_only_logs(monkeypatch, log_folder)
        monkeypatch.chdir(folder)
        emulated = pinlake(
            *("emulate", "--to", dump, "--posts", 60, "--dirt", 0.1, "--duplicates", 0.1, "--format", "json")
        )
        run = ("run", "--source", dump, "--lake", lake)
        stopped = pinlake(*run, "--max-bad-share", 0)
        tables = sorted(path.name for path in lake.iterdir() if path.is_dir())
        status = pinlake("status", "--lake", lake, "--format", "json")
        ran = pinlake(*run, "--format", "json", "--log-format", "json")
    return Made(dump, lake, emulated, stopped, tables, status, ran)


@pytest.fixture
def lake(made: Made, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared lake, named to the program by a variable."""
    monkeypatch.setenv("PINLAKE_LAKE", str(made.lake))
    return made.lake
