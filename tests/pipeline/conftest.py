"""Whole stages on real files, in the suite's one session."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from pinlake import pipeline
from pinlake.gold.tables import read_answers
from pinlake.lake.accounting import Accounting, account
from pinlake.lake.lake import Lake
from pinlake.lake.model import TABLES
from pinlake.lake.row_count import TopicCount
from pinlake.settings import Settings


@dataclass
class System:
    """A dump, a lake, and the pipeline between them."""

    spark: SparkSession
    settings: Settings
    lake: Lake

    def run(self, audit: bool = False, **changed: Any) -> Accounting:
        settings = self.settings.model_copy(update=changed)
        return pipeline.run_all(self.lake, settings, pipeline.new_run(), audit).counts

    def run_to_silver(self, **changed: Any) -> Accounting:
        """A run without the questions."""
        settings = self.settings.model_copy(update=changed)
        run = pipeline.new_run()
        pipeline.run_ingest(self.lake, settings, run)
        pipeline.run_clean(self.lake, settings, run)
        return pipeline.run_account(self.lake, run)

    def counts(self) -> dict[str, TopicCount]:
        return {count.topic: count for count in account(self.lake).topics}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.lake.query(query).collect()]

    def answers(self) -> dict[str, list[tuple[Any, ...]]]:
        return read_answers(self.lake)

    def content(self, *tables: str) -> dict[str, list[str]]:
        """Every row of these tables, as text in a fixed order, without what only says when a row was made."""
        found = {}
        for table in tables:
            names = [
                # Hashes of places have the batch in them.
                f"size(`{column.name}`) AS `{column.name}`" if column.name == "_records" else f"`{column.name}`"
                for column in TABLES[table].columns
                if column.name not in {"run_id", "ingested_at", "quarantined_at", "found_at", "modified"}
                and "batch" not in column.name
            ]
            frame = self.lake.read(table).selectExpr(f"to_json(struct({', '.join(names)})) AS row")
            found[table] = sorted(row["row"] for row in frame.collect())
        return found


@pytest.fixture(scope="session")
def system(shared_disk: None, spark: SparkSession) -> Callable[..., System]:
    """Make a system: `system(dump, lake folder)`. Each has a schema of its own, so several can be open at once."""

    def make(source: Path | str, lake: Path, **settings: Any) -> System:
        database = f"t_{uuid4().hex[:12]}"
        resolved = Settings(source=source, lake=lake, database=database, **settings)
        return System(spark, resolved, pipeline.open_lake(spark, resolved))

    return make


def as_numbers(row: tuple[Any, ...] | list[str]) -> tuple[Any, ...]:
    """Cells as numbers where they are some, so that 37000 equals 37000.0."""
    return tuple(_number(cell) for cell in row)


def _number(cell: Any) -> Any:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return cell


def read_csv(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    return header, [as_numbers(row) for row in rows]
