"""How a bundle's files and a target's overrides become one: as the Databricks CLI merges them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinlake.job.errors import BundleError

# Lists whose elements have a name: two with the same name are one, whose later settings win.
_NAMED = {
    "jobs": {"tasks": "task_key", "job_clusters": "job_cluster_key", "parameters": "name"},
    "pipelines": {"clusters": "label"},
}
_DEFINITIONS = (
    *({"default"}, {"default", "type"}, {"default", "description"}, {"default", "type", "description"}),
    *({"lookup"}, {"lookup", "description"}),
)
# Sections that a target merges into those of the bundle, and those that it replaces.
_MERGED = ("bundle", "workspace", "artifacts", "resources", "sync", "permissions", "presets")
_REPLACED = ("run_as",)


def merge(first: Any, second: Any, where: str = "") -> Any:
    """Maps are merged key by key, lists are put one after the other, of anything else the second wins.

    Nothing merged with something is that something. Raises BundleError where a map meets a list or a text.
    """
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, dict) and isinstance(second, dict):
        merged = dict(first)
        for key, value in second.items():
            merged[key] = merge(first[key], value, f"{where}.{key}".lstrip(".")) if key in first else value
        return merged
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        raise BundleError(
            f"{where} is a {_kind(first)} in one place and a {_kind(second)} in another; give it one form in both"
        )
    return second


def apply_target(config: dict[str, Any], target: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration with a target's overrides, without `targets`. Raises BundleError for an unknown variable."""
    merged = {key: value for key, value in config.items() if key != "targets"}
    for section in _MERGED:
        if section in target:
            merged[section] = merge(merged.get(section), target[section], section)
    for section in _REPLACED:
        if section in target:
            merged[section] = target[section]
    merged["variables"] = _override_variables(merged.get("variables") or {}, target.get("variables") or {}, name)
    merged["bundle"] = {**(merged.get("bundle") or {}), "target": name, "environment": name}
    if "mode" in target:
        merged["bundle"]["mode"] = target["mode"]
    return merged


def join_named(resources: Mapping[str, Any]) -> dict[str, Any]:
    """The resources with each named list (tasks, job clusters, parameters) free of doubles."""
    joined: dict[str, Any] = {}
    for kind, found in resources.items():
        lists = _NAMED.get(kind, {})
        joined[kind] = {
            name: {
                field: _join(value, lists[field], f"resources.{kind}.{name}.{field}") if field in lists else value
                for field, value in (settings or {}).items()
            }
            for name, settings in (found or {}).items()
        }
    return joined


def _override_variables(variables: Mapping[str, Any], overrides: Mapping[str, Any], target: str) -> dict[str, Any]:
    if unknown := sorted(overrides.keys() - variables.keys()):
        known = ", ".join(variables) or "none"
        raise BundleError(
            f"target {target} gives variable {unknown[0]!r} a value, and no such variable is defined; define it under "
            f"`variables`, or mend its name: there are {known}"
        )
    merged = {name: dict(settings or {}) for name, settings in variables.items()}
    for name, value in overrides.items():
        definition = value if _is_definition(value) else {"default": value}
        # A target's default or lookup takes the place of both that were there.
        kept = {key: found for key, found in merged[name].items() if key not in ("default", "lookup")}
        given = {key: found for key, found in definition.items() if key in ("default", "lookup")}
        merged[name] = {**(kept if given else merged[name]), **definition}
    return merged


def _is_definition(value: Any) -> bool:
    """Whether a target's value is a definition and not the value itself, by the keys that the CLI tells it by."""
    return isinstance(value, dict) and set(value) in _DEFINITIONS


def _join(items: Any, key: str, where: str) -> Any:
    if not isinstance(items, list):
        return items
    joined: dict[Any, Any] = {}
    for item in items:
        if not isinstance(item, dict) or key not in item:
            raise BundleError(f"{where} holds an entry without {key}; give every entry its {key}")
        name = item[key]
        joined[name] = merge(joined.get(name), item, f"{where}[{name}]")
    return list(joined.values())


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    return "list" if isinstance(value, list) else "plain value"
