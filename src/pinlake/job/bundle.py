"""A Databricks bundle, read offline: databricks.yml and what it includes, one target's view, variables resolved."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pinlake.job.errors import BundleError
from pinlake.job.merge import apply_target, join_named, merge
from pinlake.job.presets import add_prefix, name_prefix
from pinlake.job.variables import Interpolation, Resolve, assign, walk, written
from pinlake.job.variables import Path as Steps
from pinlake.job.yaml_file import read_yaml

FILE_NAMES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
# Who works here, where no workspace knows the user.
LOCAL_USER = {"userName": "local", "short_name": "local", "domain_friendly_name": "local", "id": "local"}


@dataclass(frozen=True)
class Bundle:
    """One target's view of a bundle. Paths of notebooks in `jobs` are relative to `root`, in POSIX form."""

    root: Path
    name: str
    target: str
    targets: tuple[str, ...]
    variables: dict[str, Any]
    resources: dict[str, dict[str, Any]]
    config: dict[str, Any]

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return self.resources.get("jobs", {})

    def names(self, kind: str, *fields: str, having: str | None = None) -> list[str]:
        """The name of each resource of a kind, such as `catalog.schema.volume` of three fields.

        Only of those that have the field `having`, where it is given.
        """
        resources = self.resources.get(kind, {}).values()
        return [".".join(str(found[field]) for field in fields) for found in resources if not having or having in found]

    def job(self, name: str | None = None) -> tuple[str, dict[str, Any]]:
        """A job by its key; without a name the only one, or the one called `pipeline`. Raises BundleError."""
        if name is None and len(self.jobs) == 1:
            name = next(iter(self.jobs))
        if name is None and "pipeline" in self.jobs:
            name = "pipeline"
        if name is None or name not in self.jobs:
            known = ", ".join(self.jobs) or "none: write one under resources.jobs"
            if name is None:
                raise BundleError(f"name a job; bundle {self.name} has {known}")
            near = get_close_matches(name, self.jobs, 1)
            hint = f", did you mean {near[0]}?" if near else ";"
            raise BundleError(f"no job is called {name!r}{hint} The jobs of bundle {self.name} are {known}")
        return name, self.jobs[name]

    def job_with_id(self, job_id: object) -> str | None:
        """Key of the job whose `${resources.jobs.KEY.id}` this was; None for an id of a workspace."""
        return next((key for key in self.jobs if job_id == _stand_in("jobs", key, "id")), None)


def find_root(start: Path) -> Path:
    """The nearest folder, from `start` upwards, with a databricks.yml. Raises BundleError where there is none."""
    for folder in (start.absolute(), *start.absolute().parents):
        if _root_file(folder):
            return folder
    raise BundleError(f"no databricks.yml in {start} or a folder above it; go to the project's folder, or name it")


def load(
    root: Path,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    user: Mapping[str, str] | None = None,
    otherwise: Mapping[str, str] | None = None,
) -> Bundle:
    """Read the bundle in folder `root` as the target sees it; without a name, its default target.

    `variables` are those of --var; of `environment` only BUNDLE_VAR_* is read. `user` is who deploys, with the fields
    of LOCAL_USER: names are then those of the deployment, with the target's prefix. `otherwise` has values of variables
    that get none elsewhere. Raises BundleError for what the
    Databricks CLI would refuse too: an unknown target, a variable without a value, a reference that leads nowhere.
    """
    root = root.absolute()
    config = _read_all(root)
    targets = config.get("targets") or {}
    chosen = _choose_target(targets, target)
    merged = apply_target(config, targets.get(chosen) or {}, chosen)
    merged["resources"] = join_named(merged.get("resources") or {})
    overrides = _variable_file(root / ".databricks" / "bundle" / chosen / "variable-overrides.json")
    values = assign(merged["variables"], variables or {}, environment or {}, overrides, otherwise or {})
    merged["workspace"] = _workspace(root, merged, user or LOCAL_USER)
    interpolation = Interpolation(lambda *asked: _look_up(merged, values, *asked))
    if user is not None:
        prefix = interpolation.resolve(name_prefix(merged, user), "presets.name_prefix")
        merged["resources"] = add_prefix(merged["resources"], prefix)
    resolved = {key: interpolation.resolve(value, key) for key, value in merged.items() if key != "variables"}
    return Bundle(
        root=root,
        name=str(resolved["bundle"].get("name", root.name)),
        target=chosen,
        targets=tuple(targets),
        # A variable that is looked up in a workspace is an error where it is used, and only there.
        variables={name: _quietly(interpolation, name, value) for name, value in values.items()},
        resources=resolved["resources"],
        config=resolved,
    )


def _quietly(interpolation: Interpolation, name: str, value: Any) -> Any:
    return interpolation.resolve(value, f"variables.{name}") if isinstance(value, str | dict | list) else value


def _root_file(folder: Path) -> Path | None:
    return next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)


