"""The datasets of the dashboard: SQL that gives the same rows on a SQL warehouse and on local Spark.

Tables have no catalog and no schema, because the bundle sets those of the target. Days and times are in UTC, whatever
the time zone of the session is.
"""

from __future__ import annotations

from pinlake.lake.model import GOLD
from pinlake.lake.row_count import COUNTS
from pinlake.show.answer_rows import SHORTENED
from pinlake.show.flow import ENDS

# Where a received record is: the column of row_count by the name that people read.
PLACES = {**{label: name for name, label in ENDS.items()}, "unreadable": "unreadable"}
# Answers whose bars are a group and a category each: categories that tie would else be one bar of their sum.
LABELLED = ("top_category_by_year", "top_category_by_age_group")
_LAST_RUN = "run_id = (SELECT max(run_id) FROM row_count)"
_RUNS_SHOWN = 50


def day(column: str) -> str:
    """The date of a timestamp in UTC."""
    return f"date_from_unix_date(CAST(floor(unix_seconds({column}) / 86400) AS INT))"


def moment(column: str) -> str:
    """A timestamp as text in UTC."""
    start = "TIMESTAMP_NTZ '1970-01-01 00:00:00'"
    return f"CAST({start} + make_dt_interval(0, 0, 0, unix_seconds({column})) AS STRING) || ' UTC'"


def hours_since(column: str) -> str:
    """The age of a timestamp in hours, with one decimal."""
    return f"round((unix_seconds(current_timestamp()) - unix_seconds({column})) / 3600, 1)"


def answer(name: str) -> str:
    """The rows of a gold table, in the order of its figure."""
    *groups, number = columns = GOLD[name].column_names
    if name in LABELLED:
        columns = [*columns, f"concat_ws(' · ', CAST({groups[0]} AS STRING), {groups[1]}) AS label"]
    order = [*GOLD[name].order]
    if name in SHORTENED:
        order.insert(0, f"{number} DESC")
    return f"SELECT {', '.join(columns)}\nFROM {name}\nORDER BY {', '.join(order)}"


def _stacked(source: str) -> str:
    """The counts of `source`, a prefix of columns, one below another: place, records."""
    pairs = ", ".join(f"'{label}', {source}{name}" for label, name in PLACES.items())
    return f"stack({len(PLACES)}, {pairs}) AS (place, records)"


DATASETS: dict[str, str] = {
    **{name: answer(name) for name in GOLD},
    "accounting": f"SELECT topic, {', '.join(COUNTS)}\nFROM row_count\nWHERE {_LAST_RUN}\nORDER BY topic",
    "places": f"SELECT topic, {_stacked('')}\nFROM row_count\nWHERE {_LAST_RUN}",
    "accounting_by_day": (
        f"SELECT day, topic, {_stacked('last.')}\n"
        f"FROM (\n  SELECT {day('at')} AS day, topic,\n"
        f"    max_by(struct({', '.join(PLACES.values())}), run_id) AS last\n"
        "  FROM row_count\n  GROUP BY 1, 2\n)\nORDER BY day, topic"
    ),
    "missing_by_day": (
        f"SELECT {day('at')} AS day, topic, max_by(missing_offsets, run_id) AS missing_offsets\n"
        "FROM row_count\nGROUP BY 1, 2\nORDER BY day, topic"
    ),
    "quarantine_by_day": (
        f"SELECT {day('quarantined_at')} AS day, topic, error.message AS reason,\n"
        "  array_join(error.columns, ', ') AS columns, count(*) AS records\n"
        "FROM quarantine LATERAL VIEW explode(_errors) AS error\n"
        "GROUP BY 1, 2, 3, 4\nORDER BY day, topic, records DESC, reason"
    ),
    "drift_by_day": (
        f"SELECT {day('found_at')} AS day, topic, kind, field, sum(records) AS records,\n"
        "  min(example_path) AS example_path\n"
        "FROM drift\nGROUP BY 1, 2, 3, 4\nORDER BY day, topic, kind, field"
    ),
    "state": (
        f"SELECT {moment('run_at')} AS last_run, {hours_since('run_at')} AS hours_since_run,\n"
        f"  {moment('record_at')} AS newest_record, {hours_since('record_at')} AS hours_since_record,\n"
        f"  {moment('object_at')} AS newest_object, backlog\n"
        f"FROM (SELECT max(at) AS run_at, sum(backlog) AS backlog FROM row_count WHERE {_LAST_RUN})\n"
        "CROSS JOIN (SELECT max(ingested_at) AS record_at, max(modified) AS object_at FROM bronze)"
    ),
    "arrivals_by_day": (
        f"SELECT {day('ingested_at')} AS day, topic, count(*) AS records\n"
        "FROM bronze\nWHERE problem IS NULL\nGROUP BY 1, 2\nORDER BY day, topic"
    ),
    "runs": (
        f"SELECT run_id, {moment('max(at)')} AS started, sum(received) AS received, sum(quarantined) AS quarantined,\n"
        "  sum(missing_offsets) AS missing_offsets, sum(backlog) AS backlog\n"
        f"FROM row_count\nGROUP BY run_id\nORDER BY run_id DESC\nLIMIT {_RUNS_SHOWN}"
    ),
}
