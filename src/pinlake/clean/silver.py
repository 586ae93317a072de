"""Clean the pending bronze batches into silver, quarantine and drift, with one commit for each table.

The silver tables hold the progress: the last ingest batch in them. Quarantine and drift are written first, silver last,
so the next run completes an interrupted one. Spark persists the cleaned records for all tables that are written from
them. Serverless compute doesn't persist, so there Spark cleans them for each table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, Observation, Window
from pyspark.sql import functions as F

from pinlake.clean.cleaners import clean_records, content_columns, good
from pinlake.clean.latest import latest, merged
from pinlake.clean.posts import update_posts
from pinlake.clean.records import SENT
from pinlake.errors import QualityError
from pinlake.lake.lake import Lake
from pinlake.lake.model import TABLES
from pinlake.lake.parallel import side_by_side
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState, mark_cleaned, state_of_damaged
from pinlake.topics import TOPICS, Topic

# The columns that identify a record in bronze and in quarantine.
RECORD_KEY = ("path", "position", "batch")


@dataclass(frozen=True)
class TopicClean:
    """Counts of one topic's pending records, and the cleaned records themselves.

    `pending`: the cleaned records of the batches `first` to `batch`; None if there are none.
    `records`, `bad`, `drifted`: how many there are, how many have errors, how many have drift.
    `judged`, `judged_bad`: the same without records of objects that were read again with other content. The threshold
    applies to these.
    `last_good`: the last batch with a good record.
    `least_ind`, `highest_ind`: the range of the post ids of good records; None if there are none.
    """

    topic: str
    pending: DataFrame | None = None
    first: int = 0
    batch: int = 0
    records: int = 0
    bad: int = 0
    judged: int = 0
    judged_bad: int = 0
    drifted: int = 0
    last_good: int = 0
    least_ind: int | None = None
    highest_ind: int | None = None

    @property
    def bad_share(self) -> float:
        """The share of bad records, 0.0 to 1.0, that `max_bad_share` limits."""
        return self.judged_bad / self.judged if self.judged else 0.0


def clean(lake: Lake, run: Run, state: LakeState, max_bad_share: float, least_judged: int = 1) -> list[TopicClean]:
    """Clean the pending records of all topics, and update `state`.

    Raises QualityError if a topic has `least_judged` or more new records and more than `max_bad_share` of them are bad.
    The bad records are in quarantine then, and no silver table has changed.
    """
    are_joined = state.joined == state.in_silver
    pending = {name: _pending(lake, state, topic) for name, topic in TOPICS.items() if state.pending(name)}
    with keeping(*pending.values()):
        found = _sort_out(lake, run, state, pending)
        _judge(found, max_bad_share, least_judged)
        state.changed = _ids(found) if are_joined else None
        side_by_side(*[lambda result=result: _upsert(lake, run, state, result) for result in found])
    return found


@contextmanager
def keeping(*frames: DataFrame) -> Iterator[None]:
    """Persist the frames for the time of the `with` block, where the compute supports it."""
    with ExitStack() as kept:
        for rows in frames:
            with suppress(AnalysisException):  # serverless compute doesn't support it
                rows.persist()
                kept.callback(rows.unpersist)
        yield


def _ids(found: Sequence[TopicClean]) -> tuple[int, int] | None:
    """The lowest and the highest id of a post with a good record. None if there are none."""
    ids = [ind for each in found for ind in (each.least_ind, each.highest_ind) if ind is not None]
    return (min(ids), max(ids)) if ids else None


def _judge(found: Sequence[TopicClean], max_bad_share: float, least_judged: int) -> None:
    for result in found:
        if result.judged >= least_judged and result.bad_share > max_bad_share:
            raise QualityError(
                f"topic {result.topic}: {result.judged_bad:,} of {result.judged:,} new records are bad "
                f"({result.bad_share:.1%}, more than {max_bad_share:.1%}); stopped before silver. See `pinlake "
                f"quarantine --topic {result.topic}`, then correct the objects and run with --audit, which reads "
                "changed ones again, or accept the batch with a higher --max-bad-share (in a job: table quarantine, "
                "audit, max_bad_share)"
            )


def rebuild_silver(lake: Lake, run: Run, max_bad_share: float = 1.0) -> LakeState:
    """Rebuild quarantine, drift and silver from all of bronze. Returns the new state.

    Raises QualityError, before it changes anything, if more than `max_bad_share` of a topic's pending records are bad:
    a rebuild doesn't accept what stopped a run.
    """
    # Skip topics without rows in silver, and tables that can't be read: they don't tell what was accepted before.
    before = state_of_damaged(lake)
    _judge([_look(lake, before, name) for name in TOPICS if before.cleaned[name]], max_bad_share, least_judged=1)
    # An empty silver table means that nothing is cleaned. So if this is interrupted, any run completes it.
    for table in ("silver_post", *(topic.silver_table for topic in TOPICS.values()), "quarantine", "drift"):
        lake.empty(table)
    state = LakeState(before.progress, before.ingested, topic_id=before.topic_id, path=before.path)
    clean(lake, run, state, max_bad_share=1.0)
    return state


def replay(lake: Lake, run: Run, state: LakeState, topic_name: str | None = None) -> int:
    """Clean quarantined records again with the current rules, and move those that pass to silver.

    Returns how many moved. Skips records of batches that are not cleaned yet; `clean` processes them. The merge into
    silver is idempotent and the removal from quarantine comes last: run a replay that was interrupted again.
    """
    passed: dict[Topic, DataFrame] = {}
    moved = 0
    for topic in TOPICS.values():
        if topic_name not in (None, topic.name):
            continue
        settled = (F.col("topic") == topic.name) & (F.col("batch") <= state.cleaned[topic.name])
        quarantined = lake.read("quarantine").where(settled)
        again = _bronze(lake, topic).join(quarantined.select(*RECORD_KEY), list(RECORD_KEY), "left_semi")
        passing = good(clean_records(again, topic))
        count = passing.count()
        run.report("replay", f"{topic.name}: {count:,} of {quarantined.count():,} records pass")
        if count:
            _merge(lake, topic, passing, is_empty=not state.in_silver[topic.name])
            passed[topic] = passing
            moved += count
    if passed:
        update_posts(lake, run, state, reduce(DataFrame.union, [rows.select("ind") for rows in passed.values()]))
    for topic, rows in passed.items():
        places = rows.select(F.lit(topic.name).alias("topic"), *[F.col(f"_{name}").alias(name) for name in RECORD_KEY])
        lake.remove("quarantine", places)
    return moved


def _bronze(lake: Lake, topic: Topic) -> DataFrame:
    return lake.read("bronze").where((F.col("topic") == topic.name) & F.col("problem").isNull())


def _pending(lake: Lake, state: LakeState, topic: Topic) -> DataFrame:
    """The topic's pending records, cleaned. The columns in SENT are null for good records, which don't need them."""
    # Not beyond the last batch of the state: a later run processes what another run adds meanwhile.
    first, last = state.cleaned[topic.name] + 1, state.ingested[topic.name]
    cleaned = clean_records(_bronze(lake, topic).where(F.col("batch").between(first, last)), topic)
    is_bad = F.col("_errors").isNotNull()
    return cleaned.withColumns({name: F.when(is_bad, F.col(name)) for name in SENT})


def _counts() -> list[Column]:
    """Aggregates over cleaned records, by the names of the fields of TopicClean."""
    is_bad = F.col("_errors").isNotNull()
    return [
        F.count(F.lit(1)).alias("records"),
        F.count_if(is_bad).alias("bad"),
        F.count_if(F.size("_drift") > 0).alias("drifted"),
        F.coalesce(F.min("_batch"), F.lit(0)).alias("first"),
        F.min(F.when(~is_bad, F.col("ind"))).alias("least_ind"),
        F.max(F.when(~is_bad, F.col("ind"))).alias("highest_ind"),
        F.coalesce(F.max(F.when(~is_bad, F.col("_batch"))), F.lit(0)).alias("last_good"),
    ]


def _look(lake: Lake, state: LakeState, name: str) -> TopicClean:
    """Count one topic's pending records, without writing anything."""
    if not state.pending(name):
        return TopicClean(name)
    pending = _pending(lake, state, TOPICS[name])
    row = pending.agg(*_counts()).first()
    assert row is not None  # an aggregate without groups always has one row
    return _judged(TopicClean(name, pending, batch=state.ingested[name], **row.asDict()))


