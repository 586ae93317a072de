"""From a dump to bronze: what is new, read once, in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.errors import SourceError, UsageError
from pinlake.ingest.audit import audit_topic
from pinlake.ingest.listing import Stranger, choose_topic_id, list_topic
from pinlake.ingest.reader import Sized, group, read_objects, told_by_worker
from pinlake.lake.lake import Lake
from pinlake.lake.offsets import Progress
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState
from pinlake.objects import KINESIS_ROOT, TOPICS_FOLDER, ObjectName
from pinlake.store.base import Store, stat_all
from pinlake.topics import TOPICS

# Objects to try before all are read, where the first can't be; the ends of each partition besides.
_TRIED = 5


@dataclass
class TopicIngest:
    """What ingest found for one topic: objects to read, and names worth a report."""

    topic: str
    objects: list[ObjectName]
    strangers: list[Stranger] = field(default_factory=list)


def ingest(
    lake: Lake, store: Store, topic_id: str | None, run: Run, state: LakeState, audit: bool = False
) -> list[TopicIngest]:
    """Read every object that bronze doesn't hold yet, in one commit, and bring `state` up to date.

    With `audit` also late and changed objects are read, and lost ones reported. Raises SourceError and UsageError
    before anything is written where the source is not a dump, or not the one that is already in the lake.
    """
    chosen, strangers = choose_topic_id(store, topic_id, store.root)
    check_same_source(state, chosen)
    found = []
    for topic in TOPICS:
        before = state.progress.get(topic, Progress())
        listing = list_topic(store, chosen, topic, None if audit else before)
        if audit:
            checked = audit_topic(lake, store, listing, before)
            found.append(TopicIngest(topic, checked.to_read, checked.reported))
        else:
            found.append(TopicIngest(topic, listing.objects, listing.strangers))
        run.report("ingest", f"{topic}: {len(found[-1].objects):,} new objects")
    report(lake, run, [*((None, s) for s in strangers), *((t.topic, s) for t in found for s in t.strangers)])
    objects = [name for topic in found for name in topic.objects]
    if objects:
        batch = append(lake, run, read_named(lake, store, objects), state)
        state.ingested.update({topic.topic: batch for topic in found if topic.objects})
        run.report("ingest", f"{len(objects):,} objects in bronze")
    elif not lake.exists("bronze"):
        lake.empty("bronze")
    return found


def report(lake: Lake, run: Run, found: Sequence[tuple[str | None, Stranger]]) -> None:
    """Say what was found, and add to table `object_report` what is not in it yet."""
    if not found:
        return
    for kind in sorted({stranger.kind for _, stranger in found}):
        paths = [stranger.path for _, stranger in found if stranger.kind == kind]
        run.report("ingest", f"{kind}: {paths[0]}" + (f" and {len(paths) - 1:,} more" if paths[1:] else ""))
    rows = lake.spark.createDataFrame(
        [(topic, *stranger) for topic, stranger in found], "topic STRING, path STRING, kind STRING, message STRING"
    )
    columns = ["path", "kind", "message"]
    new = rows.join(lake.read("object_report").select(columns), columns, "left_anti")
    if not new.isEmpty():
        stamped = new.withColumns({"run_id": F.lit(run.id), "found_at": F.lit(run.started)})
        lake.append("object_report", stamped, (f"pinlake-object_report-{run.id}", 1))


def read_named(lake: Lake, store: Store, objects: Sequence[ObjectName]) -> DataFrame:
    """The rows of these objects, in READ_SCHEMA. Raises SourceError where reading them is forbidden altogether."""
    _check_reads(store, objects)
    # The reader says why an object without a size can't be read, and that is recorded.
    stats = stat_all(store, [name.key for name in objects])
    groups = group(Sized(name, found.size if found else 0) for name, found in zip(objects, stats, strict=True))
    return read_objects(lake.spark, store, groups)


def _check_reads(store: Store, objects: Sequence[ObjectName]) -> None:
    """Raise SourceError where none of a few objects may be read; mostly one is asked for.

    One that is forbidden is recorded, and the rest are taken in. Where all are, what is wrong is a right: recorded one
    by one they would count as read, and not be looked at again when it is granted.
    """
    denied: dict[ObjectName, str] = {}
    for name in _samples(objects):
        if name in denied:
            continue
        try:
            store.read(name.key)
            return
        except PermissionError as error:
            denied[name] = f"{name.key} {error.strerror}"
        except OSError:
            return
    if len(denied) > 1:
        *_, last = denied.values()
        raise SourceError(
            f"no object of {store.root} can be read, the last of {len(denied)} that were tried: {last}; whoever runs "
            "this needs to read them, in a bucket s3:GetObject on all objects below the prefix. Nothing was taken in: "
            "run again then"
        )


def _samples(objects: Sequence[ObjectName]) -> Iterator[ObjectName]:
    """A few objects, then the ends of each partition; some come twice."""
    yield from objects[:: -(-len(objects) // _TRIED)]
    # Not before: there may be millions, and mostly the first can be read.
    yield from {name.folder: name for name in reversed(objects)}.values()
    yield from {name.folder: name for name in objects}.values()


def append(lake: Lake, run: Run, rows: DataFrame, state: LakeState) -> int:
    """Add rows, in READ_SCHEMA, as one batch in one commit. Returns the batch's number.

    The caller says in `state` which topics are in it.
    """
    batch = state.next_batch
    stamped = rows.withColumns({"batch": F.lit(batch), "run_id": F.lit(run.id), "ingested_at": F.lit(run.started)})
    try:
        # An application of its own for each run: Delta remembers the versions of one that a restore took back.
        lake.append("bronze", stamped, (f"pinlake-bronze-{run.id}", batch))
    except Exception as error:  # Spark and Connect each have their own
        if told := told_by_worker(error):
            raise told from error
        raise
    return batch


def check_same_source(state: LakeState, topic_id: str, path_root: str = TOPICS_FOLDER) -> None:
    """Raise UsageError where the lake holds another pipeline's posts, or offsets that count something else.

    `path_root` is what paths of this source begin with. A dump's offsets are Kafka's own; those of Kinesis are not.
    """
    if state.topic_id is None or state.path is None:
        return
    if state.topic_id != topic_id:
        raise UsageError(
            f"the lake holds topic id {state.topic_id}, the source {topic_id}: their post ids mean different posts; "
            "give another lake with --lake, in a workspace another database"
        )
    held = "Kinesis" if state.path.startswith(f"{KINESIS_ROOT}/") else "Kafka"
    wanted = "Kinesis" if path_root == KINESIS_ROOT else "Kafka"
    if held != wanted:
        raise UsageError(
            f"the lake holds records from {held}, whose offsets mean nothing to {wanted}; give another lake with "
            "--lake, in a workspace another database"
        )
