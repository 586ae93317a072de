"""The SQL alerts of the bundle, from the rules in pinlake.show.alerts: `python -m tools.alerts FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import indent

from pinlake.show.alerts import RULES, Rule

_SCHEMA = "`${var.catalog}`.`${resources.schemas.lake.name}`"
# The CLI takes no variables in a .dbalert.json, so the alert is written in YAML.
_FORM = """\
# Made from src/pinlake/show/alerts.py by `make docs`; don't edit.
resources:
  alerts:
    {name}:
      display_name: pinlake {title}
      custom_summary: {summary}
      custom_description: What to do is in docs/operations.md, in the section Alerts.
      warehouse_id: ${{var.warehouse_id}}
      query_text: |-
{query}
      evaluation:
        source:
          name: value
        comparison_operator: GREATER_THAN
        threshold:
          value:
            double_value: {threshold}
        notification:
          notify_on_ok: true
          subscriptions: ${{var.alert_subscriptions}}
      schedule:
        quartz_cron_schedule: ${{var.alerts_schedule}}
        timezone_id: UTC
        pause_status: ${{var.alerts_pause_status}}

targets:
  staging: &team
    resources:
      alerts:
        {name}:
          permissions:
            - group_name: ${{var.team}}
              level: CAN_RUN
  prod: *team
"""


def rendered(rule: Rule) -> str:
    """The file of a rule's alert."""
    summary = f"pinlake: {rule.said('{{QUERY_RESULT_VALUE}}')}"
    query = rule.sql({table: f"{_SCHEMA}.{table}" for table in rule.tables})
    return _FORM.format(
        name=rule.name,
        title=rule.title,
        summary=json.dumps(summary),
        query=indent(query, " " * 8),
        threshold=float(rule.threshold),
    )


def files() -> dict[str, str]:
    """The text of each file by its name."""
    return {f"{rule.name}.alert.yml": rendered(rule) for rule in RULES}


if __name__ == "__main__":
    for name, text in files().items():
        Path(sys.argv[1], name).write_text(text, encoding="utf-8")
