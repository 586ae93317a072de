"""AWS and a workspace on the loopback: moto, and a Unity Catalog that looks at moto's roles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.parsing import clean_json
from typer.testing import CliRunner, Result

from pinlake.cli.program import app
from tests.infra.conftest import create_stack, known_to_moto
from tests.servers.s3_server import S3
from tests.servers.workspace_server import Workspace, served

ME = "@".join(["jane.doe", "corp"])
TOKEN = "made" + "-up-" + "t" * 20
CATALOG_ROLE = "arn:aws:iam::" + "1" * 12 + ":role/unity-catalog"
ROLE_NAME = "pinlake-unity-catalog"


def update_trust(backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    """Executes a change set that only changes parameters, on which moto changes no resource: here the role's trust."""
    change_set = backend.change_sets[change_set_name]
    stack = change_set.stack
    stack._add_stack_event("UPDATE_IN_PROGRESS")
    resources = stack.resource_map
    resources.input_parameters = change_set.parameters
    resources.load_parameters()
    resources.load_conditions()
    properties = clean_json(stack.template_dict["Resources"]["UnityCatalogRole"]["Properties"], resources)
    trust = properties["AssumeRolePolicyDocument"]
    trust["Statement"] = [statement for statement in trust["Statement"] if statement]
    resources["UnityCatalogRole"].assume_role_policy_document = json.dumps(trust)
    stack.status = "UPDATE_COMPLETE"
    stack._add_stack_event("UPDATE_COMPLETE")


@dataclass
class Clouds:
    """AWS and the workspace. `refusals` is how often Unity Catalog can't take a role yet that trusts it."""

    s3: S3
    workspace: Workspace
    folder: Path
    refusals: int = 0
    rights: tuple[str, ...] = ("READ", "LIST", "PATH_EXISTS")
    """The checks that pass once the role can be taken."""

    def role(self) -> dict[str, Any]:
        found: dict[str, Any] = self.s3.client("iam").get_role(RoleName=ROLE_NAME)["Role"]
        return found

    def validate(self, told: dict[str, Any], credential: dict[str, Any]) -> tuple[int, Any]:
        """As Unity Catalog does: it takes the role with its own ARN and the external id of the credential."""
        there = {key: each for key, each in self.workspace.unity.items() if key.startswith("external-locations/")}
        there.pop(f"external-locations/{told.get('external_location_name')}", None)
        for url in (each["url"] for each in there.values()):
            if told["url"].startswith(url) or url.startswith(told["url"]):
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": f"Input path url overlaps with {url}"}
        given = credential["aws_iam_role"]
        trusts = any(
            statement["Principal"]["AWS"] == given["unity_catalog_iam_arn"]
            and statement["Condition"]["StringEquals"]["sts:ExternalId"] == given["external_id"]
            for statement in self.role()["AssumeRolePolicyDocument"]["Statement"]
            if statement and "StringEquals" in statement["Condition"]
        )
        self.refusals -= trusts
        checks = ["READ", "LIST", "PATH_EXISTS"] if told["read_only"] else ["READ", "LIST", "WRITE", "DELETE"]
        if not trusts or self.refusals >= 0:
            message = "The IAM role can't be assumed"
            return 200, {"results": [{"operation": each, "result": "FAIL", "message": message} for each in checks]}
        passing = [*self.rights, "WRITE", "DELETE"] if "WRITE" in checks else self.rights
        return 200, {
            "results": [
                {"operation": each, "result": "PASS"}
                if each in passing
                else {"operation": each, "result": "FAIL", "message": "Access Denied"}
                for each in checks
            ]
        }


@pytest.fixture
def clouds(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    """A user who is logged in to both, a folder with the template of storage, and its stack."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_", "BUNDLE_VAR_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "clone" / "infra" / "aws"
    folder.mkdir(parents=True)
    (folder / "storage.yml").write_text(known_to_moto("storage"), encoding="utf-8")
    workspace = Workspace(ME, catalog_role=CATALOG_ROLE)
    found = Clouds(s3, workspace, tmp_path / "clone")
    workspace.validate = found.validate
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PINLAKE_LOG_FOLDER", str(tmp_path / "logs"))
    monkeypatch.setattr("pinlake.cli.base.out.width", 400)
    monkeypatch.setattr("pinlake.aws.watch.PAUSE", 0.05)
    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", update_trust)
    create_stack(s3, "storage")
    with served(workspace) as address:
        monkeypatch.setenv("DATABRICKS_HOST", address)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        yield found


def pinlake(*words: object) -> Result:
    """Call the program. Whatever happens, it shows no stack trace and no token."""
    called = CliRunner().invoke(app, [str(word) for word in words])
    assert "Traceback" not in called.output
    assert TOKEN not in called.output
    return called
