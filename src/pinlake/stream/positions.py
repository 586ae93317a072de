"""The positions where bronze ends, cached between batches, so that a batch needs no scan of the whole table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from pyspark.sql import Row
from pyspark.sql import functions as F

from pinlake.dump.offsets import last_offset
from pinlake.lake.lake import Lake

# Short name of a topic, and partition.
PartitionId = tuple[str, int]


class Position(NamedTuple):
    """The next offset to read, and the path and time (UTC) of the message before it."""

    next_offset: int
    last_path: str
    last_sent: datetime


class Batch(NamedTuple):
    """The result of a batch in bronze: the number of records by topic, and the time (UTC) of the oldest message."""

    records: Mapping[str, int]
    oldest: datetime | None


class Positions:
    """Positions by topic and partition. They are read again when another writer has changed bronze."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seen: str | None = None
        self._known: dict[PartitionId, Position] = {}

    def now(self) -> Mapping[PartitionId, Position]:
        """Return the current positions, none if there is no bronze table."""
        if not self._lake.exists("bronze"):
            return {}
        state = self._lake.state("bronze")
        if state != self._seen:
            self._known = _positions(self._ask("TRUE"))
            self._seen = state
        return self._known

    def loaded(self, batch: int, before: int) -> Batch:
        """Update the positions after ingest batch `batch`, written on top of version `before` of bronze."""
        came = self._ask(f"batch = {batch}")
        if self._lake.version("bronze") == before + 1:
            self._known = {**self._known, **_positions(came)}
            self._seen = self._lake.state("bronze")
        records: Counter[str] = Counter()
        for row in came:
            records[row["topic"]] += row["records"]
        return Batch(records, min((_moment(row["oldest"]) for row in came), default=None))

    def _ask(self, where: str) -> list[Row]:
        """Return a row per topic and partition: last message, number of records, time of the oldest message."""
        last = F.struct(last_offset().alias("end"), "path", F.unix_micros("modified").alias("sent"))
        return (
            self._lake.read("bronze")
            .where(where)
            .groupBy("topic", "partition")
            .agg(
                F.max(last).alias("last"),
                F.count_if(F.col("problem").isNull()).alias("records"),
                F.unix_micros(F.min("modified")).alias("oldest"),
            )
            .collect()
        )


def _positions(rows: Iterable[Row]) -> dict[PartitionId, Position]:
    return {
        (row["topic"], row["partition"]): Position(
            row["last"]["end"] + 1, row["last"]["path"], _moment(row["last"]["sent"])
        )
        for row in rows
    }


def _moment(micros: int | None) -> datetime:
    # An unreadable object has no time.
    return datetime.fromtimestamp((micros or 0) / 1_000_000, UTC)
