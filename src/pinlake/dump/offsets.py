"""The offsets that bronze covers, by topic and partition, and the holes in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from pinlake.dump.objects import KAFKA_ROOT, KINESIS_ROOT, MESSAGE_PATH, ObjectName


class Hole(NamedTuple):
    """A range of offsets that no object covers, both ends included."""

    topic: str
    partition: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """The number of offsets."""
        return self.last - self.first + 1


class KnownObject(NamedTuple):
    """An object in bronze, with its size in bytes and its time, in microseconds since 1970 in UTC, when it was read."""

    path: str
    size: int | None
    modified: int | None


@dataclass
class Progress:
    """The progress of one topic in bronze.

    `highest`: by partition, the highest start offset of an object.
    `missing`: the holes below it that aren't accepted, sorted by partition and offset.
    `accepted`: the accepted holes. A listing doesn't begin at them.
    `ends`: by partition, the offset after the last one that is covered.
    `last`: by partition, the object that covers the last offset, or the message of a stream.
    `before_holes`: the objects that end where a missing hole begins. Without messages of a stream.
    `streamed`: the partitions whose last message came from a stream.
    """

    highest: dict[int, int] = field(default_factory=dict)
    missing: list[Hole] = field(default_factory=list)
    accepted: list[Hole] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    last: dict[int, KnownObject] = field(default_factory=dict)
    before_holes: list[KnownObject] = field(default_factory=list)
    streamed: set[int] = field(default_factory=set)

    def goes_on_after(self, partition: int, last: Row) -> None:
        """Note an object or message, as `object_of_row`, unless another one covers a higher offset of its partition."""
        if last["end"] + 1 < self.ends.get(partition, 0):
            return
        self.ends[partition], self.last[partition] = last["end"] + 1, _known(last)
        if not last["is_object"]:
            self.streamed.add(partition)

    def straddling(self, names: Iterable[ObjectName]) -> set[ObjectName]:
        """The last object, in each partition, that starts before the end of a stream, unless it is new anyway.

        It may also hold messages from after the end of the stream. Records that bronze has already count as duplicates.
        """
        last: dict[int, ObjectName] = {}
        for name in names:
            if name.partition in self.streamed and name.offset < self.ends[name.partition]:
                last[name.partition] = max(name, last.get(name.partition, name))
        return {name for name in last.values() if not self.is_new(name.partition, name.offset)}

    def is_new(self, partition: int, offset: int) -> bool:
        """True if an object that starts at this offset isn't in bronze: it is after the highest one, or in a hole."""
        return offset > self.highest.get(partition, -1) or self.in_hole(partition, offset)

    def first_new(self, partition: int) -> int:
        """The lowest offset at which a new object may start, not counting accepted holes."""
        holes = [hole.first for hole in self.missing if hole.partition == partition]
        return min([*holes, self.highest.get(partition, -1) + 1])

    def in_hole(self, partition: int, offset: int) -> bool:
        """True if this offset is in a hole, missing or accepted."""
        return any(_covers(holes, partition, offset) for holes in (self.missing, self.accepted))


def _covers(holes: list[Hole], partition: int, offset: int) -> bool:
    at = bisect_right(holes, (partition, offset), key=lambda hole: (hole.partition, hole.first)) - 1
    return at >= 0 and holes[at].partition == partition and offset <= holes[at].last


def one_per_object(bronze: DataFrame) -> DataFrame:
    """One row of bronze for each time an object was read: its first record, or the row with its problem."""
    return bronze.where((F.col("position") == 0) | F.col("problem").isNotNull())


def last_offset() -> Column:
    """The last offset that an object covers. An object without messages covers its start offset."""
    return F.col("object_offset") + F.greatest(F.col("object_messages"), F.lit(1)) - 1


