"""Write clean pins to silver."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.bench import Bench, Benchmark
from benchmarks.bronze import bronze_rows
from benchmarks.data import objects_of
from benchmarks.measure import Case, Work
from benchmarks.results import Row, at_most
from pinlake.clean.cleaners import clean_records, content_columns
from pinlake.clean.latest import POSITION, latest, merged
from pinlake.lake.lake import Lake
from pinlake.topics import PIN

POSTS = 300_000
FLUSH_SIZE = 10_000
DUPLICATES = 0.03

_COLUMNS = content_columns(PIN)


def run(bench: Bench) -> list[Row]:
    """Measure a first load, and a second load of the same pins."""
    clean = _clean_pins(bench)
    lake = bench.fresh_lake("merge_again")
    _load(lake, clean)
    plain, first, again = bench.measure(
        Case("dropDuplicates to parquet", lambda: _drop_duplicates(bench, clean)),
        Case("first load", lambda: _first_load(bench, clean)),
        Case("the same again", lambda: lambda: _load(lake, clean)),
    )
    what = f"{clean.count():,} clean pins"
    return [
        Row(f"{what} into silver, first load", first, plain, at_most(1.3)),
        Row(f"{what} once more into the loaded table", again, plain, None, note="every row is matched and rewritten"),
    ]


def _clean_pins(bench: Bench) -> DataFrame:
    """Good pins in the columns that silver needs. Cleaned in advance, so that no time includes reading and parsing."""
    dump = bench.data.posts(bench.size(POSTS), bench.size(FLUSH_SIZE), DUPLICATES)
    bench.say("cleaning pins")
    rows = clean_records(bronze_rows(bench.spark, dump, objects_of(dump, PIN.name)), PIN)
    file = str(bench.fresh_folder("clean-pins"))
    good = rows.where(F.col("_errors").isNull())
    good.select(*_COLUMNS, "_warnings", "_rescued", *POSITION, "_run_id").write.parquet(file)
    return bench.spark.read.parquet(file)


def _load(lake: Lake, clean: DataFrame) -> None:
    lake.merge(PIN.silver_table, latest(clean, _COLUMNS), "old.ind = new.ind", merged(_COLUMNS))


def _first_load(bench: Bench, clean: DataFrame) -> Work:
    lake = bench.fresh_lake("merge")
    return lambda: lake.replace(PIN.silver_table, latest(clean, _COLUMNS))


def _drop_duplicates(bench: Bench, clean: DataFrame) -> Work:
    folder = str(bench.fresh_folder("deduplicated"))
    return lambda: clean.dropDuplicates(["ind"]).write.parquet(folder)


MERGE = Benchmark(
    "merge",
    "clean pins into silver",
    f"Ours takes clean pins, {DUPLICATES:.0%} of them sent twice, finds the winner of each post and who took part "
    "(`latest`) and writes them to silver as `clean` does: a new table as a whole, else with MERGE. The yardstick is "
    '`dropDuplicates(["ind"])` of the same columns, written as parquet. Both read the same parquet files of rows that '
    "were cleaned before.",
    run,
)
