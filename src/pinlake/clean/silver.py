"""From bronze to silver, quarantine and drift: only the batches that are not in yet, each table in one commit.

Progress is in the silver tables: the last ingest batch in them. Quarantine and drift are written first, silver last,
so a run that is stopped anywhere is finished by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinlake.clean.geo import clean_geo
from pinlake.clean.latest import latest, merged
from pinlake.clean.pins import clean_pin
from pinlake.clean.posts import update_posts
from pinlake.clean.records import parse
from pinlake.clean.users import clean_user
from pinlake.errors import LakeError, QualityError
from pinlake.lake.accounting import cleaned_batch, mark_cleaned
from pinlake.lake.lake import Lake
from pinlake.lake.model import TABLES
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.topics import TOPICS, Topic

# What identifies a record in bronze and in quarantine.
PLACE = ("path", "position", "batch")

CLEANERS: dict[str, Callable[[DataFrame], DataFrame]] = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}


@dataclass(frozen=True)
class TopicClean:
    """What cleaning found in one topic's new records, `pending`, up to ingest batch `batch`. `bad` went to quarantine.

    `judged` are those whose object was not read again since, with other content; the threshold looks at these alone.
    `drifted` have fields that were not as expected; the last batch with a good record is `last_good`.
    """

    topic: str
    pending: DataFrame
    batch: int = 0
    records: int = 0
    bad: int = 0
    judged: int = 0
    judged_bad: int = 0
    drifted: int = 0
    last_good: int = 0

    @property
    def bad_share(self) -> float:
        return self.judged_bad / self.judged if self.judged else 0.0


def clean_records(bronze: DataFrame, topic: Topic) -> DataFrame:
    """Bronze records of one topic, parsed and cleaned: the silver columns, lineage, `_errors`, `_warnings`, …"""
    return CLEANERS[topic.name](parse(bronze, topic))


def content_columns(topic: Topic) -> list[str]:
    """The silver columns that make a record's content: all but lineage."""
    return [name for name in TABLES[topic.silver_table].column_names if not name.startswith("_")]


def clean(
    lake: Lake, run: Run, max_bad_share: float, topics: Sequence[str] = tuple(TOPICS), least_judged: int = 1
) -> list[TopicClean]:
    """Clean the new records of these topics.

    Raises QualityError before any silver table is written where the bad share of a topic's new records, if these are
    `least_judged` or more, is above `max_bad_share`; the bad records are in quarantine then, to be looked at.
    """
    found: list[TopicClean] = side_by_side(*[lambda topic=TOPICS[name]: _sort_out(lake, topic, run) for name in topics])
    _judge(found, max_bad_share, least_judged)
    side_by_side(*[lambda result=result: _upsert(lake, result, run) for result in found])
    return found


def _judge(found: Sequence[TopicClean], max_bad_share: float, least_judged: int) -> None:
    for result in found:
        if result.judged >= least_judged and result.bad_share > max_bad_share:
            raise QualityError(
                f"topic {result.topic}: {result.judged_bad:,} of {result.judged:,} new records are bad "
                f"({result.bad_share:.1%}, more than {max_bad_share:.1%}); stopped before silver. See `pinlake "
                f"quarantine --topic {result.topic}`, then mend the objects and run with --audit, which reads changed "
                "ones again, or take the rest in with a higher --max-bad-share (in a job: table quarantine, audit, "
                "max_bad_share)"
            )


def rebuild_silver(lake: Lake, run: Run, max_bad_share: float = 1.0) -> None:
    """Make quarantine, drift and silver anew from all of bronze.

    Raises QualityError before anything is touched where a topic has records that silver doesn't have yet, and more than
    this share of them is bad: what a run was stopped for doesn't come in by a rebuild.
    """
    found = []
    for topic in TOPICS.values():
        # A table without rows can't say what was taken in before, with which share; nor can one that another version of
        # pinlake made, or that is damaged, which is what a rebuild is for.
        cleaned = 0
        with suppress(LakeError):
            cleaned = cleaned_batch(lake, topic.name)
        if cleaned:
            found.append(_look(lake, topic, cleaned))
    _judge(found, max_bad_share, least_judged=1)
    # An empty silver table means that nothing was cleaned: emptied first, a rebuild that is stopped goes on in any run.
    for table in ("silver_post", *(topic.silver_table for topic in TOPICS.values()), "quarantine", "drift"):
        lake.empty(table)
    clean(lake, run, max_bad_share=1.0)


def replay(lake: Lake, run: Run, topic_name: str | None = None) -> int:
    """Clean quarantined records again with today's rules; those that pass move to silver. Returns how many did.

    Records of a batch that silver doesn't have yet are left to `clean`. Silver takes a record in once however often it
    comes, and quarantine gives it up last, so a replay that was stopped is simply run again.
    """
    passed: dict[Topic, DataFrame] = {}
    moved = 0
    for topic in TOPICS.values():
        if topic_name not in (None, topic.name):
            continue
        settled = (F.col("topic") == topic.name) & (F.col("batch") <= cleaned_batch(lake, topic.name))
        quarantined = lake.read("quarantine").where(settled)
        again = _bronze(lake, topic).join(quarantined.select(*PLACE), list(PLACE), "left_semi")
        passing = good(clean_records(again, topic))
        count = passing.count()
        run.report("replay", f"{topic.name}: {count:,} of {quarantined.count():,} records pass")
        if count:
            _merge(lake, topic, passing)
            passed[topic] = passing
            moved += count
    if passed:
        update_posts(lake, run, reduce(DataFrame.union, [rows.select("ind") for rows in passed.values()]))
    for topic, rows in passed.items():
        places = rows.select(F.lit(topic.name).alias("topic"), *[F.col(f"_{name}").alias(name) for name in PLACE])
        lake.remove("quarantine", places)
    return moved


