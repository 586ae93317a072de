"""The full audit: every name, size and time in a dump against bronze."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pinlake.ingest.listing import Listing, Stranger
from pinlake.ingest.reader import Sized, group, read_objects
from pinlake.lake.lake import Lake
from pinlake.lake.offsets import Progress, one_per_object
from pinlake.objects import KAFKA_ROOT, TOPICS_FOLDER, ObjectName
from pinlake.store.base import Store, stat_all


@dataclass
class Audit:
    """What an audit of one topic found: objects to read (new, late, changed), and the report."""

    to_read: list[ObjectName]
    reported: list[Stranger]


def audit_topic(lake: Lake, store: Store, listing: Listing, progress: Progress) -> Audit:
    """Compare one topic's whole listing with bronze. `progress` tells what a listing without audit would read."""
    known = {row["path"]: row for row in _known_objects(lake, listing.topic).collect()}
    straddling = progress.straddling(listing.objects)
    streamed = _streamed(lake, listing.topic)
    to_read: list[ObjectName] = []
    suspects: list[ObjectName] = []
    batches: dict[ObjectName, int] = {}
    reported = list(listing.strangers)
    stats = stat_all(store, [name.key for name in listing.objects])
    for name, now in zip(listing.objects, stats, strict=True):
        before = known.pop(name.key, None)
        if before is None:
            if (name.partition, name.offset) in streamed and name not in straddling:
                continue
            to_read.append(name)
            if not progress.is_new(name.partition, name.offset):
                reported.append(Stranger(name.key, "late", "appeared after objects with a higher offset"))
        elif now is None or now != (before["size"], before["modified_us"]):
            suspects.append(name)
            batches[name] = before["batch"]
    for name in _changed(lake, store, listing.topic, suspects):
        to_read.append(name)
        message = f"has other content than in ingest batch {batches[name]}; read again"
        reported.append(Stranger(name.key, "changed", message))
    reported += [Stranger(path, "lost", "was read before and is no longer in the dump") for path in sorted(known)]
    return Audit(sorted(to_read), reported)


def _streamed(lake: Lake, topic: str) -> set[tuple[int, int]]:
    """Partitions and offsets of messages that came as a stream: their objects have been read in another way."""
    bronze = one_per_object(lake.read("bronze").where(F.col("topic") == topic))
    messages = bronze.where(F.col("path").startswith(f"{KAFKA_ROOT}/")).select("partition", "object_offset")
    return {(row["partition"], row["object_offset"]) for row in messages.collect()}


def _known_objects(lake: Lake, topic: str) -> DataFrame:
    """Every object in bronze as it was when it was read last."""
    # Messages that came as a stream lie in no object.
    in_dump = F.col("path").startswith(f"{TOPICS_FOLDER}/")
    objects = one_per_object(lake.read("bronze").where((F.col("topic") == topic) & in_dump))
    last = Window.partitionBy("path").orderBy(F.col("batch").desc())
    return (
        objects.withColumn("_age", F.row_number().over(last))
        .where(F.col("_age") == 1)
        .select("path", "size", F.unix_micros("modified").alias("modified_us"), "batch")
    )


def _changed(lake: Lake, store: Store, topic: str, suspects: list[ObjectName]) -> list[ObjectName]:
    """Of objects that may differ, those that do: a copy sent again is no change, nor is what still can't be read."""
    if not suspects:
        return []
    now = read_objects(lake.spark, store, group(Sized(name, 0) for name in suspects))
    bronze = lake.read("bronze").where(F.col("topic") == topic)
    last = bronze.groupBy("path").agg(F.max("batch").alias("batch"))
    before = bronze.join(last, ["path", "batch"], "left_semi")
    differing = _fingerprints(now).join(_fingerprints(before), ["path", "fingerprint"], "left_anti")
    paths = {row["path"] for row in differing.select("path").collect()}
    return [name for name in suspects if name.key in paths]


def _fingerprints(rows: DataFrame) -> DataFrame:
    record = F.xxhash64("position", "text", "bytes", "problem")
    return rows.groupBy("path").agg(F.array_sort(F.collect_list(record)).alias("fingerprint"))
