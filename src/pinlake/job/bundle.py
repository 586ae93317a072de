"""Read a bundle offline: databricks.yml and the files that it includes, as one target sees them, variables resolved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinlake.errors import BundleError
from pinlake.job.target import apply_target, merge, name_prefix, prefixed
from pinlake.job.variables import assign, resolve
from pinlake.job.yaml_file import read_yaml

FILE_NAME = "databricks.yml"
# The user without a workspace.
LOCAL_USER = {"userName": "local", "short_name": "local", "domain_friendly_name": "local", "id": "local"}


@dataclass(frozen=True)
class Bundle:
    """One target's view of a bundle. Paths of notebooks in `jobs` are relative to `root`, in POSIX form.

    `files` has the file that defines a resource, by the resource's key.
    """

    root: Path
    name: str
    target: str
    variables: dict[str, Any]
    resources: dict[str, dict[str, Any]]
    config: dict[str, Any]
    files: dict[str, Path]

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The definitions of the jobs, by key."""
        return self.resources.get("jobs", {})

    def names(self, kind: str, *fields: str, having: str | None = None) -> list[str]:
        """Names of a kind's resources, their fields joined by dots; with `having`, of those that have that field."""
        resources = self.resources.get(kind, {}).values()
        return [".".join(str(each[field]) for field in fields) for each in resources if not having or having in each]

    def job_key(self, name: str | None = None) -> str:
        """The key of a job; without a name that of the only one, or `pipeline`. Raises BundleError."""
        if name is None:
            name = next(iter(self.jobs)) if len(self.jobs) == 1 else "pipeline"
        if name in self.jobs:
            return name
        known = ", ".join(self.jobs) or "none: write one under resources.jobs"
        raise BundleError(f"no job is called {name!r}; the jobs of bundle {self.name} are {known}")


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upwards, with a databricks.yml. Raises BundleError where there is none."""
    for folder in (start.absolute(), *start.absolute().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise BundleError(f"no {FILE_NAME} in {start} or a folder above it; go to the project's folder, or name it")


def load(
    root: Path,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    user: Mapping[str, str] | None = None,
) -> Bundle:
    """Read the bundle in folder `root` as the target sees it; without a name, its default target.

    `variables` are those of --var; of `environment` only BUNDLE_VAR_* is read. `user` is who deploys, with the fields
    of LOCAL_USER: names are then those of the deployment, with the target's prefix. Raises BundleError for what the
    Databricks CLI refuses too: an unknown target, a variable without a value, a reference to a missing field.
    """
    root = root.absolute()
    config, files = _read_all(root)
    targets = config.pop("targets", None) or {}
    chosen = _choose_target(targets, target)
    merged = apply_target(config, targets.get(chosen) or {}, chosen)
    overrides = _variable_file(root / ".databricks" / "bundle" / chosen / "variable-overrides.json")
    merged["workspace"] = {**(merged.get("workspace") or {}), "current_user": dict(user or LOCAL_USER)}
    known: dict[str, Any] = {"bundle": merged["bundle"], "workspace": merged["workspace"]}
    known["var"] = values = assign(merged.pop("variables"), variables or {}, environment or {}, overrides)
    prefix = resolve(name_prefix(merged, user), known, "presets.name_prefix") if user else ""
    merged["resources"] = resources = {
        kind: {key: prefixed(kind, settings or {}, prefix) for key, settings in (named or {}).items()}
        for kind, named in (merged.get("resources") or {}).items()
    }
    known["resources"] = {
        kind: {key: _as_deployed(kind, key, settings) for key, settings in named.items()}
        for kind, named in resources.items()
    }
    resolved = {section: resolve(value, known, section) for section, value in merged.items()}
    return Bundle(
        root=root,
        name=str(resolved["bundle"].get("name", root.name)),
        target=chosen,
        variables=resolve(values, known, "variables"),
        resources=resolved["resources"],
        config=resolved,
        files=files,
    )


def declared_variables(root: Path) -> set[str]:
    """Names of the variables that the bundle in folder `root` declares, with or without a value. Raises BundleError."""
    return set(_read_all(root.absolute())[0].get("variables") or {})


def _read_all(root: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """The root file and what it includes as one mapping, and the file of each resource by its key."""
    file = root / FILE_NAME
    if not file.is_file():
        raise BundleError(f"no {FILE_NAME} in {root}; give the folder of a bundle")
    contents = {file: read_yaml(file)}
    contents |= {path: read_yaml(path) for path in _included(file, contents[file].get("include") or [])}
    config: dict[str, Any] = {}
    files: dict[str, Path] = {}
    for path, content in contents.items():
        for key in (key for resources in (content.get("resources") or {}).values() for key in resources or {}):
            if key in files:
                raise BundleError(f"resource {key!r} is defined in {files[key]} and again in {path}; rename one")
            files[key] = path
        config = merge(config, _anchored(content, path.parent, root))
    return config, files


def _included(file: Path, patterns: list[str]) -> Iterator[Path]:
    """The files that the globs name, relative to the root file's folder."""
    for pattern in patterns:
        files = sorted(path for path in file.parent.glob(pattern) if path != file)
        if not files and "*" not in pattern:
            raise BundleError(f"{file} includes {pattern}, and there is no such file; correct the path, or take it out")
        yield from files


def _anchored(value: Any, folder: Path, root: Path) -> Any:
    """The same, with notebook paths relative to the root: each file writes them relative to itself."""
    if isinstance(value, list):
        return [_anchored(item, folder, root) for item in value]
    if not isinstance(value, dict):
        return value
    anchored = {key: _anchored(item, folder, root) for key, item in value.items()}
    path = anchored.get("notebook_path")
    if isinstance(path, str) and not path.startswith(("/", "${")):
        anchored["notebook_path"] = Path(os.path.relpath(folder / path, root)).as_posix()
    return anchored


def _choose_target(targets: Mapping[str, Any], name: str | None) -> str:
    known = ", ".join(targets) or "none"
    if name is not None and name not in targets:
        raise BundleError(f"no target is called {name!r}; the bundle's targets are {known}")
    defaults = (
        [key for key, settings in targets.items() if (settings or {}).get("default")] or [*targets] or ["default"]
    )
    if name is None and len(defaults) > 1:
        raise BundleError(f"name a target with --target: no single one is marked as default; the targets are {known}")
    return name or defaults[0]


def _variable_file(path: Path) -> dict[str, Any]:
    """Values from the file in which the CLI looks for a user's own values. Raises BundleError if it is invalid."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f'{path} can\'t be read: {error}; it must be JSON, {{"variable": "value"}}') from error


def _as_deployed(kind: str, key: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The resource with fields that only a deployment sets: the path of a volume, and a placeholder for the id."""
    place = "/".join(str(settings.get(field)) for field in ("catalog_name", "schema_name", "name"))
    path = {"volume_path": f"/Volumes/{place}"} if kind == "volumes" else {}
    return {"id": f"<{kind}.{key}.id>", **path, **settings}
