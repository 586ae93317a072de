"""Settings that can't be used: one line that says where they come from and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import pinlake, refused


def test_an_unknown_setting_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "pinlake.toml").write_text('laek = "x"')
    line = refused(2, "status")
    assert "unknown setting 'laek' in file pinlake.toml; correct its name, the settings are source, lake, " in line


def test_an_unknown_setting_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINLAKE_LAEK", "x")
    assert "unknown setting 'laek' in variable PINLAKE_LAEK; correct its name, the settings are " in refused(
        2, "settings"
    )


def test_a_setting_of_the_wrong_type(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refused(2, "run", "--max-bad-share", 2)
    assert "setting 'max_bad_share' from flag --max-bad-share can't be 2.0: " in line
    assert "it is share of quarantined records" in line
    monkeypatch.setenv("PINLAKE_LAKE_WAIT", "long")
    assert "setting 'lake_wait' from variable PINLAKE_LAKE_WAIT can't be 'long': " in refused(2, "status")


def test_a_flag_with_another_name_than_its_setting() -> None:
    line = refused(2, "emulate", "seed-database", "--sql", "mysql://me:secret@host/posts")
    assert "setting 'sql_url' from flag --sql can't be what is given: " in line


@pytest.mark.parametrize("content", [b"lake = ", b'lake = "\xff"'])
def test_a_settings_file_that_cant_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    line = refused(2, "status", "--settings", "bad.toml")
    assert "settings file bad.toml can't be read: " in line
    assert "it must be TOML, `name = value`" in line


def test_a_settings_file_that_is_not_there() -> None:
    line = refused(2, "status", "--settings", "gone.toml")
    assert "settings file gone.toml does not exist; give the path of a TOML file, or leave it out" in line


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_wrong_setting_is_told_in_json_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    monkeypatch.setenv("PINLAKE_LAEK", "x")
    if by == "variable":
        monkeypatch.setenv("PINLAKE_LOG_FORMAT", "json")
    failed = pinlake("status", *(("--log-format", "json") if by == "flag" else ()))
    (line,) = failed.stderr.splitlines()
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert json.loads(line)["reason"].startswith("unknown setting 'laek'")
