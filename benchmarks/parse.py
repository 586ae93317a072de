"""Parse and clean pins, from bronze and from large objects."""

from __future__ import annotations

from itertools import accumulate

from pyspark.sql import functions as F

from benchmarks.bench import Bench, Benchmark, to_noop
from benchmarks.bronze import append_pins, bronze_rows, spark_json
from benchmarks.data import objects_of
from benchmarks.measure import ready
from benchmarks.million import million_dump
from benchmarks.results import Row, at_most
from pinlake.clean.cleaners import clean_records
from pinlake.topics import PIN

SIZE = 500_000_000


def run(bench: Bench) -> list[Row]:
    """Measure cleaning, from bronze and from the objects, without writing the result."""
    dump = million_dump(bench)
    found = objects_of(dump, PIN.name)
    taken = sum(1 for so_far in accumulate(size for _, size in found) if so_far <= bench.size(SIZE))
    objects = found[: max(taken, 1)]
    paths = [dump / name.key for name, _ in objects]
    size = sum(each for _, each in objects)

    bench.say(f"making bronze of {size:,} bytes")
    lake = bench.fresh_lake("parse")
    append_pins(lake, dump, objects)
    bronze = lake.read("bronze").where((F.col("topic") == PIN.name) & F.col("problem").isNull())

    spark, cleaned, read = bench.measure(
        ready("spark.read.json", lambda: to_noop(spark_json(bench.spark, paths))),
        ready("bronze, parsed and cleaned", lambda: to_noop(clean_records(bronze, PIN))),
        ready("read, parsed and cleaned", lambda: to_noop(clean_records(bronze_rows(bench.spark, dump, objects), PIN))),
    )
    bench.fresh_folder("lakes/parse")
    what = f"{size / 1e6:,.0f} MB of pins"
    return [
        Row(f"{what}, from bronze, parsed and cleaned", cleaned, spark, at_most(2.5), None, size),
        Row(f"{what}, from {len(objects)} objects, read, parsed and cleaned", read, spark, None, len(objects), size),
    ]


PARSE = Benchmark(
    "parse",
    "raw pins to clean pins",
    "Ours reads pins from a bronze table, parses and cleans them (`clean_records`: every clean column, errors, "
    "warnings, drift, lineage). The yardstick parses the same bytes, as large objects of JSON lines, with "
    "`spark.read.json` and a schema given. Both are written nowhere (`noop`). The second line reads the objects with "
    "our own reader instead.",
    run,
)
