"""The state of a lake: row accounting, last run, backlog."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from pyspark.sql import functions as F

from pinlake.dump.offsets import progress
from pinlake.lake.accounting import Accounting
from pinlake.lake.holes import accepted_holes
from pinlake.lake.lake import Lake
from pinlake.lake.row_count import COUNTS
from pinlake.show.output import Result


def status_document(counts: Accounting) -> dict[str, Any]:
    """`{"topics": {"pin": {"received": …}, …}, "missing_offsets": […], "backlog": n}`."""
    return {
        "topics": {count.topic: {name: getattr(count, name) for name in COUNTS} for count in counts.topics},
        "missing_offsets": [hole._asdict() for hole in counts.missing],
        "backlog": counts.backlog,
    }


def status_rows(counts: Accounting) -> Result:
    """One row per topic."""
    return Result(["topic", *COUNTS], [astuple(count) for count in counts.topics])


def status_table(counts: Accounting) -> Result:
    """The same counts transposed, a column for each topic. It fits on a terminal."""
    rows = [[name.replace("_", " "), *(getattr(count, name) for count in counts.topics)] for name in COUNTS]
    return Result(["records", *(count.topic for count in counts.topics)], rows, "Row accounting")


def holes_table(lake: Lake) -> Result:
    """One row per hole in the offsets; of those that were accepted with who said so, when and why."""
    columns = ["topic", "partition", "first", "last", "offsets", "accepted_by", "accepted_at", "reason"]
    missing = [hole for topic in progress(lake.read("bronze"), accepted_holes(lake)).values() for hole in topic.missing]
    open_rows = [[*hole, hole.size, None, None, None] for hole in missing]
    accepted = lake.read("accepted_hole").withColumn("offsets", F.expr("last - first + 1")).orderBy(*columns[:3])
    closed_rows = Result.of(accepted.select(*columns)).rows
    return Result(columns, open_rows + closed_rows, "Offsets that no object covers")


def missing_table(counts: Accounting) -> Result:
    """One row per hole in the offsets."""
    columns = ["topic", "partition", "first", "last"]
    return Result(columns, [list(hole) for hole in counts.missing], "Missing offsets")
