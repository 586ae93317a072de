"""The small run from which set-up makes the archive of Spark's classes: see `pinlake.spark.class_archive`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pinlake import pipeline
from pinlake.emulate.emulator import emulate
from pinlake.settings import resolve
from pinlake.spark.class_archive import QUIET_ARCHIVE, TRAINING_SECONDS
from pinlake.spark.session import QUICK, local_session

_POSTS = 20


def main(words: Sequence[str]) -> None:
    """The training: what a user's first two runs do, in a session that writes its classes to a file when it ends."""
    folder = Path(words[0])
    settings = resolve({"source": folder / "dump", "lake": folder / "lake"}, environment={}).settings
    # To write the archive takes time enough: no code is compiled for long here.
    options = [f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}", QUIET_ARCHIVE, *QUICK]
    spark = local_session(settings.driver_memory, folder / "spark.log", java_options=options, use_archive=False)
    gateway = spark.sparkContext._gateway
    assert gateway is not None  # this process has started it
    lake = pipeline.open_lake(spark, settings)
    for seed in (0, 1):
        emulate(folder / "dump", posts=_POSTS, seed=seed, dirt=0.1, duplicates=0.1, append=seed > 0)
        # A few posts may have a large share of bad ones.
        anything = settings.model_copy(update={"max_bad_share": 1.0})
        pipeline.run_all(lake, anything, pipeline.new_run())
    lake.query("SELECT count(*) FROM silver_post").collect()
    spark.stop()
    # It writes the archive when it ends, which takes seconds.
    gateway.proc.stdin.close()
    gateway.proc.wait(TRAINING_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
