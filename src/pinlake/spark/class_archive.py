"""An archive of the classes that Spark loads, which speeds up the start of the JVM (class data sharing, CDS).

Loading the classes takes a third of the time to the first result of a new process. Set-up, `tools/set_up.py`, creates
the archive once, with a small run of the main job. The JVM checks whether an archive matches, and ignores any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pinlake.spark.jars import jars_folders, local_jars, spark_jars
from pinlake.spark.java import java_program

# Without this option, the JVM prints messages about the archive to stdout.
QUIET_ARCHIVE = "-Xlog:cds=off,cds+dynamic=off,class+path=off:stdout"


def archive_options() -> list[str]:
    """JVM options to use the archive. Empty if there is none for this Java and these jars."""
    archive = whole_archive(archive_files())
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", QUIET_ARCHIVE] if archive else []


def archive_files() -> list[Path]:
    """The paths at which the archive may be. Its name depends on Java and on each jar, because it only fits these."""
    files = [Path(java_program()).resolve(), *local_jars(), *spark_jars()]
    stats = [(file, file.stat()) for file in files]
    told = "\n".join(f"{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in stats)
    name = f"{sha256(told.encode()).hexdigest()[:16]}.jsa"
    return [folder / name for folder in jars_folders("classes")]


def whole_archive(candidates: Sequence[Path]) -> Path | None:
    """The first archive that exists with its original size. The JVM crashes on a truncated archive."""
    for archive in candidates:
        try:
            if archive.stat().st_size == int(size_file(archive).read_text(encoding="utf-8")):
                return archive
        except (OSError, ValueError):
            continue
    return None


def size_file(archive: Path) -> Path:
    """The file that has the size of the archive."""
    return archive.with_suffix(".size")
