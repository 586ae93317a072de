"""Row accounting: check that every record of a dump is in exactly one table. docs/cleaning.md has the equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.dump.offsets import Hole, by_partition, one_per_object, progress_of
from pinlake.errors import AccountingError
from pinlake.lake.holes import accepted_holes
from pinlake.lake.lake import Lake
from pinlake.lake.model import EMPTY, UNREADABLE
from pinlake.lake.row_count import TopicCount
from pinlake.lake.state import cleaned_batch
from pinlake.topics import TOPICS

# What must hold for each topic: a count, and those of which it is the sum.
SUMS = {
    "received": ("bronze", "unreadable"),
    "bronze": ("silver", "deduplicated", "conflicts", "quarantined", "backlog"),
}


@dataclass(frozen=True)
class Accounting:
    """Counts of all topics, the holes in their offsets, and `uncleaned`, the topics with batches that aren't cleaned.

    Such a topic may have no backlog: if the threshold stopped a run, the bad records of the batch are in quarantine.
    """

    topics: list[TopicCount]
    missing: list[Hole]
    uncleaned: tuple[str, ...] = ()

    @property
    def backlog(self) -> int:
        """Records of all topics that are in bronze and not cleaned yet."""
        return sum(count.backlog for count in self.topics)

    @property
    def posts(self) -> int:
        """Posts that have a pin, a geo record and a user."""
        return self.topics[0].silver - self.topics[0].orphans


def account(lake: Lake) -> Accounting:
    """Count every table, independently of what the stages report. Uses one query, and more if needed."""
    measured, holes = _measured(lake)
    counts, uncleaned = [], []
    for topic in TOPICS:
        numbers = measured[topic]
        last_batch, posts, in_silver = (numbers.pop(name, 0) for name in ("last_batch", "posts", "in_silver"))
        cleaned = cleaned_batch(lake, topic, in_silver, last_batch)
        if last_batch > cleaned:
            uncleaned.append(topic)
        backlog = _waiting(lake, topic, cleaned) if last_batch > cleaned else 0
        missing = sum(hole.size for hole in holes if hole.topic == topic)
        orphans = numbers.get("silver", 0) - posts
        counts.append(TopicCount(topic, **numbers, missing_offsets=missing, orphans=orphans, backlog=backlog))
    return Accounting(counts, holes, tuple(uncleaned))


def check_sums(counts: Sequence[TopicCount]) -> None:
    """Raise AccountingError if a record is in no table, or in two."""
    for count in counts:
        for name, names in SUMS.items():
            whole, parts = getattr(count, name), sum(getattr(count, part) for part in names)
            if whole != parts:
                raise AccountingError(
                    f"topic {count.topic}: {name} = {' + '.join(names)} does not hold, {whole:,} is not {parts:,}. If "
                    "a replay, or a rebuild of some days, was stopped, run it again. Otherwise a table was changed "
                    "manually or lost: run `pinlake rebuild silver`, in a workspace the job backfill; if bronze was "
                    "changed, read the dump into a new lake"
                )


def _measured(lake: Lake) -> tuple[dict[str, dict[str, int]], list[Hole]]:
    """The counts by topic and name, and the holes in the offsets."""
    bronze, posts = lake.read("bronze"), lake.read("silver_post")
    first_of_object = F.col("position") == 0
    counted = bronze.groupBy("topic").agg(
        F.sum(F.when(first_of_object, F.col("object_records")).otherwise(0)).alias("received"),
        F.count_if(F.col("problem").isNotNull()).alias("problems"),
        F.count_if(F.col("problem").isNull()).alias("bronze"),
        F.max("batch").alias("last_batch"),
    )
    measures = [
        _by_name(counted),
        _by_name(lake.read("quarantine").groupBy("topic").agg(F.count("*").alias("quarantined"))),
        _by_name(_of_posts(posts)),
        *[_by_name(_of_silver(lake.read(topic.silver_table), topic.name)) for topic in TOPICS.values()],
    ]
    partitions = by_partition(bronze)
    rows = reduce(DataFrame.union, measures).unionByName(partitions, allowMissingColumns=True).collect()
    by_topic: dict[str, dict[str, int]] = {topic: {} for topic in TOPICS}
    for row in rows:
        if row["name"]:
            by_topic[row["topic"]][row["name"]] = row["value"] or 0
    progress = progress_of([row for row in rows if not row["name"]], accepted_holes(lake))
    # A separate query, which most lakes don't need.
    if sum([counts.pop("problems", 0) for counts in by_topic.values()]):
        for topic, name, value in _by_name(_problems(lake)).collect():
            by_topic[topic][name] = value
    for counts in by_topic.values():
        # An object that can't be read counts as one record received, because its number of records is unknown.
        counts["received"] = counts.get("received", 0) + counts.get("unreadable", 0)
    return by_topic, [hole for topic in progress.values() for hole in topic.missing]


def _of_silver(rows: DataFrame, topic: str) -> DataFrame:
    return rows.groupBy(F.lit(topic).alias("topic")).agg(
        F.count("*").alias("silver"),
        F.sum(F.size("_records") - F.size("_contents")).alias("deduplicated"),
        F.sum(F.size("_contents") - 1).alias("conflicts"),
        F.count_if(F.col("_warnings").isNotNull()).alias("warnings"),
        F.max("_last_batch").alias("in_silver"),
    )


def _of_posts(posts: DataFrame) -> DataFrame:
    """One row per topic: topic, posts, scattered_users (0 except for topic user).

    In real data all posts of a user have the same country and coordinates. Users for whom this isn't true count as
    scattered. It isn't a warning, because no single post is wrong.
    """
    place = F.xxhash64("country", "coordinates")
    users = posts.groupBy("user_name", "age", "date_joined").agg(
        F.count("*").alias("posts"), F.min(place).alias("least"), F.max(place).alias("most")
    )
    counted = users.agg(
        F.sum("posts").alias("posts"), F.count_if(F.col("least") != F.col("most")).alias("scattered_users")
    )
    each = F.explode(F.array(*[F.lit(topic) for topic in TOPICS])).alias("topic")
    scattered = F.when(F.col("topic") == "user", F.col("scattered_users")).otherwise(0).alias("scattered_users")
    return counted.select(each, "posts", "scattered_users").select("topic", "posts", scattered)


def _problems(lake: Lake) -> DataFrame:
    """The number of unreadable and of empty objects by topic, by the last version of each object."""
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
    """Unpivot counts to one row per topic and count: topic, name, value."""
    names = [name for name in counts.columns if name != "topic"]
    pairs = F.array(*[F.struct(F.lit(name).alias("name"), F.col(name).cast("bigint").alias("value")) for name in names])
    return counts.select("topic", F.inline(pairs))


def _waiting(lake: Lake, topic: str, cleaned: int) -> int:
    """The number of records after the batch `cleaned` that aren't in quarantine.

    A run that the threshold stopped leaves its bad records in quarantine.
    """

    def after(table: str) -> DataFrame:
        return lake.read(table).where((F.col("topic") == topic) & (F.col("batch") > cleaned))

    return after("bronze").where(F.col("problem").isNull()).count() - after("quarantine").count()
