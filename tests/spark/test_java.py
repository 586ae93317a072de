"""Which Java would start, found with a made-up PATH, JAVA_HOME and `java`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pinlake.errors import MachineError
from pinlake.spark.environment import spark_home
from pinlake.spark.jars import check_java
from pinlake.spark.java import JAVA_AT_LEAST, JAVA_AT_MOST, JavaError, java_version, main

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
        ('openjdk version "22-ea" 2024-03-19', 22),
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
    with pytest.raises(JavaError, match=rf"Java was not found {where}, .*install a JDK 17 or 21"):
        java_version(environment)


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ('openjdk version "11.0.25" 2024-10-15', "found Java 11 at"),
        ('java version "1.8.0_292"', "found Java 8 at"),
        ('openjdk version "16.0.2" 2021-07-20', "found Java 16 at"),
        ('openjdk version "23" 2024-09-17', "found Java 23 at"),
        ('openjdk version "25.0.1" 2025-10-21 LTS', "found Java 25 at"),
        ("Error: could not find libjava.so", "found a Java that doesn't say its version at"),
    ],
)
def test_a_java_that_spark_cant_use_is_told_with_its_version_and_the_remedy(
    fake_java: FakeJava, says: str, found: str
) -> None:
    with pytest.raises(
        JavaError, match=rf"{found} .*/bin/java, and Spark with its Hadoop runs only on 17 to 22; install"
    ):
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


def real_javas() -> dict[int, Path]:
    """The Java installations of this machine by version."""
    homes = sorted(java.parents[1] for java in Path("/usr/lib/jvm").glob("*/bin/java"))
    return {version_of(home): home for home in homes}


def version_of(home: Path) -> int:
    said = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=True).stderr
    (version,) = re.findall(r'version "(\d+)', said)
    return int(version)


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(real_javas()))
def test_the_limits_are_those_of_the_hadoop_that_spark_has(version: int) -> None:
    jars = os.pathsep.join(str(jar) for jar in (spark_home() / "jars").glob("*.jar"))
    command = [real_javas()[version] / "bin" / "java", "-cp", jars, "org.apache.hadoop.security.UserGroupInformation"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode == 0) == (JAVA_AT_LEAST <= version <= JAVA_AT_MOST), said.stderr
    if version > JAVA_AT_MOST:
        assert "getSubject is " in said.stderr
