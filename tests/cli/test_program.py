"""The program as a whole: version, help, and the settings it would run with."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from pinlake import __version__
from pinlake.settings import Settings
from tests.cli.conftest import listing, pinlake

COMMANDS = (
    *("emulate", "run", "ingest", "clean", "query", "answer", "status", "quarantine", "sql", "rebuild", "tables"),
    *("job", "doctor", "links"),
)


def test_the_version_is_printed() -> None:
    result = pinlake("--version")
    assert (result.exit_code, result.stdout) == (0, f"pinlake {__version__}\n")


def test_help_names_every_command() -> None:
    result = pinlake("--help")
    assert result.exit_code == 0
    assert [name for name in (*COMMANDS, "settings") if f" {name} " in result.stdout] == [*COMMANDS, "settings"]
    assert pinlake().exit_code == 2


@pytest.mark.parametrize("command", [*COMMANDS, "settings"])
def test_every_command_has_help(command: str) -> None:
    result = pinlake(command, "-h")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Usage: " in result.stdout


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.toml").write_text('max_bad_share = 0.5\nlake = "from file"\ntopic_id = "from file"\n')
    monkeypatch.setenv("PINLAKE_TOPIC_ID", "from variable")


@pytest.mark.usefixtures("places")
def test_settings_come_with_their_origins() -> None:
    result = pinlake("settings", "--settings", "some.toml", "--lake", "from flag", "--format", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = {row["setting"]: row for row in json.loads(result.stdout)}
    assert found.keys() == Settings.model_fields.keys()
    assert {name: (found[name]["value"], found[name]["from"]) for name in ("lake", "topic_id", "max_bad_share")} == {
        "lake": ("from flag", "flag --lake"),
        "topic_id": ("from variable", "variable PINLAKE_TOPIC_ID"),
        "max_bad_share": (0.5, "file some.toml"),
    }
    assert (found["source"]["value"], found["source"]["from"]) == (None, "default")
    assert found["log_folder"]["from"] == "variable PINLAKE_LOG_FOLDER"
    assert all(row["meaning"] for row in found.values())


@pytest.mark.usefixtures("places")
def test_settings_are_the_same_in_every_form() -> None:
    words = ("settings", "--settings", "some.toml")
    header, *lines = csv.reader(io.StringIO(pinlake(*words, "--format", "csv").stdout))
    assert header == ["setting", "value", "from", "meaning"]
    assert [line[0] for line in lines] == list(Settings.model_fields)
    assert ["max_bad_share", "0.5", "file some.toml"] in [line[:3] for line in lines]
    table = pinlake(*words).stdout
    assert [name for name in Settings.model_fields if name[:12] in table] == list(Settings.model_fields)


def test_settings_write_nothing(log_folder: Path) -> None:
    before = listing(log_folder)
    assert pinlake("settings").exit_code == 0
    assert listing(Path()) == []
    assert listing(log_folder) == before
