"""The last step of set-up: fetch the jars, and create the archive of the classes that Spark loads.

So the first run fetches nothing and starts faster, see `pinlake.spark.class_archive`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pinlake import pipeline
from pinlake.emulate.emulator import emulate
from pinlake.errors import MachineError, PinlakeError
from pinlake.settings import resolve
from pinlake.spark.class_archive import QUIET_ARCHIVE, archive_files, size_file, whole_archive
from pinlake.spark.jars import check_java, local_jars, writable
from pinlake.spark.session import local_session

_ROOT = Path(__file__).parents[1]
_SECONDS = 600
_POSTS = 20
# These variables change how Spark starts, so the archive wouldn't match other runs.
_LEFT_OUT = ("SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS", "SPARK_DIST_CLASSPATH")


def make_archive() -> str:
    """Create the archive if there is none. Returns a message for the user.

    The archive only affects speed, so a failure is part of the message and not an error.
    """
    candidates = archive_files()
    if archive := whole_archive(candidates):
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
        size_file(archive).write_text(str(archive.stat().st_size), encoding="utf-8")
    except (OSError, PinlakeError, subprocess.TimeoutExpired) as error:
        return f"no class archive was made, so Spark starts slower: {error}"
    return f"the class archive is in {archive}, {archive.stat().st_size / 1e6:.0f} MB"


def _trained(folder: Path) -> Path:
    """Create an archive in the folder. Returns its path. Raises PinlakeError, OSError or TimeoutExpired."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.set_up", str(folder)],
        cwd=_ROOT,
        env={name: value for name, value in os.environ.items() if name not in _LEFT_OUT},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    archive = _archive_in(folder)
    if done.returncode or not archive.is_file():
        raise PinlakeError((done.stderr.strip().splitlines() or [f"the training ended with {done.returncode}"])[-1])
    return archive


def _archive_in(folder: Path) -> Path:
    return folder / "classes.jsa"


def train(folder: Path) -> None:
    """Do what the first two runs of a user do, in a session that writes its classes to an archive at its end.

    `folder` is for the archive, the dump and the lake.
    """
    settings = resolve({"source": folder / "dump", "lake": folder / "lake"}, environment={}).settings
    options = [f"-XX:ArchiveClassesAtExit={_archive_in(folder)}", QUIET_ARCHIVE]
    spark = local_session(settings, folder / "spark.log", quick=True, class_options=options)
    gateway = spark.sparkContext._gateway
    assert gateway is not None  # this process has started the gateway
    lake = pipeline.open_lake(spark, settings)
    for seed in (0, 1):
        emulate(folder / "dump", posts=_POSTS, seed=seed, dirt=0.1, duplicates=0.1, append=seed > 0)
        # Among a few posts, the share of bad records may be high.
        anything = settings.model_copy(update={"max_bad_share": 1.0})
        pipeline.run_all(lake, anything, pipeline.new_run())
    lake.query("SELECT count(*) FROM silver_post").collect()
    spark.stop()
    # The JVM writes the archive when it exits, which takes seconds.
    gateway.proc.stdin.close()
    gateway.proc.wait(_SECONDS)


def main(words: Sequence[str]) -> str | None:
    """Set up or, with a folder, train there. Returns the argument for `sys.exit`: None, or the error message."""
    if words:
        train(Path(words[0]))
        return None
    try:
        check_java()
        local_jars()
        print(make_archive())
    except MachineError as error:
        return f"error: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
