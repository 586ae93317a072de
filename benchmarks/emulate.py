"""The emulator: generate posts, and write them to a dump."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence

from benchmarks.bench import Bench, Benchmark
from benchmarks.measure import Case, Work, ready
from benchmarks.results import Row, within
from pinlake.emulate.emulator import emulate
from pinlake.emulate.rows import Record, made_posts
from pinlake.topics import TOPICS

POSTS = 50_000
RECORDS_PER_SECOND = 50_000


def run(bench: Bench) -> list[Row]:
    """Measure generating records alone, then the whole emulator."""
    posts = bench.size(POSTS)
    records = [record for post in made_posts(posts, seed=0) for record in post]
    dumps, made, written = bench.measure(
        ready("json.dumps", lambda: _spell(records)),
        ready("made", lambda: deque(made_posts(posts, seed=0), maxlen=0)),
        Case("made and written", lambda: _emulate(bench, posts)),
    )
    count = posts * len(TOPICS)
    share = max(1 - made.median / written.median, 0)
    return [
        Row(f"{count:,} records made", made, dumps, within(count / RECORDS_PER_SECOND), count),
        Row(f"{count:,} records made and written", written, dumps, None, count, note=f"writing is {share:.0%} of it"),
    ]


def _spell(records: Sequence[Record]) -> None:
    for record in records:
        json.dumps(record)


def _emulate(bench: Bench, posts: int) -> Work:
    dump = bench.fresh_folder("emulated")
    return lambda: emulate(dump, posts=posts)


EMULATE = Benchmark(
    "emulate",
    "made-up posts",
    f"Ours makes the three records of each post (`made_posts`) and drops them; the goal is {RECORDS_PER_SECOND:,} a "
    "second. The second line is the whole emulator: counts, JSON, and an object for each record. The yardstick spells "
    "as many records, which are there already, with `json.dumps`. In the column objects/s are records.",
    run,
)
