"""Every resource fits the typed model of it: no field is misspelt, no value of the wrong kind."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from databricks.bundles.alerts import Alert
from databricks.bundles.dashboards import Dashboard
from databricks.bundles.external_locations import ExternalLocation
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.secret_scopes import SecretScope
from databricks.bundles.volumes import Volume

from tests.bundle.reading import OPTIONAL_FILES, RESOURCE_FILES, TARGETS, bundle_with_options, written

MODELS = {
    "alerts": Alert,
    "dashboards": Dashboard,
    "external_locations": ExternalLocation,
    "jobs": Job,
    "schemas": Schema,
    "secret_scopes": SecretScope,
    "volumes": Volume,
}
WRITTEN = [
    pytest.param(kind, resource, id=f"{path.name}-{name}")
    for path in (*RESOURCE_FILES, *OPTIONAL_FILES)
    for kind, found in written(path).get("resources", {}).items()
    for name, resource in found.items()
]
RESOLVED = [
    pytest.param(target, kind, name, id=f"{target}-{kind}-{name}")
    for target in TARGETS
    for kind, found in bundle_with_options(target).resources.items()
    for name in found
]


@pytest.mark.parametrize(("kind", "resource"), WRITTEN)
def test_as_it_is_written(kind: str, resource: dict[str, Any]) -> None:
    MODELS[kind].from_dict(resource)


@pytest.mark.parametrize(("target", "kind", "name"), RESOLVED)
def test_as_a_target_sees_it(target: str, kind: str, name: str) -> None:
    resource = bundle_with_options(target).resources[kind][name]
    # What only a deployment knows is <kind.name.field> in a bundle that was read offline; a reference has any type.
    unknown = re.sub(r"<(\w+\.\w+\.\w+)>", r"${resources.\1}", json.dumps(resource))
    # The CLI leaves out texts that are empty.
    filled = {key: value for key, value in json.loads(unknown).items() if value != ""}
    MODELS[kind].from_dict(filled)


def test_the_models_are_strict() -> None:
    with pytest.raises(ValueError, match="Unexpected field 'max_concurent_runs'"):
        Job.from_dict({"max_concurent_runs": 1})
    with pytest.raises(ValueError, match="not a valid RunIf"):
        Job.from_dict({"tasks": [{"task_key": "a", "run_if": "SOMETIMES"}]})


def test_one_file_holds_one_resource_and_is_named_for_it() -> None:
    singular = {kind: kind.removesuffix("s") for kind in MODELS}
    for path in (*RESOURCE_FILES, *OPTIONAL_FILES):
        found = [(kind, name) for kind, names in written(path).get("resources", {}).items() for name in names]
        assert [f"{name}.{singular[kind]}.yml" for kind, name in found] in ([path.name], [])
