"""What to read when there is time for one table: how much there is, what the answers say, what is odd, what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import functions as F

from pinlake.gold.tables import read_answers
from pinlake.lake.model import GOLD
from pinlake.show import views
from pinlake.show.sentences import listed, sentence
from pinlake.topics import TOPICS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pinlake.lake.lake import Lake

# Counts of the accounting that are 0 where all is well, and what they are called.
_ODD = {
    "quarantined": "records in quarantine",
    "warnings": "posts with a warning",
    "conflicts": "records that lost to a later one",
    "missing_offsets": "offsets that no object covers",
    "orphans": "posts that a topic lacks",
    "unreadable": "objects that can't be read",
    "backlog": "records that wait for cleaning",
}
# Counts are sums over the topics; of a run of long ago some may be missing.
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
    lines = [
        _line("records received", "received", now, before),
        _line("posts", "posts", now, before),
    ]
    for name, rows in answers.items():
        found = [dict(zip(GOLD[name].column_names, row, strict=True)) for row in rows]
        lines.append(Line(GOLD[name].comment, sentence(name, found)))
    odd = [_line(what, count, now, before) for count, what in _ODD.items() if now.get(count)]
    return lines + [_with_reasons(lake, line) for line in odd] + _others(lake)


def _line(what: str, count: str, now: Counts, before: Counts | None) -> Line:
    number = now.get(count, 0)
    if before is None:
        return Line(what, f"{number:,}")
    return Line(what, f"{number:,}", f"{number - before.get(count, 0):+,}")


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


def _with_reasons(lake: Lake, line: Line) -> Line:
    """The line with the reason that most of its records have."""
    reasons = {
        _ODD["quarantined"]: views.reasons,
        _ODD["warnings"]: views.warned,
    }
    if line.about not in reasons:
        return line
    most = reasons[line.about](lake).orderBy(F.desc("records"), "topic", "reason").first()
    told = f", most often, of {most['topic']}: {most['reason']} ({most['records']:,})" if most else ""
    return line._replace(found=line.found + told)


def _others(lake: Lake) -> list[Line]:
    drift = _values(views.drifted(lake), "kind")
    strange = _values(views.strange_objects(lake), "kind")
    return [
        *([Line("kinds of drift", listed(drift, most=6))] if drift else []),
        *([Line("names that are no objects", listed(strange, most=6))] if strange else []),
    ]


def _values(rows: DataFrame, column: str) -> list[str]:
    return sorted(row[0] for row in rows.select(column).distinct().collect())
