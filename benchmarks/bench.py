"""The context of every benchmark: sizes, data, a Spark session, new lakes, and measurements."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.data import DataSets
from benchmarks.measure import Case, Timing, interleaved, once
from benchmarks.results import Row
from pinlake.lake.lake import Lake
from pinlake.lake.location import FolderLocation
from pinlake.settings import Settings, resolve
from pinlake.spark.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DRIVER_MEMORY = "4g"


@dataclass(eq=False)
class Bench:
    """The context of all benchmarks. `work` is the folder for data and lakes.

    `divisor` reduces every size. `repetitions` replaces the usual number of repetitions. `topic` is the benchmark that
    runs, for progress lines.
    """

    work: Path
    divisor: int = 1
    repetitions: int | None = None
    topic: str = field(default="", init=False)

    @cached_property
    def spark(self) -> SparkSession:
        """The Spark session of all benchmarks. The first benchmark that needs it starts it."""
        self.say("starting Spark")
        self.work.mkdir(parents=True, exist_ok=True)
        return spark_session(Settings.model_validate({"driver_memory": DRIVER_MEMORY}), self.work / "spark.log")

    @cached_property
    def data(self) -> DataSets:
        """The data sets, below `work`."""
        return DataSets(self.work / "data", self.say)

    def size(self, full: int) -> int:
        """The full size, reduced by `divisor`. At least 1."""
        return max(full // self.divisor, 1)

    def say(self, message: str) -> None:
        """Print a progress line to stderr."""
        print(f"{self.topic}: {message}" if self.topic else message, file=sys.stderr, flush=True)

    def measure(self, *cases: Case, only_new: bool = False) -> list[Timing]:
        """Measure the cases in turn. See `interleaved`."""
        return interleaved(cases, self.say, self.repetitions, only_new)

    def measure_once(self, case: Case) -> Timing:
        """Measure a case once, without a warm-up."""
        return once(case, self.say)

    def fresh_lake(self, name: str) -> Lake:
        """A new lake, instead of an earlier one with the same name."""
        root = self.fresh_folder(f"lakes/{name}")
        return Lake(self.spark, _database(root), root=root)

    def settings(self, dump: Path, lake: Lake) -> Settings:
        """The settings of a run from the dump into a lake of `fresh_lake`."""
        assert isinstance(lake.location, FolderLocation)
        found = {"source": dump, "lake": lake.location.root, "database": _database(lake.location.root)}
        return resolve(found, environment={}).settings

    def fresh_folder(self, name: str) -> Path:
        """A path that doesn't exist yet, in an existing folder. An earlier folder with this name is moved away."""
        folder = self.work / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            # Deleted only after all measurements: after many files are deleted, ext4 takes ten times as long to create
            # one for a while.
            self._used.mkdir(exist_ok=True)
            folder.rename(self._used / uuid4().hex)
        return folder

    def remove_used(self) -> None:
        """Delete the folders that `fresh_folder` moved away."""
        shutil.rmtree(self._used, ignore_errors=True)

    @property
    def _used(self) -> Path:
        return self.work / "used"


def _database(root: Path) -> str:
    """A different schema name for each lake, because the lakes share a session."""
    return f"bench_{root.name}"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark. `about` describes what is measured and the yardstick. `run` returns the rows of the results."""

    name: str
    title: str
    about: str
    run: Callable[[Bench], Sequence[Row]]


def to_noop(rows: DataFrame) -> None:
    """Compute every column of every row, without writing anything."""
    rows.write.format("noop").mode("overwrite").save()
