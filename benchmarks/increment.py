"""Runs with nothing new, and with 1 % new posts."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks.bench import Bench, Benchmark
from benchmarks.measure import Case, Work, ready
from benchmarks.million import FLUSH_SIZE, Million, million
from benchmarks.results import Row, at_most, within
from pinlake import pipeline
from pinlake.dump.objects import TOPICS_FOLDER
from pinlake.emulate.emulator import emulate
from pinlake.emulate.files import FileRows
from pinlake.topics import TOPICS

OBJECTS = 20_000
NEW_SHARE = 100


def run(bench: Bench) -> list[Row]:
    """Measure a run with nothing new on many small objects, then runs with 1 % new posts."""
    return [_nothing_new(bench), *_one_percent_new(bench)]


def _nothing_new(bench: Bench) -> Row:
    objects = bench.size(OBJECTS)
    dump, lake = bench.data.posts(objects), bench.fresh_lake("unchanged")
    settings = bench.settings(dump, lake)
    bench.say("loading the lake")
    pipeline.run_all(lake, settings, pipeline.new_run())
    listing, nothing = bench.measure(
        ready("bare listing", lambda: _count_names(dump / TOPICS_FOLDER)),
        ready("nothing new", lambda: pipeline.run_all(lake, settings, pipeline.new_run())),
    )
    names = objects * len(TOPICS)
    return Row(f"nothing new: a run on {names:,} known objects", nothing, listing, None, names)


def _count_names(folder: str | Path) -> int:
    """The yardstick: list all folders and count the names."""
    names = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            names += _count_names(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return names


def _one_percent_new(bench: Bench) -> list[Row]:
    loaded = million(bench)
    new = max(loaded.posts // NEW_SHARE, 1)
    rebuild, increment = bench.measure(
        ready(
            "rebuild of silver",
            lambda: pipeline.run_rebuild(loaded.lake, loaded.settings, pipeline.new_run(), "silver"),
        ),
        Case("1 % new", _appending(bench, loaded, new)),
    )
    return [
        Row(f"{new:,} new posts on {loaded.posts:,}: a run", increment, rebuild, at_most(0.1)),
        Row(
            f"the first load of {loaded.posts:,} posts: a run",
            loaded.loaded,
            goal=within(60),
            note="once, cold: no warm-up",
        ),
    ]


def _appending(bench: Bench, loaded: Million, new: int) -> Callable[[], Work]:
    """A preparation that appends new posts, with other ids and content each time, to the dump."""
    firsts = count(loaded.posts, new)

    def prepare() -> Work:
        rows = bench.data.rows(next(firsts), new)
        emulate(loaded.dump, posts=None, rows=FileRows(rows), append=True, flush_size=bench.size(FLUSH_SIZE))
        return lambda: pipeline.run_all(loaded.lake, loaded.settings, pipeline.new_run())

    return prepare


INCREMENT = Benchmark(
    "increment",
    "runs with nothing new, and with little new",
    "Ours is a whole run, all stages and the accounting. With nothing new, on one-record objects, the yardstick is a "
    "bare listing of the dump's names. With 1 % new posts, the yardstick is a rebuild of silver, and with it gold, "
    "from bronze. Each repetition gets new posts of its own, and is measured after a rebuild.",
    run,
)