def _judged(found: TopicClean) -> TopicClean:
    """Fill in `judged` and `judged_bad`."""
    if not found.bad or found.first == found.batch or found.pending is None:
        return replace(found, judged=found.records, judged_bad=found.bad)
    # After a run that the threshold stopped, bronze may hold an object twice: the original and the corrected version.
    last_of_object = F.max("_batch").over(Window.partitionBy("_path"))
    rows = found.pending.select("_batch", F.col("_errors").isNotNull().alias("bad"), last_of_object.alias("last"))
    counts = rows.where(F.col("_batch") == F.col("last")).agg(F.count(F.lit(1)), F.count_if("bad")).first()
    assert counts is not None
    return replace(found, judged=counts[0], judged_bad=counts[1])


def _sort_out(lake: Lake, run: Run, state: LakeState, pending: Mapping[str, DataFrame]) -> list[TopicClean]:
    """Write quarantine and drift, each in one commit for all topics, and count the pending records."""
    _delete_left_over(lake, state)
    counted = _quarantine(lake, run, pending) if pending else {}
    found = []
    for name in TOPICS:
        if name not in pending or not counted[name]["records"]:
            # A batch may have no records: all its objects are empty or unreadable.
            run.report("clean", f"{name}: {'no records' if name in pending else 'nothing new'}")
            found.append(TopicClean(name, batch=state.ingested[name]) if name in pending else TopicClean(name))
            continue
        result = TopicClean(name, pending[name], batch=state.ingested[name], **counted[name])
        run.report("clean", f"{name}: {result.records:,} records, {result.bad:,} to quarantine")
        found.append(_judged(result))
    drifted = [drift_rows(pending[each.topic], TOPICS[each.topic], run) for each in found if each.drifted]
    if drifted:
        lake.append("drift", reduce(DataFrame.union, drifted))
    return found


