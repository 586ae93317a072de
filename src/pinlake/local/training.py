"""The small run that creates the class data archive of Spark during set-up, see `pinlake.spark.class_archive`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pinlake import pipeline
from pinlake.emulate.emulator import emulate
from pinlake.settings import resolve
from pinlake.spark.class_archive import QUIET_ARCHIVE, TRAINING_SECONDS
from pinlake.spark.session import local_session

_POSTS = 20


def main(words: Sequence[str]) -> None:
    """Do what the first two runs of a user do, in a session that writes its classes to an archive at its end.

    `words` holds the folder for the archive, dump and lake.
    """
    folder = Path(words[0])
    settings = resolve({"source": folder / "dump", "lake": folder / "lake"}, environment={}).settings
    options = [f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}", QUIET_ARCHIVE]
    log = folder / "spark.log"
    spark = local_session(settings, log, quick=True, java_options=options, use_archive=False)
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
    gateway.proc.wait(TRAINING_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
