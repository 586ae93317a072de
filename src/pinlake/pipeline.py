"""The stages in order: what the command line, the job's tasks and the notebooks all call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pinlake.clean.backfill import Days, backfill
from pinlake.clean.posts import update_posts
from pinlake.clean.silver import TopicClean, clean, rebuild_silver, replay
from pinlake.errors import QualityError, SourceError
from pinlake.ingest.bronze import TopicIngest, ingest
from pinlake.ingest.listing import choose_topic_id
from pinlake.lake.accounting import Accounting, account, check_sums, publish
from pinlake.lake.lake import Lake
from pinlake.lake.place import FolderPlace, LakePlace
from pinlake.lake.run import Run
from pinlake.query.gold import Years, update_gold
from pinlake.settings import Settings
from pinlake.store.base import Store
from pinlake.store.folder import FolderStore
from pinlake.store.open import need_boto3, open_for
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def check_source(settings: Settings) -> Store:
    """The dump to read, looked at before anything is started. Raises SourceError or UsageError."""
    source = settings.source
    if source is None:
        raise SourceError(
            "no source given; name the folder of a dump, or s3://bucket/prefix, with --source or PINLAKE_SOURCE"
        )
    if isinstance(source, str):
        store = open_for(settings, source)
        choose_topic_id(store, settings.topic_id, source)
        return store
    if not source.exists():
        raise SourceError(
            f"source {source} is not there; give the folder of a dump, or make one with `pinlake emulate --posts 1000 "
            f"--to {source}`"
        )
    if not source.is_dir():
        raise SourceError(f"source {source} is a file; give the folder of a dump, the one that holds topics/")
    folder = FolderStore(source)
    choose_topic_id(folder, settings.topic_id, str(source))
    return folder


def place_of(settings: Settings) -> LakePlace | None:
    """The folder of the lake, one of this machine or of a bucket; None in a workspace, where the catalog knows it."""
    if settings.catalog is not None:
        return None
    if isinstance(settings.lake, Path):
        return FolderPlace(settings.lake)
    need_boto3()
    from pinlake.lake.bucket import BucketPlace
    from pinlake.store.s3_lake import LakeBucket

    return BucketPlace(LakeBucket(settings.lake, settings.s3_role, settings.s3_keys, settings.give_up_after))


def check_lake(settings: Settings, write: bool = True) -> None:
    """Raise LakeError where the lake's folder can't be one, or, to write, is not to be written. Writes nothing."""
    place = place_of(settings)
    if place is not None:
        place.check(write)


def open_lake(spark: SparkSession, settings: Settings) -> Lake:
    """The lake that the settings name: a catalog's schema in a workspace, else a folder."""
    return Lake(spark, settings.database, root=place_of(settings), catalog=settings.catalog)


@contextmanager
def writing(lake: Lake, settings: Settings, run: Run) -> Iterator[None]:
    """Hold the lake for a run; in a workspace Delta alone keeps writers apart."""
    check_lake(settings)
    with lake.place.hold(run, settings.lake_wait) if lake.place is not None else nullcontext():
        yield


def run_ingest(
    lake: Lake, settings: Settings, run: Run, audit: bool = False, topics: Sequence[str] = tuple(TOPICS)
) -> list[TopicIngest]:
    """From the dump to bronze; a job may read each topic in a task of its own."""
    store = check_source(settings)
    return ingest(lake, store, settings.topic_id, run, audit, topics)


def run_clean(
    lake: Lake, settings: Settings, run: Run, topics: Sequence[str] = tuple(TOPICS), least_judged: int = 1
) -> list[TopicClean]:
    """From bronze to the topics' silver tables, quarantine and drift. A run that the threshold stops is counted too."""
    lake.require("bronze", "ingest")
    try:
        return clean(lake, run, settings.max_bad_share, topics, least_judged)
    except QualityError:
        # Without a look at the sums: other topics may be in the middle of a task of their own.
        publish(lake, run, [count for count in account(lake).topics if count.topic in topics])
        raise


def run_join(lake: Lake, run: Run) -> None:
    """From the topics' silver tables to silver_post."""
    update_posts(lake, run)


def run_query(lake: Lake, settings: Settings, run: Run, force: bool = False) -> None:
    """From silver to gold."""
    update_gold(lake, run, years(settings), force)


def run_account(lake: Lake, run: Run) -> Accounting:
    """Count every table, publish the counts, and raise AccountingError where the sums don't hold."""
    counts = account(lake)
    publish(lake, run, counts.topics)
    check_sums(counts.topics)
    return counts


def run_all(lake: Lake, settings: Settings, run: Run, audit: bool = False) -> Accounting:
    """All stages in order, then the accounting."""
    run_ingest(lake, settings, run, audit)
    run_clean(lake, settings, run)
    run_join(lake, run)
    run_query(lake, settings, run)
    return run_account(lake, run)


def run_rebuild(lake: Lake, settings: Settings, run: Run, what: str, days: Days | None = None) -> Accounting:
    """Make silver (and with it gold), or gold alone, anew from what is before it; of silver only `days`, if given."""
    lake.require("bronze", "ingest")
    if what == "silver":
        if days:
            backfill(lake, run, days)
        else:
            rebuild_silver(lake, run, settings.max_bad_share)
        run_join(lake, run)
    run_query(lake, settings, run, force=True)
    return run_account(lake, run)


def run_replay(lake: Lake, settings: Settings, run: Run, topic: str | None) -> int:
    """Send quarantined records through again; silver, gold and the accounting follow."""
    moved = replay(lake, run, topic)
    if not moved:
        return 0
    run_query(lake, settings, run)
    run_account(lake, run)
    return moved


def new_run(report: object = None) -> Run:
    """A run that starts now. The clock is read here, once for each run, and nowhere else."""
    started = datetime.now(UTC)
    return Run(started, report) if callable(report) else Run(started)


def years(settings: Settings) -> Years:
    return Years(settings.first_post_year, settings.last_post_year, settings.first_join_year, settings.last_join_year)
