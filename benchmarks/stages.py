"""Time each step of `make run`, in a separate process: `python -m benchmarks.stages POSTS DUMP LAKE`.

Prints the seconds of each step to stdout, as a JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter

START = perf_counter()


def main(posts: int, dump: Path, lake_folder: Path) -> dict[str, float]:
    """Run the steps. Returns the seconds of each, in order."""
    times: dict[str, float] = {}
    last = START

    def done(step: str) -> None:
        nonlocal last
        now = perf_counter()
        times[step] = now - last
        last = now

    from pinlake import pipeline
    from pinlake.emulate.emulator import emulate
    from pinlake.settings import resolve
    from pinlake.spark.session import spark_session

    done("imports")
    emulate(dump, posts=posts, dirt=0.02, duplicates=0.03)
    done("emulate")
    settings = resolve({"source": dump, "lake": lake_folder}, environment={}).settings
    spark = spark_session(settings, dump.parent / "spark.log")
    lake = pipeline.open_lake(spark, settings)
    done("Spark session")
    run = pipeline.new_run()
    pipeline.run_ingest(lake, settings, run)
    done("ingest")
    pipeline.run_clean(lake, settings, run)
    done("clean")
    pipeline.run_account(lake, run)
    done("accounting")
    pipeline.run_query(lake, settings, run)
    done("query")
    spark.stop()
    done("stop")
    return times


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))))
