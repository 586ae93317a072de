"""A dump of a million posts, and a lake with them that several benchmarks share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.data import linked_copy
from benchmarks.measure import Timing, ready
from pinlake import pipeline
from pinlake.lake.lake import Lake
from pinlake.settings import Settings

POSTS = 1_000_000
FLUSH_SIZE = 10_000


@dataclass(frozen=True)
class Million:
    """A dump that may be appended to, the lake that was loaded from it, and the time of loading."""

    dump: Path
    lake: Lake
    settings: Settings
    posts: int
    loaded: Timing


def million_dump(bench: Bench) -> Path:
    """The original dump. Benchmarks share it and must not append to it."""
    return bench.data.posts(bench.size(POSTS), bench.size(FLUSH_SIZE))


@cache
def million(bench: Bench) -> Million:
    """Load the lake, once for all benchmarks of a run. A later run loads it again with the current code."""
    dump = linked_copy(million_dump(bench), bench.fresh_folder("million-dump"))
    lake = bench.fresh_lake("million")
    settings = bench.settings(dump, lake)
    bench.say("loading the lake")
    run = pipeline.new_run(lambda stage, message: bench.say(f"{stage}: {message}"))
    loaded = bench.measure_once(ready("first load", lambda: pipeline.run_all(lake, settings, run)))
    return Million(dump, lake, settings, bench.size(POSTS), loaded)
