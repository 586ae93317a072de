"""What AWS refuses, and what fails in a stack: the plan, its execution, the deletion. Nothing is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend

from pinlake.aws import changes
from pinlake.aws.client import Aws
from pinlake.aws.errors import AwsError
from pinlake.aws.removal import delete
from pinlake.aws.stacks import check_ended, find
from pinlake.aws.templates import read_templates
from tests.aws.stacks.conftest import error_line, stack_names
from tests.bundle.reading import ROOT
from tests.cli.conftest import pinlake
from tests.helpers import nodes
from tests.infra.templates import NAMES, template
from tests.servers.s3_server import S3


def test_a_stack_that_did_not_come_up_is_deleted_and_made_again(moto_stacks: S3, clone: Path) -> None:
    with patch.object(CloudFormationBackend, "execute_change_set", failing("Role with name x already exists.")):
        said = error_line(1, "up", "--yes")
    assert said.startswith(
        "stack pinlake-storage ended in ROLLBACK_COMPLETE: UnityCatalogRole (AWS::IAM::Role): Role with name x "
        "already exists; the name is taken: choose another prefix with --name"
    )
    shown = pinlake("aws", "status", "--format", "json").stdout
    assert "UnityCatalogRole (AWS::IAM::Role): Role with name x already exists." in shown
    assert pinlake("aws", "down", "storage", "--confirm", "pinlake").exit_code == 0
    assert pinlake("aws", "up", "--yes").exit_code == 0


def failing(reason: str) -> Callable[..., None]:
    """Moto's execution of a change set, in which a resource fails and another one is cancelled."""

    def execute(backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
        stack = backend.change_sets[change_set_name].stack
        stack._add_stack_event("CREATE_IN_PROGRESS", "User Initiated")
        for resource, kind, why in (
            ("Other", "AWS::IAM::Policy", "Resource creation cancelled"),
            ("UnityCatalogRole", "AWS::IAM::Role", reason),
        ):
            stack._add_stack_event("CREATE_FAILED", why)
            event = stack.events[-1]
            event.logical_resource_id, event.physical_resource_id, event.resource_type = resource, "", kind
        stack._add_stack_event("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: …")
        stack._add_stack_event("ROLLBACK_COMPLETE")
        stack.status = "ROLLBACK_COMPLETE"

    return execute


def test_a_change_set_that_aws_refuses_leaves_nothing(moto_stacks: S3, clone: Path) -> None:
    with patch.object(CloudFormationBackend, "create_change_set", refusing("Template error: no such attribute.")):
        said = error_line(1, "plan")
    assert said == (
        "stack pinlake-storage can't be changed: Template error: no such attribute; correct the template in infra/aws"
    )
    assert stack_names(moto_stacks) == set()
    assert moto_stacks.client("cloudformation").list_change_sets(StackName="pinlake-storage")["Summaries"] == []


_CREATE = CloudFormationBackend.create_change_set


def refusing(reason: str, only: str = "") -> Callable[..., Any]:
    """Moto's creation of a change set, which then fails while an export of storage is missing, or always."""

    def create(backend: CloudFormationBackend, stack_name: str, **given: Any) -> Any:
        made = _CREATE(backend, stack_name=stack_name, **given)
        if stack_name.endswith(only) and "pinlake-storage-bucket" not in backend.exports:
            change_set = backend.change_sets[made[0]]
            change_set.status, change_set.status_reason = "FAILED", reason
        return made

    return create


def test_a_stack_is_planned_after_the_one_that_it_needs(moto_stacks: S3, clone: Path) -> None:
    missing = refusing("No export named pinlake-storage-bucket found. Rollback requested by user.", "kafka")
    with patch.object(CloudFormationBackend, "create_change_set", missing):
        assert error_line(1, "plan", "kafka").startswith(
            "stack pinlake-kafka needs the export pinlake-storage-bucket, but stack pinlake-storage doesn't exist or "
        )
        assert stack_names(moto_stacks) == set()
        planned = pinlake("aws", "plan", "storage", "kafka")
        assert "pinlake-kafka: planned after pinlake-storage, whose outputs it needs" in planned.stderr
        assert stack_names(moto_stacks) == set()
        made = pinlake("aws", "up", "storage", "kafka", "--yes")
    assert made.exit_code == 0, made.stderr
    assert stack_names(moto_stacks) == {"pinlake-storage", "pinlake-kafka"}


def imports(node: dict[str, Any]) -> list[str]:
    """The names of the exports that a node of a template imports."""
    return [node["Fn::ImportValue"]["Fn::Sub"]] if "Fn::ImportValue" in node else []


@pytest.mark.parametrize(
    ("name", "imported"),
    [(name, each) for name in NAMES for node in nodes(template(name)) for each in imports(node)],
)
def test_every_import_is_of_a_known_stack(name: str, imported: str) -> None:
    """Also for a prefix with hyphens, of which others are the beginning."""
    read = read_templates(ROOT)[name]
    parameters = {**read.defaults, **read.values("shop-2", {})}
    export = re.sub(r"\$\{(\w+)\}", lambda found: parameters[found[1]], imported)
    assert read.stack_of(export, parameters) in {f"shop-2-{stack}" for stack in ("storage", "kafka")}


def test_a_deletion_that_aws_refuses_is_a_failure(moto_stacks: S3, clone: Path) -> None:
    """An export that is in use: the stack ends in the state that it had, and its bucket stays."""
    assert pinlake("aws", "up", "--yes").exit_code == 0
    with patch.object(CloudFormationBackend, "delete_stack", refuse_deletion):
        said = error_line(1, "down", "storage", "--confirm", "pinlake")
    assert said == (
        "stack pinlake-storage ended in CREATE_COMPLETE: Export pinlake-storage-bucket cannot be deleted as it is in "
        "use by pinlake-kafka; first delete pinlake-kafka, which uses it, with `pinlake aws down`; after a change, "
        "create it again"
    )
    assert len(moto_stacks.client().list_buckets()["Buckets"]) == 2
    assert "cannot be deleted as it is in use by pinlake-kafka" in pinlake("aws", "status", "--format", "json").stdout


def refuse_deletion(backend: CloudFormationBackend, name_or_stack_id: str) -> None:
    """Moto's deletion of a stack, as AWS has it for one with an export that is in use."""
    stack = backend.get_stack(name_or_stack_id)
    stack._add_stack_event("DELETE_IN_PROGRESS", "User Initiated")
    reason = "Export pinlake-storage-bucket cannot be deleted as it is in use by pinlake-kafka"
    stack._add_stack_event("CREATE_COMPLETE", reason)


def test_a_stack_that_somebody_else_has_deleted_is_not_waited_for(moto_stacks: S3, clone: Path) -> None:
    assert pinlake("aws", "up", "--yes").exit_code == 0
    aws = Aws(1, print)
    stack = find(aws, "pinlake-storage")
    assert stack
    moto_stacks.client("cloudformation").delete_stack(StackName="pinlake-storage")
    said: list[str] = []
    delete(aws, stack, "storage", None, said.append)
    assert said == ["stack: DELETE_COMPLETE"]


def test_a_change_set_that_can_not_be_deleted_goes_with_its_empty_stack(moto_stacks: S3, clone: Path) -> None:
    with (
        patch.object(CloudFormationBackend, "delete_change_set", side_effect=ValidationError("x", "still in progress")),
        patch.object(CloudFormationBackend, "create_change_set", refusing("Template error: no such attribute.")),
    ):
        error_line(1, "plan")
    assert stack_names(moto_stacks) == set()


def test_a_plan_that_aws_does_not_execute_is_discarded(moto_stacks: S3, clone: Path) -> None:
    refusal = ValidationError("x", "not now")
    with patch.object(CloudFormationBackend, "execute_change_set", side_effect=refusal):
        error_line(1, "up", "--yes")
    assert stack_names(moto_stacks) == set()


def test_checks_before_a_deployment_name_the_resource(
    monkeypatch: pytest.MonkeyPatch, moto_stacks: S3, clone: Path
) -> None:
    """Moto has no such checks, so the answer about them is made up."""
    ask = Aws.ask
    event = {
        "LogicalResourceId": "UnityCatalogRole",
        "ResourceType": "AWS::IAM::Role",
        "ValidationStatusReason": "Resource of type 'AWS::IAM::Role' with identifier 'x' already exists.",
    }

    def asked(self: Aws, service: str, operation: str, about: str, **given: Any) -> Any:
        if operation == "describe_events":
            return {"OperationEvents": [event]}
        return ask(self, service, operation, about, **given)

    monkeypatch.setattr(Aws, "ask", asked)
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
    with patch.object(CloudFormationBackend, "create_change_set", refusing(reason)):
        said = error_line(1, "plan")
    assert "UnityCatalogRole (AWS::IAM::Role): Resource of type 'AWS::IAM::Role' with identifier 'x' already" in said
    assert "the name is taken" in said


def test_errors_while_a_plan_is_discarded_do_not_hide_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: Any, **__: Any) -> Any:
        raise AwsError("expired")

    aws = Aws(1, print)
    monkeypatch.setattr(aws, "ask", ask)
    plan = changes.Plan(None, "pinlake-storage", True, {}, change_set="x", stack_id="y")  # type: ignore[arg-type]
    changes.discard(aws, plan)
    assert plan.change_set is None


def test_an_operation_that_is_rolled_back_is_a_failure() -> None:
    event = {"StackId": "s", "PhysicalResourceId": "s", "ResourceStatus": "UPDATE_ROLLBACK_COMPLETE"}
    with pytest.raises(Exception, match="stack x ended in UPDATE_ROLLBACK_COMPLETE: AWS gives no reason"):
        check_ended("x", [event], "UPDATE_COMPLETE")
