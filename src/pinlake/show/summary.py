"""A summary of the lake in one table: totals, the result of each answer, anomalies, changes since the last run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinlake.gold.tables import read_answers
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.show import views
from pinlake.show.answer_rows import records
from pinlake.show.sentences import listed, sentence
from pinlake.topics import TOPICS

# Counts of the accounting that are 0 where all is well: what they are called, and the view of their reasons.
_ODD: dict[str, tuple[str, Callable[[Lake], DataFrame] | None]] = {
    "quarantined": ("records in quarantine", views.reasons),
    "warnings": ("posts with a warning", views.warned),
    "conflicts": ("records that lost to a later one", None),
    "missing_offsets": ("offsets that no object covers", None),
    "orphans": ("posts that a topic lacks", None),
    "unreadable": ("objects that can't be read", None),
    "backlog": ("records that wait for cleaning", None),
}
# Counts are sums over the topics.
Counts = Mapping[str, int]


class Line(NamedTuple):
    """One line; `change` is since the run before, empty where there is none or nothing was counted."""

    about: str
    found: str
    change: str = ""


def summary(lake: Lake) -> list[Line]:
    """How much there is, the ten answers, and what is odd. Raises LakeError before the first query."""
    answers = read_answers(lake)
    runs = _last_runs(lake)
    now, before = (runs[-1] if runs else {}), (runs[-2] if len(runs) > 1 else None)
    return [
        _line("records received", "received", now, before),
        _line("posts", "posts", now, before),
        *(Line(GOLD[name].comment, sentence(name, records(name, rows))) for name, rows in answers.items()),
        *(
            _line(what, count, now, before, _most_often(reasons(lake)) if reasons else "")
            for count, (what, reasons) in _ODD.items()
            if now.get(count)
        ),
        *_kinds("kinds of drift", views.drifted(lake)),
        *_kinds("names that are not objects", views.strange_objects(lake)),
    ]


def _line(what: str, count: str, now: Counts, before: Counts | None, most_often: str = "") -> Line:
    number = now.get(count, 0)
    change = "" if before is None else f"{number - before.get(count, 0):+,}"
    return Line(what, f"{number:,}{most_often}", change)


def _last_runs(lake: Lake) -> list[Counts]:
    """The counts of the last two runs that were counted, the last one at the end."""
    counts = lake.require("row_count", "run")
    names = ["received", "silver", *_ODD]
    rows = (
        counts.groupBy("run_id")
        .agg(
            *[F.sum(name).alias(name) for name in names],
            # Posts that have all three sides, counted from that of any topic.
            F.sum(F.when(F.col("topic") == next(iter(TOPICS)), F.col("silver") - F.col("orphans"))).alias("posts"),
        )
        .orderBy(F.desc("run_id"))
        .limit(2)
        .collect()
    )
    return [{name: row[name] or 0 for name in (*names, "posts")} for row in reversed(rows)]


def _most_often(reasons: DataFrame) -> str:
    """The reason that most records have."""
    most = reasons.orderBy(F.desc("records"), "topic", "reason").first()
    return f", most often, of {most['topic']}: {most['reason']} ({most['records']:,})" if most else ""


def _kinds(about: str, rows: DataFrame) -> list[Line]:
    kinds = sorted(row[0] for row in rows.select("kind").distinct().collect())
    return [Line(about, listed(kinds, most=6))] if kinds else []
