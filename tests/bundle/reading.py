"""The bundle's files as they are written, and as a target sees them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pinlake.job.bundle import Bundle, load
from pinlake.job.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
ROOT_FILE = ROOT / "databricks.yml"
# Those that nobody gets who doesn't ask for them, and the others.
OPTIONAL_FILES = sorted(
    path for folder in ("optional", "warehouse") for path in (ROOT / "resources" / folder).glob("*.yml")
)
RESOURCE_FILES = sorted((ROOT / "resources").glob("*.yml"))
TARGETS = ("dev", "free", "staging", "prod")
SHARED_TARGETS = ("staging", "prod")
# What each target wants to be told, as the CLI is told with --var.
NEEDED = {
    "dev": {"catalog": "lakes"},
    "free": {},
    "staging": {
        "catalog": "lakes",
        "landing_location": "s3://pinlake-dumps/dump",
        "notification_email": "nobody",
        "service_principal": "00000000-0000-0000-0000-000000000000",
        "team": "analysts",
    },
}
NEEDED["prod"] = NEEDED["staging"]
GIVEN = NEEDED["prod"]
# What the optional files want besides.
FOR_OPTIONS = {"storage_credential": "pinlake-reader", "warehouse_id": "w1"}


@cache
def bundle(target: str) -> Bundle:
    """The bundle as a target sees it, with only what the target can't do without."""
    return load(ROOT, target, NEEDED[target])


def bundle_as_deployed(target: str) -> Bundle:
    """With the names that a deployment gives, those with the target's prefix."""
    user = {"userName": "jane.doe@corp", "short_name": "jane_doe", "domain_friendly_name": "jane-doe", "id": "1"}
    return load(ROOT, target, NEEDED[target], user=user)


@cache
def bundle_with_options(target: str) -> Bundle:
    """The same, where somebody asked for all that is optional."""
    with TemporaryDirectory() as folder:
        copy_bundle(Path(folder), optional=True)
        return load(Path(folder), target, {**NEEDED[target], **FOR_OPTIONS})


def copy_bundle(to: Path, optional: bool = False) -> None:
    """The bundle's YAML files, with the optional ones included as databricks.yml says that it is done."""
    shutil.copytree(ROOT / "resources", to / "resources")
    text = ROOT_FILE.read_text(encoding="utf-8")
    (to / ROOT_FILE.name).write_text(text.replace("  # - resources", "  - resources") if optional else text, "utf-8")


@cache
def written(path: Path) -> dict[str, Any]:
    return read_yaml(path)


def all_written() -> dict[str, dict[str, Any]]:
    """Each file's content by its name."""
    return {path.name: written(path) for path in (ROOT_FILE, *RESOURCE_FILES, *OPTIONAL_FILES)}


def texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys not."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def references(value: Any) -> list[str]:
    """What is inside of every ${…} in a value."""
    return [found for text in texts(value) for found in re.findall(r"\$\{([^}]*)\}", text)]


def notebook_tasks(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The tasks that run a notebook, those inside of a for_each_task too."""
    for task in job["tasks"]:
        inner = task.get("for_each_task", {}).get("task", task)
        if "notebook_task" in inner:
            yield inner


def target(name: str) -> dict[str, Any]:
    """A target as databricks.yml has it."""
    return written(ROOT_FILE)["targets"][name]


def chosen(folder: Path, **variables: str) -> Bundle:
    """Target dev of a copy of the bundle, where it sets these variables."""
    copy_bundle(folder, optional=True)
    lines = [f"      {name}: {value}\n" for name, value in variables.items()]
    choice = "".join(["targets:\n", "  dev:\n", "    variables:\n", *lines])
    (folder / "resources" / "choice.yml").write_text(choice, encoding="utf-8")
    return load(folder, "dev", {**NEEDED["dev"], **FOR_OPTIONS})
