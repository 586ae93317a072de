"""`make run`: the two commands that it calls, each as a separate process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.bench import Bench, Benchmark
from benchmarks.measure import Case, Timing, Work
from benchmarks.results import Row, within

POSTS = 1_000
_DIRT = ("--dirt", "0.02", "--duplicates", "0.03")
_REPETITIONS = 3


def run(bench: Bench) -> list[Row]:
    """Measure the total time, and the time of each stage."""
    posts, count = bench.size(POSTS), bench.repetitions or _REPETITIONS
    stages: list[dict[str, float]] = []
    measured = Bench(bench.work, bench.divisor, count)
    measured.topic = bench.topic
    whole, apart = measured.measure(
        Case("make run", lambda: _commands(bench, posts)),
        Case("the same by stage", lambda: _by_stage(bench, posts, stages)),
        only_new=True,
    )
    counted = stages[-count:]
    return [
        Row(f"`make run` with {posts:,} posts", whole, goal=within(25)),
        *[
            Row(f"its part: {stage}", Timing(stage, tuple(each[stage] for each in counted), apart.peak))
            for stage in counted[0]
        ],
    ]


def _commands(bench: Bench, posts: int) -> Work:
    """The commands of the Makefile's target `run`, with other folders."""
    dump, lake = bench.fresh_folder("run/dump"), bench.fresh_folder("run/lake")
    pinlake = _command("pinlake")

    def work() -> None:
        _call([pinlake, "emulate", "--posts", str(posts), "--to", str(dump), *_DIRT])
        _call([pinlake, "run", "--source", str(dump), "--lake", str(lake)])

    return work


def _by_stage(bench: Bench, posts: int, stages: list[dict[str, float]]) -> Work:
    dump, lake = bench.fresh_folder("run/dump"), bench.fresh_folder("run/lake")

    def work() -> None:
        said = _call([sys.executable, "-m", "benchmarks.stages", str(posts), str(dump), str(lake)])
        stages.append(json.loads(said.splitlines()[-1]))

    return work


def _command(name: str) -> str:
    """The path of a command in this Python environment, independent of PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise FileNotFoundError(f"command {name} is not beside this Python; install the package first: make install")
    return found


def _call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


MAKE_RUN = Benchmark(
    "make_run",
    "`make run`",
    "Ours is what `make run` does once all is installed: `pinlake emulate` and `pinlake run`, two processes with the "
    "default settings, a Spark session of their own included. There is no yardstick but the clock. The parts come from "
    "another process that takes the same steps with a timer around each.",
    run,
)
