"""The stages and their order. The command line, the job's tasks and the notebooks call these functions.

Functions that take a `state` update it. Without it, they read the state of the lake first.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pinlake.clean.backfill import Days, backfill
from pinlake.clean.posts import update_posts
from pinlake.clean.silver import TopicClean, clean, rebuild_silver, replay
from pinlake.dump.listing import Dump, Listing, choose_topic_id
from pinlake.dump.objects import Layout
from pinlake.dump.offsets import Hole, Progress, progress
from pinlake.dump.open import open_for
from pinlake.errors import QualityError, SourceError, UsageError, need
from pinlake.gold.tables import Rows, computed, update_gold, write_gold
from pinlake.ingest.bronze import ingest
from pinlake.lake.accounting import Accounting, account, check_sums
from pinlake.lake.holes import accept, accepted_holes
from pinlake.lake.lake import Lake
from pinlake.lake.location import FolderLocation, LakeLocation
from pinlake.lake.row_count import publish, versions
from pinlake.lake.run import Report, Run, silent
from pinlake.lake.state import LakeState, read_state
from pinlake.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def check_source(settings: Settings) -> Dump:
    """Open the dump and check that it has the topics, before anything is started.

    Raises SourceError if there is no source or no dump in it, UsageError if the topic id isn't clear.
    """
    source = settings.source
    if source is None:
        raise SourceError(
            "no source given; name the folder of a dump, or s3://bucket/prefix, with --source or PINLAKE_SOURCE"
        )
    if isinstance(source, Path) and not source.exists():
        raise SourceError(
            f"source {source} does not exist; give the folder of a dump, or generate one with `pinlake emulate --posts "
            f"1000 --to {source}`"
        )
    if isinstance(source, Path) and not source.is_dir():
        raise SourceError(f"source {source} is a file; give the folder of a dump, the one that holds topics/")
    dump = Dump(open_for(settings, source), Layout(settings.topics_dir, settings.file_delim))
    choose_topic_id(dump, settings.topic_id)
    return dump


def lake_location(settings: Settings) -> LakeLocation | None:
    """The folder of the lake, local or in a bucket. None in a workspace, where the catalog has the tables' locations.

    Raises MachineError if a package for buckets is missing.
    """
    if settings.catalog is not None:
        return None
    if isinstance(settings.lake, Path):
        return FolderLocation(settings.lake)
    need("transports", "boto3")
    from pinlake.lake.bucket import BucketLocation

    return BucketLocation(settings.lake, settings.s3_role, settings.s3_keys, settings.give_up_after)


def check_lake(settings: Settings, write: bool = True) -> None:
    """Raise LakeError if the lake's folder can't be used or, with `write`, can't be written. Writes nothing."""
    location = lake_location(settings)
    if location is not None:
        location.check(write)


def open_lake(spark: SparkSession, settings: Settings) -> Lake:
    """Open the lake of the settings: a schema of a catalog in a workspace, otherwise a folder.

    Raises LakeError if it can't be opened or created.
    """
    return Lake(spark, settings.database, root=lake_location(settings), catalog=settings.catalog)


@contextmanager
def writing(lake: Lake, settings: Settings, run: Run) -> Iterator[None]:
    """Hold the lease of the lake for the `with` block. In a workspace there is no lease.

    Raises LakeError if the lake can't be written, LakeBusyError if another run holds it after `lake_wait` seconds.
    """
    check_lake(settings)
    with lake.location.hold(run, settings.lake_wait) if lake.location is not None else nullcontext():
        yield


class Outcome(NamedTuple):
    """Result of a run of all stages: the accounting, and the answers by the names of their gold tables."""

    counts: Accounting
    answers: dict[str, Rows]


def run_ingest(
    lake: Lake, settings: Settings, run: Run, audit: bool = False, state: LakeState | None = None
) -> list[Listing]:
    """Read new objects of the dump into bronze; with `audit`, also late and changed ones. Raises as `ingest`."""
    dump = check_source(settings)
    # The state includes the last batches of the other tables, because batch numbers must not repeat.
    return ingest(lake, dump, settings.topic_id, run, state or read_state(lake), audit)


