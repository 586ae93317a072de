"""What can go wrong is told in one line: what was found, where, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from moto.cloudformation.models import CloudFormationBackend

from pinlake.aws import changes
from pinlake.aws.client import Aws
from pinlake.aws.errors import AwsError, remedy
from pinlake.aws.stacks import check_succeeded
from tests.aws.stacks.conftest import stack_names, stacks_in_moto
from tests.cli.conftest import pinlake
from tests.infra.conftest import create_stack
from tests.servers.s3_server import S3

USER = "arn:aws:iam::" + "1" * 12 + ":user/ada"
STACK = "arn:aws:cloudformation:us-east-1:" + "1" * 12 + ":stack/pinlake-storage/1"
ROLE = "arn:aws:iam::" + "1" * 12 + ":role/pinlake-unity-catalog"
DENIED = f"User: {USER} is not authorized to perform: iam:CreateRole on resource: {ROLE}"


def line(code: int, *words: object) -> str:
    """The error line of a call that fails."""
    result = pinlake("aws", *words)
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("error: ")
    return lines[-1].removeprefix("error: ")


def refused(code: str, message: str, status: int = 400) -> Callable[[str, str], tuple[int, bytes]]:
    """A rule of the server: AWS's answer to a request that it refuses."""
    error = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
    return lambda method, path: (status, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode())


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("ExpiredToken", "The security token is expired", "the credentials have expired; sign in again, for example"),
        ("InvalidClientTokenId", "The token is invalid", "the access key is not known in this region; check AWS_ACC"),
        ("SignatureDoesNotMatch", "The signature", "the secret key is not that of the access key; check"),
        (
            "AccessDenied",
            f"User: {USER} is not authorized to perform: cloudformation:DescribeStacks on resource: {STACK} because no "
            "identity-based policy allows the cloudformation:DescribeStacks action",
            f"no permission for cloudformation:DescribeStacks on {STACK} (because no identity-based policy allows the "
            "cloudformation:DescribeStacks action); ask who manages the account for it: docs/aws.md lists",
        ),
        ("AccessDenied", "", "no permission for cloudformation:DescribeStacks on stack pinlake-storage; ask who"),
        (
            "ValidationError",
            "What nobody knows.",
            "cloudformation:DescribeStacks on stack pinlake-storage: What nobody",
        ),
    ],
)
def test_a_refused_request_is_told_with_its_remedy(s3: S3, clone: Path, code: str, message: str, told: str) -> None:
    s3.rule = refused(code, message)
    said = line(1, "status", "storage")
    assert said.startswith(told)
    assert "signature" not in said or "clock" in said


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials for AWS were found; sign in"),
        ({"AWS_DEFAULT_REGION": ""}, "no region is set; set AWS_DEFAULT_REGION"),
        ({"AWS_PROFILE": "nobody"}, "the profile is not in AWS's configuration; check AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "server 127.0.0.1:9 can't be reached"),
    ],
)
def test_a_machine_without_an_account_is_told(
    s3: S3, clone: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    assert line(1, "up", "--yes", "--give-up-after", 0.1).startswith(told)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("ROLLBACK_COMPLETE", "only deleted; .*then `pinlake aws down storage` and `pinlake aws up storage`"),
        ("UPDATE_IN_PROGRESS", "another operation is in progress; wait until `pinlake aws status`"),
        ("UPDATE_ROLLBACK_FAILED", "`aws cloudformation continue-update-rollback --stack-name pinlake-storage`"),
    ],
)
def test_a_stack_that_can_not_be_updated_says_what_is_first(s3: S3, clone: Path, state: str, told: str) -> None:
    create_stack(s3, "storage")
    stacks_in_moto()["pinlake-storage"].status = state
    said = line(1, "up", "storage", "--yes")
    assert said.startswith(f"stack pinlake-storage is in {state}")
    assert re.search(told, said)


