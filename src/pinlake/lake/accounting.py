"""Row accounting: every record of a dump is in exactly one place, and the sums say so. In words: docs/cleaning.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.errors import AccountingError
from pinlake.lake.lake import Lake
from pinlake.lake.model import EMPTY, ROW_COUNT, UNREADABLE
from pinlake.lake.offsets import Hole, one_per_object, progress
from pinlake.lake.run import Run
from pinlake.topics import TOPICS

_CLEANED = "cleaned_batch"


@dataclass(frozen=True)
class TopicCount:
    """Counts of one topic; what each means stands with the columns of table row_count."""

    topic: str
    received: int = 0
    unreadable: int = 0
    bronze: int = 0
    silver: int = 0
    deduplicated: int = 0
    conflicts: int = 0
    quarantined: int = 0
    warnings: int = 0
    missing_offsets: int = 0
    empty_objects: int = 0
    orphans: int = 0
    scattered_users: int = 0
    backlog: int = 0


@dataclass(frozen=True)
class Accounting:
    """Counts of all topics, and the holes in their offsets."""

    topics: list[TopicCount]
    missing: list[Hole]

    @property
    def backlog(self) -> int:
        return sum(count.backlog for count in self.topics)


def cleaned_batch(lake: Lake, topic: str) -> int:
    """The ingest batch up to which the topic's records were cleaned, 0 for none.

    The silver table says so by its rows, and by a note for batches of which every record was bad. An empty silver table
    always means that nothing was cleaned, so that a rebuild which was stopped is finished.
    """
    return _cleaned(lake, topic, lake.highest(TOPICS[topic].silver_table, "_last_batch"))


def mark_cleaned(lake: Lake, topic: str, batch: int) -> None:
    """Note with the silver table that this batch was cleaned, though no record of it came into the table."""
    lake.note(TOPICS[topic].silver_table, _CLEANED, str(batch))


def account(lake: Lake) -> Accounting:
    """Count every table."""
    measured = _measured(lake)
    holes = [hole for topic in progress(lake.read("bronze")).values() for hole in topic.missing]
    counts = []
    for topic in TOPICS:
        found = measured[topic]
        last_batch, posts = found.pop("last_batch", 0), found.pop("posts", 0)
        cleaned = _cleaned(lake, topic, found.pop("in_silver", 0))
        backlog = _waiting(lake, topic, cleaned) if last_batch > cleaned else 0
        missing = sum(hole.size for hole in holes if hole.topic == topic)
        orphans = found.get("silver", 0) - posts
        counts.append(TopicCount(topic, **found, missing_offsets=missing, orphans=orphans, backlog=backlog))
    return Accounting(counts, holes)


def check_sums(counts: list[TopicCount]) -> None:
    """Raise AccountingError where a record is in no place, or in two."""
    for count in counts:
        kept = count.silver + count.deduplicated + count.conflicts + count.quarantined + count.backlog
        for what, whole, parts in (
            ("received = bronze + unreadable", count.received, count.bronze + count.unreadable),
            ("bronze = silver + deduplicated + conflicts + quarantined + backlog", count.bronze, kept),
        ):
            if whole != parts:
                raise AccountingError(
                    f"topic {count.topic}: {what} does not hold, {whole:,} are not {parts:,}. Was a replay, or a "
                    "rebuild of some days, stopped? Run it again. Else a table was changed by hand or lost: `pinlake "
                    "rebuild silver` makes all but bronze anew (in a workspace the job backfill), a new lake from the "
                    "dump all"
                )


def publish(lake: Lake, run: Run, counts: Sequence[TopicCount]) -> None:
    """Add the counts to table row_count."""
    rows = [tuple(asdict(count).values()) for count in counts]
    schema = ", ".join(f"{field.name} {ROW_COUNT.column(field.name).type}" for field in fields(TopicCount))
    stamped = lake.spark.createDataFrame(rows, schema).withColumns({"run_id": F.lit(run.id), "at": F.lit(run.started)})
    lake.append("row_count", stamped, (f"pinlake-row_count-{run.id}", 1))


def last_run(lake: Lake) -> dict[str, Any] | None:
    """`run_id` and `at`, an ISO 8601 instant in UTC, of the last run that was counted; None where there was none."""
    row = lake.read("row_count").select("run_id", F.unix_seconds("at").alias("at")).orderBy(F.desc("run_id")).first()
    return (
        {"run_id": row["run_id"], "at": f"{datetime.fromtimestamp(row['at'], UTC):%Y-%m-%dT%H:%M:%SZ}"} if row else None
    )


def _cleaned(lake: Lake, topic: str, in_silver: int) -> int:
    return max(in_silver, int(lake.noted(TOPICS[topic].silver_table, _CLEANED) or 0)) if in_silver else 0


def _measured(lake: Lake) -> dict[str, dict[str, int]]:
    """By topic and name, counted in one query."""
    first_of_object = F.col("position") == 0
    bronze = lake.read("bronze").groupBy("topic")
    measures = [
        _by_name(
            bronze.agg(
                F.sum(F.when(first_of_object, F.col("object_records")).otherwise(0)).alias("received"),
                F.count_if(F.col("problem").isNotNull()).alias("problems"),
                F.count_if(F.col("problem").isNull()).alias("bronze"),
                F.max("batch").alias("last_batch"),
            )
        ),
        _by_name(lake.read("quarantine").groupBy("topic").agg(F.count("*").alias("quarantined"))),
        _by_name(_each_topic(lake.read("silver_post").agg(F.count("*").alias("posts")))),
        _by_name(_scattered_users(lake.read("silver_post"))),
    ]
    for topic in TOPICS.values():
        rows = lake.read(topic.silver_table).groupBy(F.lit(topic.name).alias("topic"))
        measures.append(
            _by_name(
                rows.agg(
                    F.count("*").alias("silver"),
                    F.sum(F.size("_records") - F.size("_contents")).alias("deduplicated"),
                    F.sum(F.size("_contents") - 1).alias("conflicts"),
                    F.count_if(F.col("_warnings").isNotNull()).alias("warnings"),
                    F.max("_last_batch").alias("in_silver"),
                )
            )
        )
    found: dict[str, dict[str, int]] = {topic: {} for topic in TOPICS}
    for topic_name, name, value in reduce(DataFrame.union, measures).collect():
        found[topic_name][name] = value or 0
    # A query of its own, which most lakes don't need.
    if sum([counts.pop("problems", 0) for counts in found.values()]):
        for topic_name, name, value in _by_name(_problems(lake)).collect():
            found[topic_name][name] = value
    for counts in found.values():
        # An object that can't be read was received too, as one: how many records it held nobody can tell.
        counts["received"] = counts.get("received", 0) + counts.get("unreadable", 0)
    return found


def _problems(lake: Lake) -> DataFrame:
    """How many objects are unreadable or empty by topic, as they were when they were read last."""
    bronze = one_per_object(lake.read("bronze"))
    ever = bronze.where(F.col("problem").isNotNull()).select("path").distinct()
    last = bronze.join(F.broadcast(ever), "path", "left_semi").groupBy("topic", "path")
    return (
        last.agg(F.max_by(F.struct("problem"), "batch").alias("at"))
        .groupBy("topic")
        .agg(
            F.count_if(F.col("at.problem").startswith(UNREADABLE)).alias("unreadable"),
            F.count_if(F.col("at.problem") == EMPTY).alias("empty_objects"),
        )
    )


def _by_name(counts: DataFrame) -> DataFrame:
    """One row per count: topic, name, value."""
    names = [name for name in counts.columns if name != "topic"]
    pairs = F.array(*[F.struct(F.lit(name).alias("name"), F.col(name).cast("bigint").alias("value")) for name in names])
    return counts.select("topic", F.inline(pairs))


def _each_topic(counts: DataFrame) -> DataFrame:
    return counts.select(F.explode(F.array(*[F.lit(topic) for topic in TOPICS])).alias("topic"), "*")


def _scattered_users(posts: DataFrame) -> DataFrame:
    """In real data a user has one country and one position. A fact across posts: no single post could carry it."""
    place = F.xxhash64("country", "coordinates")
    users = posts.groupBy("user_name", "age", "date_joined")
    places = users.agg(F.min(place).alias("least"), F.max(place).alias("most"))
    scattered = F.count_if(F.col("least") != F.col("most")).alias("scattered_users")
    return places.agg(scattered).select(F.lit("user").alias("topic"), "scattered_users")


def _waiting(lake: Lake, topic: str, cleaned: int) -> int:
    """Records after the batch that are not in quarantine: there, a run that a threshold stopped leaves the bad ones."""

    def after(table: str) -> DataFrame:
        return lake.read(table).where((F.col("topic") == topic) & (F.col("batch") > cleaned))

    return after("bronze").where(F.col("problem").isNull()).count() - after("quarantine").count()