def object_of_row() -> Column:
    """The object of a row of bronze: end (its last offset), is_object, path, size, modified.

    The highest one ends a partition. With the same end, an object is higher than a message of a stream.
    """
    path, modified = F.col("path"), F.unix_micros("modified").alias("modified")
    # The prefix is cheap to check. It avoids the pattern for the objects of a dump.
    of_stream = path.startswith(f"{KAFKA_ROOT}/") | path.startswith(f"{KINESIS_ROOT}/")
    is_object = ~(of_stream & path.rlike(MESSAGE_PATH))
    return F.struct(last_offset().alias("end"), is_object.alias("is_object"), path, "size", modified)


def by_partition(bronze: DataFrame) -> DataFrame:
    """One row for each topic and partition of bronze, for `progress_of`.

    Columns: topic, partition, highest, last (as `object_of_row`), holes (first, last, before), batch, topic_id.
    """
    objects = one_per_object(bronze).select(
        "topic", "partition", "object_offset", object_of_row().alias("object"), "batch", "topic_id"
    )
    # Objects overlap if one was written again with another number of records. So compare with the highest end so far.
    earlier = (
        Window.partitionBy("topic", "partition").orderBy("object_offset").rowsBetween(Window.unboundedPreceding, -1)
    )
    expected = F.coalesce(F.col("before.end") + 1, F.lit(0))
    # Kinesis records are numbered per topic, so the numbers within a shard have gaps that aren't holes.
    is_kafkas = F.col("object.is_object") | ~F.col("object.path").startswith(f"{KINESIS_ROOT}/")
    hole = F.when(
        (F.col("object_offset") > expected) & is_kafkas,
        F.struct(expected.alias("first"), (F.col("object_offset") - 1).alias("last"), "before"),
    )
    return (
        objects.withColumn("before", F.max("object").over(earlier))
        .groupBy("topic", "partition")
        .agg(
            F.max("object_offset").alias("highest"),
            F.max("object").alias("last"),
            F.sort_array(F.collect_list(hole)).alias("holes"),
            F.max("batch").alias("batch"),
            F.max("topic_id").alias("topic_id"),
        )
    )


def progress_of(rows: Iterable[Row], accepted: Sequence[Hole] = ()) -> dict[str, Progress]:
    """The progress by topic, from rows of `by_partition`. `accepted` are the accepted holes."""
    by_topic: dict[str, Progress] = {}
    for row in sorted(rows, key=lambda row: (row["topic"], row["partition"])):
        topic, partition, last = by_topic.setdefault(row["topic"], Progress()), row["partition"], row["last"]
        topic.highest[partition] = row["highest"]
        topic.goes_on_after(partition, last)
        for hole in row["holes"]:
            missing, explained = _explained(Hole(row["topic"], partition, hole["first"], hole["last"]), accepted)
            topic.missing += missing
            topic.accepted += explained
            begins = bool(missing) and missing[0].first == hole["first"]
            if begins and hole["before"] is not None and hole["before"]["is_object"]:
                topic.before_holes.append(_known(hole["before"]))
    return by_topic


def _explained(hole: Hole, accepted: Sequence[Hole]) -> tuple[list[Hole], list[Hole]]:
    """Split a hole into the parts that aren't accepted, and the parts that are."""
    missing, explained, at = [], [], hole.first
    for each in sorted(accepted):
        first, last = max(each.first, at), min(each.last, hole.last)
        if (each.topic, each.partition) != (hole.topic, hole.partition) or first > last:
            continue
        if first > at:
            missing.append(hole._replace(first=at, last=first - 1))
        explained.append(hole._replace(first=first, last=last))
        at = last + 1
    if at <= hole.last:
        missing.append(hole._replace(first=at))
    return missing, explained


def _known(read: Row) -> KnownObject:
    return KnownObject(read["path"], read["size"], read["modified"])


def progress(bronze: DataFrame, accepted: Sequence[Hole] = ()) -> Mapping[str, Progress]:
    """The progress by topic, from table bronze. `accepted` are the accepted holes."""
    return progress_of(by_partition(bronze).collect(), accepted)
