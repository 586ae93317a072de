"""Find changed objects: among all objects in an audit, otherwise among those that end where a hole begins."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pinlake.dump.listing import Dump, Listing
from pinlake.dump.objects import ObjectName, is_message
from pinlake.dump.offsets import KnownObject, Progress, one_per_object
from pinlake.dump.store import stat_all
from pinlake.ingest.reader import group, read_objects
from pinlake.lake.lake import Lake

# Kinds of report entries that are about a single object, and not about a kind of names.
AUDITED = ("late", "changed", "lost")


def audit_topic(lake: Lake, dump: Dump, listing: Listing, progress: Progress) -> None:
    """Compare the full listing of a topic with bronze. New, late and changed objects stay in it, to be read.

    Adds late, changed and lost objects to the listing's report. `progress` distinguishes late objects from new ones.
    """
    rows = _known_objects(lake, listing.topic).collect()
    # Messages that a stream brought: their objects aren't read as well.
    streamed = {(row["partition"], row["object_offset"]) for row in rows if is_message(row["path"])}
    known = {row["path"]: row for row in rows if not is_message(row["path"])}
    straddling = progress.straddling(listing.objects)
    to_read: list[ObjectName] = []
    suspects: list[ObjectName] = []
    stats = stat_all(dump.store, [name.key for name in listing.objects])
    for name, now in zip(listing.objects, stats, strict=True):
        before = known.pop(name.key, None)
        if before is None:
            if (name.partition, name.offset) in streamed and name not in straddling:
                continue
            to_read.append(name)
            if not progress.is_new(name.partition, name.offset):
                listing.unknown.add_object(name.key, "late", "appeared after objects with a higher offset")
        elif now is None or now != (before["size"], before["modified_us"]):
            suspects.append(name)
    listing.objects = sorted(to_read + _changed(lake, dump, listing, suspects))
    for path in sorted(known):
        listing.unknown.add_object(path, "lost", "was read before and is no longer in the dump")


def look_again(lake: Lake, dump: Dump, listing: Listing, progress: Progress) -> None:
    """Keep in the listing the new objects, and the known objects before a hole whose content has changed.

    A sink that stops before it commits its offsets to Kafka writes its last object again, with more records.
    """
    # The first new offset of each partition: objects are sorted by partition and offset.
    first_new = {
        name.partition: name.offset
        for name in reversed(listing.objects)
        if name.offset > progress.highest.get(name.partition, -1)
    }
    begin_a_hole = [
        last
        for partition, last in progress.last.items()
        if partition not in progress.streamed and first_new.get(partition, 0) > progress.ends[partition]
    ]
    suspects = _differing(dump, [*progress.before_holes, *begin_a_hole])
    new = set(listing.objects)
    changed = _changed(lake, dump, listing, [name for name in suspects if name not in new])
    listing.objects = sorted(listing.objects + changed)


def _differing(dump: Dump, known: list[KnownObject]) -> list[ObjectName]:
    """The objects whose size or time differs from when they were read. Excludes objects that no longer exist."""
    stats = stat_all(dump.store, [each.path for each in known])
    names = [
        # None if the object was read with a different layout.
        dump.layout.name_of(each.path)
        for each, now in zip(known, stats, strict=True)
        if now is not None and now != (each.size, each.modified)
    ]
    return [name for name in names if name is not None]


def _known_objects(lake: Lake, topic: str) -> DataFrame:
    """The last version of each object and message in bronze.

    Columns: path, partition, object_offset, size, modified_us (microseconds since 1970).
    """
    objects = one_per_object(lake.read("bronze").where(F.col("topic") == topic))
    last = Window.partitionBy("path").orderBy(F.col("batch").desc())
    return (
        objects.withColumn("_age", F.row_number().over(last))
        .where(F.col("_age") == 1)
        .select("path", "partition", "object_offset", "size", F.unix_micros("modified").alias("modified_us"))
    )


def _changed(lake: Lake, dump: Dump, listing: Listing, suspects: list[ObjectName]) -> list[ObjectName]:
    """The objects among `suspects` whose records differ from bronze. Adds each to the listing's report.

    A new copy with the same content isn't a change. Nor is an object that still can't be read.
    """
    if not suspects:
        return []
    now = read_objects(lake.spark, dump, group((name, 0) for name in suspects))
    paths = lake.spark.createDataFrame([(name.key,) for name in suspects], "path STRING")
    bronze = lake.read("bronze").where(F.col("topic") == listing.topic).join(paths, "path", "left_semi")
    last = bronze.groupBy("path").agg(F.max("batch").alias("batch"))
    before = bronze.join(last, ["path", "batch"], "left_semi")
    differing = _fingerprints(now).join(_fingerprints(before), ["path", "fingerprint"], "left_anti").select("path")
    batches = {row["path"]: row["batch"] for row in differing.join(last, "path").collect()}
    changed = [name for name in suspects if name.key in batches]
    for name in changed:
        message = f"has other content than in ingest batch {batches[name.key]}; read again"
        listing.unknown.add_object(name.key, "changed", message)
    return changed


def _fingerprints(rows: DataFrame) -> DataFrame:
    record = F.xxhash64("position", "text", "bytes", "problem")
    return rows.groupBy("path").agg(F.array_sort(F.collect_list(record)).alias("fingerprint"))