def run_clean(
    lake: Lake, settings: Settings, run: Run, least_judged: int = 1, state: LakeState | None = None
) -> list[TopicClean]:
    """Clean pending bronze records into quarantine, drift and the silver tables, and join silver_post.

    Raises QualityError if more than `max_bad_share` of a topic's new records are bad, from `least_judged` records on.
    Publishes the row counts in this case too.
    """
    lake.require("bronze", "ingest")
    state = state or read_state(lake)
    try:
        cleaned = clean(lake, run, state, settings.max_bad_share, least_judged)
    except QualityError:
        # Doesn't check the sums. The next run does.
        publish(lake, run, account(lake).topics, counted_from=None)
        raise
    update_posts(lake, run, state)
    return cleaned


def run_query(lake: Lake, settings: Settings, run: Run) -> dict[str, Rows]:
    """Update gold from silver. Returns the answers by the names of their gold tables. Raises as `update_gold`."""
    return update_gold(lake, run, settings)


def run_account(lake: Lake, run: Run) -> Accounting:
    """Count every table and publish the counts in table row_count. Raises AccountingError if they don't add up."""
    counted_from = versions(lake)
    counts = account(lake)
    publish(lake, run, counts.topics, None if counts.uncleaned else counted_from)
    check_sums(counts.topics)
    return counts


def run_all(lake: Lake, settings: Settings, run: Run, audit: bool = False) -> Outcome:
    """Run all stages in order. If the counts don't add up, no answers are written.

    Raises the errors of the stages and of `run_account`.
    """
    state = read_state(lake)
    listings = run_ingest(lake, settings, run, audit, state)
    if state.last and state.settled and not any(listing.objects for listing in listings):
        # Nothing new, and no table has changed since the last count: publish the same counts again.
        counts = Accounting(state.last.counts, [hole for topic in state.progress.values() for hole in topic.missing])
        publish(lake, run, counts.topics, state.last.counted_from)
        check_sums(counts.topics)
        return Outcome(counts, run_query(lake, settings, run))
    run_clean(lake, settings, run, state=state)
    return count_and_answer(lake, settings, run)


def count_and_answer(lake: Lake, settings: Settings, run: Run) -> Outcome:
    """Count every table as `run_account`, and compute the answers meanwhile.

    If the counts don't add up, no answers are written.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        gold = pool.submit(computed, lake, settings)
        counts = run_account(lake, run)
    return Outcome(counts, write_gold(lake, run, gold.result()))


def run_rebuild(lake: Lake, settings: Settings, run: Run, what: str, days: Days | None = None) -> Accounting:
    """Rebuild silver and gold (`what` is silver), or gold alone, and return the row counts.

    With `days`, rebuilds only the silver rows of posts with records of these ingest days. Raises QualityError or
    UsageError as `rebuild_silver` and `backfill`, AccountingError as `run_account`.
    """
    lake.require("bronze", "ingest")
    if what == "silver":
        if days:
            state = read_state(lake)
            backfill(lake, run, state, days)
        else:
            state = rebuild_silver(lake, run, settings.max_bad_share)
        update_posts(lake, run, state)
    return count_and_answer(lake, settings, run).counts


def run_replay(lake: Lake, settings: Settings, run: Run, topic: str | None) -> int:
    """Clean quarantined records again, of one topic or of all, and update silver, gold and the row counts.

    Returns the number of records that moved to silver.
    """
    moved = replay(lake, run, read_state(lake), topic)
    if not moved:
        return 0
    run_account(lake, run)
    run_query(lake, settings, run)
    return moved


def run_accept(
    lake: Lake,
    run: Run,
    topic: str,
    reason: str,
    by: str,
    partition: int | None = None,
    first: int | None = None,
    last: int | None = None,
) -> list[Hole]:
    """Mark missing offsets of a topic as accepted, with the reason and who accepts them, and count again.

    Of one partition, or of all; from `first` to `last`, both included, or without a limit. Returns the accepted holes.
    Raises UsageError if none of the offsets is missing.
    """
    known = progress(lake.read("bronze"), accepted_holes(lake)).get(topic, Progress())
    holes = [
        hole._replace(first=max(hole.first, first or 0), last=hole.last if last is None else min(hole.last, last))
        for hole in known.missing
        if partition in (None, hole.partition)
    ]
    holes = [hole for hole in holes if hole.size > 0]
    if not holes:
        raise UsageError(f"topic {topic} has no missing offsets there; see `pinlake holes`")
    accept(lake, run, holes, reason, by)
    run_account(lake, run)
    return holes


def new_run(report: Report = silent) -> Run:
    """A run that starts now. No stage reads the clock itself."""
    return Run(datetime.now(UTC), report)
