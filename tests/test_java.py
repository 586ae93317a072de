"""Which Java would start, found with a made-up PATH, JAVA_HOME and `java`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.errors import MachineError
from pinlake.jars import check_java
from pinlake.java import JavaError, java_version, main

FakeJava = Callable[..., Path]


@pytest.fixture
def fake_java(tmp_path: Path) -> FakeJava:
    """A `java` in a folder `bin` that says this on stderr; returns that folder's parent, as JAVA_HOME names it."""

    def make(says: str, name: str = "jdk", mode: int = 0o755) -> Path:
        java = tmp_path / name / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'END'\n{says}\nEND\n")
        java.chmod(mode)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.13" 2024-10-15', 17),
        ('java version "21" 2023-09-19 LTS', 21),
        ('openjdk version "24-ea" 2025-03-18', 24),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.1" 2021-10-19', 17),
    ],
)
def test_the_major_version_is_read(fake_java: FakeJava, says: str, version: int) -> None:
    assert java_version({"JAVA_HOME": str(fake_java(says))}) == version


def test_java_is_found_on_the_path(fake_java: FakeJava) -> None:
    home = fake_java('openjdk version "17.0.13"')
    assert java_version({"PATH": f"/nowhere:{home / 'bin'}"}) == 17
    assert java_version({"PATH": str(home / "bin"), "JAVA_HOME": ""}) == 17


def test_java_home_counts_before_the_path(fake_java: FakeJava) -> None:
    home, other = fake_java('openjdk version "21"'), fake_java('openjdk version "17"', name="other")
    assert java_version({"JAVA_HOME": str(home), "PATH": str(other / "bin")}) == 21


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({}, "on the PATH"),
        ({"PATH": "/nowhere"}, "on the PATH"),
        ({"JAVA_HOME": "/nowhere/jdk"}, r"in JAVA_HOME \(/nowhere/jdk\)"),
    ],
)
def test_no_java_is_told_with_the_place_and_the_remedy(environment: dict[str, str], where: str) -> None:
    with pytest.raises(JavaError, match=rf"Java was not found {where}, .*install a JDK 17 or newer"):
        java_version(environment)


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ('openjdk version "11.0.25" 2024-10-15', "found Java 11 at"),
        ('java version "1.8.0_292"', "found Java 8 at"),
        ("Error: could not find libjava.so", "found a Java that doesn't say its version at"),
    ],
)
def test_an_old_java_is_told_with_its_version_and_the_remedy(fake_java: FakeJava, says: str, found: str) -> None:
    with pytest.raises(JavaError, match=rf"{found} .*/bin/java, and Spark needs 17 or newer; install a JDK"):
        java_version({"JAVA_HOME": str(fake_java(says))})


def test_a_java_that_cant_be_run_is_told(fake_java: FakeJava) -> None:
    home = fake_java('openjdk version "17"', mode=0o644)
    with pytest.raises(JavaError, match=r"bin/java can't be run \(Permission denied\), .*install a JDK"):
        java_version({"JAVA_HOME": str(home)})


def test_set_up_ends_with_the_message(fake_java: FakeJava, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java('openjdk version "17.0.13"')))
    assert main() is None
    monkeypatch.setenv("JAVA_HOME", "/nowhere/jdk")
    assert (main() or "").startswith("error: Java was not found in JAVA_HOME (/nowhere/jdk)")


def test_a_session_needs_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere/jdk")
    with pytest.raises(MachineError, match="Java was not found"):
        check_java()
