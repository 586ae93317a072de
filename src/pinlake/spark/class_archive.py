"""The classes that Spark loads, kept ready for the JVM: to load them takes a third of a new process's first answer.

Java calls it class data sharing. Set-up makes the archive once, by a small run of the main job; the JVM itself looks
whether an archive fits, and goes on without one that doesn't.
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

# What the JVM has to say about an archive it would print to stdout, where results belong.
QUIET_ARCHIVE = "-Xlog:cds=off,cds+dynamic=off,class+path=off:stdout"
TRAINING_SECONDS = 600
# With one of these Spark would start otherwise than it does for most, and the archive would fit nobody else.
_LEFT_OUT = ("SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS", "SPARK_DIST_CLASSPATH")


def archive_options() -> list[str]:
    """Options of the JVM that have it use the archive, where one was made for this Java and these jars."""
    archive = _whole_archive(archive_files())
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", QUIET_ARCHIVE] if archive else []


def archive_files() -> list[Path]:
    """Where the archive may be: its name changes with Java and with each jar, for it is good for just these."""
    files = [Path(java_program()).resolve(), *local_jars(), *spark_jars()]
    found = [(file, file.stat()) for file in files]
    told = "\n".join(f"{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in found)
    name = f"{sha256(told.encode()).hexdigest()[:16]}.jsa"
    return [folder / name for folder in jars_folders("classes")]


def make_archive() -> str:
    """Make the archive where there is none. Returns what was done, for whoever sets up.

    It is of use to speed alone, so what goes wrong is told and is no error.
    """
    places = archive_files()
    if archive := _whole_archive(places):
        return f"the class archive is in {archive}"
    try:
        parent = writable([place.parent for place in places])
        archive = parent / places[0].name
        # On the same disk, and gone whatever happens: a set-up that is stopped leaves no half archive.
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
    """A new archive in the folder. Raises PinlakeError."""
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


def _whole_archive(places: Sequence[Path]) -> Path | None:
    """The first that is there, and as large as it was made: of one that was cut, the JVM would die."""
    for archive in places:
        try:
            if archive.stat().st_size == int(_size_file(archive).read_text(encoding="utf-8")):
                return archive
        except (OSError, ValueError):
            continue
    return None


def _size_file(archive: Path) -> Path:
    return archive.with_suffix(".size")