def _bronze(lake: Lake, topic: Topic) -> DataFrame:
    return lake.read("bronze").where((F.col("topic") == topic.name) & F.col("problem").isNull())


def only(rows: DataFrame, condition: Column) -> DataFrame:
    """The cleaned rows for which a condition holds.

    Spark pushes a filter below the projections that clean, and so cleans every row twice; it leaves a generator alone.
    """
    return rows.select(F.inline(F.when(condition, F.array(F.struct(*rows.columns)))))


def good(cleaned: DataFrame) -> DataFrame:
    """The cleaned rows without an error."""
    return only(cleaned, F.col("_errors").isNull())


def _look(lake: Lake, topic: Topic, cleaned: int) -> TopicClean:
    """Count the pending records: those after the batch up to which the topic was cleaned."""
    waiting = lake.read("bronze").where((F.col("topic") == topic.name) & (F.col("batch") > cleaned))
    batches = waiting.agg(F.min("batch").alias("first"), F.max("batch").alias("last")).first()
    first, last = (batches["first"], batches["last"]) if batches and batches["last"] else (cleaned, cleaned)
    # Nothing above the last one: what another run adds meanwhile is for the next.
    pending = clean_records(_bronze(lake, topic).where(F.col("batch").between(cleaned + 1, last)), topic)
    if last == cleaned:
        return TopicClean(topic.name, pending)
    drifted = F.size("_drift") > 0
    is_bad = F.col("_errors").isNotNull()
    # After a run that the threshold stopped, an object may be there twice: as it was, and mended.
    last_of_object = F.max("_batch").over(Window.partitionBy("_path"))
    judged = F.lit(True) if first == last else F.col("_batch") == last_of_object
    row = (
        pending.select("_batch", is_bad.alias("bad"), drifted.alias("drifted"), judged.alias("judged"))
        .agg(
            F.count("*").alias("records"),
            F.count_if("bad").alias("bad"),
            F.count_if("drifted").alias("drifted"),
            F.count_if("judged").alias("judged"),
            F.count_if(F.col("judged") & F.col("bad")).alias("judged_bad"),
            F.coalesce(F.max(F.when(~F.col("bad"), F.col("_batch"))), F.lit(0)).alias("last_good"),
        )
        .first()
    )
    assert row is not None  # an aggregate without groups always has one row
    return TopicClean(topic.name, pending, last, **row.asDict())


def _sort_out(lake: Lake, topic: Topic, run: Run) -> TopicClean:
    """Quarantine and drift of the pending records."""
    cleaned = cleaned_batch(lake, topic.name)
    found = _look(lake, topic, cleaned)
    if not found.records:
        # Objects may come of which none gives a record.
        run.report("clean", f"{topic.name}: {'no records' if found.batch else 'nothing new'}")
        return found
    run.report("clean", f"{topic.name}: {found.records:,} records, {found.bad:,} to quarantine")
    # A run that was stopped before silver has left these batches' records there; today's rules may say otherwise.
    for table in ("quarantine", "drift"):
        left = f"topic = '{topic.name}' AND batch > {cleaned}"
        if lake.highest(table, "batch", left):
            lake.delete(table, left)
    if found.bad:
        quarantined = quarantine_rows(only(found.pending, F.col("_errors").isNotNull()), topic, run)
        lake.append("quarantine", quarantined, (f"pinlake-quarantine-{topic.name}-{run.id}", found.batch))
    if found.drifted:
        drift = drift_rows(found.pending, topic, run)
        lake.append("drift", drift, (f"pinlake-drift-{topic.name}-{run.id}", found.batch))
    return found


def quarantine_rows(bad: DataFrame, topic: Topic, run: Run) -> DataFrame:
    """Rows of table quarantine from cleaned records with errors."""
    places = {name: F.col(f"_{name}") for name in ("text", "bytes", "partition", "offset", "position", "path", "batch")}
    stamp = {"topic": F.lit(topic.name), "run_id": F.lit(run.id), "quarantined_at": F.lit(run.started)}
    return bad.withColumns({**stamp, **places})


def drift_rows(cleaned: DataFrame, topic: Topic, run: Run) -> DataFrame:
    """Rows of table drift from cleaned records: one for each batch and each field that was not as expected."""
    fields = cleaned.select(F.explode("_drift").alias("_drift"), "_path", "_batch")
    counted = fields.groupBy("_drift", F.col("_batch").alias("batch")).agg(
        F.count("*").alias("records"), F.min("_path").alias("example_path")
    )
    return counted.withColumns(
        {
            "topic": F.lit(topic.name),
            "run_id": F.lit(run.id),
            "kind": F.substring_index("_drift", ":", 1),
            "field": F.expr("substring(_drift, length(substring_index(_drift, ':', 1)) + 2)"),
            "found_at": F.lit(run.started),
        }
    )


def _upsert(lake: Lake, result: TopicClean, run: Run) -> None:
    topic = TOPICS[result.topic]
    if result.records == result.bad:
        # A topic may have no good record at all: what comes after finds an empty table then.
        lake.ensure(topic.silver_table)
    else:
        _merge(lake, topic, good(result.pending))
        run.report("clean", f"{topic.name}: {result.records - result.bad:,} records in {topic.silver_table}")
    if result.last_good < result.batch:
        # The table's rows don't tell of a batch in which all is bad; judged again by itself, it would stop a run.
        mark_cleaned(lake, topic.name, result.batch)


def _merge(lake: Lake, topic: Topic, good: DataFrame) -> None:
    columns = content_columns(topic)
    lake.merge(topic.silver_table, latest(good, columns), "old.ind = new.ind", merged(columns))
