"""Read the new objects of a dump into bronze, in one commit."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.dump.folder import FolderStore
from pinlake.dump.listing import Dump, Listing, UnknownName, choose_topic_id, list_topic
from pinlake.dump.objects import KAFKA_ROOT, KINESIS_ROOT, ObjectName, is_message
from pinlake.dump.offsets import Progress
from pinlake.dump.store import stat_all
from pinlake.errors import ClosedError, UsageError
from pinlake.ingest.audit import AUDITED, audit_topic, look_again
from pinlake.ingest.file_source import read_files
from pinlake.ingest.reader import group, read_objects, samples_of, told_by_worker
from pinlake.lake.lake import Lake
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState
from pinlake.topics import TOPICS


def ingest(
    lake: Lake, dump: Dump, topic_id: str | None, run: Run, state: LakeState, audit: bool = False
) -> list[Listing]:
    """Read every object that bronze doesn't hold yet, in one commit, and update `state`.

    Reads an object again if a hole follows it and its content has changed. With `audit`, reads all late and changed
    objects and reports lost ones. Returns for each topic the objects that it read, and what else it found. Before it
    writes anything, raises SourceError if the source isn't a dump or has files but no objects, and UsageError if the
    lake holds another source. Raises ClosedError if no object can be opened.
    """
    chosen, unknown = choose_topic_id(dump, topic_id)
    check_same_source(state, chosen)
    listings = []
    for topic in TOPICS:
        before = state.progress.get(topic, Progress())
        listing = list_topic(dump, chosen, topic, None if audit else before)
        (audit_topic if audit else look_again)(lake, dump, listing, before)
        listings.append(listing)
        run.report("ingest", f"{topic}: {len(listing.objects):,} new objects")
    report(
        lake, run, [*((None, s) for s in unknown), *((each.topic, s) for each in listings for s in each.unknown.all())]
    )
    objects = [name for listing in listings for name in listing.objects]
    if objects:
        batch = _take_in(lake, dump, objects, run, state)
        state.ingested.update({listing.topic: batch for listing in listings if listing.objects})
        run.report("ingest", f"{len(objects):,} objects in bronze")
    else:
        lake.ensure("bronze")
    return listings


def _take_in(lake: Lake, dump: Dump, objects: Sequence[ObjectName], run: Run, state: LakeState) -> int:
    """Append the objects' rows. Use Spark's file source if the driver can open the objects and the workers can't."""
    try:
        return append(lake, run, read_named(lake, dump, objects), state)
    except ClosedError:
        is_folder = isinstance(dump.store, FolderStore)
        if not is_folder or isinstance(dump.store.read_or_error(objects[-1].key), OSError):
            raise
    run.report("ingest", "Spark's workers can't open files here: its own file source reads them, which takes longer")
    return append(lake, run, read_files(lake.spark, dump, objects), state)


def report(lake: Lake, run: Run, names: Sequence[tuple[str | None, UnknownName]]) -> None:
    """Report names: to the run, and in table object_report those that it doesn't have yet.

    `names` has pairs of a topic, or None, and an entry.
    """
    if not names:
        return
    for kind, message in sorted({(name.kind, name.message) for _, name in names}):
        alike = [name for _, name in names if (name.kind, name.message) == (kind, message)]
        more = sum(name.files for name in alike) - 1
        run.report("ingest", f"{kind}: {alike[0].path}" + (f" and {more:,} more" if more else "") + f": {message}")
    rows = lake.spark.createDataFrame(
        [(topic, *name[:3]) for topic, name in names], "topic STRING, path STRING, kind STRING, message STRING"
    )
    # Entries about a single object are compared by path. Names are reported once per kind, with any path.
    is_known = [
        F.coalesce("topic", F.lit("")),
        F.col("kind"),
        F.col("message"),
        F.when(F.col("kind").isin(*AUDITED), F.col("path")).otherwise(""),
    ]
    new = (
        rows.withColumn("_key", F.array(*is_known))
        .join(lake.read("object_report").select(F.array(*is_known).alias("_key")), "_key", "left_anti")
        .drop("_key")
    )
    if not new.isEmpty():
        stamped = new.withColumns({"run_id": F.lit(run.id), "found_at": F.lit(run.started)})
        lake.append("object_report", stamped, (f"pinlake-object_report-{run.id}", 1))


def read_named(lake: Lake, dump: Dump, objects: Sequence[ObjectName]) -> DataFrame:
    """The rows of these objects, in READ_SCHEMA. Evaluating them fails with ClosedError if none can be opened."""
    # An object without a size can't be read. The reader records the reason.
    stats = stat_all(dump.store, [name.key for name in objects])
    groups = group((name, stat.size if stat else 0) for name, stat in zip(objects, stats, strict=True))
    return read_objects(lake.spark, dump, groups, samples_of(groups))


def append(lake: Lake, run: Run, rows: DataFrame, state: LakeState) -> int:
    """Append rows, in READ_SCHEMA, as one batch in one commit. Returns the number of the batch.

    The caller updates `state.ingested`. Raises the SourceError or ClosedError of a worker.
    """
    batch = state.next_batch
    stamped = rows.withColumns({"batch": F.lit(batch), "run_id": F.lit(run.id), "ingested_at": F.lit(run.started)})
    try:
        # One application id per run: Delta remembers its versions even after the table is restored.
        lake.append("bronze", stamped, (f"pinlake-bronze-{run.id}", batch))
    except Exception as error:  # classic Spark and Spark Connect raise different classes
        if told := told_by_worker(error):
            raise told from error
        raise
    return batch


def check_same_source(state: LakeState, topic_id: str, counted_by: str = KAFKA_ROOT) -> None:
    """Raise UsageError if the lake holds another topic id, or offsets of another system.

    `counted_by` is the system that the source's offsets come from: KAFKA_ROOT for Kafka and dumps, or KINESIS_ROOT.
    """
    if state.topic_id is None or state.path is None:
        return
    if state.topic_id != topic_id:
        raise UsageError(
            f"the lake holds topic id {state.topic_id}, the source {topic_id}: their post ids mean different posts; "
            "give another lake with --lake, in a workspace another database"
        )
    of_kinesis = is_message(state.path) and state.path.startswith(f"{KINESIS_ROOT}/")
    held, wanted = "Kinesis" if of_kinesis else "Kafka", "Kinesis" if counted_by == KINESIS_ROOT else "Kafka"
    if held != wanted:
        raise UsageError(
            f"the lake holds records from {held}, whose offsets mean nothing to {wanted}; give another lake with "
            "--lake, in a workspace another database"
        )
