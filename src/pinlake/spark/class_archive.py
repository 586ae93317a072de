"""An archive of the classes that Spark loads, which speeds up the start of the JVM (class data sharing, CDS).

Loading the classes takes a third of the time to the first result of a new process. Set-up creates the archive once,
with a small run of the main job. The JVM checks whether an archive matches, and ignores one that doesn't.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pinlake.errors import PinlakeError
from pinlake.spark.jars import jars_folders, local_jars, spark_jars, writable
from pinlake.spark.java import java_program

# Without this option, the JVM prints messages about the archive to stdout.
QUIET_ARCHIVE = "-Xlog:cds=off,cds+dynamic=off,class+path=off:stdout"
TRAINING_SECONDS = 600
# These variables change how Spark starts, so the archive wouldn't match other runs.
_LEFT_OUT = ("SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS", "SPARK_DIST_CLASSPATH")


def archive_options() -> list[str]:
    """JVM options to use the archive. Empty if there is none for this Java and these jars."""
    archive = _whole_archive(archive_files())
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", QUIET_ARCHIVE] if archive else []


def archive_files() -> list[Path]:
    """The paths at which the archive may be. Its name depends on Java and on each jar, because it only fits these."""
    files = [Path(java_program()).resolve(), *local_jars(), *spark_jars()]
    found = [(file, file.stat()) for file in files]
    told = "\n".join(f"{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in found)
    name = f"{sha256(told.encode()).hexdigest()[:16]}.jsa"
    return [folder / name for folder in jars_folders("classes")]


def make_archive() -> str:
    """Create the archive if there is none. Returns a message for the user.

    The archive only affects speed, so a failure is part of the message and not an error.
    """
    candidates = archive_files()
    if archive := _whole_archive(candidates):
        return f"the class archive is in {archive}"
    try:
        parent = writable([candidate.parent for candidate in candidates])
        archive = parent / candidates[0].name
        # A temporary folder on the same disk, so that an interrupted set-up leaves no incomplete archive.
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
            made = _trained(Path(folder))
            for old in parent.glob("*.*"):
                old.unlink()
            made.rename(archive)
        _size_file(archive).write_text(str(archive.stat().st_size), encoding="utf-8")
    except (OSError, PinlakeError, subprocess.TimeoutExpired) as error:
        return f"no class archive was made, so Spark starts slower: {error}"
    return f"the class archive is in {archive}, {archive.stat().st_size / 1e6:.0f} MB"


def _trained(folder: Path) -> Path:
    """Create an archive in the folder. Returns its path. Raises PinlakeError, OSError or TimeoutExpired."""
    archive = folder / "classes.jsa"
    done = subprocess.run(
        [sys.executable, "-m", "pinlake.local.training", str(folder)],
        env={name: value for name, value in os.environ.items() if name not in _LEFT_OUT},
        capture_output=True,
        text=True,
        check=False,
        timeout=TRAINING_SECONDS,
    )
    if done.returncode or not archive.is_file():
        raise PinlakeError((done.stderr.strip().splitlines() or [f"the training ended with {done.returncode}"])[-1])
    return archive


def _whole_archive(candidates: Sequence[Path]) -> Path | None:
    """The first archive that exists with its original size. The JVM crashes on a truncated archive."""
    for archive in candidates:
        try:
            if archive.stat().st_size == int(_size_file(archive).read_text(encoding="utf-8")):
                return archive
        except (OSError, ValueError):
            continue
    return None


def _size_file(archive: Path) -> Path:
    return archive.with_suffix(".size")
