"""A million posts: their dump, and a lake that is loaded once and serves all benchmarks that need it."""

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
    """A dump of its own, which may be appended to, the lake loaded from it, and how long that took."""

    dump: Path
    lake: Lake
    settings: Settings
    posts: int
    loaded: Timing


def million_dump(bench: Bench) -> Path:
    """The dump as it was made. It is shared: nothing may be added to it."""
    return bench.data.posts(bench.size(POSTS), bench.size(FLUSH_SIZE))


@cache
def million(bench: Bench) -> Million:
    """The loaded lake, the same for all benchmarks of a run. It is never kept: it shows what today's source makes."""
    dump = linked_copy(million_dump(bench), bench.fresh_folder("million-dump"))
    lake = bench.fresh_lake("million")
    settings = bench.settings(dump, lake)
    bench.say("loading the lake")
    run = pipeline.new_run(lambda stage, message: bench.say(f"{stage}: {message}"))
    loaded = bench.measure_once(ready("first load", lambda: pipeline.run_all(lake, settings, run)))
    return Million(dump, lake, settings, bench.size(POSTS), loaded)
