"""Accepted holes: offsets that will never arrive, because of compaction, transactions or deleted messages."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import functions as F

from pinlake.dump.offsets import Hole
from pinlake.lake.lake import Lake
from pinlake.lake.model import ACCEPTED_HOLE
from pinlake.lake.run import Run


def accepted_holes(lake: Lake) -> list[Hole]:
    """The holes in table accepted_hole."""
    if not lake.exists("accepted_hole"):
        return []
    return [Hole(*row) for row in lake.read("accepted_hole").select(*Hole._fields).collect()]


def accept(lake: Lake, run: Run, holes: Sequence[Hole], reason: str, by: str) -> None:
    """Add holes to table accepted_hole, with the reason and the name of who accepts them."""
    schema = ", ".join(f"{name} {ACCEPTED_HOLE.column(name).type}" for name in Hole._fields)
    stamp = {"reason": reason, "accepted_by": by, "run_id": run.id, "accepted_at": run.started}
    rows = lake.spark.createDataFrame([tuple(hole) for hole in holes], schema)
    lake.append("accepted_hole", rows.withColumns({name: F.lit(value) for name, value in stamp.items()}))
