"""What a target's presets do to the names of resources when the Databricks CLI deploys them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# The field that gets the prefix as it is written. Volumes, secret scopes and external locations get none.
_NAMED = {"jobs": "name", "dashboards": "display_name"}


def name_prefix(config: Mapping[str, Any], user: Mapping[str, str]) -> str:
    """The prefix of a target's names: its preset, or that of mode development."""
    given = (config.get("presets") or {}).get("name_prefix")
    development = config["bundle"].get("mode") == "development"
    return str(given or (f"[dev {user['short_name']}] " if development else ""))


def add_prefix(resources: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The resources with the prefix before their names, in the form that each kind's names can have."""
    return {
        kind: {key: _prefixed(kind, settings or {}, prefix) for key, settings in (found or {}).items()}
        for kind, found in resources.items()
    }


def plain(text: str) -> str:
    """In lower case, each run of other characters than letters and digits one underscore: `[dev a.b]` → `dev_a_b`."""
    return re.sub(r"[\W_]+", "_", text.lower()).strip("_")


def _prefixed(kind: str, settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    if kind == "schemas":
        # Without the end of a bracket the CLI puts no underscore after it.
        words = plain(prefix) + "_" * prefix.strip(" ").endswith("]")
        return {**settings, "name": f"{words}{settings.get('name', '')}"}
    if field := _NAMED.get(kind):
        return {**settings, field: f"{prefix}{settings.get(field, '')}"}
    return dict(settings)
