"""The bundle's files as they are written, and as a target sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pinlake.job.bundle import Bundle, load
from pinlake.job.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
ROOT_FILE = ROOT / "databricks.yml"
RESOURCE_FILES = sorted((ROOT / "resources").glob("*.yml"))
TARGETS = ("dev", "free", "staging", "prod")
SHARED_TARGETS = ("staging", "prod")
# What staging and prod want to be told, as the CLI is told with --var.
GIVEN = {
    "bucket": "pinlake-dumps",
    "storage_credential": "pinlake-reader",
    "notification_email": "nobody",
    "service_principal": "00000000-0000-0000-0000-000000000000",
    "team": "analysts",
}


@cache
def bundle(target: str) -> Bundle:
    """The bundle as a target sees it, with only what the target can't do without."""
    return load(ROOT, target, GIVEN if target in SHARED_TARGETS else {})


@cache
def written(path: Path) -> dict[str, Any]:
    return read_yaml(path)


def all_written() -> dict[str, dict[str, Any]]:
    """Each file's content by its name."""
    return {path.name: written(path) for path in (ROOT_FILE, *RESOURCE_FILES)}


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