def _delete_left_over(lake: Lake, state: LakeState) -> None:
    """Delete the rows of a run that stopped before silver from quarantine and drift: the rules may have changed."""
    for table, batches in state.left_over.items():
        left = {name: state.cleaned[name] for name, batch in batches.items() if batch > state.cleaned[name]}
        if left:
            where = " OR ".join(f"(topic = '{name}' AND batch > {cleaned})" for name, cleaned in left.items())
            lake.delete(table, where)


def _quarantine(lake: Lake, run: Run, pending: Mapping[str, DataFrame]) -> dict[str, dict[str, int]]:
    """Write the bad records of all topics, and return the counts of all records by topic, in a single pass."""
    lake.ensure("quarantine")  # Spark loses the observed metrics if the write creates the table
    observed = {name: Observation() for name in pending}
    bad = [
        quarantine_rows(rows.observe(observed[name], *_counts()).where("_errors IS NOT NULL"), TOPICS[name], run)
        for name, rows in pending.items()
    ]
    lake.append("quarantine", reduce(DataFrame.union, bad))
    return {name: observation.get for name, observation in observed.items()}


def quarantine_rows(bad: DataFrame, topic: Topic, run: Run) -> DataFrame:
    """Rows of table quarantine, from cleaned records with errors."""
    places = {name: F.col(f"_{name}") for name in ("text", "bytes", "partition", "offset", "position", "path", "batch")}
    stamp = {"topic": F.lit(topic.name), "run_id": F.lit(run.id), "quarantined_at": F.lit(run.started)}
    return bad.withColumns({**stamp, **places}).select(*TABLES["quarantine"].column_names)


def drift_rows(cleaned: DataFrame, topic: Topic, run: Run) -> DataFrame:
    """Rows of table drift, from cleaned records: one for each batch, kind of drift and field."""
    # For `explode` without `outer`, Spark infers a filter, pushes it below the projections, and cleans every row twice.
    fields = cleaned.select(F.explode_outer("_drift").alias("_drift"), "_path", "_batch").where("_drift IS NOT NULL")
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


def _upsert(lake: Lake, run: Run, state: LakeState, result: TopicClean) -> None:
    topic = TOPICS[result.topic]
    if result.pending is None or result.records == result.bad:
        # If a topic has no good record at all, later stages find an empty table.
        lake.ensure(topic.silver_table)
    else:
        ids = (result.least_ind, result.highest_ind)
        _merge(lake, topic, good(result.pending), is_empty=not state.in_silver[topic.name], ids=ids)
        state.in_silver[topic.name] = result.last_good
        run.report("clean", f"{topic.name}: {result.records - result.bad:,} records in {topic.silver_table}")
    if result.batch and result.last_good < result.batch:
        # The rows don't show that a batch with only bad records is cleaned. Without the note, the next run would judge
        # this batch again, and stop.
        mark_cleaned(lake, topic.name, result.batch)
    state.cleaned[topic.name] = max(result.batch, state.cleaned[topic.name])


def _merge(
    lake: Lake, topic: Topic, good: DataFrame, is_empty: bool, ids: tuple[int | None, int | None] = (None, None)
) -> None:
    """Merge good records into silver. `ids` is the lowest and the highest id among them, if known."""
    columns = content_columns(topic)
    rows = latest(good, columns)
    if is_empty:
        lake.replace(topic.silver_table, rows)
    else:
        # The bounds let Delta skip the files without these posts. A join alone reads all files.
        within = f" AND old.ind BETWEEN {ids[0]} AND {ids[1]}" if None not in ids else ""
        lake.merge(topic.silver_table, rows, f"old.ind = new.ind{within}", merged(columns))
