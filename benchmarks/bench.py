"""What every benchmark is given: sizes, data, a Spark session, fresh lakes, and the way of measuring."""

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
from pinlake.settings import Settings, resolve
from pinlake.spark.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DRIVER_MEMORY = "4g"


@dataclass(eq=False)
class Bench:
    """`divisor` makes every size smaller; without `repetitions` there are as many as a full measurement takes."""

    work: Path
    divisor: int = 1
    repetitions: int | None = None
    topic: str = field(default="", init=False)

    @cached_property
    def spark(self) -> SparkSession:
        """The one session of all benchmarks, started by the first that needs it."""
        self.say("starting Spark")
        self.work.mkdir(parents=True, exist_ok=True)
        return spark_session(DRIVER_MEMORY, self.work / "spark.log")

    @cached_property
    def data(self) -> DataSets:
        return DataSets(self.work / "data", self.say)

    def size(self, full: int) -> int:
        return max(full // self.divisor, 1)

    def say(self, message: str) -> None:
        """Progress, for whoever waits."""
        print(f"{self.topic}: {message}" if self.topic else message, file=sys.stderr, flush=True)

    def measure(self, *cases: Case, only_new: bool = False) -> list[Timing]:
        return interleaved(cases, self.say, self.repetitions, only_new)

    def measure_once(self, case: Case) -> Timing:
        return once(case, self.say)

    def fresh_lake(self, name: str) -> Lake:
        """An empty lake; an earlier one of the same name is gone."""
        root = self.fresh_folder(f"lakes/{name}")
        return Lake(self.spark, _database(root), root=root)

    def settings(self, dump: Path, lake: Lake) -> Settings:
        """Those of a run from the dump into a lake of `fresh_lake`."""
        assert lake.root is not None
        found = {"source": dump, "lake": lake.root, "database": _database(lake.root)}
        return resolve(found, environment={}).settings

    def fresh_folder(self, name: str) -> Path:
        """A path at which nothing is; its parent exists."""
        folder = self.work / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            # Not deleted before all is measured: for a while after many files are deleted, ext4 takes ten times as long
            # to make one.
            self._used.mkdir(exist_ok=True)
            folder.rename(self._used / uuid4().hex)
        return folder

    def remove_used(self) -> None:
        """Delete what was measured, and is not measured again."""
        shutil.rmtree(self._used, ignore_errors=True)

    @property
    def _used(self) -> Path:
        return self.work / "used"


def _database(root: Path) -> str:
    """A schema name of its own for each lake: they share a session."""
    return f"bench_{root.name}"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark by its name; `about` says what is measured against what."""

    name: str
    title: str
    about: str
    run: Callable[[Bench], Sequence[Row]]


def to_noop(rows: DataFrame) -> None:
    """Have every column of every row computed, and nothing written."""
    rows.write.format("noop").mode("overwrite").save()
