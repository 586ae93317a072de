"""Posts: pins, places and users joined on their post id, brought up to date where one of the three changed."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue, both, issues
from pinlake.lake.lake import Lake
from pinlake.lake.model import SILVER_POST
from pinlake.lake.run import Run
from pinlake.topics import TOPICS


def join_posts(pins: DataFrame, geo: DataFrame, users: DataFrame) -> DataFrame:
    """One row per post that has a pin, a place and a user, in the columns of silver_post."""
    sides = {"pin": pins, "geo": geo, "user": users}
    sides = {
        name: side.drop("_rescued", "_partition", "_offset", "_position", "_path", "_batch", "_records", "_contents")
        .withColumnRenamed("_last_batch", f"_{name}_batch")
        .withColumnRenamed("_warnings", f"_{name}_warnings")
        for name, side in sides.items()
    }
    joined = sides["pin"].join(sides["geo"], "ind", "inner").join(sides["user"], "ind", "inner")
    early = Issue(
        "posted_before_joining",
        "the post is older than its user",
        ("timestamp", "date_joined"),
        F.col("timestamp") < F.col("date_joined"),
    )
    warnings = reduce(both, [F.col(f"_{name}_warnings") for name in sides], issues(early))
    return joined.withColumn("_warnings", warnings).select(*SILVER_POST.column_names)


def update_posts(lake: Lake, run: Run, also: DataFrame | None = None) -> None:
    """Bring silver_post up to date with the three silver tables.

    `also` holds ids (ind) of posts that changed without a new batch, as those of replayed records do.
    """
    silver = {name: lake.require(topic.silver_table, "clean") for name, topic in TOPICS.items()}
    posts = lake.read("silver_post")
    seen = posts.agg(*[F.coalesce(F.max(f"_{name}_batch"), F.lit(0)).alias(name) for name in TOPICS]).first()
    assert seen is not None  # an aggregate without groups always has a row
    if not any(seen):
        joined = join_posts(silver["pin"], silver["geo"], silver["user"])
        if not lake.exists("silver_post") or not joined.isEmpty():
            lake.replace("silver_post", joined)
            run.report("clean", "silver_post made")
        return
    newer = [side.where(F.col("_last_batch") > seen[name]).select("ind") for name, side in silver.items()]
    changed = reduce(DataFrame.union, [*newer, *([also] if also is not None else [])]).distinct()
    bounds = changed.agg(F.count("*").alias("posts"), F.min("ind").alias("first"), F.max("ind").alias("last")).first()
    assert bounds is not None
    if not bounds["posts"]:
        return
    # The bounds let Delta pass over files that hold none of the changed posts; a join alone reads them all.
    within = F.col("ind").between(bounds["first"], bounds["last"])
    sides = [side.where(within).join(changed, "ind", "left_semi") for side in silver.values()]
    joined = join_posts(*sides)
    written = joined.count()
    if written:
        # An orphan's batch shows nowhere in silver_post, so it is looked at again until its other half comes.
        on = f"old.ind = new.ind AND old.ind BETWEEN {bounds['first']} AND {bounds['last']}"
        lake.merge("silver_post", joined, on)
    run.report("clean", f"{written:,} posts written to silver_post")
