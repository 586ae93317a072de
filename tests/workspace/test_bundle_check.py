"""`make bundle-check`: the tests of the bundle, then a Databricks CLI where there is one that can reach a workspace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.workspace.conftest import write_program

ROOT = Path(__file__).parents[2]
SAYS = 'echo "$(basename "$0") $*"'


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for the PATH with what make needs; in the environment's folder `pytest` only says how it was called."""
    write_program(tmp_path / "environment" / "pytest", SAYS)
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "grep", "basename"):
        found = subprocess.check_output(["which", name], text=True).strip()
        (folder / name).symlink_to(found)
    return folder


def make(programs: Path, *words: str, **variables: str) -> tuple[int, list[str]]:
    environment = {"PATH": str(programs), "HOME": str(programs.parent), **variables}
    installed = ("--old-file=.venv/installed", f"BIN={programs.parent / 'environment'}")
    program = subprocess.check_output(["which", "make"], text=True).strip()
    made = subprocess.run(
        [program, "bundle-check", *installed, *words], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    return made.returncode, made.stdout.splitlines()


def test_without_a_cli_the_offline_half_is_all(programs: Path) -> None:
    code, lines = make(programs, DATABRICKS_HOST="somewhere")
    assert (code, lines[0]) == (0, "pytest tests/bundle")
    assert lines[1:] == [
        "bundle checked offline only: no program databricks is on the PATH; install the Databricks CLI, 1.13 or newer"
    ]


def test_without_a_workspace_the_tests_server_is_all(programs: Path, tmp_path: Path) -> None:
    write_program(programs / "databricks", SAYS)
    (tmp_path / ".databrickscfg").write_text("[DEFAULT]\n")
    code, lines = make(programs)
    assert (code, lines[0]) == (0, "pytest tests/bundle")
    assert lines[1:] == [
        "bundle checked in no workspace: none is configured; run databricks auth login, or set DATABRICKS_HOST"
    ]


def test_the_cli_validates_and_plans(programs: Path, tmp_path: Path) -> None:
    write_program(programs / "databricks", SAYS)
    wanted = [
        "pytest tests/bundle",
        *(f"databricks bundle {word} --target dev" for word in ("validate --strict", "plan")),
    ]
    assert make(programs, DATABRICKS_HOST="somewhere") == (0, wanted)
    (tmp_path / ".databrickscfg").write_text("[DEFAULT]\nhost = somewhere\n")
    assert make(programs) == (0, wanted)
    assert make(programs, "TARGET=free")[1][1] == "databricks bundle validate --strict --target free"
    (tmp_path / ".databrickscfg").rename(tmp_path / "elsewhere")
    assert make(programs, DATABRICKS_CONFIG_FILE=str(tmp_path / "elsewhere")) == (0, wanted)


@pytest.mark.parametrize(("fails", "lines"), [("validate", 2), ("plan", 3)])
def test_what_the_cli_finds_wrong_fails(programs: Path, fails: str, lines: int) -> None:
    write_program(programs / "databricks", f'{SAYS}; [ "$2" != {fails} ]')
    code, said = make(programs, DATABRICKS_HOST="somewhere")
    assert (code, len(said)) == (2, lines)


def test_offline_tests_that_fail_are_the_end(programs: Path, tmp_path: Path) -> None:
    write_program(tmp_path / "environment" / "pytest", f"{SAYS}; exit 1")
    write_program(programs / "databricks", SAYS)
    assert make(programs, DATABRICKS_HOST="somewhere") == (2, ["pytest tests/bundle"])
