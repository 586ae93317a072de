"""Read objects of one record into bronze."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench, Benchmark, to_noop
from benchmarks.bronze import bronze_rows, list_and_append_pins, read_bare, spark_json
from benchmarks.data import objects_of, topic_folder
from benchmarks.measure import Case, Work, ready
from benchmarks.results import Row, at_most, faster
from pinlake import pipeline
from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump
from pinlake.ingest.bronze import ingest
from pinlake.lake.state import LakeState
from pinlake.topics import PIN

OBJECTS = 20_000
GROWTH = (2_000, 20_000, 200_000)


def run(bench: Bench) -> list[Row]:
    """Measure 20,000 objects against the yardsticks, then the growth with the number of objects."""
    return [*_compared(bench), *_grown(bench)]


def _compared(bench: Bench) -> list[Row]:
    objects = bench.size(OBJECTS)
    dump = bench.data.pins(objects)
    size = sum(size for _, size in objects_of(dump, PIN.name))
    bare, spark, bronze, noop, stage = bench.measure(
        ready("bare Python read", lambda: read_bare(dump)),
        ready("spark.read.json", lambda: to_noop(spark_json(bench.spark, [topic_folder(dump, PIN.name)]))),
        Case("to bronze", lambda: _to_bronze(bench, objects)),
        ready("to noop", lambda: to_noop(bronze_rows(bench.spark, dump, objects_of(dump, PIN.name)))),
        Case("stage ingest", lambda: _stage(bench, objects)),
    )
    what = f"{objects:,} one-record objects"
    return [
        Row(f"{what} to bronze", bronze, bare, at_most(5), objects, size),
        Row(f"{what} to bronze", bronze, spark, faster(4), objects, size),
        Row(f"{what} read, written nowhere", noop, bare, None, objects, size),
        Row(f"{what}: the whole stage ingest, into a new lake", stage, bare, None, objects, size),
    ]


def _grown(bench: Bench) -> list[Row]:
    rows = []
    for full in GROWTH:
        objects = bench.size(full)
        dump = bench.data.pins(objects)
        size = sum(size for _, size in objects_of(dump, PIN.name))
        bare, bronze = bench.measure(
            ready(f"bare Python read of {objects:,}", _bare(bench, objects)),
            Case(f"{objects:,} to bronze", _grown_to_bronze(bench, objects)),
        )
        rows.append(Row(f"growth: {objects:,} objects to bronze", bronze, bare, None, objects, size))
    return rows


def _bare(bench: Bench, objects: int) -> Work:
    dump = bench.data.pins(objects)
    return lambda: read_bare(dump)


def _grown_to_bronze(bench: Bench, objects: int) -> Callable[[], Work]:
    return lambda: _to_bronze(bench, objects)


def _to_bronze(bench: Bench, objects: int) -> Work:
    dump, lake = bench.data.pins(objects), bench.fresh_lake("reader")
    lake.ensure("bronze")
    return lambda: list_and_append_pins(lake, dump)


def _stage(bench: Bench, objects: int) -> Work:
    dump, lake = bench.data.pins(objects), bench.fresh_lake("reader_stage")
    return lambda: ingest(lake, Dump(FolderStore(dump)), None, pipeline.new_run(), LakeState())


READER = Benchmark(
    "reader",
    "one-record objects to bronze",
    "Ours lists a topic of one-record objects, takes their sizes, reads them through `read_objects` and appends the "
    "rows to an empty bronze table, one commit. The yardsticks go through the same files: a bare Python loop that "
    "lists, opens and reads them in one thread, and `spark.read.json` with a schema given, written nowhere (`noop`).",
    run,
)
