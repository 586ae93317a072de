"""Names as they are deployed: with the target's prefix, in the form that each kind of resource can have."""

from __future__ import annotations

import pytest

from pinlake.job.bundle import load
from tests.job.conftest import WriteFiles

BUNDLE = """
    bundle: {name: shop}
    variables:
      team: {default: "A.B"}
    targets:
      dev: {default: true, mode: development}
      named: {mode: development, presets: {name_prefix: "[${var.team}] "}}
      bare: {presets: {name_prefix: "x-"}}
      prod: {mode: production}
    resources:
      jobs: {daily: {name: daily}}
      schemas: {lake: {catalog_name: main, name: lake}}
      volumes: {landing: {catalog_name: main, schema_name: "${resources.schemas.lake.name}", name: landing}}
      secret_scopes: {keys: {name: "keys_${workspace.current_user.short_name}"}}
      dashboards: {answers: {display_name: Answers}}
      alerts: {late: {display_name: Late}}
"""
JANE = {"userName": "jane", "short_name": "jane_doe", "domain_friendly_name": "jane-doe", "id": "1"}


@pytest.mark.parametrize(
    ("target", "job", "schema", "dashboard"),
    [
        ("dev", "[dev jane_doe] daily", "dev_jane_doe_lake", "[dev jane_doe] Answers"),
        ("named", "[A.B] daily", "a_b_lake", "[A.B] Answers"),
        ("bare", "x-daily", "xlake", "x-Answers"),
        ("prod", "daily", "lake", "Answers"),
    ],
)
def test_a_user_deploys(write_bundle: WriteFiles, target: str, job: str, schema: str, dashboard: str) -> None:
    bundle = load(write_bundle({"databricks.yml": BUNDLE}), target, user=JANE)
    assert bundle.names("jobs", "name") == [job]
    assert bundle.names("schemas", "catalog_name", "name") == [f"main.{schema}"]
    assert bundle.names("volumes", "catalog_name", "schema_name", "name") == [f"main.{schema}.landing"]
    assert bundle.names("secret_scopes", "name") == ["keys_jane_doe"]
    assert bundle.names("dashboards", "display_name") == [dashboard]
    assert bundle.names("alerts", "display_name") == [dashboard.replace("Answers", "Late")]
    assert bundle.names("pipelines", "name") == []


def test_what_runs_here_has_the_names_that_are_written(write_bundle: WriteFiles) -> None:
    bundle = load(write_bundle({"databricks.yml": BUNDLE}))
    assert bundle.names("jobs", "name") == ["daily"]
    assert bundle.names("volumes", "catalog_name", "schema_name", "name") == ["main.lake.landing"]
    assert bundle.names("secret_scopes", "name") == ["keys_local"]
