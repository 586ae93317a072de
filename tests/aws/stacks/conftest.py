"""A clone with templates that moto can create, in moto with what it leaves out after a change set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from moto.cloudformation.models import CloudFormationBackend, Stack, cloudformation_backends

from tests.bundle.reading import ROOT
from tests.cli.conftest import pinlake
from tests.infra.conftest import known_to_moto
from tests.infra.templates import NAMES
from tests.servers.s3_server import S3

_EXECUTE = CloudFormationBackend.execute_change_set


def _resource_events(stack: Stack, state: str) -> list[Any]:
    """Events of the resources. Moto has only those of the stack."""
    before, events = list(stack.events), []
    for resource in stack.stack_resources:
        for each in (f"{state}_IN_PROGRESS", f"{state}_COMPLETE") if resource is not None else ():
            stack._add_stack_event(each)
            event = stack.events.pop()
            event.logical_resource_id = getattr(resource, "logical_resource_id", None) or "Resource"
            event.physical_resource_id = getattr(resource, "physical_resource_id", None) or "-"
            event.resource_type = getattr(resource, "cf_resource_type", None) or getattr(resource, "type", "-")
            events.append(event)
    assert stack.events == before
    return events


def _execute(backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    """Moto's own, which leaves a stack without outputs, exports and events of its resources."""
    change_set = backend.change_sets[change_set_name]
    stack = change_set.stack
    _EXECUTE(backend, change_set_name, stack_name)
    stack._parse_template()
    stack.output_map = stack._create_output_map()
    for export in stack.exports:
        backend.exports[export.name] = export
    stack.events[-1:-1] = _resource_events(stack, change_set.change_set_type)


@pytest.fixture
def moto_stacks(s3: S3) -> Iterator[S3]:
    """The server, whose stacks have outputs and events after a change set."""
    with patch.object(CloudFormationBackend, "execute_change_set", _execute):
        yield s3


def write_clone(folder: Path) -> Path:
    """A folder with the bundle of the repository, and with its templates as far as moto knows their resources."""
    templates = folder / "infra" / "aws"
    templates.mkdir(parents=True)
    shutil.copytree(ROOT / "resources", folder / "resources")
    shutil.copy(ROOT / "databricks.yml", folder)
    shutil.copy(ROOT / "infra" / "aws" / "costs.toml", templates)
    for name in NAMES:
        # JSON is YAML too.
        (templates / f"{name}.yml").write_text(known_to_moto(name), encoding="utf-8")
    return folder


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is a clone. No setting of pinlake is set."""
    for name in [name for name in os.environ if name.startswith("PINLAKE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PINLAKE_LOG_FOLDER", str(tmp_path / "logs"))
    folder = write_clone(tmp_path / "clone")
    monkeypatch.chdir(folder)
    return folder


def stack_names(server: S3) -> set[str]:
    """Names of the stacks that exist, also of those that have only a change set."""
    stacks = server.client("cloudformation").list_stacks()["StackSummaries"]
    return {each["StackName"] for each in stacks if each["StackStatus"] != "DELETE_COMPLETE"}


def stacks_in_moto() -> dict[str, Stack]:
    """Moto's own objects of the stacks, by name."""
    backends = [each for account in cloudformation_backends.values() for each in account.values()]
    return {stack.name: stack for backend in backends for stack in backend.stacks.values()}


def error_line(code: int, *words: object) -> str:
    """The error line of a call that fails."""
    result = pinlake("aws", *words)
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("error: ")
    return lines[-1].removeprefix("error: ")
