"""How far each partition of each topic is read, and what is missing in it: from bronze alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from pinlake.objects import KINESIS_ROOT, TOPICS_FOLDER, ObjectName


class Hole(NamedTuple):
    """Offsets that no object covers, both ends included."""

    topic: str
    partition: int
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


@dataclass
class Progress:
    """One topic: the highest start offset of an object by partition, and the holes before it in their order.

    `ends` are the offsets by partition at which a reader of messages goes on: one after the last that is covered.
    `streamed` are the partitions whose last message came by itself, from a stream, and not in an object.
    """

    highest: dict[int, int] = field(default_factory=dict)
    missing: list[Hole] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    streamed: set[int] = field(default_factory=set)

    def straddling(self, names: Iterable[ObjectName]) -> set[ObjectName]:
        """Objects of this topic that may hold messages before and after where a stream ended: in each partition one.

        What they hold twice counts as duplicates.
        """
        last: dict[int, ObjectName] = {}
        for name in names:
            if name.partition in self.streamed and name.offset < self.ends[name.partition]:
                last[name.partition] = max(name, last.get(name.partition, name))
        return {name for name in last.values() if not self.is_new(name.partition, name.offset)}

    def is_new(self, partition: int, offset: int) -> bool:
        """True where an object that starts at this offset was not read: after the highest, or in a hole."""
        return offset > self.highest.get(partition, -1) or self.in_hole(partition, offset)

    def first_new(self, partition: int) -> int:
        """No object that starts before this offset is new."""
        holes = [hole.first for hole in self.missing if hole.partition == partition]
        return min([*holes, self.highest.get(partition, -1) + 1])

    def in_hole(self, partition: int, offset: int) -> bool:
        """True where an object that starts at this offset was missed."""
        at = bisect_right(self.missing, (partition, offset), key=lambda hole: (hole.partition, hole.first)) - 1
        return at >= 0 and self.missing[at].partition == partition and offset <= self.missing[at].last


def one_per_object(bronze: DataFrame) -> DataFrame:
    """One row of bronze for each object and each time it was read: its first record, or why it gave none."""
    return bronze.where((F.col("position") == 0) | F.col("problem").isNotNull())


def last_offset() -> Column:
    """The last offset that an object covers: its start offset, and one for each further Kafka message in it."""
    return F.col("object_offset") + F.greatest(F.col("object_messages"), F.lit(1)) - 1


def by_partition(bronze: DataFrame) -> DataFrame:
    """What `progress_of` reads: a row for each topic and partition of bronze."""
    objects = one_per_object(bronze).select(
        "topic", "partition", "object_offset", last_offset().alias("end"), "path", "batch", "topic_id"
    )
    # Objects may overlap, where one was written again with another number of records: the highest end so far counts.
    before = (
        Window.partitionBy("topic", "partition").orderBy("object_offset").rowsBetween(Window.unboundedPreceding, -1)
    )
    expected = F.coalesce(F.max("end").over(before) + 1, F.lit(0))
    # Records of Kinesis are numbered in their topic, so a shard has holes.
    hole = F.when(
        (F.col("object_offset") > F.col("expected")) & ~F.col("path").startswith(f"{KINESIS_ROOT}/"),
        F.struct(F.col("expected").alias("first"), (F.col("object_offset") - 1).alias("last")),
    )
    return (
        objects.withColumn("expected", expected)
        .groupBy("topic", "partition")
        .agg(
            F.max("object_offset").alias("highest"),
            F.max(F.struct("end", "path")).alias("last"),
            F.sort_array(F.collect_list(hole)).alias("holes"),
            F.max("batch").alias("batch"),
            F.max("topic_id").alias("topic_id"),
        )
    )


def progress_of(rows: Iterable[Row]) -> dict[str, Progress]:
    """By topic, from rows of `by_partition`."""
    found: dict[str, Progress] = {}
    for row in sorted(rows, key=lambda row: (row["topic"], row["partition"])):
        topic = found.setdefault(row["topic"], Progress())
        topic.highest[row["partition"]] = row["highest"]
        topic.ends[row["partition"]] = row["last"]["end"] + 1
        in_dump = row["last"]["path"].startswith(f"{TOPICS_FOLDER}/")
        topic.streamed |= set() if in_dump else {row["partition"]}
        topic.missing += [Hole(row["topic"], row["partition"], hole["first"], hole["last"]) for hole in row["holes"]]
    return found


def progress(bronze: DataFrame) -> Mapping[str, Progress]:
    """By topic."""
    return progress_of(by_partition(bronze).collect())