def _read_all(root: Path) -> dict[str, Any]:
    """The root file and what it includes as one mapping, notebook paths made relative to the root."""
    file = _root_file(root)
    if file is None:
        raise BundleError(f"no databricks.yml in {root}; give the folder of a bundle")
    config = _anchored(read_yaml(file), file.parent, root)
    origins = dict.fromkeys(_resource_names(config, file), file)
    for path in _included(root, config.get("include") or [], file):
        found = _anchored(read_yaml(path), path.parent, root)
        for name in _resource_names(found, path):
            if name in origins:
                raise BundleError(f"resource {name!r} is defined in {origins[name]} and in {path}; rename one of them")
            origins[name] = path
        config = merge(config, {key: value for key, value in found.items() if key != "include"})
    return config


def _included(root: Path, patterns: list[str], file: Path) -> Iterator[Path]:
    """The files that the globs name, relative to the root, each once and in order."""
    seen = {file}
    for pattern in patterns:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if not found and not any(sign in pattern for sign in "*?["):
            raise BundleError(f"{file} includes {pattern}, and there is no such file; mend the path, or leave it out")
        yield from (path for path in found if path not in seen)
        seen.update(found)


def _resource_names(config: Mapping[str, Any], path: Path) -> list[str]:
    """Keys of the resources. Raises BundleError where two kinds share one: the CLI refuses that."""
    names = [name for found in (config.get("resources") or {}).values() for name in found or {}]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BundleError(f"{path}: resource {twice[0]!r} is there twice, in two kinds; rename one of them")
    return names


def _anchored(config: dict[str, Any], folder: Path, root: Path) -> dict[str, Any]:
    """The same, with notebook paths relative to the root: each file writes them relative to itself."""

    def anchor(value: Any) -> Any:
        if isinstance(value, list):
            return [anchor(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: _relative(item, folder, root) if key == "notebook_path" and isinstance(item, str) else anchor(item)
            for key, item in value.items()
        }

    return {key: anchor(value) if key in ("resources", "targets") else value for key, value in config.items()}


def _relative(path: str, folder: Path, root: Path) -> str:
    if path.startswith(("/", "${")):
        return path
    return Path(os.path.relpath(folder / path, root)).as_posix()


def _choose_target(targets: Mapping[str, Any], name: str | None) -> str:
    known = ", ".join(targets) or "none"
    if name is not None:
        if name not in targets and not (name == "default" and not targets):
            raise BundleError(f"no target is called {name!r}; the bundle's targets are {known}")
        return name
    if len(targets) <= 1:
        return next(iter(targets), "default")
    defaults = [key for key, settings in targets.items() if (settings or {}).get("default")]
    if len(defaults) != 1:
        found = f"several are marked as default ({', '.join(defaults)})" if defaults else "none is marked as default"
        raise BundleError(f"name a target with --target: {found}; the bundle's targets are {known}")
    return defaults[0]


def _variable_file(path: Path) -> dict[str, Any]:
    """Values that somebody keeps for themselves beside the bundle, where the CLI looks for them."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f'{path} can\'t be read: {error}; it must be JSON, {{"variable": "value"}}') from error
    if not isinstance(found, dict):
        raise BundleError(f'{path} must hold a JSON object, {{"variable": "value"}}')
    return found


def _workspace(root: Path, config: Mapping[str, Any], user: Mapping[str, str]) -> dict[str, Any]:
    """The workspace section with what the CLI would add. What would be deployed to `file_path` is `root` here."""
    given = config.get("workspace") or {}
    base = given.get("root_path", "~/.bundle/${bundle.name}/${bundle.target}")
    paths = {f"{kind}_path": f"{base}/{kind}" + "s" * (kind == "artifact") for kind in ("artifact", "state")}
    named = {"host": "local", "profile": "", "resource_path": f"{base}/resources"}
    return {**named, **paths, **given, "root_path": base, "file_path": root.as_posix(), "current_user": user}


def _look_up(config: Mapping[str, Any], variables: Mapping[str, Any], path: Steps, where: str, resolve: Resolve) -> Any:
    """What a reference stands for, not yet interpolated itself."""
    match path:
        case ("var", name, *_):
            if name not in variables:
                known = ", ".join(variables) or "none"
                raise BundleError(f"{where}: no variable is called {name!r}; the bundle's variables are {known}")
            return walk(variables, path[1:], where, resolve)
        case ("bundle", "git", *_):
            return ""  # no deployment, no commit of it
        case ("resources", kind, name, *rest):
            resource = walk(config, path[:3], where, resolve)
            return _attribute(str(kind), str(name), resource, tuple(rest), where, resolve)
        case ("bundle" | "workspace" | "artifacts", *_):
            return walk(config, path, where, resolve)
    raise BundleError(
        f"{where}: ${{{written(path)}}} is not known; there are var.*, bundle.*, workspace.*, resources.* and "
        "artifacts.*"
    )


def _attribute(kind: str, name: str, resource: Any, rest: Steps, where: str, resolve: Resolve) -> Any:
    """A setting of a resource, or a stand-in for what only a deployment knows."""
    if not rest or (isinstance(resource, dict) and rest[0] in resource):
        return walk(resource, rest, where, resolve)
    if kind == "volumes" and rest == ("volume_path",):
        return "/Volumes/" + "/".join(str(resource.get(part)) for part in ("catalog_name", "schema_name", "name"))
    return _stand_in(kind, name, str(rest[0]))


def _stand_in(kind: str, name: str, attribute: str) -> str:
    return f"<{kind}.{name}.{attribute}>"
