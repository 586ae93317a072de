"""What a target changes in a bundle, as in the Databricks CLI: overrides, values of variables, prefix of names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pinlake.errors import BundleError

# Keys of a target that don't merge with the bundle's section of that name.
_NOT_MERGED = ("default", "mode", "variables")
# Keys by which the CLI recognizes that a target redefines a variable instead of setting its value.
_DEFINITION = {"default", "lookup", "type", "description"}
# The field that gets the prefix unchanged. Volumes, secret scopes and external locations get no prefix.
_PREFIXED = {"jobs": "name", "dashboards": "display_name", "alerts": "display_name"}


def merge(first: Any, second: Any, where: str = "") -> Any:
    """Mappings are merged by key, lists are concatenated, and of other values the second wins.

    None merged with a value is that value. Raises BundleError if a mapping or a list has another form in `second`.
    """
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, dict) and isinstance(second, dict):
        both = {key: merge(first.get(key), value, f"{where}.{key}".lstrip(".")) for key, value in second.items()}
        return {**first, **both}
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        raise BundleError(f"{where} has a different form in two places; write it as a mapping or as a list in both")
    return second


def apply_target(config: Mapping[str, Any], target: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration with a target's overrides. Raises BundleError for an unknown variable."""
    merged: dict[str, Any] = merge(dict(config), {key: target[key] for key in target if key not in _NOT_MERGED})
    if "run_as" in target:
        merged["run_as"] = target["run_as"]
    merged["bundle"] = {**(merged.get("bundle") or {}), "target": name, "mode": target.get("mode")}
    variables = {key: dict(settings or {}) for key, settings in (config.get("variables") or {}).items()}
    for key, value in (target.get("variables") or {}).items():
        if key not in variables:
            known = ", ".join(variables) or "none"
            raise BundleError(f"target {name} sets variable {key!r}, which is not defined; the variables are {known}")
        if value and isinstance(value, dict) and value.keys() <= _DEFINITION:
            raise BundleError(f"target {name} redefines variable {key!r}, which is not supported; give its value alone")
        variables[key]["default"] = value
    return {**merged, "variables": variables}


def name_prefix(config: Mapping[str, Any], user: Mapping[str, str]) -> str:
    """The prefix of a target's names: its preset, or that of mode development."""
    given = (config.get("presets") or {}).get("name_prefix")
    development = config["bundle"]["mode"] == "development"
    return str(given or (f"[dev {user['short_name']}] " if development else ""))


def prefixed(kind: str, settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A resource with the prefix before its name, in the form that the names of its kind can have."""
    if kind == "schemas" and prefix:
        # Without the end of a bracket the CLI puts no underscore after it.
        words = plain(prefix) + "_" * prefix.strip(" ").endswith("]")
        return {**settings, "name": f"{words}{settings.get('name', '')}"}
    field = _PREFIXED.get(kind) if prefix else None
    return {**settings, field: f"{prefix}{settings.get(field, '')}"} if field else dict(settings)


def plain(text: str) -> str:
    """The text in lower case, with one underscore for each run of other characters: `[dev a.b]` → `dev_a_b`."""
    return re.sub(r"[\W_]+", "_", text.lower()).strip("_")
