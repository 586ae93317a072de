"""Compute all gold tables."""

from __future__ import annotations

from benchmarks.bench import Bench, Benchmark, to_noop
from benchmarks.measure import ready
from benchmarks.million import million
from benchmarks.results import Row, at_most
from pinlake import pipeline
from pinlake.gold.tables import computed, write_gold
from pinlake.lake.model import GOLD as TABLES


def run(bench: Bench) -> list[Row]:
    """Measure the writing of all gold tables against one scan of silver_post."""
    loaded = million(bench)
    lake, settings = loaded.lake, loaded.settings
    scan, gold = bench.measure(
        ready("one scan of silver_post", lambda: to_noop(lake.read("silver_post"))),
        ready("all gold tables", lambda: write_gold(lake, pipeline.new_run(), computed(lake, settings))),
    )
    return [Row(f"{len(TABLES)} gold tables of {loaded.posts:,} posts", gold, scan, at_most(2))]


GOLD = Benchmark(
    "gold",
    "all gold tables",
    "Ours computes and writes every gold table (`write_gold`). The yardstick is a single scan of silver_post, "
    "all columns, written nowhere (`noop`).",
    run,
)
