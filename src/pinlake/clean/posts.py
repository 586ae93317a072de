"""Join pins, geo records and users on the post id, and update the posts that changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinlake.clean.issues import Issue, both, issues
from pinlake.lake.lake import Lake
from pinlake.lake.model import SILVER_POST
from pinlake.lake.run import Run
from pinlake.lake.state import LakeState
from pinlake.topics import TOPICS


def join_posts(pins: DataFrame, geo: DataFrame, users: DataFrame) -> DataFrame:
    """One row per post that has a pin, a geo record and a user, in the columns of silver_post."""
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


def update_posts(lake: Lake, run: Run, state: LakeState, also: DataFrame | None = None) -> None:
    """Update silver_post from the three silver tables, and `state` accordingly.

    `also` has one column, ind: the ids of posts that changed without a new batch, for example in a replay.
    """
    silver = {name: lake.require(topic.silver_table, "clean") for name, topic in TOPICS.items()}
    if not any(state.joined.values()):
        if not lake.exists("silver_post") or all(state.in_silver.values()):
            lake.replace("silver_post", join_posts(silver["pin"], silver["geo"], silver["user"]))
            run.report("clean", "silver_post made")
    elif also is not None or any(state.in_silver[name] > state.joined[name] for name in TOPICS):
        _merge_changed(lake, run, state, silver, also)
    state.joined.update(state.in_silver)
    state.changed = None


def _merge_changed(
    lake: Lake, run: Run, state: LakeState, silver: Mapping[str, DataFrame], also: DataFrame | None
) -> None:
    bounds = state.changed if state.changed and also is None else _bounds(state, silver, also)
    if bounds is None:
        return
    # The bounds let Delta skip files without changed posts. A join alone reads all files.
    within = F.col("ind").between(*bounds)
    joined = join_posts(*[side.where(within) for side in silver.values()])
    # The batch of an orphan is not in silver_post, so each run looks at it again until the missing records arrive.
    is_newer = reduce(Column.__or__, [F.col(f"_{name}_batch") > state.joined[name] for name in TOPICS])
    changed = joined.where(is_newer)
    if also is not None:
        changed = changed.unionByName(joined.where(~is_newer).join(also, "ind", "left_semi"))
    done = lake.merge("silver_post", changed, f"old.ind = new.ind AND old.ind BETWEEN {bounds[0]} AND {bounds[1]}")
    run.report("clean", f"{done.collect()[0]['num_affected_rows']:,} posts written to silver_post")


def _bounds(state: LakeState, silver: Mapping[str, DataFrame], also: DataFrame | None) -> tuple[int, int] | None:
    """The lowest and the highest `ind` of the posts that changed since the last join. None if there are none."""
    newer = [side.where(F.col("_last_batch") > state.joined[name]).select("ind") for name, side in silver.items()]
    changed = reduce(DataFrame.union, [*newer, *([also] if also is not None else [])])
    row = changed.agg(F.min("ind").alias("first"), F.max("ind").alias("last")).first()
    return (row["first"], row["last"]) if row and row["first"] is not None else None
