"""The rules of the alerts: what each asks of the tables, above which value it is triggered, and its sentence.

The bundle's SQL alerts are generated from these rules (`make docs`), and task `quality` of the job says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from pinlake.lake.accounting import SUMS

if TYPE_CHECKING:
    from pinlake.lake.lake import Lake

_DAY = 86_400  # seconds


@dataclass(frozen=True)
class Rule:
    """A rule. It is triggered if the value is above `threshold`.

    `query`: SQL that gives one row with the column `value`, a double. {row_count} and {bronze} stand for the tables.
    `sentence`: what is said, with {value} and {threshold}.
    """

    name: str
    title: str
    query: str
    threshold: float
    sentence: str

    @property
    def tables(self) -> list[str]:
        """The tables that the query reads."""
        return list(dict.fromkeys(field for _, field, _, _ in Formatter().parse(self.query) if field))

    def sql(self, names: Mapping[str, str]) -> str:
        """The query with these names of tables."""
        return self.query.format_map(names)

    def said(self, value: str) -> str:
        """The sentence about this value."""
        return self.sentence.format(value=value, threshold=f"{self.threshold:g}")


class Told(NamedTuple):
    """What an alert would say of a lake."""

    rule: Rule
    value: float

    @property
    def triggered(self) -> bool:
        return self.value > self.rule.threshold

    def __str__(self) -> str:
        state = "TRIGGERED" if self.triggered else "ok"
        return f"alert {self.rule.name}: {state}, {self.rule.said(f'{self.value:.10g}')}"


# Of the day before the last run, because a run alone may have few records. A replay takes records out of quarantine,
# and a rebuild with stricter rules puts more there than came.
_BAD_SHARE = f"""\
WITH counted AS (
  SELECT
    max_by(struct(bronze, quarantined), run_id) AS now,
    max_by(struct(bronze, quarantined), run_id) FILTER (WHERE unix_seconds(at) <= last - {_DAY}) AS before
  FROM {{row_count}}
  CROSS JOIN (SELECT max(unix_seconds(at)) AS last FROM {{row_count}})
  GROUP BY topic
), came AS (
  SELECT
    now.bronze - coalesce(before.bronze, 0) AS records,
    now.quarantined - coalesce(before.quarantined, 0) AS bad
  FROM counted
)
SELECT CAST(coalesce(max(round(100 * greatest(bad, 0) / greatest(records, bad, 1), 1)), 0) AS DOUBLE) AS value
FROM came"""

_FRESHNESS = """\
SELECT CAST(coalesce(floor((unix_seconds(current_timestamp()) - max(unix_seconds(ingested_at))) / 3600), 0) AS DOUBLE)
  AS value
FROM {bronze}"""

_UNACCOUNTED = "\n  + ".join(f"abs({whole} - ({' + '.join(parts)}))" for whole, parts in SUMS.items())
_SUMS = f"""\
SELECT CAST(coalesce(sum(
  {_UNACCOUNTED}
), 0) AS DOUBLE) AS value
FROM {{row_count}}
WHERE run_id = (SELECT max(run_id) FROM {{row_count}})"""

RULES = (
    Rule(
        "bad_share",
        "bad records",
        _BAD_SHARE,
        5,
        "{value} % of a topic's records of the last day are in quarantine; more than {threshold} % are too many",
    ),
    Rule(
        "freshness",
        "freshness",
        _FRESHNESS,
        24,
        "the newest record was read {value} hours ago; more than {threshold} are too many",
    ),
    Rule("sums", "sums", _SUMS, 0, "the sums of the row accounting are off by {value} records; they must hold"),
)


def told(lake: Lake) -> list[Told]:
    """What each alert would say now, in the order of the rules. Uses one query. Missing tables count as empty."""
    tables: dict[str, Any] = {table: lake.read(table) for rule in RULES for table in rule.tables}
    # Spark itself puts the tables in the place of their names.
    each = [f"SELECT '{rule.name}' AS name, value FROM ({rule.query})" for rule in RULES]
    values = {row["name"]: row["value"] for row in lake.spark.sql(" UNION ALL ".join(each), **tables).collect()}
    return [Told(rule, values[rule.name]) for rule in RULES]
