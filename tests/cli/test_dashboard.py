"""The SQL of dashboard and alerts, on the lake that the commands here share: all of it, as a workspace runs it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pinlake.gold.tables import read_answers
from pinlake.job.bundle import load
from pinlake.lake.accounting import account
from pinlake.lake.lake import Lake
from pinlake.lake.model import GOLD
from pinlake.show import views
from pinlake.show.alerts import told
from tests.bundle.reading import FOR_OPTIONS, copy_bundle
from tests.cli.conftest import Made
from tests.tools.test_dashboard import widgets
from tools.dashboard_data import DATASETS

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lake(spark: SparkSession, made: Made) -> Iterator[Lake]:
    """In a time zone in which most days aren't those of UTC: no query may depend on it."""
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "Pacific/Auckland")
    lake = Lake(spark, "t_dashboard", root=made.lake)
    lake.register()
    yield lake
    spark.conf.set("spark.sql.session.timeZone", before or "UTC")


def query_of(widget: dict[str, Any]) -> str:
    """What a workspace asks for a widget: its fields of its dataset."""
    query = widget["queries"][0]["query"]
    fields = ", ".join(f"{field['expression']} AS `{field['name']}`" for field in query["fields"])
    plain = [field["expression"] for field in query["fields"] if "(" not in field["expression"]]
    group = "" if query["disaggregated"] or not plain else f" GROUP BY {', '.join(plain)}"
    return f"SELECT {fields} FROM ({DATASETS[query['datasetName']]}){group}"


@pytest.fixture(scope="module")
def found(lake: Lake) -> dict[str, Rows]:
    """The rows of each dataset by its name, and those of each widget with an aggregate by its dataset and a star.

    One query, because each has a fixed cost.
    """
    queries = dict(DATASETS)
    for widget in widgets():
        query = widget["queries"][0]["query"]
        frame = lake.spark.sql(query_of(widget))
        assert frame.columns == [field["name"] for field in query["fields"]], widget["name"]
        if not query["disaggregated"] and widget["spec"]["widgetType"] == "table":
            queries[f"{query['datasetName']}*"] = query_of(widget)
    each = [f"SELECT '{name}' AS name, to_json(struct(*)) AS row FROM ({sql})" for name, sql in queries.items()]
    rows: dict[str, Rows] = {name: [] for name in queries}
    for row in lake.spark.sql(" UNION ALL ".join(each)).collect():
        rows[row["name"]].append(json.loads(row["row"]))
    return rows


def test_the_answers_are_those_of_the_gold_tables(lake: Lake, found: dict[str, Rows]) -> None:
    for name, answer in read_answers(lake).items():
        assert sorted(tuple(row[column] for column in GOLD[name].column_names) for row in found[name]) == sorted(answer)


def test_every_record_is_somewhere(lake: Lake, found: dict[str, Rows]) -> None:
    counts = {count.topic: count for count in account(lake).topics}
    assert {row["topic"]: row for row in found["accounting"]} == {topic: vars(each) for topic, each in counts.items()}
    places: Counter[str] = Counter()
    for row in found["places"]:
        places[row["topic"]] += row["records"]
    assert places == {topic: count.received for topic, count in counts.items()}
    last = max(row["day"] for row in found["accounting_by_day"])
    assert [row for row in _in_order(found["accounting_by_day"]) if row.pop("day") == last] == _in_order(
        found["places"]
    )
    assert {row["missing_offsets"] for row in found["missing_by_day"]} == {0}
    arrived: Counter[str] = Counter()
    for row in found["arrivals_by_day"]:
        arrived[row["topic"]] += row["records"]
    assert arrived == {topic: count.bronze for topic, count in counts.items()}


def _in_order(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: (row["topic"], row["place"]))


def test_reasons_and_drift_are_those_of_the_views(lake: Lake, found: dict[str, Rows]) -> None:
    """What the tables of the dashboard sum over the days is what the notebook shows."""
    reasons = [row.asDict() for row in views.reasons(lake).collect()]
    assert reasons
    assert _summed(found["quarantine_by_day*"]) == _summed(reasons)
    drift = [row.asDict() for row in views.drifted(lake).collect()]
    assert drift
    assert _summed(found["drift_by_day*"]) == _summed(drift)


def _summed(rows: Rows) -> list[list[str]]:
    """Rows in an order of their own, with the names of expressions as those of their columns."""
    plain = [{name.rpartition("(")[2].rstrip(")"): value for name, value in row.items()} for row in rows]
    return sorted([f"{name}={value}" for name, value in sorted(row.items())] for row in plain)


def test_the_state_is_that_of_the_last_run_in_utc(lake: Lake, found: dict[str, Rows]) -> None:
    (state,) = found["state"]
    runs = found["runs"]
    assert [row["run_id"] for row in runs] == sorted((row["run_id"] for row in runs), reverse=True)
    # A run is named for its start in UTC, 20261124T142007Z-3e04b48a.
    started = f"{runs[0]['started']:.19}".replace("-", "").replace(":", "").replace(" ", "T")
    assert runs[0]["run_id"].startswith(f"{started}Z-")
    assert state["last_run"] == runs[0]["started"]
    assert state["newest_record"] <= state["last_run"]
    assert state["newest_object"] <= state["newest_record"]
    assert 0 <= state["hours_since_run"] <= state["hours_since_record"] < 24
    assert (state["backlog"], runs[0]["received"]) == (0, sum(row["received"] for row in found["accounting"]))


def test_the_queries_of_the_alerts_are_run_as_they_are_deployed(lake: Lake, tmp_path: Path) -> None:
    copy_bundle(tmp_path, optional=True)
    bundle = load(tmp_path, "dev", {**FOR_OPTIONS, "catalog": "spark_catalog", "database": "t_dashboard"})
    queries = {name: alert["query_text"] for name, alert in bundle.resources["alerts"].items()}
    each = [f"SELECT '{name}' AS name, value FROM ({query})" for name, query in queries.items()]
    values = {row["name"]: row["value"] for row in lake.spark.sql(" UNION ALL ".join(each)).collect()}
    assert values == {alert.rule.name: alert.value for alert in told(lake)}
    # All records of this lake came today.
    bad = max(100 * count.quarantined / count.bronze for count in account(lake).topics)
    assert values == {"bad_share": round(bad, 1), "freshness": 0, "sums": 0}
    assert bad > 0