def test_a_stack_that_did_not_come_up_is_deleted_and_made_again(moto_stacks: S3, clone: Path) -> None:
    with patch.object(CloudFormationBackend, "execute_change_set", failing("Role with name x already exists.")):
        said = line(1, "up", "--yes")
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


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (DENIED, "get this right: docs/aws.md"),
        ("Resource limit exceeded for streams", "a limit of the account is reached"),
        ("You have reached the quota of VPCs", "a limit of the account is reached"),
        ("pinlake-unity-catalog already exists", "the name is taken: choose another prefix"),
        (
            "Export pinlake-storage-bucket cannot be deleted as it is in use by pinlake-kafka",
            "first delete pinlake-kaf",
        ),
        ("No export named pinlake-storage-bucket found", "create pinlake-storage, of which it is an export"),
        ("Template format error: unsupported structure", "correct the template in infra/aws"),
        ("Parameter Shards failed to satisfy constraint", "correct it with --parameter"),
        ("Something else", "see docs/aws.md"),
    ],
)
def test_the_reason_of_a_failure_has_its_remedy(reason: str, told: str) -> None:
    assert remedy(reason).startswith(told)


def test_a_change_set_that_aws_refuses_leaves_nothing(moto_stacks: S3, clone: Path) -> None:
    with patch.object(CloudFormationBackend, "create_change_set", refusing("Template error: no such attribute.")):
        said = line(1, "plan")
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
        assert line(1, "plan", "kafka").startswith("stack pinlake-kafka needs stack pinlake-storage, which doesn't")
        assert stack_names(moto_stacks) == set()
        planned = pinlake("aws", "plan", "storage", "kafka")
        assert "pinlake-kafka: planned after pinlake-storage, whose outputs it needs" in planned.stderr
        assert stack_names(moto_stacks) == set()
        made = pinlake("aws", "up", "storage", "kafka", "--yes")
    assert made.exit_code == 0, made.stderr
    assert stack_names(moto_stacks) == {"pinlake-storage", "pinlake-kafka"}


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
        said = line(1, "plan")
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
        check_succeeded("x", [event])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "gatway"), "no stack is called 'gatway'; did you mean gateway?"),
        (("plan", "queue"), "no stack is called 'queue'; the stacks are storage, kinesis,"),
        (("plan", "guard"), "guard needs NotificationEmail: E-mail address that is warned; give --parameter Notif"),
        (("plan", "guard", "--parameter", "NotificationEmail=x"), "--parameter NotificationEmail can't be 'x' for gua"),
        (("plan", "--parameter", "FileEvents=yes"), "parameter FileEvents of storage can't be 'yes'; give one of true"),
        (
            ("plan", "--parameter", "FileEvent=true"),
            "--parameter FileEvent: no such parameter in storage; did you mean FileEvents?",
        ),
        (("plan", "--parameter", "Name=shop"), "--parameter Name would separate stacks that belong together; give --n"),
        (("plan", "--parameter", "Folder"), "--parameter Folder: can't be read; give --parameter NAME=VALUE"),
        (("plan", "--name", "Shop"), "--name can't be 'Shop' for storage; give 2 to 32 lower-case letters"),
        (("up",), "the command asks before it changes AWS, and its input is no terminal; add --yes"),
        (("down",), "the command asks for the name before it deletes, and its input is no terminal; add --confirm p"),
    ],
)
def test_a_call_that_can_not_be_meant_is_refused(s3: S3, clone: Path, words: tuple[str, ...], told: str) -> None:
    assert line(2, *words).startswith(told)


def test_another_name_deletes_nothing(moto_stacks: S3, clone: Path) -> None:
    assert pinlake("aws", "up", "--yes").exit_code == 0
    assert line(2, "down", "--confirm", "shop") == "'shop' is not the name pinlake; nothing was deleted"
    assert stack_names(moto_stacks) == {"pinlake-storage"}


def test_a_stack_that_is_asked_for_must_exist(s3: S3, clone: Path) -> None:
    for command in (("status", "kafka"), ("outputs", "kafka"), ("down", "kafka", "--confirm", "pinlake")):
        assert line(1, *command).startswith("no stack is called pinlake-kafka in us-east-1; `pinlake aws status`")
    assert line(1, "outputs").startswith("no stack of pinlake with outputs is in us-east-1; create some with `pinlake")


def test_a_folder_without_templates_is_refused(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert line(2, "plan").startswith("no databricks.yml in . or a folder above it")
    (tmp_path / "databricks.yml").touch()
    assert line(2, "plan").startswith(f"no templates in {tmp_path / 'infra' / 'aws'}")
    assert line(2, "plan", "--bundle", tmp_path / "x").startswith("no templates in ")
    folder = tmp_path / "infra" / "aws"
    folder.mkdir(parents=True)
    for text, told in (("a: [", "can't be read"), ("a: 1", "has no Resources")):
        (folder / "storage.yml").write_text(text, encoding="utf-8")
        assert told in line(2, "plan")
