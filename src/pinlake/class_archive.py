"""The classes that Spark loads, kept ready for the JVM: a third of the time that a new process takes to its first answer.

Java calls it class data sharing. Set-up makes the archive once, by a small run of the main job; the JVM itself looks
whether an archive fits its version and its jars, and goes on without one that doesn't.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from pinlake.jars import jars_folder

# What the JVM has to say about an archive it would print to stdout, where results belong.
_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
_TRAINING_POSTS, _TRAINING_SECONDS = 20, 600


def archive_options(java: int) -> list[str]:
    """Options of the JVM that have it use the archive, where one was made for this Java, a major version."""
    archive = archive_file(java)
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", *_QUIET] if archive.is_file() else []


def archive_file(java: int) -> Path:
    """Where the archive is, once for each Python environment and each version of Java, Spark and Delta."""
    from importlib.metadata import version

    return jars_folder("classes") / f"java-{java}-spark-{version('pyspark')}-delta-{version('delta-spark')}.jsa"


def make_archive(java: int) -> str:
    """Make the archive where there is none. Returns what was done, for whoever sets up.

    It is of use to speed alone, so what goes wrong is told and no error.
    """
    archive = archive_file(java)
    if archive.is_file():
        return f"the class archive is in {archive}"
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Another name until it is whole: a set-up that is stopped leaves no half archive.
    unfinished = archive.with_name(f"{uuid4().hex}.unfinished")
    try:
        command = [sys.executable, "-m", "pinlake.class_archive", str(unfinished)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TRAINING_SECONDS)
        if done.returncode or not unfinished.is_file():
            return f"no class archive was made, Spark starts slower: {(done.stderr.splitlines() or ['no reason'])[-1]}"
        for old in archive.parent.glob("*.jsa"):
            old.unlink()
        unfinished.rename(archive)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no class archive was made, Spark starts slower: {error}"
    finally:
        unfinished.unlink(missing_ok=True)
    return f"the class archive is in {archive}, {archive.stat().st_size / 1e6:.0f} MB"


def main(words: Sequence[str]) -> None:
    """The training: what a user's first two runs do, in a session that writes its classes to a file when it ends."""
    from pinlake import pipeline
    from pinlake.emulate.emulator import emulate
    from pinlake.session import local_session
    from pinlake.settings import resolve

    (unfinished,) = words
    with tempfile.TemporaryDirectory(prefix="pinlake-") as name:
        folder = Path(name)
        settings = resolve({"source": folder / "dump", "lake": folder / "lake"}, environment={}).settings
        options = [f"-XX:ArchiveClassesAtExit={unfinished}", *_QUIET]
        spark = local_session(settings.driver_memory, folder / "spark.log", java_options=options)
        lake = pipeline.open_lake(spark, settings)
        for seed in (0, 1):
            emulate(folder / "dump", posts=_TRAINING_POSTS, seed=seed, dirt=0.1, duplicates=0.1, append=seed > 0)
            pipeline.run_all(lake, settings, pipeline.new_run())
        lake.query("SELECT count(*) FROM silver_post").collect()
        spark.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
