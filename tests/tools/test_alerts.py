"""The files of the alerts: made from the rules, and no others."""

from __future__ import annotations

from pathlib import Path

from tools.alerts import files

FOLDER = Path(__file__).parents[2] / "resources" / "warehouse"


def test_the_files_are_what_the_rules_make() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.alert.yml")}
    assert there == files(), "run `make docs`"
