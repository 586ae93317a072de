"""Count Spark SQL executions: `python -m benchmarks.executions`. It measures no times, so other load doesn't matter.

Each case runs as a separate process, as users start it, with Spark's event log. The table also shows the counts of
e242087, the version before all stages shared one pass over the data.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pinlake.emulate.emulator import emulate

_EVENT_LOG = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    "spark.eventLog.compress": "false",
}
_STARTED = b'"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"'
_POSTS, _NEW = 1_000, 300


class Case(NamedTuple):
    """A run, the most SQL executions that it may have, and those of e242087."""

    name: str
    goal: int
    before: int


# In this order, on one lake.
CASES = (
    Case(f"first run of {_POSTS:,} posts", 80, 246),
    Case("nothing new", 20, 174),
    Case(f"{_NEW} new posts in a lake of {_POSTS:,}", 110, 300),
)


def counts(folder: Path) -> Iterator[int]:
    """The SQL executions of each case. A case runs when it is requested. `folder` is empty."""
    dump = folder / "dump"
    emulate(dump, posts=_POSTS, dirt=0.02, duplicates=0.03)
    yield executions(folder, dump)
    yield executions(folder, dump)
    emulate(dump, posts=_NEW, seed=1, dirt=0.02, duplicates=0.03, append=True)
    yield executions(folder, dump)


def executions(folder: Path, dump: Path) -> int:
    """The SQL executions of one `pinlake run` from the dump to folder/lake, which also prints the answers."""
    log = Path(tempfile.mkdtemp(dir=folder, prefix="log-"))
    config = {**_EVENT_LOG, "spark.eventLog.dir": log.resolve().as_uri()}
    arguments = [word for name, value in config.items() for word in ("--conf", f"{name}={value}")]
    command = [sys.executable, "-m", "pinlake", "run", "--source", str(dump), "--lake", str(folder / "lake")]
    environment = {
        **os.environ,
        "PYSPARK_SUBMIT_ARGS": shlex.join([*arguments, "pyspark-shell"]),
        "PINLAKE_LOG_FOLDER": str(folder),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    (events,) = log.iterdir()
    return events.read_bytes().count(_STARTED)


def main() -> None:
    """Print the counts as a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        print("| what | SQL executions | goal | e242087 |\n| --- | --- | --- | --- |")
        for case, count in zip(CASES, counts(Path(folder)), strict=True):
            print(f"| {case.name} | {count} | at most {case.goal} | {case.before} |", flush=True)


if __name__ == "__main__":
    main()
