"""`python -m benchmarks`: measure all, or some, and remake results.json and RESULTS.md."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.batches import BATCHES_OF_A_STREAM
from benchmarks.bench import DRIVER_MEMORY, Bench, Benchmark
from benchmarks.emulate import EMULATE
from benchmarks.gold import GOLD
from benchmarks.increment import INCREMENT
from benchmarks.machine import Machine
from benchmarks.make_run import MAKE_RUN
from benchmarks.markdown import page, section
from benchmarks.merge import MERGE
from benchmarks.parse import PARSE
from benchmarks.reader import READER
from benchmarks.results import Result, load, save
from benchmarks.transports import TRANSPORTS

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results.json", HERE / "RESULTS.md"

# The order matters: the first two start no Spark in this process, and gold runs before increment appends to the lake.
BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (MAKE_RUN, EMULATE, READER, PARSE, MERGE, GOLD, INCREMENT, TRANSPORTS, BATCHES_OF_A_STREAM)
}

QUICK_DIVISOR = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks and print the results. Returns the exit status.

    Saves results.json and RESULTS.md only for a run with full sizes and the usual repetitions.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.list:
        for benchmark in BENCHMARKS.values():
            print(f"{benchmark.name:12}{benchmark.title}")
        return 0
    names = given.only.split(",") if given.only else list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    divisor = QUICK_DIVISOR if given.quick else given.divisor
    bench = Bench(given.work.resolve(), divisor, 1 if given.quick else given.repetitions)
    is_full = divisor == 1 and bench.repetitions is None
    failed = 0
    for benchmark in (BENCHMARKS[name] for name in BENCHMARKS if name in names):
        try:
            result = _measured(bench, benchmark)
        except Exception:
            # The other benchmarks may take an hour, and their results are useful without this one.
            traceback.print_exc()
            failed += 1
            continue
        print(section(result), flush=True)
        if is_full:
            _keep(result)
    bench.remove_used()
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    parser.add_argument("--only", metavar="NAMES", help="these benchmarks only, with commas between")
    parser.add_argument("--quick", action="store_true", help=f"sizes 1/{QUICK_DIVISOR}, one repetition; nothing kept")
    parser.add_argument("--divisor", type=int, default=1, metavar="N", help="sizes 1/N; nothing kept unless N is 1")
    parser.add_argument("--repetitions", type=int, metavar="N", help="instead of the usual number; nothing kept")
    parser.add_argument(
        "--work", type=Path, default=HERE.parent / "work" / "bench", metavar="FOLDER", help="data and lakes go here"
    )
    return parser


def _measured(bench: Bench, benchmark: Benchmark) -> Result:
    bench.topic = benchmark.name
    machine = Machine.this()
    if machine.load > machine.cores / 4:
        print(f"{benchmark.name}: the machine is busy (load {machine.load:g}): ratios may be off", file=sys.stderr)
    result = Result(benchmark.name, benchmark.title, benchmark.about, f"{datetime.now(UTC):%Y-%m-%d}", machine)
    return replace(result, rows=list(benchmark.run(bench)))


def _keep(result: Result) -> None:
    """Save after each benchmark, so that an interrupted run keeps its results. Other entries stay as they are."""
    results = {**load(RESULTS), result.name: result}
    ordered = [results[name] for name in BENCHMARKS if name in results]
    save(ordered, RESULTS)
    PAGE.write_text(page(ordered, DRIVER_MEMORY), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
