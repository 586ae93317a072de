"""Jars, fetched once for each version: errors that say what is missing and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinlake.errors import MachineError
from pinlake.jars import fetch_jars

PACKAGE = "org.example:delta-spark_9"
POM = "<project><groupId>org.example</groupId><artifactId>delta-spark_9</artifactId><version>{}</version></project>"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions 1 and 2 of a package in the local Maven repository, which Ivy asks before any other."""
    for version in ("1", "2"):
        folder = tmp_path / ".m2" / "repository" / "org" / "example" / "delta-spark_9" / version
        folder.mkdir(parents=True)
        (folder / f"delta-spark_9-{version}.pom").write_text(POM.format(version))
        (folder / f"delta-spark_9-{version}.jar").write_bytes(b"PK\x05\x06" + bytes(18))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Duser.home={tmp_path}")


def names(jars: list[Path]) -> list[str]:
    return [jar.name for jar in jars]


@pytest.mark.slow
def test_jars_of_another_version_are_fetched_anew_and_the_old_ones_go(tmp_path: Path) -> None:
    assert names(fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:1"])) == ["org.example_delta-spark_9-1.jar"]
    assert names(fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:2"])) == ["org.example_delta-spark_9-2.jar"]
    assert names(sorted((tmp_path / "ivy" / "jars").iterdir())) == ["org.example_delta-spark_9-2.jar"]


@pytest.mark.slow
def test_jars_that_are_there_are_taken_without_asking_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:1"])
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:1"]) == first


@pytest.mark.slow
def test_an_unmarked_folder_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "ivy" / "jars").mkdir(parents=True)
    (tmp_path / "ivy" / "jars" / "org.example_delta-spark_9-1.jar").touch()
    (tmp_path / "ivy" / "jars" / "half.jar").touch()
    assert names(fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:1"])) == ["org.example_delta-spark_9-1.jar"]


@pytest.mark.slow
def test_what_cant_be_fetched_is_told_with_the_reason(tmp_path: Path) -> None:
    fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:1"])
    with pytest.raises(
        MachineError, match=r"jars of org.example:delta-spark_9:3 could not be fetched to \S+/ivy \(.*not found"
    ):
        fetch_jars(tmp_path / "ivy", [f"{PACKAGE}:3"])
    assert not (tmp_path / "ivy" / "complete").exists()
