"""Table row_count: the counts of each run, and the versions of the tables that it counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import NamedTuple

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from pinlake.lake.lake import Lake
from pinlake.lake.model import ROW_COUNT
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.topics import TOPICS


@dataclass(frozen=True)
class TopicCount:
    """Counts of one topic. The column comments of table row_count in docs/data-model.md define each count."""

    topic: str
    received: int = 0
    unreadable: int = 0
    bronze: int = 0
    silver: int = 0
    deduplicated: int = 0
    conflicts: int = 0
    quarantined: int = 0
    warnings: int = 0
    missing_offsets: int = 0
    empty_objects: int = 0
    orphans: int = 0
    scattered_users: int = 0
    backlog: int = 0


# The names of the counts.
COUNTS = tuple(field.name for field in fields(TopicCount) if field.name != "topic")
# The tables that are counted. If none of them has changed since the last run, its counts are still valid.
_COUNTED = ("bronze", "silver_pin", "silver_geo", "silver_user", "silver_post", "quarantine")


class LastRun(NamedTuple):
    """The last run that was counted. `at` is when it started, in UTC.

    `counted_from`: the `versions` of the counted tables. None if a topic had records that weren't cleaned.
    """

    run_id: str
    at: datetime
    counts: list[TopicCount]
    counted_from: str | None

    def is_settled(self, lake: Lake) -> bool:
        """True if all of bronze was processed in that run, and no counted table has changed since."""
        return self.counted_from is not None and self.counted_from == versions(lake)


def versions(lake: Lake) -> str:
    """A text that changes with every commit to a counted table."""
    return ", ".join(side_by_side(*[lambda table=table: lake.state(table) for table in _COUNTED]))


def publish(lake: Lake, run: Run, counts: Sequence[TopicCount], counted_from: str | None) -> None:
    """Append the counts to table row_count.

    `counted_from` is the result of `versions` from before the count, or None if a topic has uncleaned records.
    """
    schema = ", ".join(f"{name} {ROW_COUNT.column(name).type}" for name in ("topic", *COUNTS))
    stamp = {"run_id": F.lit(run.id), "at": F.lit(run.started), "counted_from": F.lit(counted_from)}
    rows = lake.spark.createDataFrame([astuple(count) for count in counts], schema).withColumns(stamp)
    lake.append("row_count", rows, (f"pinlake-row_count-{run.id}", 1))


def last_counts(counts: DataFrame) -> DataFrame:
    """The last row of each topic in table row_count, for `last_of`: topic, counted (all columns, `at` in seconds)."""
    # In seconds, because collecting a timestamp converts it to this process's time zone.
    in_seconds = counts.withColumn("at", F.unix_seconds("at"))
    return in_seconds.groupBy("topic").agg(F.max_by(F.struct("*"), F.col("run_id")).alias("counted"))


def last_of(rows: Iterable[Row]) -> LastRun | None:
    """The last run that was counted, from rows of `last_counts`. None if there is none."""
    by_topic = {row["topic"]: row["counted"] for row in rows}
    if not by_topic:
        return None
    first = next(iter(by_topic.values()))
    counts = [TopicCount(topic, *[by_topic[topic][name] for name in COUNTS]) for topic in TOPICS if topic in by_topic]
    return LastRun(first["run_id"], datetime.fromtimestamp(first["at"], UTC), counts, first["counted_from"])


def last_run(lake: Lake) -> LastRun | None:
    """The last run that was counted. None if there is none."""
    return last_of(last_counts(lake.read("row_count")).collect()) if lake.exists("row_count") else None
