"""From a dump to bronze: what is new, read once, in one commit for each topic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.errors import UsageError
from pinlake.ingest.audit import audit_topic
from pinlake.ingest.listing import Listing, Stranger, choose_topic_id, list_topic
from pinlake.ingest.reader import Sized, group, read_objects
from pinlake.ingest.store import FolderStore
from pinlake.lake.lake import Lake
from pinlake.lake.offsets import MissingOffsets, progress
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.objects import ObjectName
from pinlake.topics import TOPICS


@dataclass
class TopicIngest:
    """What ingest did for one topic: objects and records read, and names that are no objects of it."""

    topic: str
    objects: int = 0
    records: int = 0
    strangers: list[Stranger] = field(default_factory=list)


def ingest(lake: Lake, store: FolderStore, topic_id: str | None, run: Run, audit: bool = False) -> list[TopicIngest]:
    """Read every object that bronze doesn't hold yet; with `audit` also late and changed ones, and report lost ones.

    Raises SourceError and UsageError before anything is written where the source is not a dump or not the one that is
    already in the lake.
    """
    chosen, strangers = choose_topic_id(store, topic_id, store.root)
    _check_same_source(lake, chosen)
    known = progress(lake.read("bronze"))
    empty = _empty_objects(lake)
    lake.ensure("bronze")

    def one(topic: str) -> TopicIngest:
        so_far = known.get(topic)
        highest = so_far.highest if so_far else {}
        holes = so_far.missing if so_far else []

        def wanted(partition: int, offset: int) -> bool:
            return (offset > highest.get(partition, -1) or _in_hole(holes, partition, offset)) and (
                topic,
                partition,
                offset,
            ) not in empty

        listing = list_topic(store, chosen, topic, (lambda _p, _o: True) if audit else wanted)
        found = audit_topic(lake, store, listing, wanted) if audit else None
        objects = found.to_read if found else listing.objects
        reported = [*listing.strangers, *(found.reported if found else [])]
        report(lake, run, topic, reported)
        records = _load(lake, store, run, listing, objects)
        return TopicIngest(topic, len(objects), records, reported)

    results = list(side_by_side(*[lambda topic=topic: one(topic) for topic in TOPICS]))
    report(lake, run, None, strangers)
    return results


def report(lake: Lake, run: Run, topic: str | None, strangers: Iterable[Stranger]) -> None:
    """Add to table `object_report` what is not in it yet."""
    rows = [(topic, stranger.path, stranger.kind, stranger.message) for stranger in strangers]
    if not rows:
        return
    found = lake.spark.createDataFrame(rows, "topic STRING, path STRING, kind STRING, message STRING")
    known = lake.read("object_report").select("path", "kind", "message")
    new = found.join(known, ["path", "kind", "message"], "left_anti")
    if not new.isEmpty():
        stamped = new.withColumns({"run_id": F.lit(run.id), "found_at": F.lit(run.started)})
        lake.append("object_report", stamped, (f"pinlake-object_report-{topic}-{run.id}", 1))


def _load(lake: Lake, store: FolderStore, run: Run, listing: Listing, objects: list[ObjectName]) -> int:
    if not objects:
        run.report("ingest", f"{listing.topic}: nothing new")
        return 0
    run.report("ingest", f"{listing.topic}: reading {len(objects):,} objects")
    batch = _next_batch(lake, listing.topic)
    read = read_objects(lake.spark, store, group(_sized(store, objects)))
    rows = read.withColumns(
        {
            "topic": F.lit(listing.topic),
            "topic_id": F.lit(listing.topic_id),
            "batch": F.lit(batch),
            "run_id": F.lit(run.id),
            "ingested_at": F.lit(run.started),
        }
    )
    lake.append("bronze", rows, (f"pinlake-bronze-{listing.topic}", batch))
    records = _batch_rows(lake, listing.topic, batch).where(F.col("problem").isNull()).count()
    run.report("ingest", f"{listing.topic}: {records:,} records in bronze")
    return records


def _sized(store: FolderStore, objects: Iterable[ObjectName]) -> Iterable[Sized]:
    for name in objects:
        try:
            yield Sized(name, store.stat(name.key)[0])
        except OSError:
            # The reader says why it can't be read, and that is recorded.
            yield Sized(name, 0)


def _next_batch(lake: Lake, topic: str) -> int:
    row = lake.read("bronze").where(F.col("topic") == topic).agg(F.max("batch")).first()
    return (row[0] if row and row[0] is not None else 0) + 1


def _batch_rows(lake: Lake, topic: str, batch: int) -> DataFrame:
    return lake.read("bronze").where((F.col("topic") == topic) & (F.col("batch") == batch))


def _empty_objects(lake: Lake) -> set[tuple[str, int, int]]:
    rows = lake.read("bronze").where(F.col("problem") == "empty").select("topic", "partition", "object_offset")
    return {(row[0], row[1], row[2]) for row in rows.collect()}


def _in_hole(holes: list[MissingOffsets], partition: int, offset: int) -> bool:
    return any(hole.partition == partition and hole.first <= offset <= hole.last for hole in holes)


def _check_same_source(lake: Lake, topic_id: str) -> None:
    row = lake.read("bronze").select("topic_id").first()
    if row and row[0] != topic_id:
        raise UsageError(
            f"the lake holds topic id {row[0]}, the source {topic_id}: their post ids mean different posts; give "
            "another lake with --lake"
        )
