"""The archive of classes: made once, used where it fits, and never in anybody's way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pinlake.spark import class_archive
from pinlake.spark.class_archive import archive_files, archive_options
from pinlake.spark.jars import class_path, jars_folders
from tools import set_up
from tools.set_up import make_archive

# Prints whether the JVM of a session has the archive mapped into its memory, and nothing else.
_IS_USED = """
import sys
from pathlib import Path
from pinlake.spark import class_archive
from pinlake.settings import Settings
from pinlake.spark.session import local_session
class_archive.jars_folders = lambda name: [Path(sys.argv[1])]
spark = local_session(Settings(driver_memory="1g"), Path(sys.argv[2]))
assert spark.range(3).count() == 3
process = spark._jvm.java.lang.ProcessHandle.current().pid()
print(str(class_archive.archive_files()[0]) in Path(f"/proc/{process}/maps").read_text())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the archive goes in this test."""
    monkeypatch.setattr(class_archive, "jars_folders", lambda name: [tmp_path / name])
    return tmp_path / "classes"


def archive_file() -> Path:
    (file,) = archive_files()
    return file


def is_used(folder: Path, tmp_path: Path) -> str:
    command = [sys.executable, "-c", _IS_USED, str(folder), str(tmp_path / "spark.log")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def put(content: bytes, size: int) -> None:
    """In the place of the archive, and the size that it is said to have."""
    archive_file().unlink(missing_ok=True)
    archive_file().write_bytes(content)
    archive_file().with_suffix(".size").write_text(str(size))


def test_there_are_no_options_without_a_whole_archive(folder: Path) -> None:
    assert archive_options() == []
    folder.mkdir()
    put(b"whole", 5)
    assert archive_options()[0] == f"-XX:SharedArchiveFile={archive_file()}"
    put(b"cut", 5)
    assert archive_options() == []


def test_the_second_place_counts_where_the_first_has_none(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    put(b"whole", 5)
    monkeypatch.setattr(class_archive, "jars_folders", lambda name: [tmp_path / "nowhere", folder])
    assert archive_options()[0] == f"-XX:SharedArchiveFile={folder / archive_files()[0].name}"


def test_other_jars_want_another_archive(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "a.jar"
    jar.touch()
    monkeypatch.setattr(class_archive, "local_jars", lambda: [jar])
    before = archive_file()
    assert archive_file() == before
    jar.write_bytes(b"newer")
    assert archive_file() != before


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what a process has mapped is told by Linux alone")
def test_set_up_makes_it_once_a_session_uses_it_and_a_broken_one_does_no_harm(folder: Path, tmp_path: Path) -> None:
    # Making one takes a minute, and set-up has made one.
    names = {archive_file().name, f"{archive_file().stem}.size"}
    own = next((each for each in jars_folders("classes") if names <= {path.name for path in each.glob("*")}), None)
    if own is None:
        assert " MB" in make_archive()
    else:
        shutil.copytree(own, folder)
    made = archive_file().stat()
    assert {path.name for path in folder.iterdir()} == names
    assert make_archive() == f"the class archive is in {archive_file()}"
    assert archive_file().stat() == made
    assert is_used(folder, tmp_path) == "True"
    put(b"no archive at all", 17)
    assert is_used(folder, tmp_path) == "False"


def test_what_cant_be_made_is_told_and_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up.sys, "executable", "/bin/false")
    assert make_archive() == "no class archive was made, so Spark starts slower: the training ended with 1"
    monkeypatch.setattr(set_up.sys, "executable", "/nowhere/python")
    assert make_archive().startswith("no class archive was made, so Spark starts slower: [Errno 2]")
    assert list(folder.iterdir()) == []


def test_a_jar_that_spark_has_in_another_version_stays_off_the_class_path(tmp_path: Path) -> None:
    jars = ["io.delta_delta-spark_4.1_2.13-4.3.1.jar", "com.fasterxml.jackson.core_jackson-core-2.13.5.jar"]
    assert class_path([tmp_path / jar for jar in jars]) == str(tmp_path / jars[0])
